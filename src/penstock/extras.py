"""Packages that not everybody needs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.errors import ToolError

_CHECKOUT = Path(__file__).parents[2]


def install_command(extra: str) -> str:
    """Return what to type to get an extra, for the Python and the checkout that are running."""
    if (_CHECKOUT / "pyproject.toml").is_file():
        return f"{sys.executable} -m pip install --editable '{_CHECKOUT}[{extra}]'"
    return f"{sys.executable} -m pip install 'penstock[{extra}]'"


@contextmanager
def needs_extra(what: str, extra: str, note: str = "") -> Iterator[None]:
    """Explain what to install where an import within fails.

    Args:
        what: needs the package, such as "training".
        extra: that brings it.
        note: for people, about the package.

    Raises:
        ToolError: a package is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ToolError(
            f"{what} needs the package {error.name!r}, which is not installed",
            help=f"install it with `{install_command(extra)}`{note}",
        ) from error
