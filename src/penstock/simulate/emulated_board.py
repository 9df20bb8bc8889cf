"""A board in QEMU: its firmware runs there, and instructions are counted, but not cycles.

For cores with instructions that the virtual board's own emulator does not have.
"""

import contextlib
import struct
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from penstock.boards.board import Board, MemoryKind
from penstock.errors import InputError, SimulationError
from penstock.ir.tensor import Array
from penstock.simulate import mailbox
from penstock.simulate.counting_handler import (
    SIZE_BYTES,
    SVC_0,
    SVC_VECTOR,
    SYSTICK_VECTOR,
    TICKS,
    CountingHandler,
)
from penstock.simulate.debugger import PC, SP, XPSR, Debugger
from penstock.simulate.faults import BKPT_READY, BKPT_REASONS, StackBounds, describe_code
from penstock.simulate.firmware import Firmware, read_firmware
from penstock.simulate.target_model import TargetModel, TargetTensor, read_target_model
from penstock.toolchain.emulator import Emulator

RUN_SECONDS = 300.0
"""Of one command at most; QEMU executes some hundred million instructions a second."""

_PAINT = b"\xa5"
_THUMB = 1 << 24
_BKPT = 0xBE
_CALIBRATION_TURNS = 1 << 17
_INSTRUCTIONS_A_TURN = 2
_CLOCK_TOLERANCE = 0.01
_NANOSECONDS = 10**9
_THUMB_ADDRESS = 1
_R1 = 1
_STACKED_PC_AT = 24
"""In the frame of an exception, before which a handler of ours pushes nothing."""


class EmulatedBoard:
    """A board in QEMU with firmware, driven through the mailbox of ports/harness.h.

    QEMU lets an instruction take a nanosecond, and the core's SysTick counts them: at 32 MHz to 31
    instructions. Time also passes while a debugger stops the core, so that the core itself begins
    and ends each count: where the harness has a BKPT it meets an SVC (`CountingHandler`).

    Nothing but QEMU's memory map watches accesses: it has no sanitizers, what is flash on a board
    can be written, and so can memories that the board's file does not have.

    Attributes:
        firmware: what was loaded.
        model: what the firmware says about its model.
        stack: where the stack is.
        instructions: of the last command.
        run_seconds: after which a command will not end any more.
        emulator: the process.
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
            SimulationError: the firmware faults or does not come to its main.
        """
        assert board.emulator is not None
        self.firmware = read_firmware(elf)
        self.stack = StackBounds(
            self.firmware.symbol("ps_stack_limit"), self.firmware.symbol("ps_stack_top")
        )
        self.instructions = 0
        self.run_seconds = RUN_SECONDS
        self._clock_hz = board.clock_hz
        self._mailbox = self.firmware.symbol("ps_harness_mailbox")
        self._handler = CountingHandler(_free_code(self.firmware, board))
        self._vectors = self.firmware.symbol("ps_vectors")
        with ExitStack() as stack:
            self.emulator = stack.enter_context(Emulator(board.emulator, elf))
            self.debugger = Debugger(self.emulator)
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
        self._install_handler()
        debugger.set_register(XPSR, _THUMB)
        debugger.set_register(SP, debugger.read_word(self._vectors))
        debugger.set_register(PC, debugger.read_word(self._vectors + 4) & ~1)
        self._resume()
        if self._read_mailbox(mailbox.MAGIC_AT) != mailbox.MAGIC:
            raise SimulationError(
                f"{self.firmware.path.name} stopped before its main filled the mailbox"
            )
        self._check_clock()

    def _install_handler(self) -> None:
        """Let an SVC take the place of the BKPT at which the harness waits."""
        debugger, handler = self.debugger, self._handler
        for address, number in _breakpoints(self.firmware):
            if number == BKPT_READY:
                debugger.write(address, SVC_0)
            else:
                debugger.stop_at(address)
        content = handler.to_bytes()
        debugger.write(handler.address, content)
        if debugger.read(handler.address, len(content)) != content:
            raise SimulationError(
                f"QEMU has no memory at {handler.address:#010x}, where the board's flash ends",
                help="the board's [emulator] must name a machine with the same memories",
            )
        for number, label in ((SVC_VECTOR, "svc"), (SYSTICK_VECTOR, "wrap")):
            vector = struct.pack("<I", handler.at(label) | _THUMB_ADDRESS)
            debugger.write(self._vectors + 4 * number, vector)
        debugger.stop_at(handler.at("wait"))

    def _check_clock(self) -> None:
        """Turn the counter on, and count a loop of known length."""
        debugger, handler = self.debugger, self._handler
        done = handler.at("setup_done")
        debugger.stop_at(done)
        debugger.set_register(PC, handler.at("setup"))
        debugger.resume(self.run_seconds)
        debugger.pass_over(done)
        debugger.set_register(_R1, _CALIBRATION_TURNS)
        debugger.set_register(PC, handler.at("loop_of_r1"))
        self._resume()
        expected = _CALIBRATION_TURNS * _INSTRUCTIONS_A_TURN
        found = self._count(0)
        if abs(found / expected - 1) > _CLOCK_TOLERANCE:
            raise InputError(
                f"a loop of {expected} instructions took {found} at {self._clock_hz} Hz",
                help="the board's [clock] must be that of QEMU's machine, about "
                f"{round(self._clock_hz * found / expected, -5):.0f} Hz",
            )

    def _count(self, wraps: int) -> int:
        """Return the instructions of a count that has wrapped so many times."""
        ticks = wraps * TICKS + TICKS - self.debugger.read_word(self._handler.value_at)
        return round(ticks % (TICKS * (wraps + 1)) * _NANOSECONDS / self._clock_hz)

    def _command(self, command: int, first: int = 0, last: int = 0) -> None:
        debugger = self.debugger
        words = struct.pack("<3I", command, first, last)
        debugger.write(self._mailbox + mailbox.COMMAND_AT, words)
        debugger.set_register(PC, self._handler.at("go_on"))
        self._resume()
        self.instructions = self._count(debugger.read_word(self._handler.wraps_at))
        mailbox.check_status(self.model, self._read_mailbox(mailbox.STATUS_AT))

    def _resume(self) -> None:
        self.debugger.resume(self.run_seconds)
        address = self.debugger.register(PC)
        if address != self._handler.at("wait"):
            raise self._explain_stop(address)

    def _explain_stop(self, address: int) -> SimulationError:
        """Return the error for a stop in a fault's handler; the core has stacked where it was."""
        number = self.debugger.read(address, 1)[0]
        what = BKPT_REASONS.get(number, f"stopped at {address:#010x}")
        place = address
        with contextlib.suppress(SimulationError):
            place = self.debugger.read_word(self.debugger.register(SP) + _STACKED_PC_AT)
        return SimulationError(f"the firmware {what}; {describe_code(self.firmware, place)}")


def _free_code(firmware: Firmware, board: Board) -> int:
    """Return where there is room for a handler: at the end of the memory that code is in."""
    flash = next(region for region in board.regions if region.kind is MemoryKind.FLASH)
    end = flash.base + flash.size_bytes
    used = max(
        (s.address + len(s.content) for s in firmware.segments if s.address < end), default=0
    )
    if used > end - SIZE_BYTES:
        raise SimulationError(
            f"{firmware.path.name} leaves no {SIZE_BYTES} B of {flash.name}, which the emulator "
            "needs for its handler"
        )
    return end - SIZE_BYTES


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
