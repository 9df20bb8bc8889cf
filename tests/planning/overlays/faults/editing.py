"""A program with overlays with a part of it changed."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from penstock.planning.execution_plan import ExecutionPlan
from penstock.planning.overlays.program import (
    Address,
    Copy,
    OverlayProgram,
    Pack,
    TileCall,
)

Planted = Iterator[tuple[str, OverlayProgram | ExecutionPlan]]


def with_copies(overlays: OverlayProgram, copies: Sequence[Copy]) -> OverlayProgram:
    """Return the program with other copies, in the order in which they start."""
    ordered = sorted(copies, key=lambda copy: (copy.started_at, not copy.is_load))
    return replace(overlays, copies=tuple(ordered))


def changed_copy(overlays: OverlayProgram, index: int, **changes: Any) -> OverlayProgram:
    copies = list(overlays.copies)
    copies[index] = replace(copies[index], **changes)
    return with_copies(overlays, copies)


def shuffled_copies(overlays: OverlayProgram, chance: random.Random) -> Iterator[tuple[int, Copy]]:
    numbered = list(enumerate(overlays.copies))
    chance.shuffle(numbered)
    yield from numbered


def readdressed(tile: TileCall, changes: Mapping[int, Address]) -> TileCall:
    return replace(tile, addresses={**tile.addresses, **changes})


def changed_tile(overlays: OverlayProgram, number: int, tile: TileCall) -> OverlayProgram:
    tiles = (*overlays.tiles[:number], tile, *overlays.tiles[number + 1 :])
    return replace(overlays, tiles=tiles)


def shuffled_tiles(
    overlays: OverlayProgram, chance: random.Random
) -> Iterator[tuple[int, TileCall]]:
    numbered = list(enumerate(overlays.tiles))
    chance.shuffle(numbered)
    yield from numbered


def shuffled_packs(overlays: OverlayProgram, chance: random.Random) -> Iterator[tuple[int, Pack]]:
    numbered = list(enumerate(overlays.packs))
    chance.shuffle(numbered)
    yield from numbered


def changed_pack(overlays: OverlayProgram, index: int, **changes: Any) -> OverlayProgram:
    packs = list(overlays.packs)
    packs[index] = replace(packs[index], **changes)
    return replace(overlays, packs=tuple(packs))
