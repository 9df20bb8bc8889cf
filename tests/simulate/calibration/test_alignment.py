"""Accesses that are no multiple of their size: two of the bus, and none of a device."""

import pytest

from penstock.boards import Board, load_board
from penstock.boards.costs import TICKS_PER_CYCLE, region_costs
from penstock.errors import SimulationError
from tests.simulate.calibration.bench import Bench, turns_of
from tests.simulate.calibration.code import LOAD, WRITE, assemble

SDRAM = 0xC000_0000
TURNS = 256


@pytest.mark.parametrize(
    ("load", "offset", "accesses"),
    [("ldr", 0, 1), ("ldr", 1, 2), ("ldr", 3, 2), ("ldrh", 1, 1), ("ldrh", 3, 2), ("ldrb", 3, 1)],
)
def test_what_lies_in_two_words_of_an_uncached_memory_is_read_twice(
    h723: Board, load: str, offset: int, accesses: int
) -> None:
    costs = region_costs(h723.region("sdram"), h723)
    ticks = costs.word_read + (costs.sequential_word if accesses == 2 else 0)
    with Bench(h723, caches=False) as bench:
        bench.set_mpu(SDRAM, 25, tex=1)
        found = turns_of(bench, assemble(LOAD[load, offset]), "itcm", TURNS, SDRAM)
    assert found.stalls["external"] == pytest.approx(TURNS * ticks / TICKS_PER_CYCLE, abs=1)


@pytest.mark.parametrize("board", ["stm32f746g-disco", "stm32f469i-disco"])
@pytest.mark.parametrize(("load", "offset"), [("ldr", 1), ("ldr", 2), ("ldrh", 1)])
def test_a_device_is_read_by_whole_items_only(board: str, load: str, offset: int) -> None:
    """ARMv7-M architecture reference manual, A3.2.1 and B3.1: SDRAM is a device by default."""
    with Bench(load_board(board)) as bench:
        code = assemble(LOAD[load, offset])
        pattern = (
            rf"the code at 0x\w+ reads {4 if load == 'ldr' else 2} bytes at "
            rf"{SDRAM + offset:#010x} in 'sdram', which is no multiple of their size"
        )
        with pytest.raises(SimulationError, match=pattern):
            bench.run(code, "sram1", 1, SDRAM)


def test_a_device_is_written_by_whole_items_only() -> None:
    with Bench(load_board("stm32f746g-disco")) as bench:
        bench.run(assemble(WRITE), "sram1", 1, SDRAM + 4, 4)
        with pytest.raises(SimulationError, match=r"writes 4 bytes at 0xc0000006 in 'sdram'"):
            bench.run(assemble(WRITE), "sram1", 1, SDRAM + 6, 4)


@pytest.mark.parametrize("board", ["stm32f746g-disco", "stm32f469i-disco"])
def test_memory_may_be_read_anywhere(board: str) -> None:
    with Bench(load_board(board)) as bench:
        bench.set_mpu(SDRAM, 23, tex=1, c=1, b=1)
        bench.run(assemble(LOAD["ldr", 1]), "sram1", 1, SDRAM)
        bench.run(assemble(WRITE), "sram1", 1, SDRAM + 6, 4)
