"""From a program and its fast memory to tiles, copies and addresses."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

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
from penstock.planning.overlays.partition import Partition, choose_far
from penstock.planning.overlays.parts import Space, part_stage, stage_bytes
from penstock.planning.overlays.program import Address, Block, Copy, OverlayProgram, Pack, TileCall
from penstock.planning.overlays.schedule import Schedule
from penstock.planning.overlays.tight import choose_tight

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
        CapacityError: it cannot be parted finely enough.
    """
    try:
        return _overlay(program, space)
    except CapacityError as error:
        # A chain needs the constants of all its calls at once.
        if not (space.fuses and space.has_far):
            raise
        try:
            return _overlay(program, replace(space, fuses=False))
        except CapacityError:
            raise error from None


def _overlay(program: KernelGraph, space: Space) -> Overlaid:
    sizes: list[int] = []
    for share in SHARES:
        less = replace(space, capacity_bytes=int(space.capacity_bytes * share))
        try:
            parted = choose_far(program, less)
        except CapacityError:
            if sizes:
                break  # even less memory is too little
            raise
        overlaid = _overlay_schedule(program, _fit(program, parted, less), space)
        if overlaid.arena.size_bytes <= space.capacity_bytes:
            return overlaid
        sizes.append(overlaid.arena.size_bytes)
    raise CapacityError(
        f"slots and tensors of {program.graph.name} need {min(sizes)} B of {space.name}, "
        f"which offers {space.capacity_bytes} B",
        help="reserve less of it, or take a board with more internal memory",
    )


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
    count = len(schedule.tiles)
    alive = np.zeros(count + 1, np.int64)
    for index, buffer in enumerate(schedule.parted.buffers):
        if index not in schedule.parted.far:
            for first, end, size in stretches(_in_tiles(buffer, schedule, space)):
                alive[first:end] += size
    owned: dict[int, dict[int, int]] = {}
    for slot in schedule.slots:
        buffer = _slot_buffer(slot, space)
        life, size = buffer.lifetime, buffer.size_bytes
        alive[life.first_step : life.end_step] += size
        number = stage_of[schedule.tiles[slot.first].step]
        for tile in range(life.first_step, life.end_step):
            stages = owned.setdefault(tile, {})
            stages[number] = stages.get(number, 0) + size
    full = np.flatnonzero(alive > space.capacity_bytes).tolist()
    return {
        max(owned[tile], key=lambda number: owned[tile][number]) for tile in full if tile in owned
    }


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
    tight_bytes: int


def _lay_out(program: KernelGraph, parted: Partition, schedule: Schedule, space: Space) -> _Layout:
    """Place resident tensors, scratch and slots; slots learn their offsets."""
    resident = [b for index, b in enumerate(parted.buffers) if index not in parted.far]
    buffers = [
        *(_in_tiles(buffer, schedule, space) for buffer in resident),
        *(_slot_buffer(slot, space) for slot in schedule.slots),
    ]
    urgent = [len(resident) + n for n, slot in enumerate(schedule.slots) if slot.is_pack]
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
    scratch: dict[int, int] = {}
    for index, buffer in enumerate(resident):
        for name in buffer.tensors:
            homes[False].pop(name, None)
            homes[index in tight.offsets][name] = offsets[index]
        if buffer.scratch_step is not None:
            scratch[buffer.scratch_step] = offsets[index]
    bound = lower_bound_bytes([buffers[index] for index in loose])
    arena = Arena(packing.size_bytes, bound, homes[False], scratch)
    return _Layout(arena, homes[True], tight.size_bytes)


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
            if (scratch := layout.arena.scratch_offset_bytes.get(draft.step)) is not None:
                addresses[position] = Address(Block.ARENA, scratch)
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
