"""Registers of the core: cache maintenance."""

from dataclasses import replace

import pytest

from penstock.boards import Board
from penstock.boards.timing import Cache
from tests.simulate.calibration.bench import Bench
from tests.simulate.calibration.code import POKE, READ, assemble

DCISW = 0xE000_EF60


@pytest.mark.parametrize(("way", "is_read_again"), [(0, True), (2, False), (3, False)])
def test_maintenance_of_a_way_that_does_not_exist(
    board: Board, way: int, is_read_again: bool
) -> None:
    """The third of three ways is empty here; the fourth is no part of the next set."""
    line = 32
    cache = Cache(size_bytes=128 * 3 * line, ways=3, line_bytes=line)
    sdram = board.region("sdram").base
    with Bench(replace(board, data_cache=cache)) as bench:
        bench.set_mpu(sdram, 23, tex=1, c=1, b=1)
        bench.run(assemble(READ), "itcm", 2, sdram, line)  # sets 0 and 1
        bench.run(assemble(POKE), "itcm", DCISW, way << 30)
        again = bench.run(assemble(READ), "itcm", 2, sdram, line)
    assert ("sdram" in again.traffic) == is_read_again
