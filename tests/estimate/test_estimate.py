"""Estimates of whole networks: what they add up to, and how they compare with simulations."""

from pathlib import Path

import pytest

from penstock import api
from penstock.boards import load_board
from penstock.errors import InputError
from penstock.frontends.tflite import load_model
from penstock.kernels.kernel_set import KernelChoice, kernel_set
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning import plan_execution
from penstock.planning.estimate import Estimate, estimate_plan
from penstock.planning.estimate.coefficients import load_coefficients
from penstock.planning.options import PlanOptions
from tests.estimate.comparing import ERROR_WORST
from tests.timed_boards import TIMED_BOARDS

EXAMPLE = Path(__file__).parents[2] / "examples" / "cifar10.tflite"
PLACEMENTS = (("flash", "dtcm"), ("flash", "sram1"), ("qspi", "dtcm"), ("qspi", "sdram"))


def estimate(
    board: str,
    weights_in: str | None = None,
    arena_in: str | None = None,
    choice: KernelChoice = KernelChoice.AUTO,
) -> Estimate:
    target = load_board(board)
    kernels = kernel_set(target.core.name, choice)
    program = select_kernels(run_passes(load_model(EXAMPLE)), kernels)
    plan = plan_execution(program, target, weights_in=weights_in, arena_in=arena_in)
    return estimate_plan(plan, target)


@pytest.mark.parametrize("board", TIMED_BOARDS)
def test_every_board_has_estimates(board: str) -> None:
    found = estimate(board)
    steps = sum(operator.cycles for operator in found.operators)
    assert steps < found.cycles < 1.01 * steps
    assert all(0 <= operator.wait_cycles < operator.cycles for operator in found.operators)
    assert found.seconds == found.cycles / load_board(board).clock_hz


def test_slower_memories_take_longer() -> None:
    nearest, *between, farthest = (
        estimate("stm32f746g-disco", *placement).cycles for placement in PLACEMENTS
    )
    assert nearest < min(between) <= max(between) < farthest


def test_loads_overlap_within_one_memory_of_a_cortex_m4() -> None:
    plain = KernelChoice.REFERENCE
    together = estimate("nucleo-l4r5zi", "sram3", "sram3", plain)
    apart = estimate("nucleo-l4r5zi", "sram3", "sram1", plain)
    assert 0.9 < together.cycles / apart.cycles < 0.99
    assert all(not kernel.switches for kernel in load_coefficients("cortex-m7").kernels.values())


def test_the_host_has_no_time() -> None:
    plan = plan_execution(select_kernels(run_passes(load_model(EXAMPLE))), None)
    with pytest.raises(InputError, match="plan for the host has no time"):
        estimate_plan(plan, load_board("stm32f746g-disco"))


@pytest.mark.board
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_the_example_is_estimated_in_each_memory(placement: tuple[str, str]) -> None:
    weights_in, arena_in = placement
    options = api.CompileOptions(PlanOptions(weights_in, arena_in, overlays=False))
    time = api.run(EXAMPLE, board="stm32f746g-disco", options=options).result.time
    assert time is not None
    found = estimate("stm32f746g-disco", weights_in, arena_in)
    assert found.cycles == pytest.approx(time.cycles, rel=ERROR_WORST)
