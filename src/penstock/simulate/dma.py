"""DMA controllers of a virtual board: what the native half is told of them."""

import ctypes
import mmap
from dataclasses import asdict, dataclass

from penstock.boards.board import Board, MemoryRegion
from penstock.boards.costs import TICKS_PER_CYCLE, port_costs
from penstock.boards.memories import PAGE_BYTES
from penstock.boards.paths import is_on_core_bus, is_tightly_coupled
from penstock.boards.timing import DmaController, DmaKind
from penstock.simulate.dma_records import (
    CHANNELS_MAX,
    ControllerRecord,
    DmaRecord,
    PortRecord,
    WindowRecord,
)
from penstock.simulate.memory import BoardMemory
from penstock.simulate.timing_records import TimingRecord

_KINDS = {DmaKind.STREAM: 0, DmaKind.MDMA: 1, DmaKind.GPDMA: 2}
"""Of the controllers whose registers are modelled: ``ps_dma_kind``."""

_NO_INTERRUPT = 511
"""Beyond the interrupts of any core."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """A finished transfer; times are core cycles since reset.

    Attributes:
        controller: name of the controller.
        channel: its number there.
        source: first address.
        destination: first address.
        size_bytes: what it moved.
        operator: index of the operator that started it; None outside all operators.
        started: when it was started.
        ended: when its last byte had arrived.
    """

    controller: str
    channel: int
    source: int
    destination: int
    size_bytes: int
    operator: int | None
    started: float
    ended: float


class Dma:
    """The DMA controllers of one virtual board, and what they see of its memories."""

    def __init__(
        self, board: Board, memory: BoardMemory, timing: TimingRecord, native: ctypes.CDLL
    ) -> None:
        """Attach idle controllers to a clock.

        Args:
            board: whose controllers there are; those whose layout is not modelled are left out.
            memory: what they copy.
            timing: the clock; kept by the caller.
            native: the compiled callbacks.
        """
        self._native = native
        self.controllers = tuple(c for c in board.dma_controllers if c.kind.is_modelled)
        self._pages: dict[int, mmap.mmap] = {}
        self._windows = _window_records(board, memory, self.controllers)
        ports = [PortRecord(), *(_port_record(region, board) for region in board.regions)]
        self._ports = (PortRecord * len(ports))(*ports)
        records = [self._controller_record(n, board) for n in range(len(self.controllers))]
        self._controllers = (ControllerRecord * max(len(records), 1))(*records)
        self.record = DmaRecord(
            windows=self._windows,
            window_count=len(self._windows),
            ports=self._ports,
            controllers=self._controllers,
            controller_count=len(records),
        )
        native.ps_dma_open(ctypes.byref(self.record), ctypes.byref(timing))

    @property
    def register_pages(self) -> dict[int, int]:
        """Address on the board of each page of registers, and in this process."""
        return {base: _host_address(page) for base, page in self._pages.items()}

    @property
    def windows(self) -> "ctypes.Array[WindowRecord]":
        """Where memories are seen."""
        return self._windows

    def transfers(self) -> list[Transfer]:
        """Return the transfers that have finished since reset, oldest first."""
        records = (self.record.records[index] for index in range(self.record.record_count))
        return [
            Transfer(
                controller=self.controllers[r.controller].name,
                channel=r.channel,
                source=r.source,
                destination=r.destination,
                size_bytes=r.size_bytes,
                operator=r.slot - 1 if r.slot else None,
                started=r.started_at / TICKS_PER_CYCLE,
                ended=r.ended_at / TICKS_PER_CYCLE,
            )
            for r in records
        ]

    @property
    def has_all_transfers(self) -> bool:
        """Whether there was room to record each of them; what is missing are the last."""
        return not self.record.is_cut

    def _controller_record(self, number: int, board: Board) -> ControllerRecord:
        controller = self.controllers[number]
        clock = board.clock_hz / controller.clock_hz * TICKS_PER_CYCLE
        enable = controller.clock_enable_address
        interrupts = controller.interrupts or (_NO_INTERRUPT,) * controller.channel_count
        return ControllerRecord(
            kind=_KINDS[controller.kind],
            base=controller.base,
            channel_count=min(controller.channel_count, CHANNELS_MAX),
            copies_memory=controller.memory_to_memory,
            items_max=controller.items_max,
            fifo_bytes=controller.fifo_bytes,
            clock=round(clock),
            item=round(clock * max(controller.item_cycles, 1)),
            page=self._page(controller.base),
            clock_enable=None if enable is None else self._page(enable) + enable % PAGE_BYTES,
            clock_enable_mask=1 << controller.clock_enable_bit,
            number=number,
            interrupts=(ctypes.c_uint32 * CHANNELS_MAX)(*interrupts[:CHANNELS_MAX]),
        )

    def _page(self, address: int) -> int:
        base = address - address % PAGE_BYTES
        if base not in self._pages:
            self._pages[base] = mmap.mmap(-1, PAGE_BYTES)
        return _host_address(self._pages[base])

    def close(self) -> None:
        """Release native memory."""
        self._native.ps_dma_close(ctypes.byref(self.record))


def _host_address(page: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(page))


def _window_records(
    board: Board, memory: BoardMemory, controllers: tuple[DmaController, ...]
) -> "ctypes.Array[WindowRecord]":
    numbers = {region.name: number for number, region in enumerate(board.regions, 1)}
    records = [
        WindowRecord(
            base=window.base,
            size_bytes=window.region.size_bytes,
            memory=numbers[window.region.name],
            is_writable=window.region.is_writable,
            is_tightly_coupled=is_tightly_coupled(window.region),
            controllers=sum(
                1 << number
                for number, controller in enumerate(controllers)
                if _reaches(controller, window.region, window.base)
            ),
            bytes=window.host_address,
        )
        for window in memory.windows
    ]
    return (WindowRecord * len(records))(*records)


def _reaches(controller: DmaController, region: MemoryRegion, base: int) -> bool:
    return region.name in controller.reaches and not is_on_core_bus(region, base)


def _port_record(region: MemoryRegion, board: Board) -> PortRecord:
    return PortRecord(**asdict(port_costs(region, board)))
