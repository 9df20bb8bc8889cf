"""Boards, and what a model is before it is compiled."""

from pathlib import Path

from penstock.boards import board_names, load_board
from penstock.boards.board import Board
from penstock.design.calibration import Calibration
from penstock.design.opened_model import expect_quantized, open_model
from penstock.design.reading import read_source
from penstock.errors import CapacityError, UnsupportedError
from penstock.ir.graph import Graph
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.pipeline import (
    plan_graph,
)
from penstock.planning import plan_execution
from penstock.planning.estimate import estimate_plan
from penstock.progress import Progress, silent
from penstock.report.estimation import summarize_estimate
from penstock.report.inspection import Inspection, graph_totals, operator_rows


def boards() -> list[Board]:
    """Return all boards, by name."""
    return [load_board(name) for name in board_names()]


def board(name: str) -> Board:
    """Return a board by name, or one of your own by the path of its TOML file.

    Raises:
        InputError: there is no such board, or its file breaks the rules of a board.
    """
    return load_board(name)


def load_model(model: str | Path) -> Graph:
    """Return the graph of a model file, as the file has it.

    Raises:
        PenstockError: the file cannot be read or is not supported.
    """
    return read_source(Path(model)).graph


def inspect(
    model: str | Path,
    *,
    optimized: bool = False,
    board: str | None = None,
    calibration: Calibration | None = None,
    progress: Progress = silent,
) -> Inspection:
    """Return operators, sizes and memory needs of a model file.

    Args:
        model: the model file.
        optimized: list the operators after all passes, not those of the file.
        board: estimate the time on this board; None estimates nothing.
        calibration: how to quantize a float32 network before; None shows it as it is.
        progress: told what is going on.

    Raises:
        PenstockError: the file cannot be read or is not supported, or nothing is known of the time
            on the board.
    """
    target = None if board is None else load_board(board)
    graph = (
        load_model(model)
        if calibration is None
        else open_model(Path(model), calibration, progress).graph
    )
    plan, placed, estimate, obstacle = None, None, None, ""
    shown = graph
    try:
        expect_quantized(graph, Path(model).name)
        after_passes = run_passes(graph)
        shown = after_passes if optimized else graph
        plan = plan_execution(select_kernels(after_passes), None)
        if target is not None:
            placed, target = plan_graph(after_passes, target)
    except (UnsupportedError, CapacityError) as error:
        if optimized and shown is graph:
            raise
        plan, obstacle = None, error.what
    if placed is not None and target is not None:
        estimate = summarize_estimate(
            estimate_plan(placed, target), placed, by_source=not optimized
        )
    return Inspection(
        graph=shown,
        is_optimized=optimized,
        operators=operator_rows(shown),
        file=graph_totals(graph),
        after_passes=None if plan is None else graph_totals(plan.program.graph, plan.weights_bytes),
        arena_bytes=None if plan is None else plan.arena.size_bytes,
        arena_bytes_lower_bound=None if plan is None else plan.arena.lower_bound_bytes,
        obstacle=obstacle,
        estimate=estimate,
    )
