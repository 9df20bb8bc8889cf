"""How long a core waits for memories: caches, flash accelerators and bare memories, analytically.

Nothing here is fitted: costs are those of `boards.costs`, and how often a line is missing follows
from how many other lines were fetched since it was last used.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from penstock.boards.board import Board, MemoryKind, MemoryRegion
from penstock.boards.cores import core_facts
from penstock.boards.costs import TICKS_PER_CYCLE, RegionCosts, region_costs
from penstock.boards.paths import (
    cache_of_data,
    is_accelerated,
    is_instruction_cache_on,
    is_tightly_coupled,
)
from penstock.boards.timing import Cache
from penstock.planning.estimate.accesses import Access, Role
from penstock.planning.estimate.bus import line_ticks, word_ticks
from penstock.planning.estimate.residue import Residue
from penstock.planning.estimate.store import Store, first_misses, settle_misses
from penstock.planning.execution_plan import Placement


@dataclass(frozen=True, slots=True)
class _Path:
    """How the core reads a memory.

    Attributes:
        store: what keeps its lines; None where each read goes to the memory.
        is_accelerator: whether that is a flash accelerator.
        costs: of the memory.
    """

    store: Store | None
    is_accelerator: bool
    costs: RegionCosts


def wait_cycles(
    accesses: Sequence[Access], placement: Placement, board: Board, residue: Residue
) -> float:
    """Return how long a call waits for data that it reads.

    Args:
        accesses: what the call reads and writes.
        placement: where code, weights and arena are.
        board: whose memories and caches there are.
        residue: what earlier calls left in the caches; takes notice of this one.
    """
    homes = {role: _region(role, placement, board) for role in Role}
    return wait_cycles_at([(access, homes[access.role]) for access in accesses], board, residue)


def wait_cycles_at(
    accesses: Iterable[tuple[Access, MemoryRegion]], board: Board, residue: Residue
) -> float:
    """Return how long a call waits for data that it reads, each of them from its own memory."""
    users: dict[str, list[Access]] = {}
    for access, home in accesses:
        users.setdefault(home.name, []).append(access)
    paths = {name: _path(board.region(name), board) for name in users}
    misses = _misses(users, paths, residue)
    preloads = core_facts(board.core.name).preload_fills > 0
    ticks = sum(
        _wait_ticks(path, users[name], misses.get(name, ()), preloads=preloads)
        for name, path in paths.items()
        if path is not None
    )
    return ticks / TICKS_PER_CYCLE


def _wait_ticks(
    path: _Path, accesses: Sequence[Access], misses: Sequence[float], *, preloads: bool
) -> float:
    if path.store is None:
        return word_ticks(accesses, path.costs)
    if not path.is_accelerator:
        line_bytes = path.store.line_bytes
        return line_ticks(accesses, misses, line_bytes, path.costs, preloads=preloads)
    return path.costs.fetch * sum(
        count for access, count in zip(accesses, misses, strict=True) if access.reads
    )


def _misses(
    users: Mapping[str, Sequence[Access]], paths: Mapping[str, _Path | None], residue: Residue
) -> dict[str, list[float]]:
    """Return the missing lines of each access, by memory; memories share what keeps lines."""
    kept: dict[Store, list[str]] = {}
    for name, path in paths.items():
        if path is not None and path.store is not None:
            kept.setdefault(path.store, []).append(name)
    found: dict[str, list[float]] = {}
    for store, names in kept.items():
        accesses = [access for name in names for access in users[name]]
        counts = iter(_count_misses(store, accesses, residue))
        found |= {name: [next(counts) for _ in users[name]] for name in names}
    return found


def _count_misses(store: Store, accesses: Sequence[Access], residue: Residue) -> list[float]:
    """Return the missing lines of each access in a whole call."""
    visits = max(access.visits for access in accesses)
    cold = [count * visits for count in settle_misses(store, accesses, visits)]
    shares = residue.shares(store, accesses, cold)
    misses = [
        max(count - share * access.visits * first_misses(store, access), 0.0)
        for count, share, access in zip(cold, shares, accesses, strict=True)
    ]
    residue.note(store, accesses, misses)
    return misses


def fetch_cost(board: Board) -> tuple[int, int]:
    """Return the bytes of a line of code in flash memory, and the ticks that fetching one takes."""
    home = next(r for r in board.regions if r.kind is MemoryKind.FLASH)
    costs = region_costs(home, board)
    if board.instruction_cache is not None and is_instruction_cache_on(board):
        return board.instruction_cache.line_bytes, costs.line_read
    if home.accelerator is not None:
        return home.accelerator.line_bytes, costs.fetch
    return core_facts(board.core.name).fetch_bytes, costs.fetch


def fetch_cycles(size_bytes: int, board: Board) -> float:
    """Return how long a core waits for code that no cache holds yet."""
    line_bytes, line_ticks = fetch_cost(board)
    return size_bytes / line_bytes * line_ticks / TICKS_PER_CYCLE


def _region(role: Role, placement: Placement, board: Board) -> MemoryRegion:
    names = {
        Role.CODE: placement.code,
        Role.WEIGHTS: placement.weights,
        Role.ARENA: placement.arena,
        Role.SCRATCH: placement.arena,
    }
    return board.region(names[role])


def _path(region: MemoryRegion, board: Board) -> _Path | None:
    """Return how the core reads a region; None where it never waits."""
    if is_tightly_coupled(region):
        return None
    costs = region_costs(region, board)
    cache = cache_of_data(board, region, region.base)
    if cache is not None:
        return _Path(_as_store(cache), False, costs)
    accelerator = region.accelerator
    if accelerator is not None and accelerator.data_lines and is_accelerated(region, region.base):
        return _Path(Store(accelerator.line_bytes, accelerator.data_lines, 0), True, costs)
    return _Path(None, False, costs) if costs.word_read else None


def _as_store(cache: Cache) -> Store:
    lines = cache.size_bytes // cache.line_bytes
    return Store(cache.line_bytes, lines, lines // cache.ways)
