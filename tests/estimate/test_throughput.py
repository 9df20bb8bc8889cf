"""The table of throughput leaves out what does not fit, and nothing else; its errors."""

import re
import statistics
from dataclasses import replace

import pytest

from penstock.bench.throughput import Throughput, _measure, measure_throughput
from penstock.boards import load_board
from penstock.errors import InputError
from tests.estimate.tables import PAGE, replace_table
from tests.timed_boards import TIMED_BOARDS

HEADINGS = """| board | operators | median error | 90 % are within | worst | of |
|---|--:|--:|--:|--:|---|"""
POINTS = 0.2
"""By which another compiler may move a figure."""
BOARD = load_board("stm32f746g-disco")


def test_what_a_memory_has_no_room_for_is_left_out() -> None:
    small = tuple(replace(r, size_bytes=4096) if r.name == "dtcm" else r for r in BOARD.regions)
    assert _measure(replace(BOARD, regions=small), "products", "flash", "dtcm") == []


def test_a_placement_that_makes_no_sense_is_an_error() -> None:
    with pytest.raises(InputError, match="cannot hold the arena"):
        _measure(BOARD, "products", "flash", "flash")


def _row(board: str, found: list[Throughput]) -> str:
    errors = sorted((row.error for row in found), key=abs)
    worst = max(found, key=lambda row: abs(row.error))
    median = statistics.median(map(abs, errors))
    ninety = abs(errors[-(-9 * len(errors) // 10) - 1])
    return (
        f"| {board} | {len(errors)} | {100 * median:.1f} % | {100 * ninety:.1f} % "
        f"| {100 * worst.error:+.1f} % | `{worst.kernel}`, {worst.weights_in}, {worst.arena_in} |"
    )


def _figures(text: str) -> list[float]:
    return [float(figure) for figure in re.findall(r"[-+]?\d+\.\d(?= %)", text)]


@pytest.mark.board
def test_the_page_says_how_far_single_operators_are_off(update_docs: bool) -> None:
    measured = [(name, measure_throughput(load_board(name), _silent)) for name in TIMED_BOARDS]
    table = "\n".join([HEADINGS, *(_row(name, found) for name, found in measured)])
    page = PAGE.read_text(encoding="utf-8")
    current = replace_table(page, "operators", table)
    if update_docs:
        PAGE.write_text(current, encoding="utf-8")
        return
    stated, found = _figures(page), _figures(current)
    assert len(stated) == len(found)
    for old, new in zip(stated, found, strict=True):
        assert abs(old - new) <= POINTS, "docs/estimate.md is not current: run `make docs`"


def _silent(_done: int, _total: int) -> None:
    pass
