"""Starting a compiler: with a time limit, and its diagnostics in the error."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from penstock import options
from penstock.errors import CapacityError, ToolError
from penstock.toolchain.folders import space_help

TIMEOUT_SECONDS = 600.0
_DIAGNOSTIC_LINES = 20
_DISK_FULL = ("No space left on device", "Disk quota exceeded", "NoSpaceLeft", "DiskQuota")
"""How compilers say it: GCC with the system's words, zig with its own."""
_CORE_UNKNOWN = "unrecognized -mcpu target"
"""Of GCC, which goes on to list all that it knows in one line of thousands of characters."""
_OVERFLOW = re.compile(r"region [`']?(\w+)'?:? overflowed by (\d+) bytes")
"""Of GNU ld and of LLVM's."""
_DIAGNOSTIC_COLUMNS = 300


def run_tool(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    purpose: str,
    directory: Path | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> str:
    """Run a program to its end and return what it printed on standard output.

    Args:
        command: program and arguments; no shell is involved.
        environment: variables that are set on top of ours.
        purpose: what is being done, for the error: "compiling model.c".
        directory: folder to run in.
        timeout_seconds: the process is killed after this time.

    Raises:
        CapacityError: a linker reports regions that are too small.
        ToolError: the program is missing, takes too long or reports failure.
    """
    name = " ".join(command[:4] if command[1:2] == ["-m"] else command[:1])
    try:
        finished = subprocess.run(  # noqa: S603 - the command is ours, and no shell reads it
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout_seconds,
            cwd=directory,
            env=options.child_environment(environment),
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise ToolError(f"cannot start {name!r} for {purpose}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(
            f"{name!r} was stopped after {timeout_seconds:.0f} s of {purpose}",
            help="close other programs, or try the other compiler: PENSTOCK_COMPILER=gcc or zig",
        ) from error
    if finished.returncode != 0:
        raise _overflow(finished.stderr, purpose) or _failure(name, finished, purpose)
    return finished.stdout


def _overflow(diagnostics: str, purpose: str) -> CapacityError | None:
    """Return what a linker says of regions that are too small, in words of ours."""
    found = dict(re.findall(_OVERFLOW, diagnostics))
    if not found:
        return None
    lacks = ", ".join(f"{name} is {size} B too small" for name, size in found.items())
    return CapacityError(
        f"code and data do not fit the board's memories at {purpose}: {lacks}",
        help="take a board with more memory, or a smaller model",
    )


def _failure(name: str, finished: subprocess.CompletedProcess[str], purpose: str) -> ToolError:
    diagnostics = finished.stderr or finished.stdout
    return ToolError(
        f"{name!r} failed with status {finished.returncode} at {purpose}:\n"
        f"{_first_lines(diagnostics)}",
        help=_help(diagnostics),
    )


def _help(diagnostics: str) -> str:
    if any(words in diagnostics for words in _DISK_FULL):
        return space_help()
    if _CORE_UNKNOWN in diagnostics:
        return "this GCC is older than the core: take a newer one, or PENSTOCK_COMPILER=zig"
    return ""


def _first_lines(text: str) -> str:
    lines = text.strip().splitlines()
    shown = lines[:_DIAGNOSTIC_LINES]
    if len(lines) > len(shown):
        shown.append(f"... {len(lines) - len(shown)} more lines")
    return "\n".join(f"  | {_cut(line)}" for line in shown) or "  | (no diagnostics)"


def _cut(line: str) -> str:
    return line if len(line) <= _DIAGNOSTIC_COLUMNS else f"{line[:_DIAGNOSTIC_COLUMNS]} ..."
