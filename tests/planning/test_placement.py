"""Sections go to the fastest memory that fits; what fits nowhere is explained."""

from dataclasses import replace

import pytest

from penstock.boards import Board, load_board
from penstock.errors import CapacityError, InputError
from penstock.planning.execution_plan import Placement
from penstock.planning.placement import Demand, place_sections

KIB = 1024


@pytest.fixture
def disco() -> Board:
    return load_board("stm32f746g-disco")


def _demand(weights_kib: int, arena_kib: int) -> Demand:
    return Demand(40 * KIB, weights_kib * KIB, arena_kib * KIB, 8 * KIB)


@pytest.mark.parametrize(
    ("weights_kib", "arena_kib", "expected"),
    [
        (300, 40, Placement("flash", "flash", "dtcm", "dtcm")),
        (300, 100, Placement("flash", "flash", "sram1", "dtcm")),
        (3500, 1500, Placement("flash", "qspi", "sdram", "dtcm")),
        (1000, 10, Placement("flash", "qspi", "dtcm", "dtcm")),
    ],
)
def test_the_fastest_memory_that_fits(
    disco: Board, weights_kib: int, arena_kib: int, expected: Placement
) -> None:
    assert place_sections(_demand(weights_kib, arena_kib), disco) == expected


def test_wishes_are_served_first(disco: Board) -> None:
    placement = place_sections(_demand(300, 60), disco, weights_in="qspi", arena_in="dtcm")
    assert placement == Placement("flash", "qspi", "dtcm", "sram1")


def test_weights_in_memory_that_forgets_need_room_in_flash_too(disco: Board) -> None:
    placement = place_sections(_demand(500, 10), disco, weights_in="sdram")
    assert (placement.weights, placement.weights_image) == ("sdram", None)
    placement = place_sections(_demand(2000, 10), disco, weights_in="sdram")
    assert (placement.weights, placement.weights_image) == ("sdram", "qspi")
    disco = replace(disco, regions=tuple(r for r in disco.regions if r.name != "qspi"))
    with pytest.raises(CapacityError, match="weights before start-up copies them need "):
        place_sections(_demand(2000, 10), disco, weights_in="sdram")


def test_what_does_not_fit_is_explained(disco: Board) -> None:
    with pytest.raises(CapacityError) as caught:
        place_sections(_demand(100, 9000), disco)
    assert str(caught.value) == (
        "the arena needs 9216000 B (8.8 MiB), more than any memory of board 'stm32f746g-disco' "
        "has left: dtcm 57344 of 65536 B free, sram1 245760 of 245760 B free, "
        "sram2 16384 of 16384 B free, sdram 8388608 of 8388608 B free\n"
        "  help: take a board with more memory, a smaller input, or a narrower model"
    )
    with pytest.raises(CapacityError, match="the weights need 20480000 B"):
        place_sections(_demand(20_000, 10), disco)
    with pytest.raises(CapacityError, match="leave the choice of the region to Penstock"):
        place_sections(_demand(100, 100), disco, arena_in="dtcm")


def test_unknown_and_unfit_regions_are_refused(disco: Board) -> None:
    with pytest.raises(InputError, match="has no memory region 'moon' for the arena") as caught:
        place_sections(_demand(1, 1), disco, arena_in="moon")
    assert "choose one of: dtcm, sram1, sram2, sdram" in str(caught.value)
    with pytest.raises(InputError, match=r"'flash' .* cannot hold the arena"):
        place_sections(_demand(1, 1), disco, arena_in="flash")
    with pytest.raises(InputError, match="has no memory region 'moon' for the weights") as caught:
        place_sections(_demand(1, 1), disco, weights_in="moon")
    offered = caught.value.help.removeprefix("choose one of: ").split(", ")
    assert offered == [region.name for region in disco.regions]
    for name in offered:
        assert place_sections(_demand(1, 1), disco, weights_in=name).weights == name
