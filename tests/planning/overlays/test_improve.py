"""Plans of both efforts: valid, never worse, the same each time; infeasible ones say why."""

from dataclasses import replace
from pathlib import Path

import pytest

from penstock.boards import load_board
from penstock.boards.board import Board
from penstock.errors import CapacityError
from penstock.frontends.tflite import load_model
from penstock.kernels.kernel_graph import KernelGraph
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning import ExecutionPlan, plan_model, validate_plan
from penstock.planning.estimate import estimate_overlaid
from penstock.planning.options import Effort, PlanOptions, reserve_memory
from penstock.planning.overlaid import plan_overlaid
from penstock.planning.overlay_site import find_site
from penstock.planning.overlays.choices import Prices
from penstock.planning.overlays.plan import overlay
from penstock.planning.text import format_plan

EXAMPLE = Path(__file__).parents[3] / "examples" / "cifar10.tflite"
FULL = PlanOptions(effort=Effort.FULL)
CROWDED = (("dtcm", 52 << 10), ("sram1", 204 << 10), ("flash", 960 << 10))
MODELS = (
    ("mlperf_tiny/vww_96_14blk_836k_int8.tflite", "stm32f469i-disco", ()),
    ("mlperf_tiny/vww_96_14blk_836k_int8.tflite", "stm32f746g-disco", (("sram1", 120 << 10),)),
    ("mlperf_tiny/pretrainedResnet_quant.tflite", "nucleo-h743zi", ()),
    ("mcunet/mcunet-vww1_80.tflite", "stm32f469i-disco", (("sram1", 64 << 10),)),
)


def program_of(path: Path) -> KernelGraph:
    return select_kernels(run_passes(load_model(path)))


def check_both(program: KernelGraph, board: Board, options: PlanOptions) -> ExecutionPlan:
    """Plan with both efforts, check what is promised, and return the better plan."""
    less = reserve_memory(board, options)
    fast = plan_model(program, board, options)
    full = plan_model(program, board, replace(options, effort=Effort.FULL))
    assert fast.search is None
    assert full.search is not None
    for plan in (fast, full):
        validate_plan(plan, less)
    assert full.search.cycles == round(estimate_overlaid(full, less).cycles)
    assert full.search.greedy_cycles == round(estimate_overlaid(fast, less).cycles)
    assert full.search.bound_cycles <= full.search.cycles <= full.search.greedy_cycles
    return full


@pytest.mark.parametrize("reserve", [(), CROWDED])
def test_the_example_is_planned_near_its_bound(reserve: tuple[tuple[str, int], ...]) -> None:
    board = load_board("stm32f746g-disco")
    plan = check_both(program_of(EXAMPLE), board, PlanOptions(reserve=reserve))
    assert plan.search is not None
    assert plan.search.is_complete
    assert plan.search.cycles <= 1.05 * plan.search.bound_cycles


@pytest.mark.models
@pytest.mark.shared
@pytest.mark.parametrize(("model", "board", "reserve"), MODELS)
def test_both_efforts_are_valid_on_real_models(
    model: str, board: str, reserve: tuple[tuple[str, int], ...], shared_dir: Path
) -> None:
    program = program_of(shared_dir / "models" / model)
    check_both(program, load_board(board), PlanOptions(reserve=reserve))


def test_the_same_wishes_give_the_same_plan() -> None:
    board = load_board("stm32f746g-disco")
    options = replace(FULL, reserve=CROWDED)
    plans = [plan_model(program_of(EXAMPLE), board, options) for _ in range(2)]
    assert format_plan(plans[0]) == format_plan(plans[1])
    assert plans[0].search == plans[1].search


def test_prices_are_those_of_the_estimate() -> None:
    board = load_board("stm32f469i-disco")
    program = program_of(EXAMPLE)
    site = find_site(program, board)
    overlaid = overlay(program, site.space)
    timeline = estimate_overlaid(site.complete(overlaid), board)
    prices = Prices(site.ground)
    for step, call in enumerate(program.calls):
        cheapest = min(choice.cycles for choice in prices.choices(step, frozenset()))
        if call.macs:
            assert cheapest == pytest.approx(timeline.steps[step].cycles, rel=0.01, abs=1000)


def test_what_does_not_fit_names_the_operator_and_the_bytes_that_it_lacks() -> None:
    board = load_board("stm32f746g-disco")
    options = replace(FULL, reserve=(("sram1", 238 << 10), ("sram2", 15 << 10), ("dtcm", 55 << 10)))
    with pytest.raises(CapacityError, match=r"step \d+ \(ps_\w+\) needs \d+ B"):
        plan_overlaid(program_of(EXAMPLE), reserve_memory(board, options), options)


def test_progress_is_told() -> None:
    said: list[str] = []
    plan_model(
        program_of(EXAMPLE), load_board("stm32f746g-disco"), FULL, lambda what, _: said.append(what)
    )
    assert "solving the plan" in said
