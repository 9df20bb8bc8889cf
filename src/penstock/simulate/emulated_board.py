"""A board in QEMU: its firmware runs there, and instructions are counted, but not cycles.

For cores with instructions that the virtual board's own emulator does not have.
"""

import struct
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from penstock.boards.board import Board, MemoryKind
from penstock.errors import SimulationError
from penstock.ir.tensor import Array
from penstock.simulate import mailbox
from penstock.simulate.debugger import PC, SP, XPSR, Debugger
from penstock.simulate.faults import BKPT_READY, BKPT_REASONS, StackBounds, describe_code
from penstock.simulate.firmware import Firmware, read_firmware
from penstock.simulate.target_model import TargetModel, TargetTensor, read_target_model
from penstock.toolchain.emulator import Emulator

_PAINT = b"\xa5"
_THUMB = 1 << 24
_BKPT = 0xBE
_SVC_VECTOR, _SVC_0 = 11, b"\x00\xdf"
_HANDLER = struct.Struct("<8H4I")
_HANDLER_CODE = (
    0x4803,  # ldr r0, the counter's address
    0x4A04,  # ldr r2, where to write
    0x6801,  # ldr r1, [r0]
    0x6011,  # str r1, [r2]
    0xBF00,  # nop: here it waits for a command
    0x6801,  # ldr r1, [r0]
    0x6051,  # str r1, [r2, #4]
    0x4770,  # bx lr
)
_WAITS_AT, _ENDED_AT, _BEGAN_AT = 8, 24, 28
_STORE, _NOP = 0x6001, 0xBF00  # str r1, [r0]
_SYSTICK_CONTROL, _SYSTICK_RELOAD, _SYSTICK_VALUE = 0xE000E010, 0xE000E014, 0xE000E018
_SYSTICK_ON, _SYSTICK_WRAPPED, _SYSTICK_TICKS = 5, 1 << 16, 1 << 24
_NANOSECONDS = 10**9


