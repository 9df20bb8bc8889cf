"""A folder and a .zip file of one, read alike."""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

from penstock.errors import InputError, os_reason

Open = Callable[[str], IO[bytes]]


@dataclass(frozen=True, slots=True, eq=False)
class FileTree:
    """Files in folders.

    Attributes:
        names: of all files, relative, with ``/`` between folders, sorted.
        open: opens one for reading.
    """

    names: tuple[str, ...]
    open: Open


@contextmanager
def open_tree(path: Path) -> Iterator[FileTree]:
    """Open a folder or a .zip file.

    Raises:
        InputError: it cannot be read.
    """
    if path.is_dir():
        found = sorted(file.relative_to(path).as_posix() for file in path.rglob("*"))
        files = tuple(name for name in found if (path / name).is_file())
        yield FileTree(files, lambda name: (path / name).open("rb"))
        return
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise InputError(
            f"cannot read {str(path)!r}: {os_reason(error)}", help="check the path"
        ) from error
    except Exception as error:  # zipfile raises many unrelated types on damaged archives
        raise InputError(
            f"{str(path)!r} is no readable .zip file", help="it may be cut short: fetch it again"
        ) from error
    with archive:
        names = sorted(name for name in archive.namelist() if not name.endswith("/"))
        yield FileTree(tuple(names), lambda name: BytesIO(_member(archive, name)))


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a file of an archive, which is read as a whole: only then its checksum is compared."""
    try:
        return archive.read(name)
    except Exception as error:  # as above
        raise InputError(
            f"{name!r} cannot be read from {str(archive.filename)!r}: {error}",
            help="fetch the archive again, or unpack it and give the folder",
        ) from error
