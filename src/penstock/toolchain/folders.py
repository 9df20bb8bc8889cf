"""Folders that compilers write to: finding one for the cache, explaining what cannot be written."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from penstock import options
from penstock.errors import ToolError

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def writable_cache_directory() -> Path:
    """Return the cache folder, made if it is missing.

    Where the user's own is read-only or cannot be made, as in containers without a home, it is
    one in the temporary directory that nobody else can write to; a folder that ``PENSTOCK_CACHE``
    asks for is not replaced by another.

    Raises:
        ToolError: no such folder can be written.
    """
    wanted = options.cache_directory()
    try:
        _expect_writable(wanted)
        return wanted
    except OSError as error:
        reason = error.strerror or str(error)
    if not options.is_cache_chosen():
        with suppress(OSError):
            spare = Path(tempfile.gettempdir()) / f"penstock-cache-{os.getuid()}"
            _expect_writable(spare)
            if _is_private(spare):
                return spare
    raise ToolError(
        f"cannot write the cache folder {str(wanted)!r}: {reason}",
        help="set PENSTOCK_CACHE to a folder that can be written",
    )


def _expect_writable(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=directory):
        pass


def _is_private(directory: Path) -> bool:
    """Return whether only this user can put libraries there: we load what we find."""
    found = directory.lstat()
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return is_ours and not found.st_mode & _OTHERS_MAY_WRITE


@contextmanager
def explain_writing(out: Path) -> Iterator[None]:
    """Turn what the file system refuses on the way to ``out`` into a ToolError."""
    try:
        yield
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise ToolError(
            f"cannot write {out.name}: {error.strerror or error}{place}",
            help=f"check the permissions of {str(out.parent)!r}; {space_help()}",
        ) from error


def space_help() -> str:
    """Return which folders need free space, and how to move them."""
    temporary = "the temporary folder"
    with suppress(FileNotFoundError):
        temporary += f" {tempfile.gettempdir()!r}"
    return (
        f"free space in {temporary} (TMPDIR moves it), in the cache "
        f"{str(options.cache_directory())!r} (PENSTOCK_CACHE moves it) and where the result goes"
    )
