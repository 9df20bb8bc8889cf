"""The table of throughput leaves out what does not fit, and nothing else."""

from dataclasses import replace

import pytest

from penstock.bench.throughput import _measure
from penstock.boards import load_board
from penstock.errors import InputError

BOARD = load_board("stm32f746g-disco")


def test_what_a_memory_has_no_room_for_is_left_out() -> None:
    small = tuple(replace(r, size_bytes=4096) if r.name == "dtcm" else r for r in BOARD.regions)
    assert _measure(replace(BOARD, regions=small), "products", "flash", "dtcm") == []


def test_a_placement_that_makes_no_sense_is_an_error() -> None:
    with pytest.raises(InputError, match="cannot hold the arena"):
        _measure(BOARD, "products", "flash", "flash")
