"""Starting QEMU for the cores that the virtual board's own emulator does not have."""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from penstock import options
from penstock.errors import InputError, ToolError

PROGRAM = "qemu-system-arm"
_MACHINE = re.compile(r"[a-z0-9][a-z0-9-]*")
_LINES_OF_ERRORS = 4
_DIES_WITH_US = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Firmware may loop for ever, whatever happens to the process that waits for it."""


class Emulator:
    """A QEMU process with firmware that has not started; a context manager.

    One instruction takes one nanosecond of its time (``-icount shift=0``), whatever computer it
    runs on.

    Attributes:
        connection: to its debugger stub (GDB's remote serial protocol).
    """

    def __init__(self, machine: str, elf: Path) -> None:
        """Start the process and connect.

        Args:
            machine: what QEMU calls the board.
            elf: what its loader puts into memory.

        Raises:
            InputError: that cannot be the name of a machine.
            ToolError: QEMU is missing.
        """
        if _MACHINE.fullmatch(machine) is None:
            raise InputError(
                f"[emulator] names the machine {machine!r}",
                help=f"`{PROGRAM} -M help` lists those that there are",
            )
        program = shutil.which(PROGRAM, path=options.search_path())
        if program is None:
            raise ToolError(
                f"{PROGRAM} not found on PATH: it runs firmware of boards with an [emulator]",
                help="install it, on Debian: `apt install qemu-system-arm`",
            )
        self._machine = machine
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close()
        self.connection, theirs = socket.socketpair()
        command = [sys.executable, "-c", _DIES_WITH_US, program]
        command += ["-M", machine, "-nodefaults", "-nic", "none", "-display", "none"]
        command += ["-icount", "shift=0", "-S", "-kernel", str(elf.absolute())]
        command += ["-chardev", f"socket,fd={theirs.fileno()},id=stub", "-gdb", "chardev:stub"]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                env=options.child_environment({}),
                pass_fds=(theirs.fileno(),),
            )

    def failure(self) -> ToolError:
        """Return the error for a connection that has ended, with what the process said last."""
        self.kill()
        self._errors.seek(0)
        lines = [line for line in self._errors.read().splitlines() if line.strip()]
        said = "; ".join(lines[:_LINES_OF_ERRORS]) or "it said nothing"
        return ToolError(
            f"{PROGRAM} ended: {said}",
            help=f"it was to be the machine {self._machine!r}, as the board's [emulator] says; "
            f"`{PROGRAM} -M help` lists those that there are",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def kill(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the process and forget what it said; no other method may be called afterwards."""
        self.connection.close()
        self.kill()
        self._errors.close()
