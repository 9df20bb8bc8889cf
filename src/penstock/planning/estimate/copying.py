"""How long copies take: the rounds of a DMA controller, priced by what the board says of it.

A controller moves one round at a time, as `simulate/native/dma.c` does; docs/dma.md has the rules.
"""

from dataclasses import dataclass

from penstock.boards.board import Board, MemoryRegion
from penstock.boards.copying import dma_controller
from penstock.boards.costs import TICKS_PER_CYCLE, port_costs, region_costs
from penstock.boards.paths import is_tightly_coupled
from penstock.boards.timing import DmaController, DmaKind

_WORD_BYTES = 4
_STREAM_BURST_BYTES = 16
_MDMA_BURST_BYTES, _MDMA_WIDTH_BYTES = 32, 8
_DEEP_FIFO = 4
"""Of a GPDMA: how much longer the FIFO of the channels is that the driver uses."""


@dataclass(frozen=True, slots=True)
class Route:
    """A way between two memories.

    Attributes:
        round_bytes: what moves at a time.
        round_cycles: of the core, for each.
        source_busy_cycles: among them, how long the source is kept from others.
        destination_busy_cycles: the same of the destination.
        row_cycles: the opening of rows, for each byte.
        is_by_core: whether there is no controller, and the core copies.
    """

    round_bytes: int
    round_cycles: float
    source_busy_cycles: float
    destination_busy_cycles: float
    row_cycles: float
    is_by_core: bool = False

    def cycles(self, size_bytes: int) -> float:
        """Return how long a copy takes that nothing stands in the way of."""
        return size_bytes * (self.round_cycles / self.round_bytes + self.row_cycles)


def find_route(
    source: MemoryRegion, destination: MemoryRegion, alignment_bytes: int, board: Board
) -> Route:
    """Return how copies go from one memory to another.

    Args:
        source: memory that is read.
        destination: memory that is written.
        alignment_bytes: of the source's address; the driver aligns the destination.
        board: whose controllers there are.
    """
    controller = dma_controller(board)
    if controller is None:
        return _by_core(source, destination, board)
    clock = board.clock_hz / controller.clock_hz * TICKS_PER_CYCLE
    fifo_bytes = controller.fifo_bytes
    if controller.kind is DmaKind.GPDMA:
        fifo_bytes *= _DEEP_FIFO
    reading = _side(controller, source, alignment_bytes, fifo_bytes)
    writing = _side(controller, destination, _MDMA_BURST_BYTES, fifo_bytes)
    round_bytes = max(reading[0], writing[0])
    overlaps = 2 * round_bytes <= fifo_bytes
    request = clock * (max(controller.item_cycles, 1) - 1)
    read = _leg(source, reading, round_bytes, clock, request, board, is_write=False)
    write = _leg(destination, writing, round_bytes, clock, request, board, is_write=True)
    took = max(read, write) if overlaps else read + write
    ahead = port_costs(source, board)
    if ahead.prefetch_bytes:  # it reads on while the other side writes
        took = max(took, ahead.word_read * round_bytes / _WORD_BYTES)
    return Route(
        round_bytes=round_bytes,
        round_cycles=took / TICKS_PER_CYCLE,
        source_busy_cycles=(read - request * round_bytes / reading[0]) / TICKS_PER_CYCLE,
        destination_busy_cycles=(write - request * round_bytes / writing[0]) / TICKS_PER_CYCLE,
        row_cycles=_row_cycles(source, board) + _row_cycles(destination, board),
    )


def _side(
    controller: DmaController, region: MemoryRegion, alignment_bytes: int, fifo_bytes: int
) -> tuple[int, int]:
    """Return the bytes of a burst and of an item, as the drivers in runtime/ports choose them."""
    if controller.kind is DmaKind.MDMA:
        widest = _WORD_BYTES if is_tightly_coupled(region) else _MDMA_WIDTH_BYTES
        return min(alignment_bytes, _MDMA_BURST_BYTES), min(alignment_bytes, widest)
    width = min(alignment_bytes, _WORD_BYTES)
    burst = _STREAM_BURST_BYTES if alignment_bytes >= _STREAM_BURST_BYTES else width
    if controller.kind is DmaKind.GPDMA:
        burst = min(burst, fifo_bytes // 2)
    return burst, width


def _leg(
    region: MemoryRegion,
    side: tuple[int, int],
    round_bytes: int,
    clock: float,
    request: float,
    board: Board,
    *,
    is_write: bool,
) -> float:
    """Return the ticks that one side of a round takes."""
    burst_bytes, width_bytes = side
    costs = port_costs(region, board)
    beats = burst_bytes / width_bytes
    own = (costs.word_write if is_write else costs.word_read) * burst_bytes / _WORD_BYTES
    if not is_write and not costs.prefetch_bytes:
        own += costs.burst_read if beats > 1 else costs.single_read
    if not is_write and costs.prefetch_bytes:
        own = 0.0  # `find_route` sees to its pace
    return round_bytes / burst_bytes * (request + max(own, beats * clock))


def _row_cycles(region: MemoryRegion, board: Board) -> float:
    costs = region_costs(region, board)
    return costs.row_miss / costs.row_bytes / TICKS_PER_CYCLE if costs.row_bytes else 0.0


def _by_core(source: MemoryRegion, destination: MemoryRegion, board: Board) -> Route:
    """Return the price of memcpy: a load, a store and a turn of the loop for each word."""
    read = region_costs(source, board).sequential_word / TICKS_PER_CYCLE
    write = region_costs(destination, board).word_write / TICKS_PER_CYCLE
    return Route(_WORD_BYTES, 3 + read + write, 0.0, 0.0, 0.0, is_by_core=True)
