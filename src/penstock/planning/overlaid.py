"""Plans as users ask for them: with overlays where these are possible and worth it."""

from dataclasses import replace

from penstock.boards.board import Board
from penstock.boards.copying import dma_controller
from penstock.errors import CapacityError, InputError, UnsupportedError
from penstock.kernels.kernel_graph import KernelGraph
from penstock.planning.code_size import code_bytes
from penstock.planning.estimate.estimate import estimate_program
from penstock.planning.estimate.timeline import estimate_overlaid
from penstock.planning.execution_plan import ExecutionPlan
from penstock.planning.options import (
    DEFAULT_PLAN_OPTIONS,
    Effort,
    PlanOptions,
    reserve_memory,
    with_joined_banks,
)
from penstock.planning.overlay_site import find_site
from penstock.planning.overlays.improve import improve_plan
from penstock.planning.overlays.plan import overlay
from penstock.planning.placement import check_code_somewhere
from penstock.planning.plan import plan_execution
from penstock.progress import Progress, silent

_NO_DRIVER = (
    "no driver knows a DMA controller of this board, and all fits inside: the core would wait for "
    "its own copies"
)
_FASTER_IN_PLACE = "reading constants in place is estimated to be faster than copying them"
_FASTER_INSIDE = f"all fits inside, and {_FASTER_IN_PLACE}"
_CLEARLY = 0.9
"""Of the estimated time with overlays: closer than that estimates cannot tell."""


def plan_model(
    program: KernelGraph,
    board: Board | None,
    options: PlanOptions = DEFAULT_PLAN_OPTIONS,
    progress: Progress = silent,
) -> ExecutionPlan:
    """Return a plan as a user asks for it.

    Args:
        program: kernel calls in execution order.
        board: None plans for the host, which has no regions and no overlays.
        options: where things go, what stays free, and whether there are overlays. Where these need
            more memory than there is, but a plan without them does not, that is what is returned.
        progress: told what is going on, where the effort is full.

    Raises:
        CapacityError: something does not fit the board.
        InputError: a region asked for does not exist or cannot hold such data.
    """
    if board is None:
        return plan_execution(program, None)
    less = reserve_memory(board, options)
    # Overlays only add to the code; what is hopeless shall not be planned for a minute.
    check_code_somewhere(code_bytes(program), less)
    if not options.overlays or not program.calls:
        return _plan_whole(program, less, options)
    whole = _plan_whole_or_none(program, less, options)
    is_inside = whole is not None and _is_inside(whole, less)
    if whole is not None and is_inside and dma_controller(board) is None:
        return replace(whole, without_overlays=_NO_DRIVER)
    try:
        overlaid = plan_overlaid(program, less, options, progress)
    except (CapacityError, UnsupportedError) as error:
        if whole is None and not isinstance(error, CapacityError):
            whole = _plan_whole(program, less, options)  # which says what there is no room for
        if whole is None:
            raise
        return replace(whole, without_overlays=error.what)
    if whole is not None and _is_faster(whole, overlaid, less):
        reason = _FASTER_INSIDE if is_inside else _FASTER_IN_PLACE
        return replace(whole, without_overlays=reason)
    return overlaid


def _is_faster(whole: ExecutionPlan, overlaid: ExecutionPlan, board: Board) -> bool:
    """Return whether to read constants in place is clearly estimated to beat copying them first.

    So it is where a memory has a wide bus for the core's cache, and DMA reads it word by word, or
    where kernels ask for lines ahead.
    """
    assert whole.placement is not None
    try:
        in_place = estimate_program(whole.program, whole.placement, board).cycles
        return in_place < _CLEARLY * estimate_overlaid(overlaid, board).cycles
    except (InputError, UnsupportedError):
        return False  # nobody has said what this board, or this core, takes


def plan_on_board(
    program: KernelGraph,
    board: Board | None,
    options: PlanOptions = DEFAULT_PLAN_OPTIONS,
    progress: Progress = silent,
) -> tuple[ExecutionPlan, Board | None]:
    """Return a plan as `plan_model` does, and the board as it is planned for.

    Where memories are too small one by one, adjacent banks become one. Not before: a core that
    reads from two banks in turns may be slower than one that stays in one (a Cortex-M4 by 1.5 % in
    MobileNetV3), and where others stay free, DMA and the core meet less.
    """
    try:
        return plan_model(program, board, options, progress), board
    except CapacityError:
        joined = None if board is None else with_joined_banks(board, options)
        if joined == board:
            raise
    return plan_model(program, joined, options, progress), joined


def _plan_whole_or_none(
    program: KernelGraph, board: Board, options: PlanOptions
) -> ExecutionPlan | None:
    """Return a plan without overlays; None where memory does not suffice."""
    try:
        return _plan_whole(program, board, options)
    except CapacityError:
        return None


def _is_inside(plan: ExecutionPlan, board: Board) -> bool:
    assert plan.placement is not None
    regions = (plan.placement.weights, plan.placement.arena)
    return not any(board.region(name).is_external for name in regions)


def _plan_whole(program: KernelGraph, board: Board, options: PlanOptions) -> ExecutionPlan:
    return plan_execution(program, board, weights_in=options.weights_in, arena_in=options.arena_in)


def plan_overlaid(
    program: KernelGraph,
    board: Board,
    options: PlanOptions = DEFAULT_PLAN_OPTIONS,
    progress: Progress = silent,
) -> ExecutionPlan:
    """Return a plan in which DMA brings constants, and tensors that do not fit, tile by tile.

    Args:
        program: kernel calls in execution order.
        board: whose memories there are.
        options: where things go, and which tricks are used.
        progress: told what is going on, where the effort is full.

    Raises:
        CapacityError: something does not fit, however finely it is parted.
        InputError: a region asked for does not exist or cannot hold such data.
        UnsupportedError: a DMA controller does not reach internal memory.
    """
    site = find_site(program, board, options)
    overlaid = overlay(program, site.space)
    if options.effort is Effort.FAST:
        return site.complete(overlaid)
    return improve_plan(site.ground, overlaid, site.complete, progress)