class EmulatedBoard:
    """A board in QEMU with firmware, driven through the mailbox of ports/harness.h.

    The harness stops at a BKPT. Here that is an SVC, whose handler reads the core's SysTick before
    it waits for a command and behind that: QEMU lets an instruction take a nanosecond, but time
    also passes while a debugger stops the core. A count is right to one tick, 31 instructions at
    32 MHz, and a command may take 2^25 ticks at most.

    Attributes:
        firmware: what was loaded.
        model: what the firmware says about its model.
        stack: where the stack is.
        instructions: of the last command.
        debugger: registers and memory.
    """

    def __init__(self, elf: Path, board: Board) -> None:
        """Load the firmware, start the core, and run until main waits for a command.

        Args:
            elf: firmware linked for the board, with the harness.
            board: which machine QEMU is to be.

        Raises:
            InputError: the file is no firmware with the harness.
            ToolError: QEMU is missing, or does not know the machine.
            SimulationError: the firmware does something illegal.
        """
        assert board.emulator is not None
        self.firmware = read_firmware(elf)
        self.stack = StackBounds(
            self.firmware.symbol("ps_stack_limit"), self.firmware.symbol("ps_stack_top")
        )
        self.instructions = 0
        self._clock_hz = board.clock_hz
        self._mailbox = self.firmware.symbol("ps_harness_mailbox")
        self._handler = _free_code(self.firmware, board)
        self._vectors = self.firmware.symbol("ps_vectors")
        with ExitStack() as stack:
            emulator = stack.enter_context(Emulator(board.emulator, elf))
            self.debugger = Debugger(emulator.connection)
            self._start()
            self.model: TargetModel = read_target_model(
                self.debugger, self._read_mailbox(mailbox.MODEL_AT)
            )
            self._resources = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._resources.close()

    def init(self) -> None:
        """Call the model's ``init``, which also clears recurrent state."""
        self._command(mailbox.COMMAND_INIT)

    def run_range(self, first: int, last: int, /) -> None:
        """Run the steps ``first`` to ``last - 1``; raises SimulationError."""
        self._command(mailbox.COMMAND_RUN, first, last)

    def write_inputs(self, inputs: Sequence[Array | bytes], /) -> None:
        """Fill the model's inputs; raises InputError when number or extents differ."""
        for address, content in mailbox.input_contents(self.model, inputs):
            self.debugger.write(address, content)

    def read_outputs(self) -> list[bytes]:
        """Return the bytes of the model's outputs."""
        return [self._read_tensor(tensor) for tensor in self.model.outputs]

    def read_block(self, block: str, offset_bytes: int, size_bytes: int, /) -> bytes:
        """Return bytes of one of the model's blocks: ``arena``, ``state`` and others."""
        start = self.firmware.symbol(f"{self.model.name}_{block}")
        return self.debugger.read(start + offset_bytes, size_bytes)

    def stack_bytes_peak(self) -> int:
        """Return the most bytes of stack that were ever in use: bytes below it are untouched."""
        content = self.debugger.read(self.stack.limit, self.stack.top - self.stack.limit)
        return len(content.lstrip(_PAINT))

    def _read_tensor(self, tensor: TargetTensor) -> bytes:
        return self.debugger.read(tensor.address, tensor.size_bytes)

    def _read_mailbox(self, offset_bytes: int) -> int:
        return self.debugger.read_word(self._mailbox + offset_bytes)

    def _start(self) -> None:
        """Do what the core does at reset: load stack pointer and program counter."""
        debugger = self.debugger
        debugger.write(self.stack.limit, _PAINT * (self.stack.top - self.stack.limit))
        reset = debugger.read_word(self._vectors + 4) & ~1
        debugger.set_register(XPSR, _THUMB)
        debugger.set_register(SP, debugger.read_word(self._vectors))
        self._store(_SYSTICK_RELOAD, _SYSTICK_TICKS - 1)
        self._store(_SYSTICK_VALUE, 0)
        self._store(_SYSTICK_CONTROL, _SYSTICK_ON)
        self._install_handler()
        debugger.set_register(PC, reset)
        self._resume()
        if self._read_mailbox(mailbox.MAGIC_AT) != mailbox.MAGIC:
            raise SimulationError(
                f"{self.firmware.path.name} stopped before its main filled the mailbox"
            )

    def _install_handler(self) -> None:
        """Let an SVC take the place of the BKPT at which the harness waits."""
        debugger, code = self.debugger, self._handler
        for address, number in _breakpoints(self.firmware):
            if number == BKPT_READY:
                debugger.write(address, _SVC_0)
            else:
                debugger.stop_at(address)
        content = _HANDLER.pack(*_HANDLER_CODE, _SYSTICK_VALUE, code + _ENDED_AT, 0, 0)
        debugger.write(code, content)
        debugger.write(self._vectors + 4 * _SVC_VECTOR, struct.pack("<I", code | 1))
        debugger.stop_at(code + _WAITS_AT)

    def _store(self, address: int, value: int) -> None:
        """Let the core write a register: what the debugger writes reaches memories only."""
        debugger, code = self.debugger, self._handler
        debugger.write(code, struct.pack("<2H", _STORE, _NOP))
        debugger.stop_at(code + 2)
        for number, content in ((0, address), (1, value), (PC, code)):
            debugger.set_register(number, content)
        debugger.resume()
        debugger.pass_over(code + 2)

    def _command(self, command: int, first: int = 0, last: int = 0) -> None:
        debugger = self.debugger
        words = struct.pack("<3I", command, first, last)
        debugger.write(self._mailbox + mailbox.COMMAND_AT, words)
        debugger.set_register(PC, self._handler + _WAITS_AT + 2)
        debugger.read_word(_SYSTICK_CONTROL)  # clears that it has wrapped
        self._resume()
        began = debugger.read_word(self._handler + _BEGAN_AT)
        ticks = began - debugger.read_word(self._handler + _ENDED_AT)
        if debugger.read_word(_SYSTICK_CONTROL) & _SYSTICK_WRAPPED:
            ticks += _SYSTICK_TICKS
        self.instructions = round(ticks * _NANOSECONDS / self._clock_hz)
        mailbox.check_status(self.model, self._read_mailbox(mailbox.STATUS_AT))

    def _resume(self) -> None:
        self.debugger.resume()
        address = self.debugger.register(PC)
        if address != self._handler + _WAITS_AT:
            number = self.debugger.read(address, 1)[0]
            what = BKPT_REASONS.get(number, f"stopped at {address:#010x}")
            raise SimulationError(f"the firmware {what}; {describe_code(self.firmware, address)}")


def _free_code(firmware: Firmware, board: Board) -> int:
    """Return where there is room for a handler: at the end of the memory that code is in."""
    flash = next(region for region in board.regions if region.kind is MemoryKind.FLASH)
    end = flash.base + flash.size_bytes
    used = max(
        (s.address + len(s.content) for s in firmware.segments if s.address < end), default=0
    )
    if used > end - _HANDLER.size:
        raise SimulationError(
            f"{firmware.path.name} leaves no {_HANDLER.size} B of {flash.name}, which the emulator "
            "needs for its handler"
        )
    return end - _HANDLER.size


def _breakpoints(firmware: Firmware) -> list[tuple[int, int]]:
    """Return the instructions BKPT of the harness, address and operand."""
    numbers = {BKPT_READY, *BKPT_REASONS}
    return [
        (address, segment.content[address - segment.address])
        for function in firmware.functions
        if function.name == "main" or function.name.endswith("_Handler")
        for segment in firmware.segments
        if segment.address <= function.start < segment.address + len(segment.content)
        for address in range(function.start, function.end - 1, 2)
        if segment.content[address - segment.address + 1] == _BKPT
        and segment.content[address - segment.address] in numbers
    ]
