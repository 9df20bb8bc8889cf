"""Semihosting: what firmware asks of its debugger with ``BKPT 0xAB``.

Operations and their parameter blocks are those of Arm's "Semihosting for AArch32 and AArch64"
(release 2.0). The only files are the console ``:tt`` and ``:semihosting-features``: firmware sees
nothing of the computer that it is simulated on, and gets the same answers everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass

from penstock.simulate.memory import BoardMemory

BREAKPOINT = 0xAB
"""Operand of the BKPT that is a semihosting call."""

_CONSOLE, _FEATURES = b":tt", b":semihosting-features"
_FEATURE_BYTES = b"SHFB\x03"
"""Magic, then: SYS_EXIT_EXTENDED exists, and ``:tt`` can be opened as standard error."""

_FAILED = 0xFFFF_FFFF
_APPLICATION_EXIT = 0x2_0026
_ERROR_NO_ENTRY, _ERROR_BAD_HANDLE = 2, 9
_CHUNK_BYTES = 64

Output = Callable[[bytes], None]
Clock = Callable[[], int | None]
"""Returns core cycles since reset; None where the board does not tell time."""


@dataclass(slots=True)
class _File:
    """An open file: its content, or None for the console, and the position of the next read."""

    content: bytes | None
    position: int = 0


class Semihosting:
    """Answers calls; keeps what was printed and how the program ended.

    Attributes:
        output: everything written to the console, standard error included.
        exit_status: None until the program exits; 1 for an exit that names no status but a fault.
    """

    def __init__(
        self,
        memory: BoardMemory,
        stack_top: int,
        *,
        clock: Clock,
        clock_hz: int,
        on_output: Output | None = None,
    ) -> None:
        """Start without open files.

        Args:
            memory: where parameter blocks, texts and buffers are.
            stack_top: what SYS_HEAPINFO names as the stack's base.
            clock: what SYS_CLOCK and SYS_ELAPSED count.
            clock_hz: of the core.
            on_output: told of each piece of output as it comes.
        """
        self.output = bytearray()
        self.exit_status: int | None = None
        self._memory, self._stack_top = memory, stack_top
        self._clock, self._clock_hz = clock, clock_hz
        self._on_output = on_output
        self._files: dict[int, _File] = {}
        self._next_handle, self._error_number = 1, 0

    def call(self, operation: int, parameter: int) -> int:
        """Carry out a call and return what the firmware finds in r0.

        An operation that does not exist fails with -1, as the specification wants.

        Raises:
            SimulationError: the parameter points outside the board's memories.
        """
        action = _OPERATIONS.get(operation)
        return _FAILED if action is None else action(self, parameter) & 0xFFFF_FFFF

    def _block(self, address: int, count: int) -> list[int]:
        return [self._memory.read_word(address + 4 * index) for index in range(count)]

    def _print(self, text: bytes) -> None:
        self.output += text
        if self._on_output is not None:
            self._on_output(text)

    def _fail(self, error_number: int) -> int:
        self._error_number = error_number
        return _FAILED

    def _open(self, parameter: int) -> int:
        name_address, _, length = self._block(parameter, 3)
        name = self._memory.read(name_address, length)
        if name not in (_CONSOLE, _FEATURES):
            return self._fail(_ERROR_NO_ENTRY)
        handle, self._next_handle = self._next_handle, self._next_handle + 1
        self._files[handle] = _File(None if name == _CONSOLE else _FEATURE_BYTES)
        return handle

    def _close(self, parameter: int) -> int:
        is_open = self._files.pop(self._block(parameter, 1)[0], None) is not None
        return 0 if is_open else self._fail(_ERROR_BAD_HANDLE)

    def _write_character(self, parameter: int) -> int:
        self._print(self._memory.read(parameter, 1))
        return 0

    def _write_text(self, parameter: int) -> int:
        text = bytearray()
        while b"\0" not in text:
            address = parameter + len(text)
            window = self._memory.window_at(address)
            left = window.end - address if window else 1
            text += self._memory.read(address, min(_CHUNK_BYTES, left))
        self._print(bytes(text.partition(b"\0")[0]))
        return 0

    def _write(self, parameter: int) -> int:
        """Return the number of bytes that were not written."""
        handle, address, length = self._block(parameter, 3)
        file = self._files.get(handle)
        if file is None or file.content is not None:
            self._error_number = _ERROR_BAD_HANDLE
            return length
        self._print(self._memory.read(address, length))
        return 0

    def _read(self, parameter: int) -> int:
        """Return the number of bytes that were not read; the console has none to read."""
        handle, address, length = self._block(parameter, 3)
        file = self._files.get(handle)
        if file is None or file.content is None:
            return length
        piece = file.content[file.position : file.position + length]
        self._memory.write(address, piece)
        file.position += len(piece)
        return length - len(piece)

    def _is_error(self, parameter: int) -> int:
        return self._block(parameter, 1)[0] >> 31

    def _is_console(self, parameter: int) -> int:
        file = self._files.get(self._block(parameter, 1)[0])
        if file is None:
            return self._fail(_ERROR_BAD_HANDLE)
        return int(file.content is None)

    def _seek(self, parameter: int) -> int:
        handle, position = self._block(parameter, 2)
        file = self._files.get(handle)
        if file is None or file.content is None or position > len(file.content):
            return self._fail(_ERROR_BAD_HANDLE)
        file.position = position
        return 0

    def _length(self, parameter: int) -> int:
        file = self._files.get(self._block(parameter, 1)[0])
        if file is None:
            return self._fail(_ERROR_BAD_HANDLE)
        return len(file.content or b"")

    def _hundredths(self, _parameter: int) -> int:
        cycles = self._clock()
        return _FAILED if cycles is None else cycles * 100 // self._clock_hz

    def _elapsed(self, parameter: int) -> int:
        cycles = self._clock()
        if cycles is None:
            return _FAILED
        self._memory.write(parameter, cycles.to_bytes(8, "little"))
        return 0

    def _tick_rate(self, _parameter: int) -> int:
        return _FAILED if self._clock() is None else self._clock_hz

    def _error(self, _parameter: int) -> int:
        return self._error_number

    def _command_line(self, parameter: int) -> int:
        """Give an empty one: a file's name would change how long the program takes."""
        buffer, capacity = self._block(parameter, 2)
        if capacity == 0:
            return _FAILED
        self._memory.write(buffer, b"\0")
        self._memory.write_word(parameter + 4, 0)
        return 0

    def _heap(self, parameter: int) -> int:
        """Give the stack's base; 0 leaves heap and limits to the program."""
        block = self._memory.read_word(parameter)
        for index, value in enumerate((0, 0, self._stack_top, 0)):
            self._memory.write_word(block + 4 * index, value)
        return 0

    def _exit(self, parameter: int) -> int:
        self.exit_status = 0 if parameter == _APPLICATION_EXIT else 1
        return 0

    def _exit_with_status(self, parameter: int) -> int:
        reason, status = self._block(parameter, 2)
        signed = status - (1 << 32) if status >> 31 else status
        self.exit_status = signed if reason == _APPLICATION_EXIT else 1
        return 0

    def _zero(self, _parameter: int) -> int:
        """Answer SYS_TIME: the same date on every computer."""
        return 0


_OPERATIONS: dict[int, Callable[[Semihosting, int], int]] = {
    0x01: Semihosting._open,
    0x02: Semihosting._close,
    0x03: Semihosting._write_character,
    0x04: Semihosting._write_text,
    0x05: Semihosting._write,
    0x06: Semihosting._read,
    0x08: Semihosting._is_error,
    0x09: Semihosting._is_console,
    0x0A: Semihosting._seek,
    0x0C: Semihosting._length,
    0x10: Semihosting._hundredths,
    0x11: Semihosting._zero,
    0x13: Semihosting._error,
    0x15: Semihosting._command_line,
    0x16: Semihosting._heap,
    0x18: Semihosting._exit,
    0x20: Semihosting._exit_with_status,
    0x30: Semihosting._elapsed,
    0x31: Semihosting._tick_rate,
}
