"""Registers of DMA controllers, written and read as the core would, without a core."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from penstock.boards import Board, load_board
from penstock.boards.board import MemoryKind, MemoryRegion
from penstock.boards.timing import DmaKind, QspiTiming
from penstock.simulate.dma import Dma, Transfer
from penstock.simulate.firmware import Firmware
from penstock.simulate.machine import Machine
from penstock.simulate.memory import BoardMemory
from penstock.simulate.monitor import load_native
from penstock.simulate.timing import Timing

BARE = Firmware(Path("bare"), segments=(), symbols={}, functions=())
QSPI_BASE = 0x9000_0000


def with_qspi(name: str, clock_hz: int, timing: QspiTiming, dma_clock_hz: int) -> Board:
    """Return a board that has a serial flash, at another clock."""
    board = load_board(name)
    template = next(r for r in board.regions if r.kind is MemoryKind.FLASH)
    qspi: MemoryRegion = replace(
        template,
        name="qspi",
        kind=MemoryKind.QSPI_FLASH,
        base=QSPI_BASE,
        aliases=(),
        is_external=True,
        accelerator=None,
        timing=timing,
    )
    controllers = tuple(
        replace(c, clock_hz=dma_clock_hz, reaches=(*c.reaches, "qspi"))
        for c in board.dma_controllers
    )
    return replace(
        board,
        clock_hz=clock_hz,
        regions=(*board.regions, qspi),
        dma_controllers=controllers,
    )


@dataclass
class Registers:
    """A board's first controller that copies between memories."""

    board: Board
    memory: BoardMemory
    timing: Timing
    dma: Dma

    def __post_init__(self) -> None:
        self.controller = next(
            c for c in self.dma.controllers if c.memory_to_memory and c.kind in DmaKind
        )
        self._native = load_native()
        if self.controller.clock_enable_address is not None:
            pages = self.dma.register_pages
            address = self.controller.clock_enable_address
            register = pages[address & ~0xFFF] + (address & 0xFFF)
            ctypes.c_uint32.from_address(register).value = 1 << self.controller.clock_enable_bit

    def write(self, offset: int, value: int, size_bytes: int = 4) -> None:
        self._access(offset, size_bytes, 1, value)

    def read(self, offset: int) -> int:
        self._access(offset, 4, 0, 0)
        address = self.controller.base + offset
        page = self.dma.register_pages[address & ~0xFFF]
        return ctypes.c_uint32.from_address(page + (address & 0xFFF)).value

    def _access(self, offset: int, size_bytes: int, is_write: int, value: int) -> None:
        self._native.ps_dma_access(
            ctypes.byref(self.timing.record),
            self.controller.base + offset,
            size_bytes,
            is_write,
            ctypes.c_uint32(value),
        )

    def advance(self, cycles: float = float("inf")) -> None:
        """Let time pass; by default until nothing goes on, or a sanitizer stops it."""
        record = self.timing.record
        end = record.now + cycles * 256
        while record.next_event <= end and record.next_event != 2**64 - 1 and not record.has_failed:
            record.now = record.next_event
            self._native.ps_dma_advance(ctypes.byref(record))
        if end != float("inf"):
            record.now = int(end)

    def is_pending(self, channel: int) -> bool:
        number = self.controller.interrupts[channel]
        return bool(self.dma.record.pending[number // 32] >> number % 32 & 1)

    def rate(self, transfer: Transfer) -> float:
        """Return MB/s."""
        seconds = (transfer.ended - transfer.started) / self.board.clock_hz
        return transfer.size_bytes / seconds / 1e6


@contextmanager
def registers(board: Board | str) -> Iterator[Registers]:
    """Open the registers of a board's first controller."""
    found = load_board(board) if isinstance(board, str) else board
    memory = BoardMemory(found)
    machine = Machine(BARE, memory, found.core)
    assert machine.timing is not None
    assert machine.dma is not None
    try:
        yield Registers(found, memory, machine.timing, machine.dma)
    finally:
        machine.close()


def stream_copy(
    opened: Registers,
    destination: int,
    source: int,
    items: int,
    *,
    width_log2: int,
    burst: int,
    memory_width_log2: int | None = None,
    threshold: int = 3,
    stream: int = 0,
) -> None:
    """Start a copy of a stream: items of PSIZE, PBURST = MBURST = ``burst``."""
    base = 0x10 + 0x18 * stream
    memory_width = width_log2 if memory_width_log2 is None else memory_width_log2
    opened.write(base + 0x04, items)
    opened.write(base + 0x08, source)
    opened.write(base + 0x0C, destination)
    opened.write(base + 0x14, 1 << 2 | threshold)
    control = 2 << 6 | 1 << 9 | 1 << 10 | width_log2 << 11 | memory_width << 13
    control |= burst << 21 | burst << 23 | 1 << 4 | 1 << 2
    opened.write(base, control)
    opened.write(base, control | 1)


def mdma_copy(
    opened: Registers, destination: int, source: int, size_bytes: int, *, burst_log2: int = 2
) -> None:
    """Copy a block in words of 8 bytes, bursts of 4 and buffers of 128 bytes."""
    control = 2 | 2 << 2 | 3 << 4 | 3 << 6 | 3 << 8 | 3 << 10 | burst_log2 << 12 | burst_log2 << 15
    control |= 127 << 18 | 1 << 28 | 1 << 30
    for offset, value in ((0x10, control), (0x14, size_bytes), (0x18, source), (0x1C, destination)):
        opened.write(0x40 + offset, value)
    opened.write(0x40 + 0x0C, 1)
    opened.write(0x40 + 0x0C, 1 | 1 << 16)


def gpdma_copy(opened: Registers, destination: int, source: int, size_bytes: int) -> None:
    """Copy a block in single words on channel 0."""
    channel = 0x50
    opened.write(channel + 0x40, 2 | 1 << 3 | 2 << 16 | 1 << 19)
    opened.write(channel + 0x44, 1 << 9)
    opened.write(channel + 0x48, size_bytes)
    opened.write(channel + 0x4C, source)
    opened.write(channel + 0x50, destination)
    opened.write(channel + 0x14, 1 | 1 << 8)
