"""Compiling and linking: objects in parallel, shared libraries for the host, firmware.

The same sources give the same bytes wherever they, the temporary folder and the caller are:
compilers run in the root folder (paths among ``flags`` must be absolute), and paths in what they
write begin where the sources begin.
"""

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from penstock.boards.board import Core
from penstock.toolchain.compilers import (
    FREESTANDING_DIRECTORY,
    Compiler,
    CompilerFamily,
    find_host_compiler,
    find_target_compiler,
)
from penstock.toolchain.folders import explain_writing
from penstock.toolchain.kept_objects import Job, compile_kept
from penstock.toolchain.process import run_tool

STANDARD_FLAGS = (
    "-std=c99",
    "-O2",
    "-ffp-contract=off",  # a fused multiply-add rounds once; the reference rounds twice
)
_ROOT = Path(os.sep)
"""Where compilers run: they write their working folder into debug information."""
WARNING_FLAGS = ("-Wall", "-Wextra", "-Wconversion", "-Werror")


def compile_objects(
    compiler: Compiler,
    sources: Sequence[Path],
    directory: Path,
    include_dirs: Sequence[Path] = (),
    *,
    flags: Sequence[str] = (),
) -> list[Path]:
    """Compile C files to objects in ``directory``, several at once; return them in order.

    Those of our library are kept in the cache, and come from there.

    Raises:
        ToolError: a file does not compile; the compiler's diagnostics are in the message.
    """
    directory.mkdir(parents=True, exist_ok=True)
    begin = _begin(sources, include_dirs)
    options = [*compiler.flags, *STANDARD_FLAGS, *_path_flags(begin), *flags]
    options += [f"-I{folder.absolute()}" for folder in include_dirs]

    def compile_one(numbered: tuple[int, Path]) -> Path:
        number, source = numbered
        target = directory.absolute() / f"{number:03d}_{source.stem}.o"

        def compile_to(out: Path) -> None:
            command = [*compiler.command, *options, "-c", str(source.absolute()), "-o", str(out)]
            _run(compiler, command, f"compiling {source.name}")

        job = Job(source, compiler, (*STANDARD_FLAGS, *flags), tuple(include_dirs), begin)
        compile_kept(job, target, compile_to)
        return target

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        try:
            return list(pool.map(compile_one, enumerate(sources)))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _begin(sources: Sequence[Path], include_dirs: Sequence[Path]) -> Path:
    """Return the folder in which the sources begin."""
    folders = [*(source.absolute().parent for source in sources), *include_dirs]
    return Path(os.path.commonpath([folder.absolute() for folder in folders]) if folders else _ROOT)


def _path_flags(begin: Path) -> list[str]:
    """Return flags that shorten paths to where the sources begin; the last that fits counts."""
    shortened = ((FREESTANDING_DIRECTORY, "freestanding"), (begin, "."))
    return [f"-ffile-prefix-map={folder}={short}" for folder, short in shortened]


def _run(compiler: Compiler, command: Sequence[str], purpose: str) -> None:
    run_tool(command, dict(compiler.environment), purpose=purpose, directory=_ROOT)


def compile_shared_library(
    sources: Sequence[Path],
    out: Path,
    include_dirs: Sequence[Path] = (),
    *,
    compiler: Compiler | None = None,
    flags: Sequence[str] = (),
) -> Path:
    """Build a shared library for this machine; ``out`` appears whole or not at all.

    Args:
        sources: C files.
        out: the library.
        include_dirs: folders of headers.
        compiler: None takes what `find_host_compiler` finds.
        flags: further flags, for compiling and linking.

    Returns:
        ``out``.

    Raises:
        ToolError: no compiler, or it fails, or a folder cannot be written.
    """
    chosen = compiler or find_host_compiler()
    with explain_writing(out), tempfile.TemporaryDirectory(prefix="penstock-") as folder:
        objects = compile_objects(
            chosen, sources, Path(folder), include_dirs, flags=("-fPIC", *flags)
        )
        _link(chosen, objects, out, ("-shared", *flags), ())
    return out


def link_firmware(
    sources: Sequence[Path],
    linker_script: Path,
    out: Path,
    core: Core,
    *,
    include_dirs: Sequence[Path] = (),
    entry: str = "Reset_Handler",
    compiler: Compiler | None = None,
    flags: Sequence[str] = (),
) -> Path:
    """Compile C and assembler files for a core and link an ELF file with a linker script.

    Args:
        sources: ``.c`` and ``.S`` files.
        linker_script: what lies where.
        out: the ELF file; it appears whole or not at all.
        core: processor to compile for.
        include_dirs: folders of headers.
        entry: where execution starts; what nothing reaches from there is left out.
        compiler: None takes what `find_target_compiler` finds.
        flags: further flags, for compiling and linking.

    Returns:
        ``out``.

    Raises:
        ToolError: no compiler, or it fails, or a folder cannot be written; a region that overflows
            is reported by the linker.
    """
    chosen = compiler or find_target_compiler(core)
    compile_flags = ("-g1", "-ffunction-sections", "-fdata-sections", *flags)
    with explain_writing(out), tempfile.TemporaryDirectory(prefix="penstock-") as folder:
        objects = compile_objects(
            chosen, sources, Path(folder) / "program", include_dirs, flags=compile_flags
        )
        objects += compile_objects(
            chosen, chosen.support_sources, Path(folder) / "support", flags=_support_flags(chosen)
        )
        link_flags = (*compile_flags, *_script_flags(linker_script, entry))
        _link(chosen, objects, out, link_flags, chosen.link_flags)
    return out


def _script_flags(linker_script: Path, entry: str) -> tuple[str, ...]:
    """The entry is named because zig names one of its own, which wins over the script's."""
    return ("-T", str(linker_script.absolute()), f"-Wl,--entry={entry}", "-Wl,--gc-sections")


def _support_flags(compiler: Compiler) -> tuple[str, ...]:
    is_gcc = compiler.family is CompilerFamily.GCC
    return ("-fno-tree-loop-distribute-patterns",) if is_gcc else ()


def _link(
    compiler: Compiler,
    objects: Sequence[Path],
    out: Path,
    flags: Sequence[str],
    last_flags: Sequence[str],
) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        target = Path(folder).absolute() / out.name
        command = [*compiler.command, *compiler.flags, *flags]
        command += [*map(str, objects), "-o", str(target), *last_flags]
        _run(compiler, command, f"linking {out.name}")
        target.replace(out)
