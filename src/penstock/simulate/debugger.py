"""A debugger's side of GDB's remote serial protocol, as far as running firmware takes it.

Source: "Debugging with GDB", appendix "GDB Remote Serial Protocol".
"""

import struct

from penstock.errors import SimulationError
from penstock.toolchain.emulator import Emulator

_CHUNK_BYTES = 1024
"""Of memory in one packet; QEMU's stub takes packets of 4 KiB, and bytes are two digits there."""
_ANSWER_SECONDS = 60.0
_STOPPED = (b"T05", b"S05")
SP, PC, XPSR = 13, 15, 25
"""Numbers of registers in QEMU's description of an M-profile core."""


class Debugger:
    """Registers, memory and breakpoints of a core behind a stub."""

    def __init__(self, emulator: Emulator) -> None:
        """Greet the stub; reading its description makes single registers accessible."""
        self._emulator = emulator
        self._received = b""
        self._ask("qSupported")
        self._ask("qXfer:features:read:target.xml:0,ffb")

    def read(self, address: int, size_bytes: int) -> bytes:
        """Return bytes of memory; raises SimulationError where there is none."""
        content = b""
        while len(content) < size_bytes:
            size = min(size_bytes - len(content), _CHUNK_BYTES)
            answer = self._ask(f"m{address + len(content):x},{size:x}")
            if answer.startswith(b"E"):
                raise SimulationError(f"there is no memory at {address + len(content):#010x}")
            content += bytes.fromhex(answer.decode())
        return content

    def read_word(self, address: int) -> int:
        """Return a word of memory."""
        return int.from_bytes(self.read(address, 4), "little")

    def write(self, address: int, content: bytes) -> None:
        """Write bytes to RAM; raises SimulationError where there is none."""
        for start in range(0, len(content), _CHUNK_BYTES):
            part = content[start : start + _CHUNK_BYTES]
            answer = self._ask(f"M{address + start:x},{len(part):x}:{part.hex()}")
            if answer != b"OK":
                raise SimulationError(f"there is no memory at {address + start:#010x}")

    def register(self, number: int) -> int:
        """Return a register."""
        return int.from_bytes(bytes.fromhex(self._ask(f"p{number:x}").decode()), "little")

    def set_register(self, number: int, value: int) -> None:
        """Write a register."""
        self._expect_ok(f"P{number:x}={struct.pack('<I', value).hex()}")

    def stop_at(self, address: int) -> None:
        """Stop before the instruction at an address is executed."""
        self._expect_ok(f"Z0,{address:x},2")

    def pass_over(self, address: int) -> None:
        """Undo `stop_at`."""
        self._expect_ok(f"z0,{address:x},2")

    def resume(self, seconds: float) -> None:
        """Run to a breakpoint.

        Args:
            seconds: on this computer's clock, after which it will not come there any more.

        Raises:
            SimulationError: it does not, or the core stops otherwise.
        """
        try:
            answer = self._ask("c", seconds)
        except TimeoutError:
            raise SimulationError(
                f"the firmware was not done after {seconds:.0f} s",
                help="look for an endless loop, or for memories of the board that QEMU's machine "
                "has elsewhere",
            ) from None
        if not answer.startswith(_STOPPED):
            raise SimulationError(f"the emulator stopped and said {answer.decode()!r}")

    def _expect_ok(self, packet: str) -> None:
        answer = self._ask(packet)
        if answer != b"OK":
            raise SimulationError(f"the emulator answered {packet!r} with {answer.decode()!r}")

    def _ask(self, packet: str, seconds: float = _ANSWER_SECONDS) -> bytes:
        body = packet.encode()
        connection = self._emulator.connection
        connection.settimeout(seconds)
        try:
            connection.sendall(b"$" + body + b"#%02x" % (sum(body) & 0xFF))
            answer = self._receive()
            connection.sendall(b"+")
        except TimeoutError:
            raise
        except OSError:
            raise self._emulator.failure() from None
        return answer

    def _receive(self) -> bytes:
        """Return the next packet; TimeoutError if there is none in time."""
        while True:
            start = self._received.find(b"$")
            end = self._received.find(b"#", start)
            if 0 <= start < end and len(self._received) >= end + 3:
                answer = self._received[start + 1 : end]
                self._received = self._received[end + 3 :]
                return answer
            more = self._emulator.connection.recv(1 << 16)
            if not more:
                raise ConnectionResetError
            self._received += more
