"""Faults of tiles: what they compute, and on what."""

import random
from dataclasses import replace
from typing import Any

from penstock.kernels.kernel_graph import StructArgument
from penstock.planning.execution_plan import CACHE_LINE_BYTES, ExecutionPlan
from penstock.planning.overlays.program import (
    Block,
    OverlayProgram,
)
from tests.planning.overlays.faults.editing import (
    Planted,
    changed_tile,
    readdressed,
    shuffled_tiles,
)


def shifted_address(
    plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random
) -> Planted:
    for number, tile in shuffled_tiles(overlays, chance):
        position = chance.choice(sorted(tile.addresses))
        old = tile.addresses[position]
        by = chance.choice([-CACHE_LINE_BYTES, -16, -1, 1, 16, CACHE_LINE_BYTES, 160])
        new = replace(old, offset_bytes=old.offset_bytes + by)
        wrong = changed_tile(overlays, number, readdressed(tile, {position: new}))
        yield f"tile {number}, argument {position}: {old} by {by}", wrong


def shifted_constant(
    plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random
) -> Planted:
    """Of what is read in place: constants and state."""
    for number, tile in shuffled_tiles(overlays, chance):
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
                    wrong = changed_tile(overlays, number, readdressed(tile, {position: new}))
                    yield f"tile {number}, argument {position}: {old} is {new}", wrong


def exchanged_addresses(
    plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random
) -> Planted:
    for number, tile in shuffled_tiles(overlays, chance):
        if len(tile.addresses) > 1:
            one, two = chance.sample(sorted(tile.addresses), 2)
            swapped = {one: tile.addresses[two], two: tile.addresses[one]}
            if tile.addresses[one] != tile.addresses[two]:
                wrong = changed_tile(overlays, number, readdressed(tile, swapped))
                yield f"tile {number}: arguments {one} and {two}", wrong


def missing_address(
    plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random
) -> Planted:
    """A null pointer."""
    for number, tile in shuffled_tiles(overlays, chance):
        position = chance.choice(sorted(tile.addresses))
        left = {n: address for n, address in tile.addresses.items() if n != position}
        wrong = changed_tile(overlays, number, replace(tile, addresses=left))
        yield f"tile {number}: no argument {position}", wrong


def added_address(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    """Not a null pointer."""
    for number, tile in shuffled_tiles(overlays, chance):
        for position in range(len(plan.program.calls[tile.step].arguments)):
            if position not in tile.addresses and position not in tile.params:
                address = chance.choice(list(tile.addresses.values()))
                wrong = changed_tile(overlays, number, readdressed(tile, {position: address}))
                yield f"tile {number}: argument {position} is {address}", wrong


def other_rows(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for number, tile in shuffled_tiles(overlays, chance):
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
                wrong = changed_tile(overlays, number, replace(tile, **changes))
                yield f"tile {number}: {name} {old} are {new}", wrong
                changes = {name: None}
                wrong = changed_tile(overlays, number, replace(tile, **changes))
                yield f"tile {number}: all {name}", wrong


def other_params(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for number, tile in shuffled_tiles(overlays, chance):
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
        wrong = changed_tile(overlays, number, replace(tile, params=params))
        yield f"tile {number}: {name} {value} is {new}", wrong


def exchanged_tiles(
    plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random
) -> Planted:
    for number, _ in shuffled_tiles(overlays, chance):
        other = (number + 1) % len(overlays.tiles)
        tiles = list(overlays.tiles)
        tiles[number], tiles[other] = tiles[other], tiles[number]
        if tiles[number] != tiles[other]:
            yield f"tiles {number} and {other}", replace(overlays, tiles=tuple(tiles))


def missing_tile(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    """Its copies stay; the tiles behind it are as they were."""
    for number, tile in shuffled_tiles(overlays, chance):
        before = number - 1 if number else number + 1
        if len(overlays.tiles) > 1 and overlays.tiles[before].step == tile.step:
            # Another tile is computed in its place, twice.
            wrong = changed_tile(overlays, number, overlays.tiles[before])
            yield f"tile {number} is {before}", wrong
