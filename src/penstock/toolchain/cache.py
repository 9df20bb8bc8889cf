"""Native helpers, compiled once and kept: the key is everything that the result depends on."""

import hashlib
import platform
from collections.abc import Sequence
from pathlib import Path

from penstock import options
from penstock.toolchain.build import STANDARD_FLAGS, compile_shared_library
from penstock.toolchain.compilers import Compiler, find_host_compiler
from penstock.toolchain.folders import writable_cache_directory

_FOLDER = "native"


def cached_shared_library(
    name: str,
    sources: Sequence[Path],
    include_dirs: Sequence[Path] = (),
    *,
    flags: Sequence[str] = (),
    compiler: Compiler | None = None,
) -> Path:
    """Return a shared library of these sources, compiled now or found in the cache.

    Two processes may ask at once: both compile, and each puts a whole file in place.

    Args:
        name: start of the file name.
        sources: C files.
        include_dirs: folders of headers; every ``.h`` in them counts for the key.
        flags: further compiler flags.
        compiler: None takes what `find_host_compiler` finds.

    Raises:
        ToolError: no compiler, or it fails, or the cache cannot be written.
    """
    chosen = compiler or find_host_compiler()
    key = _key(sources, include_dirs, flags, chosen)
    file_name = f"{name}-{key}.so"
    made_earlier = options.cache_directory() / _FOLDER / file_name
    if _is_file(made_earlier):
        return made_earlier  # a cache that was filled and is now read-only serves as well
    library = writable_cache_directory() / _FOLDER / file_name
    if not library.is_file():
        compile_shared_library(sources, library, include_dirs, compiler=chosen, flags=flags)
    return library


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _key(
    sources: Sequence[Path],
    include_dirs: Sequence[Path],
    flags: Sequence[str],
    compiler: Compiler,
) -> str:
    built_by = (compiler.command, compiler.version, compiler.flags)
    described = (platform.machine(), *built_by, STANDARD_FLAGS, tuple(flags))
    digest = hashlib.sha256(repr(described).encode())
    headers = [header for folder in include_dirs for header in sorted(folder.rglob("*.h"))]
    for path in (*sources, *headers):
        content = path.read_bytes()
        digest.update(f"\n{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:20]
