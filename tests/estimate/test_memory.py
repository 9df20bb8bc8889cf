"""Waits for memories, where they can be worked out by hand."""

from dataclasses import replace

import pytest

from penstock.bench.networks import NetworkBuilder
from penstock.boards import load_board
from penstock.boards.board import Board
from penstock.boards.costs import TICKS_PER_CYCLE, region_costs
from penstock.kernels.selection import select_kernels
from penstock.planning import Placement
from penstock.planning.estimate.accesses import Access, Role, Sweep, streamed
from penstock.planning.estimate.loop_accesses import call_accesses
from penstock.planning.estimate.memory import fetch_cycles, wait_cycles

F7 = load_board("stm32f746g-disco")
F4 = load_board("stm32f469i-disco")
INSIDE = Placement(code="flash", weights="flash", arena="dtcm", stack="dtcm")
OUTSIDE = Placement(code="flash", weights="qspi", arena="sdram", stack="dtcm")


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
    assert wait_cycles([streamed(Role.ARENA, 4096, 4096)], INSIDE, F7) == 0


@pytest.mark.parametrize(("placement", "region"), [(INSIDE, "flash"), (OUTSIDE, "qspi")])
def test_a_stream_fills_each_line_once(placement: Placement, region: str) -> None:
    waited = wait_cycles([streamed(Role.WEIGHTS, 3200, 3200)], placement, F7)
    assert waited == pytest.approx(100 * line_cycles(F7, region))


def test_what_fits_the_cache_stays_there() -> None:
    waited = wait_cycles([looped(1024, 50)], INSIDE, F7)
    assert waited == pytest.approx(32 * line_cycles(F7, "flash"), rel=0.05)


def test_what_is_far_larger_than_the_cache_is_fetched_anew() -> None:
    waited = wait_cycles([looped(1 << 20, 5)], INSIDE, F7)
    assert waited == pytest.approx(5 * 2**15 * line_cycles(F7, "flash"), rel=0.01)


def test_just_over_the_cache_is_between() -> None:
    visits, lines = 100, 160  # the cache holds 128 lines
    share = wait_cycles([looped(32 * lines, visits)], INSIDE, F7) / (
        visits * lines * line_cycles(F7, "flash")
    )
    assert 0.2 < share < 0.6


def test_pieces_in_the_same_sets_displace_one_another() -> None:
    # 16 pieces of a line: a quarter of a set each where they are evenly spread, but 1 KiB apart
    # all of them are in one set of four ways.
    def waited(step_bytes: int) -> float:
        sweeps = (Sweep(16 / 100, 32, step_bytes, None), Sweep(16, 32, step_bytes, 1))
        return wait_cycles([Access(Role.WEIGHTS, 100, sweeps, 1600)], INSIDE, F7)

    assert waited(1024) > 3 * waited(96)


def test_writes_push_out_but_are_not_waited_for() -> None:
    written = streamed(Role.ARENA, 1 << 16, 0)
    assert wait_cycles([written], OUTSIDE, F7) == 0
    alone = wait_cycles([looped(3072, 20)], OUTSIDE, F7)
    flood = Access(Role.ARENA, 20, (Sweep(1, 4096, 4096, None),), 0)
    assert wait_cycles([looped(3072, 20), flood], OUTSIDE, F7) > 2 * alone


def test_a_flash_accelerator_keeps_its_last_lines() -> None:
    placement = Placement(code="flash", weights="flash", arena="sram1", stack="sram1")
    costs = region_costs(F4.region("flash"), F4)
    line = costs.fetch / TICKS_PER_CYCLE
    # Eight lines of 16 bytes.
    assert wait_cycles([looped(64, 100)], placement, F4) == pytest.approx(4 * line)
    assert wait_cycles([looped(256, 100)], placement, F4) == pytest.approx(1600 * line)


def test_bare_memory_is_waited_for_at_each_read() -> None:
    placement = Placement(code="flash", weights="qspi", arena="sram1", stack="sram1")
    costs = region_costs(F4.region("qspi"), F4)
    apart = Access(Role.WEIGHTS, 1, (), 1000, 1, sequential=0.0)
    waited = wait_cycles([apart], placement, F4)
    assert waited == pytest.approx(1000 * costs.word_read / TICKS_PER_CYCLE)
    on = wait_cycles([replace(apart, sequential=1.0)], placement, F4)
    assert on == pytest.approx(1000 * costs.sequential_word / TICKS_PER_CYCLE)


def test_code_is_fetched_in_lines() -> None:
    assert fetch_cycles(320, F7) == pytest.approx(10 * line_cycles(F7, "flash"))


def test_a_layer_reads_its_weights_once_for_each_row() -> None:
    for rows in (1, 3):
        network = NetworkBuilder()
        network.fully_connected(rows, 2048, 64)
        program = select_kernels(network.build("network"))
        waited = wait_cycles(call_accesses(program, program.calls[0]), INSIDE, F7)
        weights = rows * 64 * 2048 / 32 * line_cycles(F7, "flash")
        assert waited == pytest.approx(weights, rel=0.02)
