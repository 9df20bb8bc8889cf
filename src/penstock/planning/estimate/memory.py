"""How long a core waits for memories: caches, flash accelerators and bare memories, analytically.

Nothing here is fitted: costs are those of `boards.costs`, and how often a line is missing follows
from how many other lines were fetched since it was last used. Lines of caches are replaced at
random, as on a Cortex-M7, so a line outlives k misses elsewhere with the probability exp(−k/lines);
a flash accelerator drops its oldest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.boards.board import Board, MemoryKind, MemoryRegion
from penstock.boards.costs import TICKS_PER_CYCLE, RegionCosts, region_costs
from penstock.boards.timing import Cache
from penstock.planning.estimate.accesses import Access, Role, Sweep
from penstock.planning.execution_plan import Placement

_CODE_BUS_END = 0x2000_0000
_ROUNDS = 60
_SETTLED = 1e-3
_ROOMY = 0.75
"""Share of a cache that data fill without meeting in its sets, more or less."""


@dataclass(frozen=True, slots=True)
class Store:
    """What keeps lines between a memory and the core.

    Attributes:
        line_bytes: of one line.
        lines: how many it holds.
        sets: of a cache; 0 where the oldest line is dropped.
    """

    line_bytes: int
    lines: int
    sets: int

    def survival(self, misses: float) -> float:
        """Return how likely a line is still there after this many misses."""
        if self.sets == 0:
            return 1.0 if misses < self.lines else 0.0
        return math.exp(-misses / self.lines)


@dataclass(frozen=True, slots=True)
class _Path:
    """How the core reaches a memory: what keeps its lines, and what a missing one costs."""

    store: Store | None
    costs: RegionCosts
    line_ticks: int


def wait_cycles(accesses: Sequence[Access], placement: Placement, board: Board) -> float:
    """Return how long a call waits for data that it reads.

    Args:
        accesses: what the call reads and writes.
        placement: where code, weights and arena are.
        board: whose memories and caches there are.
    """
    paths = {role: _path(_region(role, placement, board), board) for role in Role}
    ticks = 0.0
    kept: dict[Store, list[tuple[Access, _Path]]] = {}
    for access in accesses:
        path = paths[access.role]
        if path is None:
            continue
        if path.store is None:
            ticks += _bare_ticks(access, path.costs)
        else:
            kept.setdefault(path.store, []).append((access, path))
    for store, users in kept.items():
        ticks += _stored_ticks(store, users)
    return ticks / TICKS_PER_CYCLE


def fetch_cost(board: Board, region: MemoryRegion | None = None) -> tuple[int, int]:
    """Return the bytes of a line of code, and the ticks that fetching one takes.

    Args:
        board: whose code.
        region: where the code is; None for the first flash memory.
    """
    home = region or next(r for r in board.regions if r.kind is MemoryKind.FLASH)
    costs = region_costs(home, board)
    if board.instruction_cache is not None:
        return board.instruction_cache.line_bytes, costs.line_read
    if home.accelerator is not None:
        return home.accelerator.line_bytes, costs.fetch
    return 4, costs.fetch


def fetch_cycles(size_bytes: int, board: Board, region: MemoryRegion | None = None) -> float:
    """Return how long a core waits for code that no cache holds yet."""
    line_bytes, line_ticks = fetch_cost(board, region)
    return size_bytes / line_bytes * line_ticks / TICKS_PER_CYCLE


def _region(role: Role, placement: Placement, board: Board) -> MemoryRegion:
    names = {
        Role.CODE: placement.code,
        Role.WEIGHTS: placement.weights,
        Role.ARENA: placement.arena,
    }
    return board.region(names[role])


def _path(region: MemoryRegion, board: Board) -> _Path | None:
    """Return how the core reads a region; None where it never waits."""
    costs = region_costs(region, board)
    if region.kind in (MemoryKind.TCM_DATA, MemoryKind.TCM_INSTRUCTION):
        return None
    accelerator = region.accelerator
    if accelerator is not None and (not accelerator.bases or region.base in accelerator.bases):
        if accelerator.data_lines:
            store = Store(accelerator.line_bytes, accelerator.data_lines, 0)
            return _Path(store, costs, costs.fetch)
    elif board.data_cache is not None:
        return _Path(_cache(board.data_cache), costs, costs.line_read)
    elif board.instruction_cache is not None and region.base < _CODE_BUS_END:
        return _Path(_cache(board.instruction_cache), costs, costs.line_read)
    return _Path(None, costs, 0) if costs.word_read else None


def _cache(cache: Cache) -> Store:
    lines = cache.size_bytes // cache.line_bytes
    return Store(cache.line_bytes, lines, lines // cache.ways)


def _bare_ticks(access: Access, costs: RegionCosts) -> float:
    apart = access.reads * (1 - access.sequential) * costs.word_read
    return apart + access.reads * access.sequential * costs.sequential_word


def _stored_ticks(store: Store, users: Sequence[tuple[Access, _Path]]) -> float:
    visits = max(access.visits for access, _ in users)
    misses = _settle(store, [access for access, _ in users], visits)
    return sum(
        share * visits * path.line_ticks
        for share, (access, path) in zip(misses, users, strict=True)
        if access.reads
    )


def _settle(store: Store, accesses: Sequence[Access], visits: int) -> list[float]:
    """Return misses of each access in a visit that are consistent with one another.

    Misses replace lines, which makes misses: beginning where everything misses, as with cold
    caches, they fall until they only make themselves.
    """
    rates = [access.visits / visits for access in accesses]
    room = sum(rate * _room(store, access) for rate, access in zip(rates, accesses, strict=True))
    if room * visits < _ROOMY * store.lines:  # everything has a place of its own
        return [rate * _first_misses(store, a) for rate, a in zip(rates, accesses, strict=True)]
    misses = [math.inf] * len(accesses)
    for _ in range(_ROUNDS):
        total = sum(misses)
        settled = [
            rate * sum(_sweep_misses(store, sweep, total, own) for sweep in access.sweeps)
            for rate, access, own in zip(rates, accesses, misses, strict=True)
        ]
        has_settled = sum(settled) > (1 - _SETTLED) * total
        misses = settled
        if has_settled:
            break
    return misses


def _first_misses(store: Store, access: Access) -> float:
    """Return how many lines of a visit nobody has touched before."""
    return sum(
        sweep.stretches * _stretch_lines(store, sweep)
        for sweep in access.sweeps
        if sweep.interval is None
    )


def _room(store: Store, access: Access) -> float:
    """Return how many lines the new bytes of a visit take, more where they crowd in few sets."""
    crowding = max(_crowding(store, sweep, _stretch_lines(store, sweep)) for sweep in access.sweeps)
    return crowding * _first_misses(store, access)


def _sweep_misses(store: Store, sweep: Sweep, total: float, own: float) -> float:
    """Return how many of a sweep's lines are missing.

    Args:
        store: where they may be.
        sweep: what is touched.
        total: misses of all accesses in a visit.
        own: misses among them of the sweep's access, which crowd in the sets that it uses.
    """
    each = _stretch_lines(store, sweep)
    lines = sweep.stretches * each
    if sweep.interval is None:
        return lines
    crowding = _crowding(store, sweep, each)
    seen = total + own * (crowding - 1) if crowding > 1 else total
    return lines * (1 - store.survival(seen * sweep.interval))


def _crowding(store: Store, sweep: Sweep, stretch_lines: float) -> float:
    """Return all sets of a cache over those that evenly spaced pieces fall into."""
    step = sweep.step_bytes / store.line_bytes
    if store.sets == 0 or sweep.stretches <= 1 or step <= stretch_lines or step % 1:
        return 1.0
    starts = min(sweep.stretches, store.sets / math.gcd(int(step), store.sets))
    return max(store.sets / (starts * stretch_lines), 1.0)


def _stretch_lines(store: Store, sweep: Sweep) -> float:
    line = store.line_bytes
    if sweep.step_bytes <= sweep.size_bytes:
        return sweep.size_bytes / line
    if sweep.step_bytes < line:
        return sweep.step_bytes / line
    if sweep.step_bytes % line == 0:
        return math.ceil(sweep.size_bytes / line)
    return min((sweep.size_bytes + line - 1) / line, sweep.step_bytes / line)
