"""Durations of copies: against the rates of virtual boards, which docs/dma.md states."""

import re
from pathlib import Path

import pytest

from penstock.boards import load_board
from penstock.planning.estimate.copying import find_route
from penstock.planning.estimate.timeline import Controller, Job

PAGE = Path(__file__).parents[2] / "docs" / "dma.md"
DRIVERS_COLUMN = 4
"""Words in bursts of four: what the driver chooses where a source is aligned."""


def stated() -> list[tuple[str, str, float]]:
    """Return board, source and MB/s of the page's table."""
    rows = re.findall(
        r"^\| ([\w-]+), (qspi|sdram|flash) \|(.*)\|$", PAGE.read_text(encoding="utf-8"), re.M
    )
    return [
        (board, source, float(cells.split("|")[DRIVERS_COLUMN])) for board, source, cells in rows
    ]


@pytest.mark.parametrize(("board_name", "source", "rate"), stated())
def test_copies_are_as_fast_as_simulated(board_name: str, source: str, rate: float) -> None:
    board = load_board(board_name)
    route = find_route(board.region(source), board.region("sram1"), 16, board)
    size = 16 * 1024
    assert size / (route.cycles(size) / board.clock_hz) / 1e6 == pytest.approx(rate, rel=0.01)


def test_odd_sources_take_longer() -> None:
    board = load_board("stm32f746g-disco")
    flash, ram = board.region("flash"), board.region("sram1")
    cycles = [find_route(flash, ram, alignment, board).cycles(1024) for alignment in (1, 2, 4, 16)]
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[0] > 3 * cycles[-1]


def test_a_board_without_a_driver_copies_with_its_core() -> None:
    board = load_board("nucleo-l4r5zi")
    route = find_route(board.region("flash"), board.region("sram1"), 16, board)
    assert route.is_by_core


def test_the_lowest_channel_is_served_first() -> None:
    board = load_board("stm32f469i-disco")
    route = find_route(board.region("flash"), board.region("sram1"), 16, board)
    controller = Controller()
    controller.start(1, Job(route, 100.0), 0.0)
    controller.start(0, Job(route, 50.0), 40.0)
    assert controller.finish(0, 60.0) == 90.0
    assert controller.finish(1, 100.0) == 150.0


def test_a_controller_does_nothing_before_it_is_asked() -> None:
    board = load_board("stm32f469i-disco")
    route = find_route(board.region("flash"), board.region("sram1"), 16, board)
    controller = Controller()
    controller.start(0, Job(route, 10.0), 5.0)
    assert controller.advance(8.0) == {0: 3.0}
    assert controller.advance(30.0) == {0: 7.0}
    assert controller.finish(0, 40.0) == 40.0
