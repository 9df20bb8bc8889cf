"""Faults planted in overlays that are right: each is one that a planner might make.

Whether one does harm is for others to say: many waits are earlier than they have to be.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from penstock.planning.execution_plan import ExecutionPlan
from penstock.planning.overlays.program import OverlayProgram
from tests.planning.overlays.faults import copies, homes, packs, tiles
from tests.planning.overlays.faults.editing import Planted

Planter = Callable[[ExecutionPlan, OverlayProgram, random.Random], Planted]

PLANTERS: tuple[Planter, ...] = (
    copies.late_wait,
    copies.removed_wait,
    copies.forgotten_wait,
    copies.early_start,
    copies.late_start,
    copies.missing_copy,
    copies.repeated_copy,
    copies.other_channel,
    copies.other_size,
    copies.shifted_end,
    copies.swapped_ends,
    copies.exchanged_end,
    copies.other_tile,
    copies.other_direction,
    copies.other_order,
    copies.moved_slot,
    packs.mixed_parts,
    packs.wrong_part,
    packs.exchanged_packs,
    packs.unpacked,
    tiles.shifted_address,
    tiles.shifted_constant,
    tiles.exchanged_addresses,
    tiles.missing_address,
    tiles.added_address,
    tiles.other_rows,
    tiles.other_params,
    tiles.exchanged_tiles,
    tiles.missing_tile,
    homes.moved_home,
    homes.small_block,
)
_UNRUNNABLE = {
    tiles.missing_address,
    tiles.other_params,
    tiles.exchanged_tiles,
    tiles.missing_tile,
    tiles.added_address,
}


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
