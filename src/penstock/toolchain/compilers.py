"""Finding C compilers, and the flags that each needs."""

import importlib.util
import shutil
import sys
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from penstock import options
from penstock.boards.board import Core
from penstock.errors import InputError, ToolError
from penstock.toolchain.folders import writable_cache_directory
from penstock.toolchain.process import run_tool

TARGET_GCC = "arm-none-eabi-gcc"
_HOST_COMPILERS = {"gcc": ("gcc", "cc"), "clang": ("clang",)}
_ZIG_FLAGS = (
    "-fno-sanitize=undefined",  # zig traps on undefined behavior unless told otherwise
    "-fno-unroll-loops",  # unrolled inner loops spill their sums on Cortex-M
)
_ZIG_FPU_FEATURES = {
    "fpv4-sp-d16": "vfp4d16sp",
    "fpv5-sp-d16": "fp_armv8d16sp",
    "fpv5-d16": "fp_armv8d16",
    "auto": "fp_armv8d16+mve_fp",  # all that a core with Helium may have
}
FREESTANDING_DIRECTORY = Path(__file__).parent / "freestanding"


class CompilerFamily(Enum):
    """Which program compiles; the value is what ``prefer`` takes."""

    GCC = "gcc"
    CLANG = "clang"
    ZIG = "zig"


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C compiler, ready to be called.

    Attributes:
        family: which program it is.
        command: program and leading arguments.
        flags: flags that select the processor; for compiling and linking alike.
        link_flags: further flags and libraries at the end of a link command.
        support_sources: C files that a complete program needs besides its own.
        environment: variables of its process.
    """

    family: CompilerFamily
    command: tuple[str, ...]
    flags: tuple[str, ...] = ()
    link_flags: tuple[str, ...] = ()
    support_sources: tuple[Path, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def version(self) -> str:
        """First line of what the compiler says about itself."""
        return _version(self.command, self.environment)


@cache
def _version(command: tuple[str, ...], environment: tuple[tuple[str, str], ...]) -> str:
    text = run_tool(
        [*command, "--version"],
        dict(environment),
        purpose="asking for its version",
        timeout_seconds=120.0,
    )
    return text.strip().partition("\n")[0]


def find_target_compiler(core: Core, prefer: str | None = None) -> Compiler:
    """Return a compiler for a microcontroller core.

    Args:
        core: processor, named as compilers name it.
        prefer: ``gcc`` or ``zig``; None takes ``PENSTOCK_COMPILER``, else what is installed,
            GCC first.

    Raises:
        ToolError: none is installed.
        InputError: ``prefer`` names no compiler for microcontrollers.
    """
    wanted = _family(prefer, {CompilerFamily.GCC, CompilerFamily.ZIG})
    if wanted is not CompilerFamily.ZIG and (found := _which(TARGET_GCC)):
        return _target_gcc(found, core)
    if wanted is not CompilerFamily.GCC and _has_zig():
        return _target_zig(core)
    raise ToolError(
        f"no compiler for {core.name}: {_looked_for(wanted, TARGET_GCC)}",
        help="install one: `pip install ziglang`, or on Debian "
        "`apt install gcc-arm-none-eabi libnewlib-arm-none-eabi`",
    )


def find_host_compiler(prefer: str | None = None) -> Compiler:
    """Return a compiler for this machine.

    Args:
        prefer: ``gcc``, ``clang`` or ``zig``; None takes ``PENSTOCK_COMPILER``, else what is
            installed, in this order.

    Raises:
        ToolError: none is installed.
        InputError: ``prefer`` names no compiler.
    """
    wanted = _family(prefer, set(CompilerFamily))
    for family, programs in _HOST_COMPILERS.items():
        if wanted is not None and wanted.value != family:
            continue
        for program in programs:
            if found := _which(program):
                return Compiler(CompilerFamily(family), (found,))
    if wanted in (None, CompilerFamily.ZIG) and _has_zig():
        return Compiler(
            CompilerFamily.ZIG, _zig_command(), _ZIG_FLAGS, environment=_zig_environment()
        )
    raise ToolError(
        f"no C compiler for this machine: {_looked_for(wanted, 'gcc, cc, clang')}",
        help="install one: `pip install ziglang`, or on Debian `apt install gcc`",
    )


def _family(prefer: str | None, legal: set[CompilerFamily]) -> CompilerFamily | None:
    name = prefer or options.preferred_compiler()
    if name is None:
        return None
    names = sorted(family.value for family in legal)
    if name not in names:
        if prefer is None and name in {family.value for family in CompilerFamily}:
            return None  # the environment's wish for the host says nothing about the target
        raise InputError(f"unknown compiler {name!r}", help=f"choose one of: {', '.join(names)}")
    return CompilerFamily(name)


def _looked_for(wanted: CompilerFamily | None, programs: str) -> str:
    if wanted is CompilerFamily.ZIG:
        return "the Python package 'ziglang' is not installed"
    if wanted is not None:
        return f"{programs} not found on PATH"
    return f"{programs} not found on PATH, and the Python package 'ziglang' is not installed"


def _which(program: str) -> str | None:
    return shutil.which(program, path=options.search_path())


def _has_zig() -> bool:
    return importlib.util.find_spec("ziglang") is not None


def _zig_command() -> tuple[str, ...]:
    return (sys.executable, "-m", "ziglang", "cc")


def _zig_environment() -> tuple[tuple[str, str], ...]:
    """Keep zig's caches, which are safe with several processes, out of the working folder."""
    directory = str(writable_cache_directory() / "zig")
    return (("ZIG_GLOBAL_CACHE_DIR", directory), ("ZIG_LOCAL_CACHE_DIR", directory))


