"""The files of the C library that a program needs: its kernels and all headers they include."""

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from penstock.errors import GraphError

_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
_HEADER_ROOT = "include"
_OF_PORTS = frozenset({"ps_dma.h"})
"""Headers that come with the port, not with the library."""
ALWAYS = ("penstock/model.h", "penstock/status.h")


def runtime_directory() -> Traversable:
    """Return the folder of the C library."""
    return resources.files("penstock") / "runtime"


def license_text() -> str:
    """Return the license of the C library, under which it may be copied into projects."""
    return (runtime_directory() / "LICENSE").read_text(encoding="utf-8")


def runtime_files(sources: Iterable[str], headers: Iterable[str]) -> dict[str, bytes]:
    """Return contents by path in the generated project.

    Args:
        sources: C files, relative to ``runtime``; they keep their path.
        headers: public headers, relative to ``runtime/include``, which is the project's root.

    Raises:
        GraphError: a file that is named or included does not exist.
    """
    files: dict[str, bytes] = {}
    waiting = [*sources, *headers, *ALWAYS]
    while waiting:
        path = waiting.pop()
        if path in files:
            continue
        content = _read(path)
        files[path] = content
        folder = path.rpartition("/")[0]
        for name in _INCLUDE.findall(content.decode("utf-8")):
            beside = f"{folder}/{name}" if folder else name
            if name not in _OF_PORTS:
                waiting.append(beside if _find(beside) is not None else name)
    return dict(sorted(files.items()))


def _read(path: str) -> bytes:
    found = _find(path)
    if found is None:
        raise GraphError(f"the runtime has no file {path!r}")
    return found.read_bytes()


@cache
def _find(path: str) -> Traversable | None:
    """Return the file of the runtime that has this path in a project."""
    for root in (runtime_directory(), runtime_directory() / _HEADER_ROOT):
        candidate = root.joinpath(*path.split("/"))
        if candidate.is_file():
            return candidate
    return None
