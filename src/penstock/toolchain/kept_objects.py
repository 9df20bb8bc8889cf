"""Objects of our C library, compiled once and kept: every project has the same files of it."""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from penstock.errors import ToolError
from penstock.toolchain.compilers import Compiler
from penstock.toolchain.folders import writable_cache_directory

_FOLDER = "objects"
_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)


def kept_object(
    source: Path,
    compiler: Compiler,
    flags: Sequence[str],
    include_dirs: Sequence[Path],
    begin: Path,
    compile_to: Callable[[Path], None],
) -> Path | None:
    """Return the object of a file of our library, compiled now or found in the cache.

    The key is everything that the object depends on: two processes that ask at once both compile,
    and each puts a whole file in place. What is not as it was shipped is not kept: models would
    fill the cache.

    Args:
        source: a C or assembler file.
        compiler: and its version.
        flags: without those that name folders.
        include_dirs: folders of headers.
        begin: where paths in debug information begin.
        compile_to: compiles the source to a file.

    Returns:
        The object; None where the source is none of ours, or nothing can be kept.

    Raises:
        ToolError: the source does not compile.
    """
    content = source.read_bytes()
    if _digest(content) not in _shipped().get(source.name, ()):
        return None
    try:
        folder = writable_cache_directory() / _FOLDER
        folder.mkdir(exist_ok=True)
    except (ToolError, OSError):
        return None
    key = _key(source, compiler, flags, include_dirs, begin)
    kept = folder / f"{source.stem}-{key}.o"
    if not kept.is_file():
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".{source.stem}.") as temporary:
            made = Path(temporary) / kept.name
            compile_to(made)
            made.replace(kept)
    return kept


@cache
def _shipped() -> Mapping[str, frozenset[str]]:
    """Return the digests of the files of our library, by their names."""
    found: dict[str, set[str]] = {}
    waiting = [files("penstock") / "runtime"]
    while waiting:
        for entry in waiting.pop().iterdir():
            if entry.is_dir():
                waiting.append(entry)
            elif entry.name.endswith((".c", ".S")):
                found.setdefault(entry.name, set()).add(_digest(entry.read_bytes()))
    return {name: frozenset(digests) for name, digests in found.items()}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _key(
    source: Path,
    compiler: Compiler,
    flags: Sequence[str],
    include_dirs: Sequence[Path],
    begin: Path,
) -> str:
    described = (compiler.command, compiler.version, compiler.flags, tuple(flags))
    digest = hashlib.sha256(repr(described).encode())
    for path in _read_files(source.absolute(), [folder.absolute() for folder in include_dirs]):
        content = path.read_bytes()
        digest.update(f"\n{os.path.relpath(path, begin)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:20]


def _read_files(source: Path, include_dirs: Sequence[Path]) -> Iterator[Path]:
    """Yield a source and all headers of a project that it includes, at whatever depth."""
    waiting, seen = [source], {source}
    while waiting:
        path = waiting.pop()
        yield path
        for name in _INCLUDE.findall(path.read_bytes()):
            places = [folder / os.fsdecode(name) for folder in (path.parent, *include_dirs)]
            found = next((place for place in places if place.is_file()), None)
            if found is not None and found not in seen:
                seen.add(found)
                waiting.append(found)
