"""What each way of parting a call costs: time by the analytic model, and bytes of fast memory.

Costs are optimistic: data in fast memory are never waited for, copies are held up by none of
another call, and packs come from near memory. `solve` builds on that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile

from penstock.boards.board import Board, MemoryRegion
from penstock.boards.paths import is_tightly_coupled
from penstock.kernels.kernel_graph import (
    KernelCall,
    KernelGraph,
    StructArgument,
    TensorArgument,
)
from penstock.planning.estimate.accesses import Access
from penstock.planning.estimate.coefficients import load_coefficients
from penstock.planning.estimate.copying import Route, find_route
from penstock.planning.estimate.estimate import call_cycles
from penstock.planning.estimate.memory import wait_cycles_at
from penstock.planning.estimate.overlay_costs import load_overlay_costs
from penstock.planning.estimate.residue import Residue
from penstock.planning.estimate.tile_calls import TileWorks
from penstock.planning.execution_plan import ALIGNMENT_BYTES
from penstock.planning.overlays.parts import (
    FAR_PARTS_MIN,
    FILTERS_MULTIPLE,
    CallPart,
    SlotSizes,
    Space,
    copied_arguments,
    cut,
    slot_sizes,
)
from penstock.planning.overlays.program import TileCall
from penstock.planning.overlays.solve import Choice
from penstock.planning.tiles import Tile, filter_count, row_count, tile_part

_PARTS = (1, 2, 3, 4, 5, 6, 8, 11, 14, 16, 19, 24, 28, 32, 38, 48, 56, 64, 96, 112, 128)
"""Into how many parts a call is cut, before every row or every few filters are one of their own."""

_Tiling = tuple[int, tuple[range, ...], tuple[range, ...], frozenset[str]]
"""A step, its rows and filters, and the far tensors that it works on where they are."""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What a program is parted for.

    Attributes:
        program: kernel calls.
        board: whose core and memories.
        space: fast memory.
        fast: its region.
        far: region of tensors that do not fit there; None where there is none.
        packs: region of the constants that lie nearest.
    """

    program: KernelGraph
    board: Board
    space: Space
    fast: MemoryRegion
    far: MemoryRegion | None
    packs: MemoryRegion


