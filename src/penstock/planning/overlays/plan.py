"""From a program and its fast memory to tiles, copies and addresses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from penstock.errors import CapacityError
from penstock.kernels.kernel_graph import (
    ConstantArgument,
    KernelGraph,
    ScratchArgument,
    StructArgument,
    TensorArgument,
)
from penstock.planning.arena import lower_bound_bytes, pack_buffers
from penstock.planning.execution_plan import Arena
from penstock.planning.lifetimes import Buffer, Lifetime, Segment, retime
from penstock.planning.overlaps import stretches
from penstock.planning.overlays.draft import DraftTile, Slot
from penstock.planning.overlays.partition import Partition, TooSmallError, choose_far
from penstock.planning.overlays.parts import Space, part_stage, stage_bytes
from penstock.planning.overlays.program import Address, Block, Copy, OverlayProgram, Pack, TileCall
from penstock.planning.overlays.schedule import Schedule
from penstock.planning.overlays.tight import choose_tight
from penstock.units import format_bytes

_GATHERING = ("ps_depthwise_conv_2d_dsp_",)
_CALLS_SOUGHT_MAX = 200
"""Longer programs are not planned again and again to find out what they lack."""
_LEAST_BYTES, _MOST_BYTES = 256, 1 << 31
_PRECISION = 16
"""What is said to be needed is at most this part of it more than the least."""
_ROUNDS = 200
_SHRINK = 0.9
"""What is left of the slots of a call when there is too little room for them."""
SHARES = (1.0, 0.97, 0.94, 0.9, 0.85, 0.8, 0.7, 0.6)
"""Of fast memory, what is given away: gaps between buffers take the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class Overlaid:
    """A program with overlays, and its arena in fast memory.

    Attributes:
        arena: resident tensors and scratch; slots are within its extent.
        program: tiles and copies.
        parted: how the program is parted.
    """

    arena: Arena
    program: OverlayProgram
    parted: Partition


def overlay(program: KernelGraph, space: Space) -> Overlaid:
    """Return a program's tiles, copies and arena; all packs are in one block.

    Args:
        program: kernel calls.
        space: fast memory.

    Raises:
        CapacityError: it cannot be parted finely enough, or more copies have to run at once than
            there are channels.
    """
    try:
        return _overlay_somehow(program, space)
    except TooSmallError as error:
        raise _explain(program, space, error.step) from None


def _overlay_somehow(program: KernelGraph, space: Space) -> Overlaid:
    """Return what `overlay` does; raises TooSmallError."""
    try:
        return _overlay(program, space)
    except TooSmallError as error:
        # A chain needs the constants of all its calls at once.
        if not (space.fuses and space.has_far):
            raise
        try:
            return _overlay(program, replace(space, fuses=False))
        except TooSmallError:
            raise error from None


def _explain(program: KernelGraph, space: Space, step: int | None) -> CapacityError:
    """Return an error that says how many bytes a step lacks: with those, all would fit."""
    offered = space.capacity_bytes
    who = (
        f"step {step} ({program.calls[step].kernel.name})"
        if step is not None
        else f"{program.graph.name}, which has no step,"
    )
    need = _least_bytes(program, space) if len(program.calls) <= _CALLS_SOUGHT_MAX else None
    wanted = (
        "does not fit fast memory with its smallest tiles"
        if need is None
        else f"needs {need} B ({format_bytes(need)}) of fast memory with its smallest tiles, "
        f"{need - offered} B more than there is"
    )
    return CapacityError(
        f"{who} {wanted}: {space.name} offers {offered} B",
        help="reserve less of it, or take a board with more internal memory"
        + ("" if space.has_far else " or with external RAM"),
    )


