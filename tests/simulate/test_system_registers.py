"""Registers of the core: counters that firmware times itself by, MPU, cache maintenance."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.boards import Board, load_board
from penstock.boards.timing import Cache
from penstock.simulate.program import ProgramRun, simulate_program
from penstock.simulate.program_options import ProgramOptions
from penstock.toolchain import find_target_compiler
from tests.simulate.calibration.bench import Bench
from tests.simulate.calibration.code import POKE, READ, assemble
from tests.simulate.images import link_cases

SLACK = 60
"""Cycles around what a function times."""
TRACE_ON, COUNTER_ON = 1 << 24, 1
DCISW = 0xE000_EF60
Call = Callable[..., ProgramRun]


@pytest.fixture(scope="module", params=["stm32f746g-disco", "nucleo-u575zi-q"])
def call(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Call:
    found = load_board(request.param)
    compiler = find_target_compiler(found.core)
    program = link_cases(found, compiler, tmp_path_factory.mktemp("registers"))

    def run(*calls: str) -> ProgramRun:
        return simulate_program(program, found, ProgramOptions(calls=calls))

    return run


def cycles(result: ProgramRun) -> int:
    assert result.time is not None
    return result.time.cycles


def returned(result: ProgramRun) -> int:
    assert result.return_value is not None
    return result.return_value


@pytest.mark.parametrize("times", [1, 2, 3])
def test_systick_times_a_function_each_time(call: Call, times: int) -> None:
    result = call(*["systick_of_work(100)"] * times)
    assert 100 < returned(result) < cycles(result) < returned(result) + SLACK * 3


def test_systick_keeps_what_it_has_while_it_is_off(call: Call) -> None:
    assert returned(call("stopped_systick(50)")) == 0


def test_a_delay_loop_ends_by_the_count_flag(call: Call) -> None:
    """Of 1000 cycles a period; reading the flag clears it."""
    few, many = call("delays(5)", "delays(5)"), call("delays(5)", "delays(25)")
    assert cycles(many) - cycles(few) == pytest.approx(20 * 1000, abs=SLACK)
    assert returned(few) == returned(many) == 5


def test_systick_without_a_reload_value_ends_at_zero(call: Call) -> None:
    """The flag is set once, and the value stays 0."""
    assert returned(call("counts_down_once(50)")) == 100


@pytest.mark.parametrize(("reload", "flag"), [(99, 1), (0xFF_FFFF, 0), (0, 0)])
def test_the_count_flag_remembers_that_zero_was_reached(call: Call, reload: int, flag: int) -> None:
    assert returned(call(f"flag_after_work({reload})")) == flag


def test_the_cycle_counter_counts_while_both_bits_are_set(call: Call) -> None:
    def counted(debug_control: int, control: int) -> int:
        return returned(call(f"cycle_counter_over_work({debug_control}, {control})")) - 1000

    on = call(f"cycle_counter_over_work({TRACE_ON}, {COUNTER_ON})")
    assert 100 < returned(on) - 1000 < cycles(on)
    assert counted(0, COUNTER_ON) == counted(TRACE_ON, 0) == counted(0, 0) == 0


def test_the_cycle_counter_keeps_what_it_has_while_it_is_off(call: Call) -> None:
    assert returned(call("stopped_cycle_counter")) < SLACK


def test_an_mpu_of_armv8m_is_not_taken_for_one_of_armv7m(tmp_path: Path) -> None:
    board = load_board("nucleo-u575zi-q")
    program = link_cases(board, find_target_compiler(board.core), tmp_path)
    options = ProgramOptions(calls=("reads_unaligned_with_an_armv8m_mpu",))
    assert simulate_program(program, board, options).return_value == 0


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
