"""Faults planted in overlays that are right: each is one that a planner might make.

Whether one does harm is for others to say: many waits are earlier than they have to be.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from penstock.kernels.kernel_graph import StructArgument, TensorArgument
from penstock.planning.execution_plan import ExecutionPlan
from penstock.planning.overlays.program import (
    Address,
    Block,
    Copy,
    OverlayProgram,
    Pack,
    PackPart,
    TileCall,
)

LINE_BYTES = 32
PACKS = (Block.PACKS, Block.FAR_PACKS)


@dataclass(frozen=True, eq=False)
class Fault:
    """A plan with something wrong.

    Attributes:
        kind: the name of the function that planted it.
        what: for people.
        plan: with the fault.
        is_runnable: False where nobody knows what a kernel would do to memory.
    """

    kind: str
    what: str
    plan: ExecutionPlan
    is_runnable: bool = True


Planted = Iterator[tuple[str, OverlayProgram | ExecutionPlan]]
Planter = Callable[[ExecutionPlan, OverlayProgram, random.Random], Planted]


def plant_all(plan: ExecutionPlan, seed: int, most_of_a_kind: int) -> Iterator[Fault]:
    """Yield faults of every kind that a plan offers a place for, at random places."""
    assert plan.overlays is not None
    for planter in PLANTERS:
        chance = random.Random(f"{seed} {planter.__name__}")
        for what, wrong in _some(planter(plan, plan.overlays, chance), most_of_a_kind):
            changed = replace(plan, overlays=wrong) if isinstance(wrong, OverlayProgram) else wrong
            yield Fault(planter.__name__, what, changed, planter not in _UNRUNNABLE)


def _some(planted: Planted, most: int) -> Planted:
    for _, found in zip(range(most), planted, strict=False):
        yield found


# Copies ---------------------------------------------------------------------------------------


def _with_copies(overlays: OverlayProgram, copies: Sequence[Copy]) -> OverlayProgram:
    """Return the program with other copies, in the order in which they start."""
    ordered = sorted(copies, key=lambda copy: (copy.started_at, not copy.is_load))
    return replace(overlays, copies=tuple(ordered))


def _changed_copy(overlays: OverlayProgram, index: int, **changes: Any) -> OverlayProgram:
    copies = list(overlays.copies)
    copies[index] = replace(copies[index], **changes)
    return _with_copies(overlays, copies)


def _copies(overlays: OverlayProgram, chance: random.Random) -> Iterator[tuple[int, Copy]]:
    numbered = list(enumerate(overlays.copies))
    chance.shuffle(numbered)
    yield from numbered


def late_wait(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in _copies(overlays, chance):
        if copy.waited_at < len(overlays.tiles):
            later = copy.waited_at + 1
            yield f"{copy}: waits at {later}", _changed_copy(overlays, index, waited_at=later)


def removed_wait(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    """The end of a run waits for everything."""
    for index, copy in _copies(overlays, chance):
        end = len(overlays.tiles)
        if copy.waited_at < end:
            yield f"{copy}: no wait", _changed_copy(overlays, index, waited_at=end)


def forgotten_wait(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in _copies(overlays, chance):
        beyond = len(overlays.tiles) + 1
        yield f"{copy}: waits never", _changed_copy(overlays, index, waited_at=beyond)


def early_start(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in _copies(overlays, chance):
        for by in (1, 2):
            if copy.started_at >= by:
                start = copy.started_at - by
                yield (
                    f"{copy}: starts at {start}",
                    _changed_copy(overlays, index, started_at=start),
                )


def late_start(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in _copies(overlays, chance):
        start = copy.started_at + 1
        if start < len(overlays.tiles):
            yield f"{copy}: starts at {start}", _changed_copy(overlays, index, started_at=start)


def missing_copy(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in _copies(overlays, chance):
        copies = [other for number, other in enumerate(overlays.copies) if number != index]
        yield f"{copy}: left out", _with_copies(overlays, copies)


def repeated_copy(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for _, copy in _copies(overlays, chance):
        channel = chance.randrange(8)
        twice = [*overlays.copies, replace(copy, channel=channel)]
        yield f"{copy}: again on {channel}", _with_copies(overlays, twice)


def other_channel(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in _copies(overlays, chance):
        for channel in (*range(overlays.channel_count), 8, -1):
            if channel != copy.channel:
                yield f"{copy}: on {channel}", _changed_copy(overlays, index, channel=channel)


def other_size(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in _copies(overlays, chance):
        for by in (-LINE_BYTES, -16, -1, LINE_BYTES):
            size = copy.size_bytes + by
            if size > 0:
                yield f"{copy}: {size} bytes", _changed_copy(overlays, index, size_bytes=size)


def shifted_end(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in _copies(overlays, chance):
        end = chance.choice(["source", "destination"])
        by = chance.choice([-LINE_BYTES, -16, 16, LINE_BYTES])
        old = getattr(copy, end)
        new = replace(old, offset_bytes=old.offset_bytes + by)
        yield f"{copy}: {end} by {by}", _changed_copy(overlays, index, **{end: new})


def swapped_ends(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in _copies(overlays, chance):
        changes = {"source": copy.destination, "destination": copy.source}
        yield f"{copy}: backwards", _changed_copy(overlays, index, **changes)


def exchanged_end(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, copy in _copies(overlays, chance):
        other = chance.choice(overlays.copies)
        end = chance.choice(["source", "destination"])
        new = getattr(other, end)
        if new != getattr(copy, end):
            yield f"{copy}: {end} {new}", _changed_copy(overlays, index, **{end: new})


def other_tile(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    """What a copy says of its tile matters where an inference goes on with a later step."""
    for index, copy in _copies(overlays, chance):
        by = chance.choice([-1, 1])
        if 0 <= copy.tile + by < len(overlays.tiles):
            yield f"{copy}: tile by {by}", _changed_copy(overlays, index, tile=copy.tile + by)


def other_direction(
    plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random
) -> Planted:
    for index, copy in _copies(overlays, chance):
        yield f"{copy}: load or store", _changed_copy(overlays, index, is_load=not copy.is_load)


def other_order(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    """The table of copies is in the order in which they start."""
    for index, copy in _copies(overlays, chance):
        other = chance.randrange(len(overlays.copies))
        if copy.started_at != overlays.copies[other].started_at:
            copies = list(overlays.copies)
            copies[index], copies[other] = copies[other], copies[index]
            yield f"{copy} at {other}", replace(overlays, copies=tuple(copies))


# Slots ----------------------------------------------------------------------------------------


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
    for index, copy in _copies(overlays, chance):
        by = 16 * chance.choice([-2, -1, 1, 2, chance.randrange(-99, 100)])
        end = "destination" if copy.is_load else "source"
        slot = getattr(copy, end)
        moved = replace(slot, offset_bytes=slot.offset_bytes + by)
        tiles = list(overlays.tiles)
        for number, position in _users(overlays, copy):
            old = tiles[number].addresses[position]
            new = replace(old, offset_bytes=old.offset_bytes + by)
            tiles[number] = _readdressed(tiles[number], {position: new})
        changed = _changed_copy(overlays, index, **{end: moved})
        yield f"{copy}: slot by {by}", replace(changed, tiles=tuple(tiles))


# Packs ----------------------------------------------------------------------------------------


def _packs(overlays: OverlayProgram, chance: random.Random) -> Iterator[tuple[int, Pack]]:
    numbered = list(enumerate(overlays.packs))
    chance.shuffle(numbered)
    yield from numbered


def _changed_pack(overlays: OverlayProgram, index: int, **changes: Any) -> OverlayProgram:
    packs = list(overlays.packs)
    packs[index] = replace(packs[index], **changes)
    return replace(overlays, packs=tuple(packs))


def mixed_parts(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, pack in _packs(overlays, chance):
        if len(pack.parts) > 1:
            one, two, *others = chance.sample(pack.parts, len(pack.parts))
            parts = [
                replace(one, offset_bytes=two.offset_bytes),
                replace(two, offset_bytes=one.offset_bytes),
                *others,
            ]
            yield f"{pack.parts}: mixed", _changed_pack(overlays, index, parts=tuple(parts))


def wrong_part(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, pack in _packs(overlays, chance):
        number = chance.randrange(len(pack.parts))
        for what, part in _wrong_parts(plan, pack.parts[number], chance):
            parts = (*pack.parts[:number], part, *pack.parts[number + 1 :])
            yield f"{pack.parts[number]}: {what}", _changed_pack(overlays, index, parts=parts)
        left = (*pack.parts[:number], *pack.parts[number + 1 :])
        yield f"{pack.parts[number]}: left out", _changed_pack(overlays, index, parts=left)


def _wrong_parts(
    plan: ExecutionPlan, part: PackPart, chance: random.Random
) -> Iterator[tuple[str, PackPart]]:
    window = part.window
    by = chance.choice([-16, -4, 4, 16])
    yield (
        f"window by {by}",
        replace(part, window=replace(window, offset_bytes=window.offset_bytes + by)),
    )
    yield f"offset by {by}", replace(part, offset_bytes=part.offset_bytes + by)
    if window.size_bytes > 4:
        yield "cut", replace(part, window=replace(window, size_bytes=window.size_bytes - 4))
    other = chance.choice(sorted(plan.program.constants))
    if other != part.constant:
        yield f"constant {other}", replace(part, constant=other)


def exchanged_packs(
    plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random
) -> Planted:
    for index, pack in _packs(overlays, chance):
        other = chance.randrange(len(overlays.packs))
        if other != index:
            packs = list(overlays.packs)
            packs[index] = replace(pack, address=packs[other].address)
            packs[other] = replace(packs[other], address=pack.address)
            yield f"{pack.address}: with {other}", replace(overlays, packs=tuple(packs))


def unpacked(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    """A constant that is read in place is said to be in packs alone, or the other way round."""
    for name in chance.sample(sorted(plan.program.constants), len(plan.program.constants)):
        packed = overlays.packed ^ {name}
        if name not in overlays.packed:
            yield f"{name}: packed", replace(overlays, packed=packed)


# Tiles ----------------------------------------------------------------------------------------


def _readdressed(tile: TileCall, changes: Mapping[int, Address]) -> TileCall:
    return replace(tile, addresses={**tile.addresses, **changes})


def _changed_tile(overlays: OverlayProgram, number: int, tile: TileCall) -> OverlayProgram:
    tiles = (*overlays.tiles[:number], tile, *overlays.tiles[number + 1 :])
    return replace(overlays, tiles=tiles)


def _tiles(overlays: OverlayProgram, chance: random.Random) -> Iterator[tuple[int, TileCall]]:
    numbered = list(enumerate(overlays.tiles))
    chance.shuffle(numbered)
    yield from numbered


def shifted_address(
    plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random
) -> Planted:
    for number, tile in _tiles(overlays, chance):
        position = chance.choice(sorted(tile.addresses))
        old = tile.addresses[position]
        by = chance.choice([-LINE_BYTES, -16, -1, 1, 16, LINE_BYTES, 160])
        new = replace(old, offset_bytes=old.offset_bytes + by)
        wrong = _changed_tile(overlays, number, _readdressed(tile, {position: new}))
        yield f"tile {number}, argument {position}: {old} by {by}", wrong


def shifted_constant(
    plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random
) -> Planted:
    """Of what is read in place: constants and state."""
    for number, tile in _tiles(overlays, chance):
        for position, old in tile.addresses.items():
            if old.block not in (Block.CONSTANT, Block.STATE):
                continue
            names: list[str] = sorted(plan.arrays)
            if old.block is Block.STATE:
                names = sorted(plan.state_offset_bytes)
            by = chance.choice([-4, 4, 16])
            news = [replace(old, offset_bytes=old.offset_bytes + by)]
            news += [replace(old, name=name) for name in chance.sample(names, 1)]
            for new in news:
                if new != old:
                    wrong = _changed_tile(overlays, number, _readdressed(tile, {position: new}))
                    yield f"tile {number}, argument {position}: {old} is {new}", wrong


def exchanged_addresses(
    plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random
) -> Planted:
    for number, tile in _tiles(overlays, chance):
        if len(tile.addresses) > 1:
            one, two = chance.sample(sorted(tile.addresses), 2)
            swapped = {one: tile.addresses[two], two: tile.addresses[one]}
            if tile.addresses[one] != tile.addresses[two]:
                wrong = _changed_tile(overlays, number, _readdressed(tile, swapped))
                yield f"tile {number}: arguments {one} and {two}", wrong


def missing_address(
    plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random
) -> Planted:
    """A null pointer."""
    for number, tile in _tiles(overlays, chance):
        position = chance.choice(sorted(tile.addresses))
        left = {n: address for n, address in tile.addresses.items() if n != position}
        wrong = _changed_tile(overlays, number, replace(tile, addresses=left))
        yield f"tile {number}: no argument {position}", wrong


def added_address(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    """Not a null pointer."""
    for number, tile in _tiles(overlays, chance):
        for position in range(len(plan.program.calls[tile.step].arguments)):
            if position not in tile.addresses and position not in tile.params:
                address = chance.choice(list(tile.addresses.values()))
                wrong = _changed_tile(overlays, number, _readdressed(tile, {position: address}))
                yield f"tile {number}: argument {position} is {address}", wrong


def other_rows(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for number, tile in _tiles(overlays, chance):
        for name in ("rows", "filters"):
            old: range | None = getattr(tile, name)
            if old is not None:
                by = chance.choice([-1, 1])
                new = chance.choice(
                    [
                        range(old.start + by, old.stop + by),
                        range(old.start, old.stop + by),
                        range(old.start + by, old.stop),
                    ]
                )
                changes: dict[str, Any] = {name: new}
                wrong = _changed_tile(overlays, number, replace(tile, **changes))
                yield f"tile {number}: {name} {old} are {new}", wrong
                changes = {name: None}
                wrong = _changed_tile(overlays, number, replace(tile, **changes))
                yield f"tile {number}: all {name}", wrong


def other_params(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for number, tile in _tiles(overlays, chance):
        position = chance.choice(sorted(tile.params) or [0])
        struct = tile.params.get(position)
        if struct is None:
            continue
        index = chance.randrange(len(struct.fields))
        name, value = struct.fields[index]
        new: Any = value
        if isinstance(value, bool):
            new = not value
        elif isinstance(value, int):
            new = value + chance.choice([-1, 1])
        elif isinstance(value, tuple):
            at = chance.randrange(len(value))
            new = (*value[:at], value[at] + 1, *value[at + 1 :])
        else:
            new = value + 1.0
        fields = (*struct.fields[:index], (name, new), *struct.fields[index + 1 :])
        params = {**tile.params, position: StructArgument(struct.ctype, fields)}
        wrong = _changed_tile(overlays, number, replace(tile, params=params))
        yield f"tile {number}: {name} {value} is {new}", wrong


def exchanged_tiles(
    plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random
) -> Planted:
    for number, _ in _tiles(overlays, chance):
        other = (number + 1) % len(overlays.tiles)
        tiles = list(overlays.tiles)
        tiles[number], tiles[other] = tiles[other], tiles[number]
        if tiles[number] != tiles[other]:
            yield f"tiles {number} and {other}", replace(overlays, tiles=tuple(tiles))


def missing_tile(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    """Its copies stay; the tiles behind it are as they were."""
    for number, tile in _tiles(overlays, chance):
        before = number - 1 if number else number + 1
        if len(overlays.tiles) > 1 and overlays.tiles[before].step == tile.step:
            # Another tile is computed in its place, twice.
            wrong = _changed_tile(overlays, number, overlays.tiles[before])
            yield f"tile {number} is {before}", wrong


# Homes ----------------------------------------------------------------------------------------


def _family(plan: ExecutionPlan, name: str) -> set[str]:
    """Return a tensor and its aliases."""
    family = {name}
    while True:
        more = {a for a, b in plan.program.aliases.items() if b in family or a in family}
        more |= {b for a, b in plan.program.aliases.items() if a in family}
        if more <= family:
            return family
        family |= more


def moved_home(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    """All agree about where a tensor is, but something else may be there too."""
    names = [*plan.arena.offset_bytes, *overlays.far_offset_bytes, *overlays.tight_offset_bytes]
    for name in chance.sample(names, len(names)):
        block, home = plan.locate(name)
        homes = [offset for other in names for b, offset in [plan.locate(other)] if b is block]
        by = chance.choice([16, -16, LINE_BYTES, chance.choice(homes) - home])
        if by and plan.program.graph.tensors[name].size_bytes:
            yield f"{name} from {block.value}({home}) by {by}", _move(plan, overlays, name, by)


def _move(plan: ExecutionPlan, overlays: OverlayProgram, name: str, by: int) -> ExecutionPlan:
    family = _family(plan, name)
    block, home = plan.locate(name)
    end = home + max(plan.program.graph.tensors[n].size_bytes for n in family)

    def is_inside(address: Address) -> bool:
        return address.block is block and home <= address.offset_bytes < end

    def move(address: Address) -> Address:
        return replace(address, offset_bytes=address.offset_bytes + by)

    def touches(tile: TileCall) -> list[int]:
        return [
            position
            for position, argument in enumerate(plan.program.calls[tile.step].arguments)
            if isinstance(argument, TensorArgument) and argument.tensor in family
        ]

    tiles = tuple(
        _readdressed(
            tile,
            {
                position: move(tile.addresses[position])
                for position in touches(tile)
                if position in tile.addresses and is_inside(tile.addresses[position])
            },
        )
        for tile in overlays.tiles
    )
    copies = tuple(
        replace(
            copy,
            source=move(copy.source) if copy.is_load else copy.source,
            destination=copy.destination if copy.is_load else move(copy.destination),
        )
        if touches(overlays.tiles[copy.tile])
        and is_inside(copy.source if copy.is_load else copy.destination)
        else copy
        for copy in overlays.copies
    )

    def moved(offsets: Mapping[str, int]) -> dict[str, int]:
        return {n: offset + by if n in family else offset for n, offset in offsets.items()}

    changed = replace(overlays, tiles=tiles, copies=copies)
    if block is Block.ARENA:
        arena = replace(plan.arena, offset_bytes=moved(plan.arena.offset_bytes))
        return replace(plan, arena=arena, overlays=changed)
    if block is Block.FAR:
        changed = replace(changed, far_offset_bytes=moved(overlays.far_offset_bytes))
    else:
        changed = replace(changed, tight_offset_bytes=moved(overlays.tight_offset_bytes))
    return replace(plan, overlays=changed)


def small_block(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    yield "arena", replace(plan, arena=replace(plan.arena, size_bytes=plan.arena.size_bytes - 16))
    if overlays.far_bytes:
        yield "far", replace(overlays, far_bytes=overlays.far_bytes - 16)
    if overlays.tight_bytes:
        yield "tight", replace(overlays, tight_bytes=overlays.tight_bytes - 16)


PLANTERS: tuple[Planter, ...] = (
    late_wait, removed_wait, forgotten_wait, early_start, late_start, missing_copy, repeated_copy,
    other_channel, other_size, shifted_end, swapped_ends, exchanged_end, other_tile,
    other_direction, other_order, moved_slot, mixed_parts, wrong_part, exchanged_packs, unpacked,
    shifted_address, shifted_constant, exchanged_addresses, missing_address, added_address,
    other_rows, other_params, exchanged_tiles, missing_tile, moved_home, small_block,
)  # fmt: skip
_UNRUNNABLE = {missing_address, other_params, exchanged_tiles, missing_tile, added_address}
