"""Packages that not everybody needs."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.errors import ToolError

_CHECKOUT = Path(__file__).parents[2]


def install_command(extra: str) -> str:
    """Return what to type to get an extra, for the Python and the checkout that are running."""
    is_checkout = (_CHECKOUT / "pyproject.toml").is_file()
    what = ("--editable", f"{_CHECKOUT}[{extra}]") if is_checkout else (f"penstock[{extra}]",)
    return shlex.join([sys.executable, "-m", "pip", "install", *what])


@contextmanager
def needs_extra(what: str, extra: str, note: str = "") -> Iterator[None]:
    """Explain what to install where an import within fails, of somebody else's package.

    Args:
        what: needs the package, such as "training".
        extra: that brings it.
        note: for people, about the package.

    Raises:
        ToolError: a package is missing, or cannot be loaded.
    """
    try:
        yield
    except ImportError as error:
        name = error.name or extra
        if name.partition(".")[0] == __name__.partition(".")[0]:
            raise
        is_missing = isinstance(error, ModuleNotFoundError)
        fault = "is not installed" if is_missing else f"cannot be loaded: {error}"
        raise ToolError(
            f"{what} needs the package {name!r}, which {fault}",
            help=f"install it with `{install_command(extra)}`{note}",
        ) from error
