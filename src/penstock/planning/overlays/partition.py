"""Which tensors stay in fast memory, and into how many tiles each call is parted.

Tensors stay where they are computed as long as they fit. Where they do not, the largest one at the
most crowded call goes to far memory, and the calls that touch it are parted by rows. Constants come
filter by filter in packs, small enough to be there before they are needed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from penstock.errors import CapacityError
from penstock.kernels.kernel_graph import ConstantArgument, KernelCall, KernelGraph, TensorArgument
from penstock.planning.lifetimes import Buffer, plan_buffers
from penstock.planning.overlaps import stretches
from penstock.planning.tiles import (
    Tile,
    filter_count,
    row_count,
    run_positions,
    tile_part,
    tile_whole,
)
from penstock.units import format_bytes

PACK_BYTES = 16 * 1024
"""Constants that come at once: bringing them takes far longer than starting the copy does."""
FILTERS_MULTIPLE = 4
"""Kernels compute this many output channels together."""
FAR_PARTS_MIN = 4
"""Tiles of a call that works on far tensors: the next call's first waits for none of the last."""
_CROWDED_SHARE = 0.8
"""Of fast memory, how much tensors may take together with the smallest slots of a call."""


@dataclass(frozen=True, slots=True)
class Space:
    """Fast memory, and what brings data there.

    Attributes:
        name: of the memory region.
        capacity_bytes: what slots and resident tensors may take.
        alignment_bytes: of a slot, so that no cache line is shared.
        channel_count: copies that may run at once.
        prefetches: whether copies start a tile early.
        tight_bytes: room in memory that is tightly coupled to the core, besides; 0 for none.
    """

    name: str
    capacity_bytes: int
    alignment_bytes: int
    channel_count: int
    tight_bytes: int = 0
    prefetches: bool = True

    def align(self, size_bytes: int) -> int:
        """Return the size rounded up to whole slots."""
        return -(-size_bytes // self.alignment_bytes) * self.alignment_bytes


@dataclass(frozen=True, slots=True)
class CallPart:
    """How a call is parted, and what is brought for it.

    Attributes:
        rows: ranges of output rows, in order.
        filters: ranges of output channels, in order; each range of rows takes all of them.
        copied: positions of the arguments that are copied to slots or taken away from there.
    """

    rows: tuple[range, ...]
    filters: tuple[range, ...]
    copied: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """How a program is parted.

    Attributes:
        buffers: tensors that share memory, and scratch.
        far: positions of the buffers that live in far memory.
        calls: by step.
    """

    buffers: tuple[Buffer, ...]
    far: frozenset[int]
    calls: tuple[CallPart, ...]

    @property
    def far_tensors(self) -> frozenset[str]:
        """Names of the tensors in far memory."""
        return frozenset(name for index in self.far for name in self.buffers[index].tensors)


def choose_far(program: KernelGraph, space: Space) -> Partition:
    """Return which tensors go to far memory; calls are parted as if each were alone.

    Args:
        program: kernel calls.
        space: fast memory.

    Raises:
        CapacityError: a call does not fit however it is parted.
    """
    buffers = tuple(plan_buffers(program))
    far: set[int] = set()
    smallest = _Smallest(program, space)
    while (step := _crowded_step(program, space, buffers, far, smallest)) is not None:
        far.add(_evicted(program, space, buffers, far, step, smallest))
    free = _free_bytes(program, space, buffers, far)
    drafted = Partition(buffers, frozenset(far), ())
    calls = (
        part_call(program, call, drafted.far_tensors, space, free[step])
        for step, call in enumerate(program.calls)
    )
    return replace(drafted, calls=tuple(calls))


def slot_bytes(program: KernelGraph, call: KernelCall, part: CallPart, space: Space) -> int:
    """Return the bytes of all slots of a call, two for what comes tile by tile."""
    first = (part.rows[0], part.rows[len(part.rows) // 2], part.rows[-1])
    tiles = [tile_part(program, call, rows, part.filters[0]) for rows in first]
    bands = [tile_part(program, call, rows, _all_filters(call)) for rows in first]
    doubled = 1 + (len(part.rows) > 1)
    tensors = sum(
        space.align(max(band.windows[n].size_bytes for band in bands)) * doubled
        for n in part.copied
        if isinstance(call.arguments[n], TensorArgument)
    )
    pack = max(pack_bytes(call, tile, part, space) for tile in tiles)
    return tensors + pack * (1 + (len(part.filters) > 1))


def pack_bytes(call: KernelCall, tile: Tile, part: CallPart, space: Space) -> int:
    """Return the bytes of a tile's constants side by side."""
    return sum(
        space.align(tile.windows[n].size_bytes) for n in _constants(call) if n in part.copied
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Smallest:
    """What slots take where calls are parted as finely as can be.

    Attributes:
        program, space: of the calls, and of the slots.
        known: by step and by what is copied.
    """

    program: KernelGraph
    space: Space
    known: dict[tuple[int, frozenset[int]], int] = field(default_factory=dict)

    def size_bytes(self, step: int, far: frozenset[str]) -> int:
        call = self.program.calls[step]
        key = step, _copied(call, far)
        if key not in self.known:
            self.known[key] = slot_bytes(self.program, call, _finest(call, far), self.space)
        return self.known[key]


def _crowded_step(
    program: KernelGraph,
    space: Space,
    buffers: Sequence[Buffer],
    far: set[int],
    smallest: _Smallest,
) -> int | None:
    """Return the step that lacks the most memory; None where all have enough."""
    names = frozenset(name for index in far for name in buffers[index].tensors)
    free = _free_bytes(program, space, buffers, far)
    lacking = [
        int(smallest.size_bytes(step, names) / _CROWDED_SHARE) - free[step]
        for step in range(len(program.calls))
    ]
    worst = max(range(len(lacking)), key=lacking.__getitem__, default=None)
    return worst if worst is not None and lacking[worst] > 0 else None


def _evicted(
    program: KernelGraph,
    space: Space,
    buffers: Sequence[Buffer],
    far: set[int],
    step: int,
    smallest: _Smallest,
) -> int:
    """Return the buffer that goes to far memory to relieve a step: one that tiles can touch."""
    candidates = [
        index
        for index, buffer in enumerate(buffers)
        if index not in far and buffer.scratch_step is None and _size_at(buffer, step)
    ]
    if not candidates:
        call = program.calls[step]
        names = frozenset(name for index in far for name in buffers[index].tensors)
        need = int(smallest.size_bytes(step, names) / _CROWDED_SHARE)
        need += space.capacity_bytes - _free_bytes(program, space, buffers, far)[step]
        raise CapacityError(
            f"step {step} ({call.kernel.name}) needs {need} B ({format_bytes(need)}) of fast "
            f"memory for its smallest tile, and {space.name} offers {space.capacity_bytes} B",
            help="reserve less of it, or take a board with more internal memory",
        )
    return max(
        candidates,
        key=lambda index: (
            -_whole_users(program, buffers[index]),
            _size_at(buffers[index], step),
            -index,
        ),
    )


def _whole_users(program: KernelGraph, buffer: Buffer) -> int:
    """Return how many calls would have to work on a buffer where it is."""
    return sum(
        row_count(call) == 1 and not {*call.reads, *call.writes}.isdisjoint(buffer.tensors)
        for call in program.calls
    )


def _size_at(buffer: Buffer, step: int) -> int:
    return max((size for first, end, size in stretches(buffer) if first <= step < end), default=0)


def _free_bytes(
    program: KernelGraph, space: Space, buffers: Sequence[Buffer], far: set[int]
) -> list[int]:
    """Return by step what tensors and scratch leave of fast memory."""
    free = [space.capacity_bytes] * len(program.calls)
    for index, buffer in enumerate(buffers):
        if index in far:
            continue
        for first, end, size in stretches(buffer):
            for step in range(first, min(end, len(free))):
                free[step] -= space.align(size)
    return free


def _finest(call: KernelCall, far: frozenset[str]) -> CallPart:
    copied = _copied(call, far)
    rows = _cut(row_count(call) if copied & _tensors(call) else 1, row_count(call), 1)
    return CallPart(rows, _cut(filter_count(call), filter_count(call), FILTERS_MULTIPLE), copied)


def part_call(
    program: KernelGraph,
    call: KernelCall,
    far: frozenset[str],
    space: Space,
    budget_bytes: int,
) -> CallPart:
    """Return the coarsest parts of a call whose slots are within a budget.

    Where none are, the finest ones that `choose_far` has found room for.
    """
    copied = _copied(call, far)
    best: tuple[int, CallPart] | None = None
    for rows, filters in _candidates(program, call, copied, space):
        part = CallPart(rows, filters, copied)
        size = slot_bytes(program, call, part, space)
        if best is None or size < best[0]:
            best = size, part
        if size <= budget_bytes:
            break
    assert best is not None
    return best[1]


def _candidates(
    program: KernelGraph, call: KernelCall, copied: frozenset[int], space: Space
) -> Iterator[tuple[tuple[range, ...], tuple[range, ...]]]:
    """Yield parts from coarse to fine: first more rows, then more filters."""
    whole = CallPart((range(row_count(call)),), (_all_filters(call),), copied)
    constants = pack_bytes(call, tile_whole(program, call), whole, space)
    is_far = bool(copied & _tensors(call))
    lines, channels = row_count(call), filter_count(call)
    first_rows = min(FAR_PARTS_MIN, lines) if is_far else 1
    for filter_parts in range(min(max(1, -(-constants // PACK_BYTES)), channels), channels + 1):
        filters = _cut(filter_parts, channels, FILTERS_MULTIPLE)
        for row_parts in range(first_rows, lines + 1 if is_far else 2):
            yield _cut(row_parts, lines, 1), filters


def _cut(parts: int, count: int, multiple: int) -> tuple[range, ...]:
    """Return at most so many ranges of equal length, a multiple of something, but for the last."""
    length = -(-count // max(parts, 1))
    length = -(-length // multiple) * multiple
    return tuple(range(start, min(start + length, count)) for start in range(0, count, length))


def _copied(call: KernelCall, far: frozenset[str]) -> frozenset[int]:
    """Return the arguments that slots are for: far tensors, if parted, and all constants."""
    tensors = {
        n
        for n, argument in enumerate(call.arguments)
        if isinstance(argument, TensorArgument) and argument.tensor in far
    }
    return frozenset(_constants(call)).union(tensors if row_count(call) > 1 else ())


def _constants(call: KernelCall) -> tuple[int, ...]:
    """Return the constants that packs hold: those of which each row needs the same."""
    own = run_positions(call)
    return tuple(
        n
        for n, argument in enumerate(call.arguments)
        if isinstance(argument, ConstantArgument) and argument.constant is not None and n not in own
    )


def _tensors(call: KernelCall) -> frozenset[int]:
    return frozenset(n for n, a in enumerate(call.arguments) if isinstance(a, TensorArgument))


def _all_filters(call: KernelCall) -> range:
    return range(filter_count(call))
