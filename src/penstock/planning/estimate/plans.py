"""Estimates of plans: of whole kernels, or of tiles and copies where there are overlays."""

from penstock.boards.board import Board
from penstock.errors import InputError
from penstock.planning.estimate.accuracy import OVERLAYS, Homes, error_of_homes, find_homes
from penstock.planning.estimate.coefficients import load_coefficients
from penstock.planning.estimate.estimate import Estimate, OperatorEstimate, estimate_program
from penstock.planning.estimate.timeline import estimate_overlaid
from penstock.planning.execution_plan import ExecutionPlan


def estimate_plan(plan: ExecutionPlan, board: Board) -> Estimate:
    """Return what a planned network is expected to take; raises as `estimate_program`.

    Raises:
        InputError: the plan is for no board.
    """
    if plan.placement is None:
        raise InputError("a plan for the host has no time", help="plan for a board")
    if plan.overlays is None:
        return estimate_program(plan.program, plan.placement, board)
    timeline = estimate_overlaid(plan, board)
    homes = Homes(OVERLAYS, find_homes(plan.placement, board).arena)
    return Estimate(
        cycles=round(timeline.cycles),
        operators=tuple(
            OperatorEstimate(call.kernel.name, step.cycles, step.wait_cycles + step.stall_cycles)
            for call, step in zip(plan.program.calls, timeline.steps, strict=True)
        ),
        clock_hz=board.clock_hz,
        compiler=load_coefficients(board.core.name).compiler,
        error=error_of_homes(homes, board),
        dma_wait_cycles=round(timeline.stall_cycles),
    )
