"""Banks of internal SRAM that lie one behind the other, as one memory: for planning.

A tensor or slot may reach from one bank into the next, for addresses go on. The virtual board keeps
banks apart: each is a bus slave of its own, and only accesses to the same one meet.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from penstock.boards.board import Board, MemoryKind, MemoryRegion
from penstock.boards.timing import DmaController, InternalTiming


def join_banks(board: Board, apart: Collection[str] = ()) -> Board:
    """Return a board on which adjacent banks of SRAM that are alike are one region.

    It has the names of the first and the last, and stands where the first stood. Alike are banks
    that take the core as long, and that the same DMA controllers reach.

    Args:
        board: with each bank as a region of its own.
        apart: names of banks that stay as they are, because somebody has asked for them.
    """
    regions: list[MemoryRegion] = []
    for region in board.regions:
        before = regions[-1] if regions else None
        if before is not None and before.name not in apart and region.name not in apart:
            last = before.banks[-1] if before.banks else before
            if _follows(last, region, board.dma_controllers):
                regions[-1] = _join(*(before.banks or (before,)), region)
                continue
        regions.append(region)
    joined = [region for region in regions if region.banks]
    controllers = tuple(_reaching(controller, joined) for controller in board.dma_controllers)
    return replace(board, regions=tuple(regions), dma_controllers=controllers)


def split_banks(board: Board) -> Board:
    """Return the board that `join_banks` was given."""
    joined = {region.name: region for region in board.regions if region.banks}
    regions = tuple(bank for region in board.regions for bank in region.banks or (region,))
    controllers = tuple(
        replace(c, reaches=tuple(name for n in c.reaches for name in _names(n, joined)))
        for c in board.dma_controllers
    )
    return replace(board, regions=regions, dma_controllers=controllers)


def _names(name: str, joined: dict[str, MemoryRegion]) -> tuple[str, ...]:
    return tuple(bank.name for bank in joined[name].banks) if name in joined else (name,)


def _follows(left: MemoryRegion, right: MemoryRegion, controllers: Sequence[DmaController]) -> bool:
    """Return whether one bank begins where another ends, and is like it."""
    return (
        left.kind is right.kind is MemoryKind.SRAM
        and left.base + left.size_bytes == right.base
        and not (left.is_external or right.is_external)
        and left.is_writable
        and right.is_writable
        and isinstance(left.timing, InternalTiming)
        and isinstance(right.timing, InternalTiming)
        and replace(left.timing, fetch_cycles=0.0) == replace(right.timing, fetch_cycles=0.0)
        and all((left.name in c.reaches) == (right.name in c.reaches) for c in controllers)
    )


def _join(*banks: MemoryRegion) -> MemoryRegion:
    """Return one region of several banks; code would be fetched from it as from the first."""
    first, last = banks[0], banks[-1]
    return replace(
        first,
        name=f"{first.name}_to_{last.name}",
        size_bytes=sum(bank.size_bytes for bank in banks),
        aliases=(),
        banks=banks,
    )


def _reaching(controller: DmaController, joined: Sequence[MemoryRegion]) -> DmaController:
    """Return a controller that reaches joined regions by their own names."""
    owner = {bank.name: region.name for region in joined for bank in region.banks}
    reaches = tuple(dict.fromkeys(owner.get(name, name) for name in controller.reaches))
    return replace(controller, reaches=reaches)
