"""What estimates say of their own error."""

from dataclasses import replace

import pytest

from penstock.boards import load_board
from penstock.planning import Placement
from penstock.planning.estimate import Homes
from penstock.planning.estimate.accuracy import (
    ANY,
    Accuracy,
    format_accuracy,
    load_accuracy,
    parse_accuracy,
    replace_accuracy,
    stated_error,
)
from tests.estimate.tables import DATA, PAGE, with_tables

F7, U5 = load_board("stm32f746g-disco"), load_board("nucleo-u575zi-q")
OUTSIDE = Placement(code="flash", weights="qspi", arena="sdram", stack="dtcm")


def entry(board: str, models: str, median: float) -> Accuracy:
    return Accuracy(board, "cortex-m7", models, "flash", "SDRAM", 3, median, 0.1, -0.2, "a.tflite")


def test_the_package_states_what_the_page_shows() -> None:
    assert format_accuracy(load_accuracy()) == DATA.read_text()
    page = PAGE.read_text()
    assert with_tables(page, load_accuracy()) == page, "docs/estimate.md is stale: `make docs`"


def test_an_error_is_that_of_the_same_kind_of_placement() -> None:
    stated = stated_error(OUTSIDE, F7)
    assert stated.homes == Homes("serial flash", "SDRAM")
    assert (stated.boards, stated.is_board_compared) == ((F7.name,), True)
    alike = [
        known
        for known in load_accuracy()
        if (known.board, known.weights, known.arena) == (F7.name, "serial flash", "SDRAM")
    ]
    assert stated.count == sum(known.count for known in alike)
    assert stated.worst == max(abs(known.worst) for known in alike)
    assert stated.median == max(known.median for known in alike)
    inside = stated_error(replace(OUTSIDE, weights="flash", arena="sram1"), F7)
    assert inside.homes == Homes("flash", "internal RAM")
    assert inside.count != stated.count


@pytest.mark.parametrize("change", [{"name": "mine"}, {"clock_hz": 100_000_000}])
def test_a_board_that_was_never_compared_says_so(change: dict[str, object]) -> None:
    stated = stated_error(OUTSIDE, replace(F7, **change))  # type: ignore[arg-type]
    assert not stated.is_board_compared
    assert {"stm32f746g-disco", "stm32f769i-disco", "stm32h747i-disco"} <= set(stated.boards)
    assert stated.count > stated_error(OUTSIDE, F7).count


def test_a_placement_that_was_never_compared_has_no_error() -> None:
    sdram = replace(F7.region("sdram"), base=0x6000_0000)
    board = replace(U5, regions=(*U5.regions, sdram))
    stated = stated_error(replace(OUTSIDE, weights="flash", stack="sram1"), board)
    assert (stated.boards, stated.count) == ((), 0)
    assert (stated.median, stated.worst) == (None, None)


def test_comparisons_made_anew_replace_the_old_ones() -> None:
    old = [
        entry("a", "collection", 0.1),
        entry("a", "placements", 0.2),
        entry("b", "placements", 0.3),
    ]
    new = [entry("a", "placements", 0.4), replace(entry("a", "placements", 0.5), weights=ANY)]
    found = replace_accuracy(old, new)
    assert [known.median for known in found] == [0.1, 0.5, 0.4, 0.3]
    assert parse_accuracy(format_accuracy(found[::-1])) == tuple(found)
