"""From a program and its fast memory to tiles and copies that fit."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from penstock.errors import CapacityError
from penstock.kernels.kernel_graph import KernelGraph
from penstock.planning.execution_plan import Arena
from penstock.planning.overlaps import stretches
from penstock.planning.overlays.layout import finish, in_tiles, lay_out, slot_buffer
from penstock.planning.overlays.partition import Partition, TooSmallError, choose_far
from penstock.planning.overlays.parts import Space, part_stage, stage_bytes
from penstock.planning.overlays.program import Address, Block, OverlayProgram, Pack
from penstock.planning.overlays.schedule import Schedule
from penstock.units import format_bytes

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
    layout = lay_out(program, schedule.parted, schedule, space)
    return Overlaid(layout.arena, finish(program, schedule, layout), schedule.parted)


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
        buffer = slot_buffer(slot, space)
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
        *(in_tiles(buffer, schedule, space) for buffer in resident),
        *(slot_buffer(slot, space) for slot in schedule.slots),
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
