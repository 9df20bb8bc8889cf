"""Starting QEMU for the cores that the virtual board's own emulator does not have."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from penstock import options
from penstock.errors import ToolError

PROGRAM = "qemu-system-arm"
_START_SECONDS = 60.0
_LINES_OF_ERRORS = 4


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
            ToolError: QEMU is missing, or does not know the machine.
        """
        program = shutil.which(PROGRAM, path=options.search_path())
        if program is None:
            raise ToolError(
                f"{PROGRAM} not found on PATH: it runs firmware of boards with an [emulator]",
                help="install it, on Debian: `apt install qemu-system-arm`",
            )
        self._folder = tempfile.TemporaryDirectory(prefix="penstock-")
        path = Path(self._folder.name) / "stub"
        self._errors = (Path(self._folder.name) / "errors").open("w+")
        command = [program, "-M", machine, "-nodefaults", "-nic", "none", "-display", "none"]
        command += ["-icount", "shift=0", "-S", "-kernel", str(elf.absolute())]
        command += ["-chardev", f"socket,path={path},id=stub", "-gdb", "chardev:stub"]
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            server.listen(1)
            server.settimeout(0.05)
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                env=options.child_environment({}),
            )
            try:
                self.connection = self._accept(server)
            except BaseException:
                self._end()
                raise

    def _accept(self, server: socket.socket) -> socket.socket:
        for _ in range(int(_START_SECONDS / 0.05)):
            with contextlib.suppress(TimeoutError):
                connection, _ = server.accept()
                connection.settimeout(None)
                return connection
            if self._process.poll() is not None:
                break
        raise ToolError(f"{PROGRAM} did not start: {self.complaint()}")

    def complaint(self) -> str:
        """Return what the process last wrote to its standard error, for people."""
        self._errors.seek(0)
        lines = [line for line in self._errors.read().splitlines() if line.strip()]
        return "; ".join(lines[:_LINES_OF_ERRORS]) or "it said nothing"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self.connection.close()
        self._end()

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._errors.close()
        self._folder.cleanup()
