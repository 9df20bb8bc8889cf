"""Packages that not everybody needs."""

from collections.abc import Iterator
from contextlib import contextmanager

from penstock.errors import ToolError


@contextmanager
def needs_extra(what: str, extra: str) -> Iterator[None]:
    """Explain what to install where an import within fails.

    Args:
        what: needs the package, such as "training".
        extra: that brings it.

    Raises:
        ToolError: a package is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ToolError(
            f"{what} needs the package {error.name!r}, which is not installed",
            help=f"pip install 'penstock[{extra}]'",
        ) from error