@dataclass(slots=True)
class Prices:
    """Choices of calls, worked out once for each set of far tensors that a call touches."""

    ground: Ground
    _works: TileWorks = field(init=False)
    _known: dict[tuple[int, frozenset[str]], tuple[Choice, ...]] = field(default_factory=dict)
    _routes: dict[tuple[str, str], Route] = field(default_factory=dict)
    _computed: dict[_Tiling, tuple[float, float]] = field(default_factory=dict)
    _tiles: dict[tuple[int, range, range], Tile] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._works = TileWorks(self.ground.program)

    def choices(self, step: int, far: frozenset[str]) -> tuple[Choice, ...]:
        """Return the ways of parting a call that some other one is not better than in all.

        Args:
            step: of the call.
            far: tensors in far memory.
        """
        call = self.ground.program.calls[step]
        touched = far & {*call.reads, *call.writes}
        key = step, touched
        if key not in self._known:
            room = self.ground.space.capacity_bytes + self.ground.space.tight_bytes
            space, tile = self.ground.space, partial(self._tile, step)
            parts = [(p, slot_sizes(call, p, space, tile)) for p in self._parts(call, touched)]
            found = [
                self._price(step, part, sizes, touched)
                for part, sizes in parts
                if sizes.peak_bytes(part) <= room
            ]
            self._known[key] = tuple(_undominated(found))
        return self._known[key]

    def _parts(self, call: KernelCall, far: frozenset[str]) -> Iterator[CallPart]:
        copied = copied_arguments(call, far)
        lines, channels = row_count(call), filter_count(call)
        is_banded = any(isinstance(call.arguments[n], TensorArgument) for n in copied)
        seen: set[tuple[tuple[range, ...], tuple[range, ...]]] = set()
        for row_parts in _counts(lines) if is_banded else (1,):
            rows = cut(row_parts, lines, 1)
            if is_banded and len(rows) < min(FAR_PARTS_MIN, lines):
                continue
            for filter_parts in _counts(channels):
                filters = cut(filter_parts, channels, FILTERS_MULTIPLE)
                if (rows, filters) not in seen:
                    seen.add((rows, filters))
                    yield CallPart(rows, filters, copied)

    def _price(self, step: int, part: CallPart, sizes: SlotSizes, far: frozenset[str]) -> Choice:
        ground = self.ground
        costs = load_overlay_costs(ground.board.core.name)
        tiles = len(part.rows) * len(part.filters)
        direct = far if row_count(ground.program.calls[step]) == 1 else frozenset[str]()
        key = step, part.rows, part.filters, direct
        if key not in self._computed:
            self._computed[key] = self._compute(step, part, direct)
        computing, last_tile = self._computed[key]
        packs = tiles if len(part.filters) > 1 else 1
        packs = packs if sizes.pack else 0
        bands_in, bands_out = len(part.rows) * sizes.inputs, len(part.rows) * sizes.outputs
        copies = packs + bands_in + bands_out
        own = computing + tiles * costs.tile_cycles
        own += copies * (costs.start_cycles + costs.wait_cycles)
        pack_load = self._route_cycles(ground.packs, ground.fast, sizes.pack)
        band_load = self._route_cycles(ground.far, ground.fast, sizes.loaded)
        band_store = self._route_cycles(ground.fast, ground.far, sizes.stored)
        later_packs = pack_load if len(part.filters) > 1 else 0.0
        stall = _stall(part, own / tiles, later_packs, band_load, band_store)
        return Choice(
            part=part,
            cycles=own + stall,
            peak_bytes=sizes.peak_bytes(part),
            entry_bytes=sizes.loads_bytes(part) + sizes.stored,
            first_bytes=sizes.loaded + sizes.pack,
            last_bytes=sizes.peak_bytes(part) - sizes.loads_bytes(part) + sizes.loaded + sizes.pack,
            store_bytes=sizes.stored,
            first_load_cycles=pack_load + band_load,
            last_tile_cycles=last_tile,
        )

    def _compute(self, step: int, part: CallPart, direct: frozenset[str]) -> tuple[float, float]:
        """Return the cycles of the kernel on all tiles, and on the last."""
        total = last = 0.0
        for rows, row_times in self._row_kinds(step, part):
            for filters, filter_times in _filter_kinds(part.filters):
                last = self._tile_cycles(step, part, rows, filters, direct)
                total += row_times * filter_times * last
        return total, last

    def _row_kinds(self, step: int, part: CallPart) -> list[tuple[range, int]]:
        """Return different rows, and how many are like them: all are, but those near an edge."""
        if len(part.rows) == 1:
            return [(part.rows[0], 1)]
        filters = part.filters[0]
        middle = part.rows[len(part.rows) // 2]
        inner = self._tile(step, middle, filters).params

        def edge(rows: Sequence[range]) -> list[range]:
            return list(takewhile(lambda r: self._tile(step, r, filters).params != inner, rows))

        before = edge(part.rows)
        after = edge(part.rows[len(before) :][::-1])[::-1]
        count = len(part.rows) - len(before) - len(after)
        return [*((rows, 1) for rows in before), (middle, count), *((rows, 1) for rows in after)]

    def _tile_cycles(
        self, step: int, part: CallPart, rows: range, filters: range, direct: frozenset[str]
    ) -> float:
        """Return the cycles of a tile; it works on some tensors where they are, which is far."""
        ground = self.ground
        call = ground.program.calls[step]
        tile = self._tile(step, rows, filters)
        params = {
            n: tile.params if n == 0 else argument
            for n, argument in enumerate(call.arguments)
            if isinstance(argument, StructArgument)
        }
        is_parted = len(part.filters) > 1
        work = self._works.work(TileCall(step, params, {}, rows, filters if is_parted else None))
        waited = [
            (access, home)
            for access in work.accesses
            if (home := self._home(access, direct)) is not None
        ]
        output = ground.fast if direct.isdisjoint(call.writes) else ground.far or ground.fast
        cycles, _ = call_cycles(
            load_coefficients(ground.board.core.name).kernel(call.kernel.name),
            work.features,
            wait_cycles_at(waited, ground.board, Residue()),
            shares_memory=bool(call.constants) and direct.isdisjoint(call.reads),
            buffers_stores=ground.board.data_cache is not None or is_tightly_coupled(output),
        )
        return cycles

    def _tile(self, step: int, rows: range, filters: range) -> Tile:
        key = step, rows, filters
        if key not in self._tiles:
            program = self.ground.program
            self._tiles[key] = tile_part(program, program.calls[step], rows, filters)
        return self._tiles[key]

    def _home(self, access: Access, direct: frozenset[str]) -> MemoryRegion | None:
        """Return the memory that a tile waits for; None for what is fast, or soon in a cache."""
        names = {self.ground.program.aliases.get(name, name) for name in direct}
        return self.ground.far if access.array in names else None

    def _route_cycles(
        self, source: MemoryRegion | None, destination: MemoryRegion | None, size_bytes: int
    ) -> float:
        if source is None or destination is None:
            return 0.0
        key = source.name, destination.name
        if key not in self._routes:
            self._routes[key] = find_route(source, destination, ALIGNMENT_BYTES, self.ground.board)
        return self._routes[key].cycles(size_bytes)


def _filter_kinds(filters: Sequence[range]) -> list[tuple[range, int]]:
    """Return different filters, and how many are like them: all are, but for the last."""
    if len(filters) == 1:
        return [(filters[0], 1)]
    return [(filters[0], len(filters) - 1), (filters[-1], 1)]


def _counts(total: int) -> tuple[int, ...]:
    """Return into how many parts to cut so much."""
    return (*(count for count in _PARTS if count < total), total)


def _undominated(choices: Sequence[Choice]) -> Iterator[Choice]:
    """Yield the choices of which no other one is at least as good in everything."""
    kept: list[Choice] = []
    for choice in sorted(choices, key=lambda choice: (choice.cycles, choice.peak_bytes)):
        if not any(other.is_no_worse(choice) for other in kept):
            kept.append(choice)
            yield choice


def _stall(part: CallPart, tile_cycles: float, pack: float, load: float, store: float) -> float:
    """Return how long a call waits for its own copies, tile by tile and in all.

    Args:
        part: of the call.
        tile_cycles: that a tile computes.
        pack: cycles of bringing a tile's constants; 0 where they stay.
        load: cycles of bringing a band.
        store: cycles of taking a band away.
    """
    rows, filters = len(part.rows), len(part.filters)
    tiles = rows * filters
    first = (rows - 1) * max(load + pack - tile_cycles, 0.0)
    others = (tiles - rows) * max(pack - tile_cycles, 0.0)
    moved = (tiles - 1) * pack + (rows - 1) * (load + store)
    return max(first + others, moved - tiles * tile_cycles, 0.0)