def _target_gcc(program: str, core: Core) -> Compiler:
    float_flags = ("-mfloat-abi=hard", f"-mfpu={core.fpu}") if core.fpu else ("-mfloat-abi=soft",)
    flags = (f"-mcpu={core.name}", "-mthumb", *float_flags)
    has_newlib = _has_newlib(program, flags)
    return Compiler(
        CompilerFamily.GCC,
        (program,),
        flags if has_newlib else (*flags, "-isystem", str(FREESTANDING_DIRECTORY)),
        ("-nostartfiles", "--specs=nano.specs") if has_newlib else ("-nostdlib", "-lgcc"),
        () if has_newlib else (FREESTANDING_DIRECTORY / "memory.c",),
    )


@cache
def _has_newlib(program: str, flags: tuple[str, ...]) -> bool:
    """Return whether the compiler finds a C library; it answers with the bare name if not."""
    command = [program, *flags, "-print-file-name=libc_nano.a"]
    answer = run_tool(command, {}, purpose="looking for its C library").strip()
    return Path(answer).is_absolute()


def _target_zig(core: Core) -> Compiler:
    """Return zig as a target compiler; its compiler-rt brings memcpy and its kind."""
    cpu = core.name.replace("-", "_")
    abi = "eabi"
    if core.fpu is not None:
        if core.fpu not in _ZIG_FPU_FEATURES:
            raise ToolError(
                f"zig is not known to support the floating-point unit {core.fpu!r}",
                help=f"use {TARGET_GCC}; known to work: {', '.join(_ZIG_FPU_FEATURES)}",
            )
        # zig's processor models have no floating-point unit until one is added.
        cpu, abi = f"{cpu}+{_ZIG_FPU_FEATURES[core.fpu]}", "eabihf"
    flags = (
        "-target",
        f"thumb-freestanding-{abi}",
        f"-mcpu={cpu}",
        "-isystem",
        str(FREESTANDING_DIRECTORY),
        *_ZIG_FLAGS,
    )
    return Compiler(CompilerFamily.ZIG, _zig_command(), flags, environment=_zig_environment())
