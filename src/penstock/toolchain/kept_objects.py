"""Objects of our C library, compiled once and kept: every project has the same files of it."""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from penstock import options
from penstock.errors import ToolError
from penstock.toolchain.compilers import Compiler
from penstock.toolchain.folders import writable_cache_directory
from penstock.toolchain.process import run_tool

LIMIT_BYTES = 64 << 20
"""Of all that is kept: what was not asked for longest goes first."""
_FOLDER = "objects"
_SUFFIX = ".kept"
_DIGEST_BYTES = 32
_INCLUDE = re.compile(rb"^[ \t]*#[ \t]*include\b[ \t]*(.*)$", re.MULTILINE)
_NAMED = re.compile(rb'"(?P<quoted>[^"]+)"|<(?P<angled>[^>]+)>')


@dataclass(frozen=True, slots=True)
class Job:
    """A file to compile.

    Attributes:
        source: a C or assembler file.
        compiler: what compiles it.
        flags: beside the compiler's own, without those that name folders.
        include_dirs: folders of headers.
        begin: where paths in debug information begin.
    """

    source: Path
    compiler: Compiler
    flags: tuple[str, ...]
    include_dirs: tuple[Path, ...]
    begin: Path


def compile_kept(job: Job, target: Path, compile_to: Callable[[Path], None]) -> None:
    """Write the object of a file: as it was kept, or compiled, and kept if it is of our library.

    The key is everything that the object depends on; what is kept has its digest with it, and is
    compiled again where it is damaged. Two processes that ask at once both compile, and each puts
    a whole file in place. A cache that cannot be used is no error. What is not as it was shipped
    is not kept: models would fill the cache.

    Raises:
        ToolError: the source does not compile.
    """
    key = _key(job)
    if key is None:
        compile_to(target)
        return
    place = _folder() / f"{job.source.stem}-{key}{_SUFFIX}"
    kept = _read(place)
    if kept is not None:
        target.write_bytes(kept)
        return
    compile_to(target)
    if _key(job) == key:  # no file became another while it was compiled
        _keep(place, target.read_bytes())


def _folder() -> Path:
    try:
        return writable_cache_directory() / _FOLDER
    except ToolError:  # one that was filled and is now read-only serves as well
        return options.cache_directory() / _FOLDER


def _read(place: Path) -> bytes | None:
    """Return what is kept at a place; None where there is nothing, or where it is damaged."""
    try:
        content = place.read_bytes()
    except OSError:
        return None
    digest, kept = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(kept).digest() != digest:
        return None
    with suppress(OSError):
        os.utime(place)
    return kept


def _keep(place: Path, content: bytes) -> None:
    """Put a file in place, whole or not at all."""
    with suppress(OSError):
        place.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".") as temporary:
            made = Path(temporary) / place.name
            made.write_bytes(hashlib.sha256(content).digest() + content)
            made.replace(place)
        if place.stem.endswith("0"):  # looking at all of them once in sixteen times is enough
            trim(place.parent, LIMIT_BYTES)


def trim(folder: Path, limit_bytes: int) -> None:
    """Where files of a folder take more than a limit, take away the oldest down to half of it.

    Raises:
        OSError: the folder cannot be read or changed.
    """
    found = []
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # somebody else trims, too
            if path.is_file():
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
    if sum(size for _, size, _ in found) <= limit_bytes:
        return
    left = 0
    for _, size, path in sorted(found, reverse=True):
        left += size
        if left > limit_bytes // 2:
            path.unlink(missing_ok=True)


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


def _key(job: Job) -> str | None:
    """Return what tells an object from others; None for one that is not to be kept."""
    if _digest(job.source.read_bytes()) not in _shipped().get(job.source.name, ()):
        return None
    found = _read_files(job)
    if found is None:
        return None
    own, foreign = found
    environment = tuple(sorted(options.child_environment({}).items()))
    seen = [_surroundings(job.compiler, job.flags, name, environment) for name in foreign]
    described = (job.compiler.command, job.compiler.version, job.compiler.flags, job.flags, seen)
    digest = hashlib.sha256(repr(described).encode())
    has_paths = any(flag.startswith("-g") for flag in job.flags)
    for path in own:
        content = path.read_bytes()
        name = os.path.relpath(path, job.begin) if has_paths else path.name
        digest.update(f"\n{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:20]


def _read_files(job: Job) -> tuple[list[Path], list[str]] | None:
    """Return a source with its project's headers, and the names of the compiler's.

    None is for what cannot be told without a preprocessor.
    """
    own, foreign = [job.source.absolute()], {""}
    folders = [folder.absolute() for folder in job.include_dirs]
    for path in own:
        for name, is_quoted in _included(path.read_bytes()):
            if name is None:
                return None
            places = [folder / name for folder in ([path.parent] if is_quoted else []) + folders]
            found = next((place for place in places if place.is_file()), None)
            if found is None:
                foreign.add(name)
            elif found not in own:
                own.append(found)
    return own, sorted(foreign)


def _included(content: bytes) -> Iterator[tuple[str | None, bool]]:
    """Yield the names that a file includes, and whether in quotes; None for a macro's."""
    for line in _INCLUDE.findall(content):
        named = _NAMED.match(line)
        if named is None:
            yield None, False
        else:
            quoted = named["quoted"]
            yield os.fsdecode(quoted or named["angled"]), quoted is not None


@cache
def _surroundings(
    compiler: Compiler,
    flags: tuple[str, ...],
    header: str,
    environment: tuple[tuple[str, str], ...],  # noqa: ARG001 - for the cache: a child sees it
) -> str:
    """Return a digest of a header that the compiler finds, and of the macros that it begins with.

    Of these alone where the header has no name: they tell the processor.

    So other headers of the same compiler, wherever the environment says that they are, and other
    processors count. What cannot be included is included by no source that can be compiled: our
    own ask for the processor first.
    """
    with tempfile.TemporaryDirectory(prefix="penstock-") as folder:
        source = Path(folder) / "header.c"
        source.write_text(f"#include <{header}>\n" if header else "", "utf-8")
        command = [*compiler.command, *compiler.flags, *flags, "-E", "-P", "-dD", str(source)]
        try:
            text = run_tool(
                command,
                dict(compiler.environment),
                purpose=f"reading {header or 'macros'}",
                directory=Path(os.sep),
            )
        except ToolError:
            return ""
    return _digest(text.encode())
