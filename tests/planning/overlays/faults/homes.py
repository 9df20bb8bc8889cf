"""Faults of homes: tensors in other places, and blocks that are too small."""

import random
from collections.abc import Mapping
from dataclasses import replace

from penstock.kernels.kernel_graph import TensorArgument
from penstock.planning.execution_plan import CACHE_LINE_BYTES, ExecutionPlan
from penstock.planning.overlays.program import (
    Address,
    Block,
    OverlayProgram,
    TileCall,
)
from tests.planning.overlays.faults.editing import (
    Planted,
    readdressed,
)


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
        by = chance.choice([16, -16, CACHE_LINE_BYTES, chance.choice(homes) - home])
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
        readdressed(
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
