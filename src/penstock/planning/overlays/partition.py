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
from penstock.planning.overlays.fusion import can_chain, inner_tensors, line_bytes, plan_bands
from penstock.planning.tiles import (
    Tile,
    filter_count,
    line_count,
    row_count,
    run_positions,
    tile_lines,
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
_PACKS_SHARE = 0.3
"""Of fast memory, how much the constants of a chain may take: they stay there while it runs."""
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
        fuses: whether calls may be fused into chains.
        has_far: whether there is far memory for tensors.
        tight_bytes: room in memory that is tightly coupled to the core, besides; 0 for none.
    """

    name: str
    capacity_bytes: int
    alignment_bytes: int
    channel_count: int
    tight_bytes: int = 0
    prefetches: bool = True
    fuses: bool = True
    has_far: bool = True

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


@dataclass(frozen=True, slots=True)
class Stage:
    """Consecutive calls that run one after the other in each band; mostly a single call.

    Attributes:
        steps: positions of the calls.
        parts: of each call, in order; those of a chain are not parted but by its bands.
        bands: rows of the last call's output that a chain computes at a time; empty for one call.
    """

    steps: range
    parts: tuple[CallPart, ...]
    bands: tuple[range, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """How a program is parted.

    Attributes:
        buffers: tensors that share memory, and scratch; none for tensors inside a chain.
        far: positions of the buffers that live in far memory.
        stages: in order of execution.
    """

    buffers: tuple[Buffer, ...]
    far: frozenset[int]
    stages: tuple[Stage, ...]

    @property
    def far_tensors(self) -> frozenset[str]:
        """Names of the tensors in far memory."""
        return frozenset(name for index in self.far for name in self.buffers[index].tensors)


@dataclass(slots=True)
class _Draft:
    """Decisions so far.

    Attributes:
        stages: steps of each stage.
        far: names of tensors in far memory.
        buffers: with those chains.
        tight: first steps of stages that just fit: nothing more can be done for them.
        smallest: bytes of the smallest slots of stages, by steps and by what is copied.
    """

    stages: list[range]
    far: set[str]
    buffers: tuple[Buffer, ...]
    tight: set[int] = field(default_factory=set)
    smallest: dict[tuple[range, tuple[frozenset[int], ...]], int] = field(default_factory=dict)

    def is_far(self, buffer: Buffer) -> bool:
        return not self.far.isdisjoint(buffer.tensors)


def choose_far(program: KernelGraph, space: Space) -> Partition:
    """Return which tensors go to far memory, and which calls are fused into chains.

    Each stage is parted as if it were alone.

    Args:
        program: kernel calls.
        space: fast memory.

    Raises:
        CapacityError: a call does not fit however it is parted.
    """
    singles = [range(step, step + 1) for step in range(len(program.calls))]
    draft = _Draft(singles, set(), tuple(plan_buffers(program)))
    while (stage := _crowded_stage(program, space, draft)) is not None:
        _relieve(program, space, draft, stage)
    far = frozenset(n for n, buffer in enumerate(draft.buffers) if draft.is_far(buffer))
    names = frozenset(draft.far)
    stages = tuple(
        part_stage(program, steps, names, space, _free_bytes(space, draft, steps))
        for steps in draft.stages
    )
    return Partition(draft.buffers, far, stages)


def stage_bytes(program: KernelGraph, stage: Stage, space: Space) -> int:
    """Return the bytes of all slots of a stage, two for what comes or is computed bit by bit."""
    if not stage.bands:
        return slot_bytes(program, program.calls[stage.steps[0]], stage.parts[0], space)
    bands = plan_bands(program, stage.steps, stage.bands)
    total = 0
    for step, part in zip(stage.steps, stage.parts, strict=True):
        call = program.calls[step]
        total += pack_bytes(call, tile_whole(program, call), part, space)
        lines = max((band.rows[step] for band in bands), key=len)
        tile = tile_lines(program, call, lines)
        for n in part.copied & _tensors(call):
            total += 2 * space.align(tile.windows[n].size_bytes)
        held = max(len(band.held.get(call.writes[0], ())) for band in bands)
        output = len(call.arguments) - 1
        total += 2 * space.align(held * line_bytes(program, call, output))
    return total


def part_stage(
    program: KernelGraph, steps: range, far: frozenset[str], space: Space, budget_bytes: int
) -> Stage:
    """Return the coarsest parts of a stage whose slots are within a budget, else the finest."""
    if len(steps) == 1:
        call = program.calls[steps[0]]
        return Stage(steps, (part_call(program, call, far, space, budget_bytes),))
    finest = None
    lines = line_count(program, program.calls[steps[-1]])
    for count in range(min(FAR_PARTS_MIN, lines), lines + 1):
        finest = _chain(program, steps, far, count)
        if stage_bytes(program, finest, space) <= budget_bytes:
            break
    assert finest is not None
    return finest


def _chain(program: KernelGraph, steps: range, far: frozenset[str], band_count: int) -> Stage:
    calls = [program.calls[step] for step in steps]
    parts = tuple(
        CallPart((range(row_count(call)),), (_all_filters(call),), _copied(call, far))
        for call in calls
    )
    lines = line_count(program, calls[-1])
    return Stage(steps, parts, _cut(band_count, lines, 1))


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


def _crowded_stage(program: KernelGraph, space: Space, draft: _Draft) -> range | None:
    """Return the stage that lacks the most memory; None where all have enough."""
    free = _free_by_stage(space, draft)
    lacking = [
        int(_smallest_bytes(program, space, draft, steps) / _CROWDED_SHARE) - left
        if steps.start not in draft.tight
        else 0
        for steps, left in zip(draft.stages, free, strict=True)
    ]
    worst = max(range(len(lacking)), key=lacking.__getitem__, default=None)
    return draft.stages[worst] if worst is not None and lacking[worst] > 0 else None


def _relieve(program: KernelGraph, space: Space, draft: _Draft, steps: range) -> None:
    """Fuse calls so that a tensor never exists, or send one to far memory.

    The largest one that tiles can touch.
    """
    candidates = [
        buffer
        for buffer in draft.buffers
        if not draft.is_far(buffer) and buffer.scratch_step is None and _size_at(buffer, steps)
    ]
    chains = {id(b): c for b in candidates if (c := _chain_over(program, space, draft, b))}
    if not space.has_far:
        candidates = [buffer for buffer in candidates if id(buffer) in chains]
    if not candidates:
        _settle(program, space, draft, steps)
        return
    chosen = max(
        enumerate(candidates),
        key=lambda item: (
            -_whole_users(program, item[1]),
            _size_at(item[1], steps),
            -item[0],
        ),
    )[1]
    if id(chosen) not in chains:
        draft.far.update(chosen.tensors)
        return
    chain = chains[id(chosen)]
    draft.stages = [
        steps
        for steps in (chain if s.start == chain.start else s for s in draft.stages)
        if steps == chain or steps.stop <= chain.start or steps.start >= chain.stop
    ]
    draft.buffers = _buffers(program, draft.stages)


def _chain_over(program: KernelGraph, space: Space, draft: _Draft, buffer: Buffer) -> range | None:
    """Return the chain that would have a buffer's tensor inside; None where there is none."""
    if not space.fuses or len(buffer.tensors) != 1:
        return None
    (name,) = buffer.tensors
    users = [
        step for step, call in enumerate(program.calls) if name in call.writes or name in call.reads
    ]
    stages = [s for s in draft.stages if s.start <= users[-1] and s.stop > users[0]]
    steps = range(stages[0].start, stages[-1].stop)
    if len(stages) < 2 or not can_chain(program, steps):
        return None
    packs = sum(
        space.align(program.constants[name].nbytes)
        for step in steps
        for name in program.calls[step].constants
    )
    return steps if packs <= space.capacity_bytes * _PACKS_SHARE else None


def _buffers(program: KernelGraph, stages: Sequence[range]) -> tuple[Buffer, ...]:
    """Return buffers of what lives outside chains, whose calls never compute in place."""
    chains = [steps for steps in stages if len(steps) > 1]
    inner = frozenset(name for steps in chains for name in inner_tensors(program, steps))
    calls = list(program.calls)
    for steps in chains:
        for step in steps:
            calls[step] = replace(calls[step], in_place=())
    buffers = plan_buffers(replace(program, calls=tuple(calls)))
    return tuple(buffer for buffer in buffers if inner.isdisjoint(buffer.tensors))


def _settle(program: KernelGraph, space: Space, draft: _Draft, steps: range) -> None:
    """Take a stage as it is if it just fits; raises CapacityError."""
    call = program.calls[steps[0]]
    need = _smallest_bytes(program, space, draft, steps)
    need += space.capacity_bytes - _free_bytes(space, draft, steps)
    lacking = need - space.capacity_bytes
    if lacking <= 0:
        draft.tight.add(steps.start)
        return
    raise CapacityError(
        f"step {steps[0]} ({call.kernel.name}) needs {need} B ({format_bytes(need)}) of fast "
        f"memory with its smallest tiles, {lacking} B more than there is: {space.name} offers "
        f"{space.capacity_bytes} B",
        help="reserve less of it, or take a board with more internal memory"
        + ("" if space.has_far else " or with external RAM"),
    )


def _whole_users(program: KernelGraph, buffer: Buffer) -> int:
    """Return how many calls would have to work on a buffer where it is."""
    return sum(
        row_count(call) == 1 and not {*call.reads, *call.writes}.isdisjoint(buffer.tensors)
        for call in program.calls
    )


def _size_at(buffer: Buffer, steps: range) -> int:
    return max(
        (
            size
            for first, end, size in stretches(buffer)
            if first < steps.stop and end > steps.start
        ),
        default=0,
    )


def _free_by_stage(space: Space, draft: _Draft) -> list[int]:
    """Return what tensors and scratch leave of fast memory, by stage."""
    stage_of = {step: number for number, steps in enumerate(draft.stages) for step in steps}
    free = [space.capacity_bytes] * len(draft.stages)
    for buffer in draft.buffers:
        if draft.is_far(buffer):
            continue
        most: dict[int, int] = {}
        for first, end, size in stretches(buffer):
            for stage in {stage_of[step] for step in range(first, min(end, len(stage_of)))}:
                most[stage] = max(most.get(stage, 0), size)
        for stage, size in most.items():
            free[stage] -= space.align(size)
    return free


def _free_bytes(space: Space, draft: _Draft, steps: range) -> int:
    """Return what tensors and scratch leave of fast memory while a stage runs."""
    near = (buffer for buffer in draft.buffers if not draft.is_far(buffer))
    return space.capacity_bytes - sum(space.align(_size_at(buffer, steps)) for buffer in near)


def _smallest_bytes(program: KernelGraph, space: Space, draft: _Draft, steps: range) -> int:
    """Return what slots take where a stage is parted as finely as can be."""
    far = frozenset(draft.far)
    calls = [program.calls[step] for step in steps]
    key = steps, tuple(_copied(call, far) for call in calls)
    if key not in draft.smallest:
        if len(steps) > 1:
            stage = _chain(program, steps, far, line_count(program, calls[-1]))
        else:
            stage = Stage(steps, (_finest(calls[0], far),))
        draft.smallest[key] = stage_bytes(program, stage, space)
    return draft.smallest[key]


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


def cut(parts: int, count: int, multiple: int) -> tuple[range, ...]:
    """Return at most so many ranges of equal length, a multiple of something, but for the last."""
    return _cut(parts, count, multiple)


def copied_arguments(call: KernelCall, far: frozenset[str]) -> frozenset[int]:
    """Return the arguments that slots are for: far tensors, if parted, and constants in packs."""
    return _copied(call, far)
