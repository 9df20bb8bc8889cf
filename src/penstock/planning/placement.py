"""Which memory region holds what: the fastest that fits, internal before external."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from penstock.boards.board import Board, MemoryKind, MemoryRegion
from penstock.errors import CapacityError, InputError
from penstock.planning.execution_plan import Placement
from penstock.units import format_bytes

STACK_BYTES = 8 * 1024
"""Room kept for the stack and for the static data of start-up code and harness."""

_DATA_KINDS = (MemoryKind.TCM_DATA, MemoryKind.SRAM, MemoryKind.SDRAM)
_CODE_KINDS = (MemoryKind.FLASH,)
_WEIGHT_KINDS = (MemoryKind.FLASH, MemoryKind.QSPI_FLASH)


@dataclass(frozen=True, slots=True)
class Demand:
    """Bytes that a program needs of each kind of memory.

    Attributes:
        code_bytes: text and small read-only data; an allowance, for no compiler has run yet.
        weights_bytes: the constants.
        arena_bytes: the arena and the state block.
        stack_bytes: stack and static data.
    """

    code_bytes: int
    weights_bytes: int
    arena_bytes: int
    stack_bytes: int


def place_sections(
    demand: Demand, board: Board, *, weights_in: str | None = None, arena_in: str | None = None
) -> Placement:
    """Return the region of each section.

    Args:
        demand: how many bytes each needs.
        board: the regions that exist.
        weights_in: name of the region that must hold the weights; None chooses.
        arena_in: name of the region that must hold the arena; None chooses.

    Raises:
        CapacityError: a section fits nowhere; says what each region has left.
        InputError: the board has no region of a name asked for, or it cannot hold such data.
    """
    left = {region.name: region.size_bytes for region in board.regions}

    def take(section: str, size_bytes: int, kinds: Sequence[MemoryKind], wish: str | None) -> str:
        regions = _candidates(board, section, kinds, wish)
        for region in regions:
            if left[region.name] >= size_bytes:
                left[region.name] -= size_bytes
                return region.name
        raise _does_not_fit(section, size_bytes, board, regions, left, wish)

    code = take("code", demand.code_bytes, _CODE_KINDS, None)
    # A wish is served before what may go anywhere.
    arena = (
        take("arena", demand.arena_bytes, _DATA_KINDS, arena_in) if arena_in is not None else None
    )
    stack = take("stack", demand.stack_bytes, _DATA_KINDS, None)
    if arena is None:
        arena = take("arena", demand.arena_bytes, _DATA_KINDS, None)
    weights = take("weights", demand.weights_bytes, _WEIGHT_KINDS, weights_in)
    image = None
    if board.region(weights).is_writable:
        what = "weights before start-up copies them"
        image = take(what, demand.weights_bytes, _WEIGHT_KINDS, None)
    image = None if image == code else image
    return Placement(code=code, weights=weights, arena=arena, stack=stack, weights_image=image)


def place_stack(board: Board, size_bytes: int) -> str:
    """Return the region of the stack where nothing else competes for it.

    Raises:
        CapacityError: no memory is large enough.
    """
    regions = _candidates(board, "stack", _DATA_KINDS, None)
    for region in regions:
        if region.size_bytes >= size_bytes:
            return region.name
    left = {region.name: region.size_bytes for region in board.regions}
    raise _does_not_fit("stack", size_bytes, board, regions, left, None)


def check_code(size_bytes: int, region: MemoryRegion, board: Board) -> None:
    """Check that code fits a region that has nothing else to hold.

    Raises:
        CapacityError: it does not.
    """
    if size_bytes > region.size_bytes:
        left = {region.name: region.size_bytes}
        raise _does_not_fit("code", size_bytes, board, [region], left, None)


def check_code_somewhere(size_bytes: int, board: Board) -> None:
    """Check that a board's largest memory for code holds it, before anything else is placed.

    Raises:
        CapacityError: it does not.
    """
    regions = _candidates(board, "code", _CODE_KINDS, None)
    if all(size_bytes > region.size_bytes for region in regions):
        left = {region.name: region.size_bytes for region in regions}
        raise _does_not_fit("code", size_bytes, board, regions, left, None)


def _candidates(
    board: Board, section: str, kinds: Sequence[MemoryKind], wish: str | None
) -> list[MemoryRegion]:
    """Return regions in order of preference: internal first, then as ``kinds`` says."""
    if wish is None:
        usable = [region for region in board.regions if region.kind in kinds]
        return sorted(usable, key=lambda region: (region.is_external, kinds.index(region.kind)))
    # Weights asked for in memory that forgets are copied there by start-up.
    usable = [r for r in board.regions if r.kind in kinds or section == "weights"]
    for region in usable:
        if region.name == wish:
            return [region]
    is_known = any(region.name == wish for region in board.regions)
    raise InputError(
        f"memory region {wish!r} of board {board.name!r} cannot hold the {section}"
        if is_known
        else f"board {board.name!r} has no memory region {wish!r} for the {section}",
        help=f"choose one of: {', '.join(region.name for region in usable)}",
    )


_ADVICE = {
    "weights": "take a board with more flash, or a smaller model",
    "arena": "take a board with more memory, a smaller input, or a narrower model",
    "stack": "take a board with more internal memory",
    "code": "take a board with more flash, or a model of fewer operators",
}


def _does_not_fit(
    section: str,
    size_bytes: int,
    board: Board,
    regions: Iterable[MemoryRegion],
    left: Mapping[str, int],
    wish: str | None,
) -> CapacityError:
    offers = ", ".join(
        f"{region.name} {left[region.name]} of {region.size_bytes} B free" for region in regions
    )
    advice = _ADVICE.get(section, _ADVICE["weights"])
    if wish is not None:
        advice = f"leave the choice of the region to Penstock, or {advice}"
    needs = "need" if section.startswith("weights") else "needs"
    return CapacityError(
        f"the {section} {needs} {size_bytes} B ({format_bytes(size_bytes)}), more than any memory "
        f"of board {board.name!r} has left: {offers or 'no such memory'}",
        help=advice,
    )
