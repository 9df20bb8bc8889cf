"""Where resident tensors, scratch and slots lie, and the tiles and copies that say so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from penstock.planning.overlays.draft import DraftTile, Slot
from penstock.planning.overlays.partition import Partition
from penstock.planning.overlays.parts import Space
from penstock.planning.overlays.program import Address, Block, Copy, OverlayProgram, TileCall
from penstock.planning.overlays.schedule import Schedule
from penstock.planning.overlays.tight import choose_tight

_GATHERING = ("ps_depthwise_conv_2d_dsp_",)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
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


def lay_out(program: KernelGraph, parted: Partition, schedule: Schedule, space: Space) -> Layout:
    """Place resident tensors, scratch and slots; slots learn their offsets."""
    resident = [b for index, b in enumerate(parted.buffers) if index not in parted.far]
    buffers = [
        *(in_tiles(buffer, schedule, space) for buffer in resident),
        *(slot_buffer(slot, space) for slot in schedule.slots),
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
    return Layout(arena, homes[True], scratch[True], tight.size_bytes)


def _gathered(program: KernelGraph, resident: Sequence[Buffer]) -> list[int]:
    """Return the buffers that kernels read a few channels at a time, the smallest first.

    They come back to each cache line for the next channels.
    """
    calls = program.calls
    names = {n for call in calls if call.kernel.name.startswith(_GATHERING) for n in call.reads}
    found = [n for n, buffer in enumerate(resident) if not names.isdisjoint(buffer.tensors)]
    return sorted(found, key=lambda n: resident[n].size_bytes)


def in_tiles(buffer: Buffer, schedule: Schedule, space: Space) -> Buffer:
    """Return a buffer of calls as one of tiles, in aligned bytes."""
    return retime(buffer, schedule.begins, schedule.ends, space.align)


def slot_buffer(slot: Slot, space: Space) -> Buffer:
    """Return the bytes of a slot from the first tile at which they are taken to the last."""
    first = min(slot.start, slot.first) if slot.is_load and slot.is_copied else slot.first
    end = max(slot.end, slot.last + 1)
    return Buffer((), (Segment(Lifetime(first, end), space.align(slot.size_bytes)),))


def finish(program: KernelGraph, schedule: Schedule, layout: Layout) -> OverlayProgram:
    """Return the tiles and copies of a schedule whose slots have their offsets."""
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
    program: KernelGraph, draft: DraftTile, layout: Layout, far: Mapping[str, int]
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
    program: KernelGraph, name: str, start: int, layout: Layout, far: Mapping[str, int]
) -> Address:
    if program.graph.tensors[name].is_variable:
        return Address(Block.STATE, start, name)
    if name in far:
        return Address(Block.FAR, far[name] + start)
    if name in layout.tight_offset_bytes:
        return Address(Block.TIGHT, layout.tight_offset_bytes[name] + start)
    return Address(Block.ARENA, layout.arena.offset_bytes[name] + start)
