"""A board with all the internal memory that one could wish for, as slow or fast as it is."""

from dataclasses import replace

from penstock.boards.board import Board, MemoryKind, MemoryRegion
from penstock.errors import UnsupportedError

_ROOMY_BYTES = 1 << 25
_RAM_BASES = range(0x2400_0000, 0x4000_0000, _ROOMY_BYTES)
"""Where the core's memory map has SRAM (Arm DDI0403, B3.1), above what a Cortex-M4 sees by bits."""


def roomy_board(board: Board, ram: str) -> Board:
    """Return the board with 32 MiB of flash and of one RAM inside, and nothing outside.

    Timing, caches and controllers stay: what a network takes here is what it costs to have it in
    that memory, however little there really is.

    Args:
        board: the real one.
        ram: name of the region that is to be large; it moves to addresses that are free.

    Raises:
        UnsupportedError: no addresses are free.
    """
    inside = [region for region in board.regions if not region.is_external]
    base = next((base for base in _RAM_BASES if _is_free(base, inside)), None)
    if base is None:
        raise UnsupportedError(
            f"board {board.name!r} has no {_ROOMY_BYTES} B of free addresses for RAM"
        )
    return replace(
        board,
        title=f"{board.title}, with plenty of {ram}",
        regions=tuple(
            replace(region, base=base, aliases=(), size_bytes=_ROOMY_BYTES, banks=())
            if region.name == ram
            else replace(region, size_bytes=_ROOMY_BYTES)
            if region.kind is MemoryKind.FLASH
            else region
            for region in inside
        ),
    )


def _is_free(base: int, regions: list[MemoryRegion]) -> bool:
    return not any(
        start < base + _ROOMY_BYTES and base < start + region.size_bytes
        for region in regions
        for start in region.bases
    )
