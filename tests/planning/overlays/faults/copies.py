"""Faults of copies, and of the slots that they fill or empty."""

import random
from dataclasses import replace

from penstock.planning.execution_plan import CACHE_LINE_BYTES, ExecutionPlan
from penstock.planning.overlays.program import (
    Copy,
    OverlayProgram,
)
from tests.planning.overlays.faults.editing import (
    Planted,
    changed_copy,
    readdressed,
    shuffled_copies,
    with_copies,
)


def late_wait(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in shuffled_copies(overlays, chance):
        if copy.waited_at < len(overlays.tiles):
            later = copy.waited_at + 1
            yield f"{copy}: waits at {later}", changed_copy(overlays, index, waited_at=later)


def removed_wait(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    """The end of a run waits for everything."""
    for index, copy in shuffled_copies(overlays, chance):
        end = len(overlays.tiles)
        if copy.waited_at < end:
            yield f"{copy}: no wait", changed_copy(overlays, index, waited_at=end)


def forgotten_wait(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in shuffled_copies(overlays, chance):
        beyond = len(overlays.tiles) + 1
        yield f"{copy}: waits never", changed_copy(overlays, index, waited_at=beyond)


def early_start(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in shuffled_copies(overlays, chance):
        for by in (1, 2):
            if copy.started_at >= by:
                start = copy.started_at - by
                yield (
                    f"{copy}: starts at {start}",
                    changed_copy(overlays, index, started_at=start),
                )


def late_start(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in shuffled_copies(overlays, chance):
        start = copy.started_at + 1
        if start < len(overlays.tiles):
            yield f"{copy}: starts at {start}", changed_copy(overlays, index, started_at=start)


def missing_copy(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in shuffled_copies(overlays, chance):
        copies = [other for number, other in enumerate(overlays.copies) if number != index]
        yield f"{copy}: left out", with_copies(overlays, copies)


def repeated_copy(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for _, copy in shuffled_copies(overlays, chance):
        channel = chance.randrange(8)
        twice = [*overlays.copies, replace(copy, channel=channel)]
        yield f"{copy}: again on {channel}", with_copies(overlays, twice)


def other_channel(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in shuffled_copies(overlays, chance):
        for channel in (*range(overlays.channel_count), 8, -1):
            if channel != copy.channel:
                yield f"{copy}: on {channel}", changed_copy(overlays, index, channel=channel)


def other_size(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in shuffled_copies(overlays, chance):
        for by in (-CACHE_LINE_BYTES, -16, -1, CACHE_LINE_BYTES):
            size = copy.size_bytes + by
            if size > 0:
                yield f"{copy}: {size} bytes", changed_copy(overlays, index, size_bytes=size)


def shifted_end(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in shuffled_copies(overlays, chance):
        end = chance.choice(["source", "destination"])
        by = chance.choice([-CACHE_LINE_BYTES, -16, 16, CACHE_LINE_BYTES])
        old = getattr(copy, end)
        new = replace(old, offset_bytes=old.offset_bytes + by)
        yield f"{copy}: {end} by {by}", changed_copy(overlays, index, **{end: new})


def swapped_ends(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in shuffled_copies(overlays, chance):
        changes = {"source": copy.destination, "destination": copy.source}
        yield f"{copy}: backwards", changed_copy(overlays, index, **changes)


def exchanged_end(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in shuffled_copies(overlays, chance):
        other = chance.choice(overlays.copies)
        end = chance.choice(["source", "destination"])
        new = getattr(other, end)
        if new != getattr(copy, end):
            yield f"{copy}: {end} {new}", changed_copy(overlays, index, **{end: new})


def other_tile(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    """What a copy says of its tile matters where an inference goes on with a later step."""
    for index, copy in shuffled_copies(overlays, chance):
        by = chance.choice([-1, 1])
        if 0 <= copy.tile + by < len(overlays.tiles):
            yield f"{copy}: tile by {by}", changed_copy(overlays, index, tile=copy.tile + by)


def other_direction(
    plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random
) -> Planted:
    for index, copy in shuffled_copies(overlays, chance):
        yield f"{copy}: load or store", changed_copy(overlays, index, is_load=not copy.is_load)


def other_order(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    """The table of copies is in the order in which they start."""
    for index, copy in shuffled_copies(overlays, chance):
        other = chance.randrange(len(overlays.copies))
        if copy.started_at != overlays.copies[other].started_at:
            copies = list(overlays.copies)
            copies[index], copies[other] = copies[other], copies[index]
            yield f"{copy} at {other}", replace(overlays, copies=tuple(copies))


def _users(overlays: OverlayProgram, copy: Copy) -> list[tuple[int, int]]:
    """Return tile and position of the arguments that lie in a copy's slot."""
    slot = copy.destination if copy.is_load else copy.source
    step = overlays.tiles[copy.tile].step
    end = slot.offset_bytes + copy.size_bytes
    tiles = [n for n, tile in enumerate(overlays.tiles) if tile.step == step]
    if copy.is_load:
        reused = [
            other.waited_at
            for other in overlays.copies
            if other.is_load and other is not copy and other.destination == slot
            and other.waited_at > copy.waited_at
        ]  # fmt: skip
        tiles = [n for n in tiles if copy.tile <= n < min(reused, default=n + 1)]
    else:
        before = [
            other.tile
            for other in overlays.copies
            if not other.is_load and other.source == slot and other.tile < copy.tile
        ]
        tiles = [n for n in tiles if max(before, default=-1) < n <= copy.tile]
    return [
        (number, position)
        for number in tiles
        for position, address in overlays.tiles[number].addresses.items()
        if address.block is slot.block and slot.offset_bytes <= address.offset_bytes < end
    ]


def moved_slot(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    """Copy and tiles agree about another place, where something else may be."""
    for index, copy in shuffled_copies(overlays, chance):
        by = 16 * chance.choice([-2, -1, 1, 2, chance.randrange(-99, 100)])
        end = "destination" if copy.is_load else "source"
        slot = getattr(copy, end)
        moved = replace(slot, offset_bytes=slot.offset_bytes + by)
        tiles = list(overlays.tiles)
        for number, position in _users(overlays, copy):
            old = tiles[number].addresses[position]
            new = replace(old, offset_bytes=old.offset_bytes + by)
            tiles[number] = readdressed(tiles[number], {position: new})
        changed = changed_copy(overlays, index, **{end: moved})
        yield f"{copy}: slot by {by}", replace(changed, tiles=tuple(tiles))
