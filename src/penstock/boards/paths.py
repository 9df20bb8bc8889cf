"""How a core reaches a memory: at once, through an accelerator or a cache, or bare."""

from penstock.boards.board import Board, MemoryKind, MemoryRegion
from penstock.boards.cores import core_facts
from penstock.boards.timing import Cache

_CODE_BUS_END = 0x2000_0000
"""Below it a core without a data cache reads by its code bus: ARMv7-M and ARMv8-M, address map."""

_TIGHTLY_COUPLED = (MemoryKind.TCM_DATA, MemoryKind.TCM_INSTRUCTION)


def is_tightly_coupled(region: MemoryRegion) -> bool:
    """Return whether a memory answers its core at once."""
    return region.kind in _TIGHTLY_COUPLED


def is_accelerated(region: MemoryRegion, base: int) -> bool:
    """Return whether an accelerator stands before a memory at one of its addresses."""
    accelerator = region.accelerator
    return accelerator is not None and (not accelerator.bases or base in accelerator.bases)


def is_on_core_bus(region: MemoryRegion, base: int) -> bool:
    """Return whether an address of a memory is on a bus of the core, beyond other masters."""
    return region.accelerator is not None and base in region.accelerator.bases


def reaches_cache(board: Board, region: MemoryRegion, base: int) -> bool:
    """Return whether a cache of data, or one that is before the code bus, may hold a memory."""
    if is_accelerated(region, base):
        return False
    return board.data_cache is not None or base < _CODE_BUS_END


def cache_of_data(board: Board, region: MemoryRegion, base: int) -> Cache | None:
    """Return the cache that data of a memory are read through; None for none."""
    if not reaches_cache(board, region, base):
        return None
    cache = board.instruction_cache
    is_unified = cache is not None and cache.holds_data and is_instruction_cache_on(board)
    return board.data_cache or (cache if is_unified else None)


def is_instruction_cache_on(board: Board) -> bool:
    """Return whether a program of ours runs with an instruction cache.

    Its start-up code turns on those of the core; others are as the program finds them.
    """
    cache = board.instruction_cache
    return cache is not None and (cache.is_on_at_start or core_facts(board.core.name).has_caches)
