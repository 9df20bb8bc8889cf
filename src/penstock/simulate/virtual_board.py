"""A board that exists only in memory: runs the firmware that would be flashed."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from penstock.boards.board import Board, MemoryKind
from penstock.errors import SimulationError
from penstock.ir.tensor import Array
from penstock.simulate import mailbox
from penstock.simulate.dma import Dma
from penstock.simulate.faults import (
    BKPT_READY,
    STACK_REACH_BYTES,
    StackBounds,
    breakpoint_number,
    describe_code,
    describe_operator,
    explain_stop,
)
from penstock.simulate.firmware import Firmware, read_firmware
from penstock.simulate.machine import Machine
from penstock.simulate.memory import BoardMemory
from penstock.simulate.monitor import (
    STOP_ACCESS,
    STOP_STACK,
    STOP_TIMING,
    STOP_UNALIGNED,
    Monitor,
    load_native,
)
from penstock.simulate.sanitizers import Checks, Sanitizers
from penstock.simulate.target_model import TargetModel, TargetTensor, read_target_model
from penstock.simulate.timing import Timing

INSTRUCTION_LIMIT = 20_000_000_000
"""Default for the instructions of one command; MobileNetV2 needs about a tenth."""

_STOPS_AT_ACCESSES = (STOP_ACCESS, STOP_UNALIGNED)
_ALL_CHECKS = Checks()
_DRIVER_PREFIX = "ps_dma_"
_PAINT = b"\xa5"

Poll = Callable[[Monitor], None]


class VirtualBoard:
    """A board with firmware, driven through the mailbox of ports/harness.h; a context manager.

    Attributes:
        firmware: what was loaded.
        memory: all memories, as a debugger sees them.
        model: what the firmware says about its model.
        stack: where the stack is.
        on_poll: called every tenth of a second while the core runs; None for nothing.
    """

    def __init__(
        self,
        elf: Path,
        board: Board,
        *,
        instruction_limit: int = INSTRUCTION_LIMIT,
        watches_accesses: bool = True,
        checks: Checks | None = _ALL_CHECKS,
    ) -> None:
        """Load the firmware, reset the core, and run until main waits for a command.

        Args:
            elf: firmware linked for the board, with the harness.
            board: whose memories and core there are.
            instruction_limit: most instructions of one command before it counts as runaway.
            watches_accesses: whether accesses are watched for alignment faults, for a stack that
                grows into other memory, and for their time; off is faster, and counts no cycles.
            checks: which sanitizers watch, where accesses are watched and the board has timing;
                None for none.

        Raises:
            InputError: the file is no firmware with the harness.
            ToolError: Unicorn or a C compiler is missing.
            SimulationError: the firmware does not fit the board, or does something illegal.
        """
        self.firmware = read_firmware(elf)
        self.memory = BoardMemory(board)
        self.memory.load(self.firmware)
        self.stack = _stack_bounds(self.firmware)
        self.on_poll: Poll | None = None
        self._instruction_limit = instruction_limit
        self._mailbox = self.firmware.symbol("ps_harness_mailbox")
        self._operator_names: tuple[str, ...] = ()
        self._machine = Machine(
            self.firmware, self.memory, board.core, watches_accesses=watches_accesses
        )
        self._machine.monitor.guard(self.stack.limit - STACK_REACH_BYTES, self.stack.limit)
        self.memory.write(self.stack.limit, _PAINT * (self.stack.top - self.stack.limit))
        self._sanitizers = self._attach_sanitizers(checks)
        self._start()
        if self._read_mailbox(mailbox.MAGIC_AT) != mailbox.MAGIC:
            raise SimulationError(f"{elf.name} stopped before its main filled the mailbox")
        self.model: TargetModel = read_target_model(
            self.memory, self._read_mailbox(mailbox.MODEL_AT)
        )
        self._operator_names = self.model.operator_names
        if self._sanitizers is not None:
            self._sanitizers.allow(self._model_ranges())

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
        """Release everything; no other method may be called afterwards."""
        if self._sanitizers is not None:
            self._sanitizers.close()
        self._machine.close()

    def _attach_sanitizers(self, checks: Checks | None) -> Sanitizers | None:
        dma, timing = self._machine.dma, self.timing
        if checks is None or dma is None or timing is None:
            return None
        sanitizers = Sanitizers(self.memory, dma, timing.record, load_native(), checks)
        for segment in self.firmware.segments:
            sanitizers.mark_written(segment.address, len(segment.content))
        return sanitizers

    def _model_ranges(self) -> Iterator[tuple[int, int]]:
        """Yield what operators may touch: stack, what is programmed, the model's objects."""
        yield self.stack.limit, self.stack.top - self.stack.limit
        for segment in self.firmware.segments:
            window = self.memory.window_at(segment.address)
            if window is not None and not window.region.is_writable:
                yield segment.address, len(segment.content)
        for name, size_bytes in self.firmware.sizes.items():
            if name.startswith((f"{self.model.name}_", _DRIVER_PREFIX)):
                yield self.firmware.symbol(name), size_bytes

    @property
    def dma(self) -> Dma | None:
        """The DMA controllers; None where there is no clock."""
        return self._machine.dma

    @property
    def timing(self) -> Timing | None:
        """The clock; None where accesses are not watched or the board has no timing."""
        return self._machine.timing

    @property
    def monitor(self) -> Monitor:
        """Instruction counts."""
        return self._machine.monitor

    def init(self) -> None:
        """Call the model's ``init``, which also clears recurrent state."""
        self._command(mailbox.COMMAND_INIT)

    def run_range(self, first: int, last: int, /) -> None:
        """Run the steps ``first`` to ``last - 1``; raises SimulationError."""
        self.memory.write_word(self._mailbox + mailbox.FIRST_AT, first)
        self.memory.write_word(self._mailbox + mailbox.LAST_AT, last)
        self._command(mailbox.COMMAND_RUN)

    def run(self) -> None:
        """Run one whole inference; raises SimulationError."""
        self.run_range(0, len(self.model.operator_names))

    def write_inputs(self, inputs: Sequence[Array | bytes], /) -> None:
        """Fill the model's inputs; raises InputError when number or extents differ."""
        for address, content in mailbox.input_contents(self.model, inputs):
            self.memory.write(address, content)

    def read_outputs(self) -> list[bytes]:
        """Return the bytes of the model's outputs; raises SimulationError where they are lost."""
        if self._sanitizers is not None:
            for tensor in self.model.outputs:
                self._sanitizers.use_result(tensor.address, tensor.size_bytes)
            self._raise_fault()
        return [self._read_tensor(tensor) for tensor in self.model.outputs]

    def stack_bytes_peak(self) -> int:
        """Return the most bytes of stack that were ever in use: bytes below it are untouched."""
        content = self.memory.read(self.stack.limit, self.stack.top - self.stack.limit)
        return len(content.lstrip(_PAINT))

    def _read_tensor(self, tensor: TargetTensor) -> bytes:
        return self.memory.read(tensor.address, tensor.size_bytes)

    def read_block(self, block: str, offset_bytes: int, size_bytes: int, /) -> bytes:
        """Return bytes of one of the model's blocks: ``arena``, ``state`` and others."""
        start = self.firmware.symbol(f"{self.model.name}_{block}")
        return self.memory.read(start + offset_bytes, size_bytes)

    def _start(self) -> None:
        """Do what the core does at reset: load stack pointer and program counter."""
        vectors = _vector_address(self.firmware, self.memory)
        self._machine.reset(self.memory.read_word(vectors))
        self._resume(self.memory.read_word(vectors + 4) & ~1)

    def _command(self, command: int) -> None:
        self.memory.write_word(self._mailbox + mailbox.COMMAND_AT, command)
        self._resume(self._machine.pc + mailbox.BKPT_BYTES)
        mailbox.check_status(self.model, self._read_mailbox(mailbox.STATUS_AT))

    def _resume(self, address: int) -> None:
        on_poll = self.on_poll
        poll = None if on_poll is None else lambda: on_poll(self.monitor)
        self._machine.run(address, self._instruction_limit, poll)
        self._raise_fault()
        stopped_for_timing = self.monitor.record.reason == STOP_TIMING
        if not stopped_for_timing and breakpoint_number(self._machine, self.memory) != BKPT_READY:
            raise explain_stop(
                self._machine, self.memory, self.firmware, self.stack, self._operator_names
            )
        if self.timing is not None:
            self.timing.raise_failure()

    def _raise_fault(self) -> None:
        """Raise what a sanitizer found, unless the core has stopped at that very access."""
        sanitizers, record = self._sanitizers, self.monitor.record
        if sanitizers is None or not sanitizers.has_fault:
            return
        stops_there = record.reason in _STOPS_AT_ACCESSES and sanitizers.is_fault_at(record.address)
        if stops_there or record.reason == STOP_STACK:
            return
        block = sanitizers.fault_block
        place = "" if block is None else describe_code(self.firmware, block)
        raise sanitizers.explain(
            lambda operator: describe_operator(operator, self._operator_names), place
        )

    def _read_mailbox(self, offset_bytes: int) -> int:
        return self.memory.read_word(self._mailbox + offset_bytes)


def _stack_bounds(firmware: Firmware) -> StackBounds:
    return StackBounds(firmware.symbol("ps_stack_limit"), firmware.symbol("ps_stack_top"))


def _vector_address(firmware: Firmware, memory: BoardMemory) -> int:
    """Return where the core finds its vector table: the start of internal flash."""
    for region in memory.board.regions:
        if region.kind is MemoryKind.FLASH:
            if not any(segment.address == region.base for segment in firmware.segments):
                raise SimulationError(
                    f"{firmware.path.name} has nothing at {region.base:#010x}, "
                    f"where {memory.board.name} starts",
                    help="link the firmware with the linker script of this board",
                )
            return region.base
    raise SimulationError(f"board {memory.board.name} has no flash to start from")
