"""Waits for memories, where they can be worked out by hand."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from penstock.bench.networks import NetworkBuilder
from penstock.boards import load_board
from penstock.boards.board import Board
from penstock.boards.costs import TICKS_PER_CYCLE, region_costs
from penstock.kernels.selection import select_kernels
from penstock.planning import Placement
from penstock.planning.estimate.accesses import Access, Hop, Role, Sweep, forward, streamed
from penstock.planning.estimate.loop_accesses import call_accesses
from penstock.planning.estimate.memory import fetch_cycles, wait_cycles
from penstock.planning.estimate.residue import Residue

F7, U5 = load_board("stm32f746g-disco"), load_board("nucleo-u575zi-q")
F4 = load_board("stm32f469i-disco")
INSIDE = Placement(code="flash", weights="flash", arena="dtcm", stack="dtcm")
OUTSIDE = Placement(code="flash", weights="qspi", arena="sdram", stack="dtcm")


def waited_for(accesses: Sequence[Access], placement: Placement, board: Board) -> float:
    """Return the wait of a call that begins with cold caches."""
    return wait_cycles(accesses, placement, board, Residue())


def line_cycles(board: Board, region: str) -> float:
    return region_costs(board.region(region), board).line_read / TICKS_PER_CYCLE


def looped(size_bytes: int, visits: int) -> Access:
    """Weights that every visit goes over."""
    sweeps = (
        Sweep(1 / visits, size_bytes, size_bytes, None),
        Sweep(1 - 1 / visits, size_bytes, size_bytes, 1),
    )
    return Access(Role.WEIGHTS, visits, sweeps, size_bytes * visits)


def test_tightly_coupled_memory_is_never_waited_for() -> None:
    assert waited_for([streamed(Role.ARENA, 4096, 4096)], INSIDE, F7) == 0


def test_a_stream_fills_each_line_once() -> None:
    waited = waited_for([streamed(Role.WEIGHTS, 3200, 3200)], INSIDE, F7)
    assert waited == pytest.approx(100 * line_cycles(F7, "flash"))


def test_a_serial_flash_goes_on_with_the_next_line() -> None:
    costs = region_costs(F7.region("qspi"), F7)
    stream = streamed(Role.WEIGHTS, 3200, 3200)
    assert waited_for([stream], OUTSIDE, F7) == pytest.approx(
        100 * costs.sequential_read / TICKS_PER_CYCLE
    )
    # Four filters in turn: each line is far from the last.
    apart = replace(stream, hops=forward(800))
    assert waited_for([apart], OUTSIDE, F7) == pytest.approx(100 * line_cycles(F7, "qspi"))


def test_what_fits_the_cache_stays_there() -> None:
    waited = waited_for([looped(1024, 50)], INSIDE, F7)
    assert waited == pytest.approx(32 * line_cycles(F7, "flash"), rel=0.05)


def test_what_is_far_larger_than_the_cache_is_fetched_anew() -> None:
    waited = waited_for([looped(1 << 20, 5)], INSIDE, F7)
    assert waited == pytest.approx(5 * 2**15 * line_cycles(F7, "flash"), rel=0.01)


def test_just_over_the_cache_is_between() -> None:
    visits, lines = 100, 160  # the cache holds 128 lines
    share = waited_for([looped(32 * lines, visits)], INSIDE, F7) / (
        visits * lines * line_cycles(F7, "flash")
    )
    assert 0.2 < share < 0.6


def test_pieces_in_the_same_sets_displace_one_another() -> None:
    # 16 pieces of a line: a quarter of a set each where they are evenly spread, but 1 KiB apart
    # all of them are in one set of four ways.
    def waited(step_bytes: int) -> float:
        sweeps = (Sweep(16 / 100, 32, step_bytes, None), Sweep(16, 32, step_bytes, 1))
        return waited_for([Access(Role.WEIGHTS, 100, sweeps, 1600)], INSIDE, F7)

    assert waited(1024) > 3 * waited(96)


def test_writes_push_out_but_are_not_waited_for() -> None:
    written = streamed(Role.ARENA, 1 << 16, 0)
    assert waited_for([written], OUTSIDE, F7) == 0
    alone = waited_for([looped(3072, 20)], OUTSIDE, F7)
    flood = Access(Role.ARENA, 20, (Sweep(1, 4096, 4096, None),), 0)
    assert waited_for([looped(3072, 20), flood], OUTSIDE, F7) > 2 * alone


def test_a_flash_accelerator_keeps_its_last_lines() -> None:
    placement = Placement(code="flash", weights="flash", arena="sram1", stack="sram1")
    costs = region_costs(F4.region("flash"), F4)
    line = costs.fetch / TICKS_PER_CYCLE
    # Eight lines of 16 bytes.
    assert waited_for([looped(64, 100)], placement, F4) == pytest.approx(4 * line)
    assert waited_for([looped(256, 100)], placement, F4) == pytest.approx(1600 * line)


def test_bare_memory_is_waited_for_at_each_read() -> None:
    placement = Placement(code="flash", weights="qspi", arena="sram1", stack="sram1")
    costs = region_costs(F4.region("qspi"), F4)
    apart = Access(Role.WEIGHTS, 1, (), 1000)
    waited = waited_for([apart], placement, F4)
    assert waited == pytest.approx(1000 * costs.word_read / TICKS_PER_CYCLE)
    on = waited_for([replace(apart, hops=forward(1))], placement, F4)
    assert on == pytest.approx(1000 * costs.sequential_word / TICKS_PER_CYCLE)


EXTERNAL = Placement(code="flash", weights="sdram", arena="sdram", stack="sram1")


def row_misses(*accesses: Access) -> float:
    """Return how many reads an STM32F469 made wait for the opening of a row of its SDRAM."""
    costs = region_costs(F4.region("sdram"), F4)
    plain = sum(access.reads for access in accesses) * costs.word_read
    ticks = waited_for(accesses, EXTERNAL, F4) * TICKS_PER_CYCLE
    return (ticks - plain) / costs.row_miss


def test_a_stream_opens_each_row_once() -> None:
    assert F4.region("sdram").timing.row_bytes == 1024  # type: ignore[union-attr]
    assert row_misses(streamed(Role.ARENA, 10240, 10240)) == pytest.approx(10)


def test_filters_apart_open_a_row_each() -> None:
    filters = Access(Role.WEIGHTS, 1, (), 4000, hops=(Hop(0.75, 512), Hop(0.25, 1536)))
    assert row_misses(filters) == pytest.approx(3000 / 2 + 1000)


def test_arrays_that_take_turns_close_the_row_of_each_other() -> None:
    values = streamed(Role.ARENA, 102_400, 1000)
    filters = replace(streamed(Role.WEIGHTS, 102_400, 4000), burst=4.0)
    alone = row_misses(values) + row_misses(filters)
    assert alone == pytest.approx(5000 / 1024)
    # Thousand times there and back, and a few rows that end within a burst.
    assert row_misses(values, filters) == pytest.approx(2000 + 3000 / 1024)
    # Writes take turns too, though the core does not wait for them.
    results = streamed(Role.ARENA, 102_400, 0, writes=100)
    assert row_misses(values, results) == pytest.approx(100 + 900 / 1024)


def test_what_is_around_the_inner_loop_comes_once_a_round() -> None:
    inner = replace(streamed(Role.ARENA, 102_400, 9000), rounds=100)
    outer = replace(streamed(Role.WEIGHTS, 102_400, 800), is_inner=False, rounds=100)
    assert row_misses(inner, outer) == pytest.approx(2 * 100, rel=0.1)


def test_small_arrays_share_a_row() -> None:
    values, filters = streamed(Role.ARENA, 64, 1000), streamed(Role.WEIGHTS, 64, 1000)
    assert row_misses(values, filters) < 0.1 * 2000


def test_a_cache_opens_rows_where_its_misses_take_turns() -> None:
    placement = replace(EXTERNAL, stack="dtcm")
    costs = region_costs(F7.region("sdram"), F7)
    values, filters = streamed(Role.ARENA, 32_000, 32_000), streamed(Role.WEIGHTS, 32_000, 32_000)
    waited = waited_for([values, filters], placement, F7)
    assert waited == pytest.approx(2000 * (costs.line_read + costs.row_miss) / TICKS_PER_CYCLE)
    alone = waited_for([values], placement, F7)
    rows = 32_000 / costs.row_bytes
    assert alone == pytest.approx(
        (1000 * costs.line_read + rows * costs.row_miss) / TICKS_PER_CYCLE
    )


def test_pieces_that_go_on_share_their_lines() -> None:
    # A window that moves on by two bytes finds a new line at every sixteenth step.
    sweep = Sweep(1, 2, 64, None, is_joined=True)
    access = Access(Role.WEIGHTS, 160, (sweep,), 320, hops=forward(2))
    assert waited_for([access], INSIDE, F7) == pytest.approx(10 * line_cycles(F7, "flash"))


def test_what_a_call_left_in_the_cache_is_there_for_the_next() -> None:
    residue = Residue()
    small = replace(streamed(Role.WEIGHTS, 320, 320), array="table")
    flood = replace(streamed(Role.WEIGHTS, 1 << 20, 1 << 20), array="filters")

    def waited(access: Access) -> float:
        return wait_cycles([access], INSIDE, F7, residue) / line_cycles(F7, "flash")

    assert waited(small) == pytest.approx(10)
    assert waited(small) == pytest.approx(0, abs=1)
    assert waited(flood) == pytest.approx(1 << 15)
    assert waited(small) == pytest.approx(10)


def test_code_is_fetched_in_lines() -> None:
    assert fetch_cycles(320, F7) == pytest.approx(10 * line_cycles(F7, "flash"))


def test_code_behind_a_cache_that_is_off_is_fetched_bare() -> None:
    flash = U5.region("flash")
    cache = U5.instruction_cache
    assert cache is not None
    off = replace(U5, instruction_cache=replace(cache, is_on_at_start=False))
    assert fetch_cycles(320, U5) == 20 * line_cycles(U5, "flash")
    assert fetch_cycles(320, off) == 80 * region_costs(flash, off).fetch / TICKS_PER_CYCLE


def test_a_layer_reads_its_weights_once_for_each_row() -> None:
    for rows in (1, 3):
        network = NetworkBuilder()
        network.fully_connected(rows, 2048, 64)
        program = select_kernels(network.build("network"))
        waited = waited_for(call_accesses(program, program.calls[0]), INSIDE, F7)
        weights = rows * 64 * 2048 / 32 * line_cycles(F7, "flash")
        assert waited == pytest.approx(weights, rel=0.02)