def _least_bytes(program: KernelGraph, space: Space) -> int | None:
    """Return fast memory that is enough, and little more than the least; None where none is."""

    def fits(capacity_bytes: int) -> bool:
        try:
            _overlay_somehow(program, replace(space, capacity_bytes=capacity_bytes))
        except (TooSmallError, CapacityError):
            return False
        return True

    too_little = space.capacity_bytes
    enough = space.align(max(2 * too_little, _LEAST_BYTES))
    while not fits(enough):
        if enough > _MOST_BYTES:
            return None
        too_little, enough = enough, 2 * enough
    while enough - too_little > max(space.alignment_bytes, enough // _PRECISION):
        middle = space.align((too_little + enough) // 2)
        if fits(middle):
            enough = middle
        else:
            too_little = middle
    return enough


def _overlay(program: KernelGraph, space: Space) -> Overlaid:
    smallest: tuple[int, int | None] | None = None
    for share in SHARES:
        less = replace(space, capacity_bytes=int(space.capacity_bytes * share))
        try:
            parted = choose_far(program, less)
        except TooSmallError:
            if smallest is not None:
                break  # even less memory is too little
            raise
        schedule = _fit(program, parted, less)
        overlaid = _overlay_schedule(program, schedule, space)
        size_bytes = overlaid.arena.size_bytes
        if size_bytes <= space.capacity_bytes:
            return overlaid
        if smallest is None or size_bytes < smallest[0]:
            smallest = size_bytes, _fullest_step(schedule, space)
    assert smallest is not None
    raise TooSmallError(smallest[1])


def overlay_parted(program: KernelGraph, parted: Partition, space: Space) -> Overlaid:
    """Return tiles, copies and arena of a program that is parted already.

    The arena may be larger than fast memory.

    Raises:
        CapacityError: more copies have to run at once than there are channels.
    """
    return _overlay_schedule(program, Schedule(program, parted, space), space)


def _overlay_schedule(program: KernelGraph, schedule: Schedule, space: Space) -> Overlaid:
    layout = _lay_out(program, schedule.parted, schedule, space)
    return Overlaid(layout.arena, _finish(program, schedule, layout), schedule.parted)


def _fit(program: KernelGraph, parted: Partition, space: Space) -> Schedule:
    """Part stages more finely until slots and tensors fit at every tile, or nothing helps."""
    schedule = Schedule(program, parted, space)
    stuck: set[int] = set()
    for _ in range(_ROUNDS):
        owners = _owners_where_full(schedule, space) - stuck
        if not owners:
            break
        stages = list(schedule.parted.stages)
        for number in owners:
            size = stage_bytes(program, stages[number], space)
            far = schedule.parted.far_tensors
            finer = part_stage(program, stages[number].steps, far, space, int(size * _SHRINK))
            if stage_bytes(program, finer, space) >= size:
                stuck.add(number)
            stages[number] = finer
        schedule = Schedule(program, replace(schedule.parted, stages=tuple(stages)), space)
    return schedule


def _owners_where_full(schedule: Schedule, space: Space) -> set[int]:
    """Return the stage with the largest slots at each tile where there are too many bytes."""
    stage_of = {
        step: number for number, stage in enumerate(schedule.parted.stages) for step in stage.steps
    }
    alive = _alive_bytes(schedule, space)
    owned: dict[int, dict[int, int]] = {}
    for slot in schedule.slots:
        buffer = _slot_buffer(slot, space)
        life, size = buffer.lifetime, buffer.size_bytes
        number = stage_of[schedule.tiles[slot.first].step]
        for tile in range(life.first_step, life.end_step):
            stages = owned.setdefault(tile, {})
            stages[number] = stages.get(number, 0) + size
    full = np.flatnonzero(alive > space.capacity_bytes).tolist()
    return {
        max(owned[tile], key=lambda number: owned[tile][number]) for tile in full if tile in owned
    }


def _alive_bytes(schedule: Schedule, space: Space) -> NDArray[np.int64]:
    """Return the bytes of fast memory in use, by tile; one entry more for the end."""
    resident = [b for n, b in enumerate(schedule.parted.buffers) if n not in schedule.parted.far]
    alive = np.zeros(len(schedule.tiles) + 1, np.int64)
    for buffer in (
        *(_in_tiles(buffer, schedule, space) for buffer in resident),
        *(_slot_buffer(slot, space) for slot in schedule.slots),
    ):
        for first, end, size in stretches(buffer):
            alive[first:end] += size
    return alive


def _fullest_step(schedule: Schedule, space: Space) -> int | None:
    """Return the step whose tile has most bytes in use beside it; None in a program without."""
    if not schedule.tiles:
        return None
    alive = _alive_bytes(schedule, space)[: len(schedule.tiles)]
    return schedule.tiles[int(alive.argmax())].step


def house_packs(program: KernelGraph, overlaid: OverlayProgram, near_bytes: int) -> OverlayProgram:
    """Return the program with as many packs in near memory as fit, and the others in far memory.

    Those come first whose tiles compute least for each byte: nothing else hides their copies.

    Args:
        program: kernel calls.
        overlaid: with all packs in one block.
        near_bytes: room for packs in near memory.
    """
    work = _macs_per_byte(program, overlaid)
    left, near = near_bytes, set()
    for index in sorted(range(len(overlaid.packs)), key=lambda index: (work[index], index)):
        if overlaid.packs[index].size_bytes <= left:
            left -= overlaid.packs[index].size_bytes
            near.add(index)
    homes: dict[Address, Address] = {}
    ends = {Block.PACKS: 0, Block.FAR_PACKS: 0}
    packs: list[Pack] = []
    for index, pack in enumerate(overlaid.packs):
        block = Block.PACKS if index in near else Block.FAR_PACKS
        homes[pack.address] = Address(block, ends[block])
        ends[block] += pack.size_bytes
        packs.append(replace(pack, address=homes[pack.address]))
    copies = tuple(replace(c, source=homes.get(c.source, c.source)) for c in overlaid.copies)
    return replace(overlaid, packs=tuple(packs), copies=copies)


def _macs_per_byte(program: KernelGraph, overlaid: OverlayProgram) -> list[float]:
    """Return by pack the work of the call that it is of, for each byte of the call's packs."""
    step_of = {
        copy.source: overlaid.tiles[copy.tile].step for copy in overlaid.copies if copy.is_load
    }
    steps = [step_of[pack.address] for pack in overlaid.packs]
    sizes: dict[int, int] = {}
    for step, pack in zip(steps, overlaid.packs, strict=True):
        sizes[step] = sizes.get(step, 0) + pack.size_bytes
    return [program.calls[step].macs / sizes[step] for step in steps]


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """Where resident tensors and scratch are; slots know it themselves."""

    arena: Arena
    tight_offset_bytes: Mapping[str, int]
    tight_scratch_bytes: Mapping[int, int]
    tight_bytes: int

    def scratch(self, step: int) -> Address | None:
        """Return where a step has its scratch; None for a step without."""
        if (offset := self.tight_scratch_bytes.get(step)) is not None:
            return Address(Block.TIGHT, offset)
        offset = self.arena.scratch_offset_bytes.get(step)
        return None if offset is None else Address(Block.ARENA, offset)


def _lay_out(program: KernelGraph, parted: Partition, schedule: Schedule, space: Space) -> _Layout:
    """Place resident tensors, scratch and slots; slots learn their offsets."""
    resident = [b for index, b in enumerate(parted.buffers) if index not in parted.far]
    buffers = [
        *(_in_tiles(buffer, schedule, space) for buffer in resident),
        *(_slot_buffer(slot, space) for slot in schedule.slots),
    ]
    urgent = [n for n, buffer in enumerate(resident) if buffer.scratch_step is not None]
    urgent += _gathered(program, resident)
    urgent += [len(resident) + n for n, slot in enumerate(schedule.slots) if slot.is_pack]
    tight = choose_tight(buffers, urgent, space.tight_bytes)
    loose = [index for index in range(len(buffers)) if index not in tight.offsets]
    packing = pack_buffers([buffers[index] for index in loose])
    offsets = dict(zip(loose, packing.offsets, strict=True)) | tight.offsets
    for number, slot in enumerate(schedule.slots, len(resident)):
        slot.block = Block.TIGHT if number in tight.offsets else Block.ARENA
        slot.offset_bytes = offsets[number]
    names = (*program.graph.inputs, *(n for call in program.calls for n in call.writes))
    homes: dict[bool, dict[str, int]] = {True: {}, False: {}}
    tensors = program.graph.tensors
    inner = schedule.inner
    empty = [name for name in (*names, *program.aliases) if not tensors[name].is_variable]
    homes[False] = {name: 0 for name in empty if name not in schedule.far and name not in inner}
    scratch: dict[bool, dict[int, int]] = {True: {}, False: {}}
    for index, buffer in enumerate(resident):
        for name in buffer.tensors:
            homes[False].pop(name, None)
            homes[index in tight.offsets][name] = offsets[index]
        if buffer.scratch_step is not None:
            scratch[index in tight.offsets][buffer.scratch_step] = offsets[index]
    bound = lower_bound_bytes([buffers[index] for index in loose])
    arena = Arena(packing.size_bytes, bound, homes[False], scratch[False])
    return _Layout(arena, homes[True], scratch[True], tight.size_bytes)


def _gathered(program: KernelGraph, resident: Sequence[Buffer]) -> list[int]:
    """Return the buffers that kernels read a few channels at a time, the smallest first.

    They come back to each cache line for the next channels.
    """
    calls = program.calls
    names = {n for call in calls if call.kernel.name.startswith(_GATHERING) for n in call.reads}
    found = [n for n, buffer in enumerate(resident) if not names.isdisjoint(buffer.tensors)]
    return sorted(found, key=lambda n: resident[n].size_bytes)


def _in_tiles(buffer: Buffer, schedule: Schedule, space: Space) -> Buffer:
    return retime(buffer, schedule.begins, schedule.ends, space.align)


def _slot_buffer(slot: Slot, space: Space) -> Buffer:
    first = min(slot.start, slot.first) if slot.is_load and slot.is_copied else slot.first
    end = max(slot.end, slot.last + 1)
    return Buffer((), (Segment(Lifetime(first, end), space.align(slot.size_bytes)),))


def _finish(program: KernelGraph, schedule: Schedule, layout: _Layout) -> OverlayProgram:
    tiles = tuple(_tile_call(program, draft, layout, schedule.far) for draft in schedule.tiles)
    copied = [slot for slot in schedule.slots if slot.is_copied]
    ordered = sorted(copied, key=lambda slot: (slot.start, not slot.is_load))
    packed = {part.constant for pack in schedule.packs for part in pack.parts}
    in_place = {a.name for tile in tiles for a in tile.addresses.values()}
    return OverlayProgram(
        tiles=tiles,
        stages=tuple(stage.steps for stage in schedule.parted.stages),
        copies=tuple(_copy(slot) for slot in ordered),
        packs=tuple(schedule.packs),
        packed=frozenset(packed - in_place),
        far_offset_bytes=schedule.far,
        far_bytes=schedule.far_bytes,
        tight_offset_bytes=layout.tight_offset_bytes,
        tight_bytes=layout.tight_bytes,
        channel_count=schedule.channel_count,
    )


def _copy(slot: Slot) -> Copy:
    home, size_bytes = slot.home, slot.size_bytes
    if slot.halo is not None:
        before = slot.halo.slot
        home = Address(before.block, before.offset_bytes + slot.halo.offset_bytes)
        size_bytes = slot.halo.size_bytes
    assert home is not None
    return Copy(
        destination=slot.address if slot.is_load else home,
        source=home if slot.is_load else slot.address,
        size_bytes=size_bytes,
        channel=slot.channel,
        is_load=slot.is_load,
        started_at=slot.start,
        waited_at=slot.wait,
        tile=slot.needed if slot.is_load else slot.last,
    )


def _tile_call(
    program: KernelGraph, draft: DraftTile, layout: _Layout, far: Mapping[str, int]
) -> TileCall:
    params: dict[int, StructArgument] = {}
    addresses: dict[int, Address] = {}
    for position, argument in enumerate(program.calls[draft.step].arguments):
        window = draft.tile.windows.get(position)
        start = 0 if window is None else window.offset_bytes
        if position in draft.slots:
            slot, offset = draft.slots[position]
            addresses[position] = Address(slot.block, slot.offset_bytes + offset)
        elif isinstance(argument, StructArgument):
            params[position] = draft.tile.params if position == 0 else argument
        elif isinstance(argument, TensorArgument):
            addresses[position] = _tensor_address(program, argument.tensor, start, layout, far)
        elif isinstance(argument, ScratchArgument):
            if (address := layout.scratch(draft.step)) is not None:
                addresses[position] = address
        elif isinstance(argument, ConstantArgument) and argument.constant is not None:
            addresses[position] = Address(Block.CONSTANT, start, argument.constant)
    return TileCall(draft.step, params, addresses, draft.rows, draft.filters, draft.lines)


def _tensor_address(
    program: KernelGraph, name: str, start: int, layout: _Layout, far: Mapping[str, int]
) -> Address:
    if program.graph.tensors[name].is_variable:
        return Address(Block.STATE, start, name)
    if name in far:
        return Address(Block.FAR, far[name] + start)
    if name in layout.tight_offset_bytes:
        return Address(Block.TIGHT, layout.tight_offset_bytes[name] + start)
    return Address(Block.ARENA, layout.arena.offset_bytes[name] + start)
