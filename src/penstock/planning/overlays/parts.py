"""Into how many tiles a call or a chain is parted, and the bytes that the slots of these take.

Constants come filter by filter in packs, small enough to be there before they are needed; far
tensors come and go by rows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from penstock.kernels.kernel_graph import ConstantArgument, KernelCall, KernelGraph, TensorArgument
from penstock.planning.overlays.fusion import line_bytes, plan_bands
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

PACK_BYTES = 16 * 1024
"""Constants that come at once: bringing them takes far longer than starting the copy does."""
_LARGE_PACK_BYTES = 64 * 1024
"""ResNet-8 took a Cortex-M7 0.74 cycles per MAC with packs of 16 KiB, 0.66 with these."""
_TRANSFORMING = ("ps_conv_2d_winograd_",)
"""Kernels of which each tile transforms the whole input again: they have larger packs."""
FILTERS_MULTIPLE = 4
"""Kernels compute this many output channels together."""
FAR_PARTS_MIN = 4
"""Tiles of a call that works on far tensors: the next call's first waits for none of the last."""


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


@dataclass(frozen=True, slots=True)
class SlotSizes:
    """Bytes of the slots of a call's tiles, one of each kind, and how many of them there are.

    Attributes:
        loaded, stored: of far tensors that a tile reads and writes.
        pack: of a tile's constants.
        inputs, outputs: how many far tensors a tile reads and writes.
    """

    loaded: int
    stored: int
    pack: int
    inputs: int
    outputs: int

    def loads_bytes(self, part: CallPart) -> int:
        """Return the bytes of what comes: two slots for what comes tile by tile."""
        bands = self.loaded * (1 + (len(part.rows) > 1))
        return bands + self.pack * (1 + (len(part.filters) > 1))

    def peak_bytes(self, part: CallPart) -> int:
        """Return the bytes of all slots."""
        return self.loads_bytes(part) + self.stored * (1 + (len(part.rows) > 1))


def slot_sizes(
    call: KernelCall, part: CallPart, space: Space, tile: Callable[[range, range], Tile]
) -> SlotSizes:
    """Return what the slots of a call take.

    Args:
        call: which.
        part: how it is parted.
        space: fast memory.
        tile: the tile of some rows and filters of the call.
    """
    everything = range(filter_count(call))
    ends = dict.fromkeys((part.rows[0], part.rows[len(part.rows) // 2], part.rows[-1]))
    bands = [tile(rows, everything) for rows in ends]
    sizes = {False: 0, True: 0}
    counts = {False: 0, True: 0}
    for n in part.copied:
        argument = call.arguments[n]
        if isinstance(argument, TensorArgument):
            largest = max(band.windows[n].size_bytes for band in bands)
            sizes[argument.is_written] += space.align(largest)
            counts[argument.is_written] += 1
    # Parts of filters are of one size, or the first is the largest, unless zeros are left out.
    kinds = part.filters if call.filter_starts else part.filters[:1]
    pack = max(pack_bytes(call, tile(part.rows[0], each), part, space) for each in kinds)
    return SlotSizes(sizes[False], sizes[True], pack, counts[False], counts[True])


def stage_bytes(program: KernelGraph, stage: Stage, space: Space) -> int:
    """Return the bytes of all slots of a stage, two for what comes or is computed bit by bit."""
    if not stage.bands:
        return _call_bytes(program, program.calls[stage.steps[0]], stage.parts[0], space)
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


def _call_bytes(program: KernelGraph, call: KernelCall, part: CallPart, space: Space) -> int:
    return slot_sizes(call, part, space, partial(tile_part, program, call)).peak_bytes(part)


def finest_stage(program: KernelGraph, steps: range, far: frozenset[str]) -> Stage:
    """Return the smallest parts of a stage."""
    call = program.calls[steps[-1]]
    if len(steps) > 1:
        return _chain(program, steps, far, line_count(program, call))
    copied = copied_arguments(call, far)
    rows = cut(row_count(call) if copied & _tensors(call) else 1, row_count(call), 1)
    filters = cut(filter_count(call), filter_count(call), FILTERS_MULTIPLE)
    return Stage(steps, (CallPart(rows, filters, copied),))


def part_stage(
    program: KernelGraph, steps: range, far: frozenset[str], space: Space, budget_bytes: int
) -> Stage:
    """Return the coarsest parts of a stage whose slots are within a budget, else the finest."""
    if len(steps) == 1:
        call = program.calls[steps[0]]
        return Stage(steps, (_part_call(program, call, far, space, budget_bytes),))
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
        CallPart((range(row_count(call)),), (_all_filters(call),), copied_arguments(call, far))
        for call in calls
    )
    lines = line_count(program, calls[-1])
    return Stage(steps, parts, cut(band_count, lines, 1))


def pack_bytes(call: KernelCall, tile: Tile, part: CallPart, space: Space) -> int:
    """Return the bytes of a tile's constants side by side."""
    return sum(
        space.align(tile.windows[n].size_bytes) for n in _constants(call) if n in part.copied
    )


def _part_call(
    program: KernelGraph,
    call: KernelCall,
    far: frozenset[str],
    space: Space,
    budget_bytes: int,
) -> CallPart:
    """Return the coarsest parts of a call whose slots are within a budget.

    Where none are, those with the smallest slots.
    """
    copied = copied_arguments(call, far)
    best: tuple[int, CallPart] | None = None
    for rows, filters in _candidates(program, call, copied, space):
        part = CallPart(rows, filters, copied)
        size = _call_bytes(program, call, part, space)
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
    most = _LARGE_PACK_BYTES if call.kernel.name.startswith(_TRANSFORMING) else PACK_BYTES
    each = channels * most // max(constants, 1) // FILTERS_MULTIPLE * FILTERS_MULTIPLE
    fewest = 1 if constants <= most else -(-channels // max(each, FILTERS_MULTIPLE))
    for filter_parts in range(fewest, channels + 1):
        filters = cut(filter_parts, channels, FILTERS_MULTIPLE)
        for row_parts in range(first_rows, lines + 1 if is_far else 2):
            yield cut(row_parts, lines, 1), filters


def cut(parts: int, count: int, multiple: int) -> tuple[range, ...]:
    """Return at most so many ranges of equal length, a multiple of something, but for the last.

    All are positive.
    """
    length = -(-count // max(parts, 1))
    length = -(-length // multiple) * multiple
    return tuple(range(start, min(start + length, count)) for start in range(0, count, length))


def copied_arguments(call: KernelCall, far: frozenset[str]) -> frozenset[int]:
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
