"""Faults of packs, the constants that come together."""

import random
from collections.abc import Iterator
from dataclasses import replace

from penstock.planning.execution_plan import ExecutionPlan
from penstock.planning.overlays.program import (
    OverlayProgram,
    PackPart,
)
from tests.planning.overlays.faults.editing import (
    Planted,
    changed_pack,
    shuffled_packs,
)


def mixed_parts(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, pack in shuffled_packs(overlays, chance):
        if len(pack.parts) > 1:
            one, two, *others = chance.sample(pack.parts, len(pack.parts))
            parts = [
                replace(one, offset_bytes=two.offset_bytes),
                replace(two, offset_bytes=one.offset_bytes),
                *others,
            ]
            yield f"{pack.parts}: mixed", changed_pack(overlays, index, parts=tuple(parts))


def wrong_part(plan: ExecutionPlan, overlays: OverlayProgram, chance: random.Random) -> Planted:
    for index, pack in shuffled_packs(overlays, chance):
        number = chance.randrange(len(pack.parts))
        for what, part in _wrong_parts(plan, pack.parts[number], chance):
            parts = (*pack.parts[:number], part, *pack.parts[number + 1 :])
            yield f"{pack.parts[number]}: {what}", changed_pack(overlays, index, parts=parts)
        left = (*pack.parts[:number], *pack.parts[number + 1 :])
        yield f"{pack.parts[number]}: left out", changed_pack(overlays, index, parts=left)


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
    for index, pack in shuffled_packs(overlays, chance):
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
