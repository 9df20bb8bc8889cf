"""A board whose memories cost nothing: what a core could do if capacity were no question."""

from dataclasses import replace

from penstock.boards.board import Board, MemoryKind, MemoryRegion
from penstock.boards.provenance import Confidence, Provenance
from penstock.boards.timing import InternalTiming

FLASH, RAM = "ideal_flash", "ideal_ram"
_BYTES = 1 << 26
_FLASH_BASE, _RAM_BASE = 0x0800_0000, 0x2000_0000
_NO_WAIT = InternalTiming(
    word_read_cycles=0,
    word_write_cycles=0,
    line_read_cycles=0,
    line_write_cycles=0,
    fetch_cycles=0,
)
_SUPPOSED = Provenance("supposed: no such memory exists", Confidence.GUESS)


def ideal_board(board: Board) -> Board:
    """Return the board with two memories only, both internal, large and without wait states.

    Core, clock, caches and power stay; there is nothing that a DMA controller would be good for.
    """
    return replace(
        board,
        title=f"{board.title}, with ideal memory",
        regions=(
            _region(FLASH, MemoryKind.FLASH, _FLASH_BASE, is_writable=False),
            _region(RAM, MemoryKind.TCM_DATA, _RAM_BASE, is_writable=True),
        ),
        dma_controllers=(),
    )


def _region(name: str, kind: MemoryKind, base: int, *, is_writable: bool) -> MemoryRegion:
    return MemoryRegion(
        name=name,
        kind=kind,
        base=base,
        size_bytes=_BYTES,
        is_writable=is_writable,
        is_external=False,
        aliases=(),
        provenance=_SUPPOSED,
        timing=_NO_WAIT,
    )
