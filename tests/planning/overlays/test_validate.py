"""What the validator says of overlays that no planner in its right mind would make."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from penstock.errors import GraphError
from penstock.planning import ExecutionPlan
from penstock.planning.overlays.program import Address, Block, OverlayProgram
from penstock.planning.validate_overlays import validate_overlays
from tests.planning.overlays.networks import branches, lower, mobile_blocks
from tests.planning.overlays.plans import Wish, plan_overlays

Change = Callable[[OverlayProgram], OverlayProgram]


@pytest.fixture(scope="module")
def plan() -> ExecutionPlan:
    return plan_overlays(lower(branches(), "model"), Wish(0.4))


def last_tile(**changes: object) -> Change:
    def change(overlays: OverlayProgram) -> OverlayProgram:
        last = overlays.tiles[-1]
        merged = {
            name: {**getattr(last, name), **value} if isinstance(value, Mapping) else value
            for name, value in changes.items()
        }
        return replace(overlays, tiles=(*overlays.tiles[:-1], replace(last, **merged)))

    return change


def first_copy(**changes: object) -> Change:
    def change(overlays: OverlayProgram) -> OverlayProgram:
        first, *others = overlays.copies
        return replace(overlays, copies=(replace(first, **changes), *others))  # type: ignore[arg-type]

    return change


def first_pack(**changes: object) -> Change:
    def change(overlays: OverlayProgram) -> OverlayProgram:
        first, *others = overlays.packs
        return replace(overlays, packs=(replace(first, **changes), *others))  # type: ignore[arg-type]

    return change


def many_starts(overlays: OverlayProgram) -> OverlayProgram:
    return replace(overlays, copies=(overlays.copies[0],) * 256 + overlays.copies[1:])


def many_tiles(overlays: OverlayProgram) -> OverlayProgram:
    return replace(overlays, tiles=(overlays.tiles[0],) * 65_536 + overlays.tiles[1:])


def many_copies(overlays: OverlayProgram) -> OverlayProgram:
    return replace(overlays, copies=overlays.copies * (65_536 // len(overlays.copies) + 1))


STATE = Address(Block.STATE, 0)
CHANGES: list[tuple[Change, str]] = [
    (many_tiles, r"there are \d+ tiles: allowed are 65535"),
    (many_copies, r"there are \d+ copies: allowed are 65535"),
    (many_starts, r"tile 0 starts \d+ copies: allowed are 255"),
    (lambda o: replace(o, channel_count=9), "9 channels: allowed are 8"),
    (lambda o: replace(o, packed=o.packed | {"nothing"}), "'nothing', read from packs alone, does"),
    (lambda o: replace(o, tiles=o.tiles[:-1]), "a step has no tile, or a tile no step"),
    (lambda o: replace(o, tiles=o.tiles[::-1]), "tiles do not follow the order of the program's"),
    (
        lambda o: replace(o, stages=o.stages[::-1]),
        "stages do not follow the order of the program's",
    ),
    (first_copy(started_at=-1), "copy 0 starts with no tile, or is for none"),
    (first_copy(tile=10_000), "copy 0 starts with no tile, or is for none"),
    (first_copy(size_bytes=0), "copy 0 has 0 bytes"),
    (first_copy(source=STATE), "a copy goes to or from state"),
    (first_pack(address=Address(Block.ARENA, 0)), "a pack is in a block that is not for packs"),
    (last_tile(addresses={99: Address(Block.ARENA, 0)}), "more arguments than its kernel"),
    (last_tile(addresses={0: Address(Block.ARENA, 0)}), "argument 0 of .* are not the parameters"),
    (last_tile(rows=range(1)), r"computes rows range\(0, 1\) of 0"),
]


def together(
    overlays: OverlayProgram, *, first_is_load: bool, second_is_load: bool
) -> tuple[int, int]:
    """Return two copies that run at the same time, the first of which starts earlier."""
    numbered = list(enumerate(overlays.copies))
    for first, a in numbered:
        for second, b in numbered[first + 1 :]:
            both_load = a.is_load and b.is_load and b.started_at == a.started_at
            if (a.is_load, b.is_load) == (first_is_load, second_is_load) and (
                both_load or b.started_at < a.waited_at
            ):
                return first, second
    raise AssertionError("no two such copies run together")


def changed(overlays: OverlayProgram, index: int, **changes: object) -> OverlayProgram:
    copies = list(overlays.copies)
    copies[index] = replace(copies[index], **changes)  # type: ignore[arg-type]
    return replace(overlays, copies=tuple(copies))


def onto_itself(overlays: OverlayProgram) -> OverlayProgram:
    return changed(overlays, 0, source=overlays.copies[0].destination)


def onto_another(overlays: OverlayProgram) -> OverlayProgram:
    first, second = together(overlays, first_is_load=True, second_is_load=True)
    return changed(overlays, second, destination=overlays.copies[first].destination)


def onto_a_source(overlays: OverlayProgram) -> OverlayProgram:
    first, second = together(overlays, first_is_load=False, second_is_load=True)
    return changed(overlays, second, destination=overlays.copies[first].source)


def from_a_destination(overlays: OverlayProgram) -> OverlayProgram:
    first, second = together(overlays, first_is_load=True, second_is_load=False)
    return changed(overlays, second, source=overlays.copies[first].destination)


@pytest.mark.parametrize("change", [onto_itself, onto_another, onto_a_source, from_a_destination])
def test_copies_that_meet_are_told_so(change: Change) -> None:
    plan = plan_overlays(lower(mobile_blocks(), "model"), Wish(0.3))
    assert plan.overlays is not None
    validate_overlays(plan, plan.overlays)
    with pytest.raises(GraphError, match="that writes what it reads, or what another copy works"):
        validate_overlays(plan, change(plan.overlays))


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_overlays_that_are_wrong_are_told_so(
    plan: ExecutionPlan, change: Change, message: str
) -> None:
    assert plan.overlays is not None
    validate_overlays(plan, plan.overlays)
    with pytest.raises(GraphError, match=message):
        validate_overlays(plan, change(plan.overlays))
