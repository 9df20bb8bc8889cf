"""The benchmark of operators as a whole: costs, throughput, and what the estimate is fitted to."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from penstock.bench.fit import fit_coefficients
from penstock.bench.kernel_costs import KernelCost, measure_kernels
from penstock.bench.measure import measure_all
from penstock.bench.throughput import Throughput, measure_throughput
from penstock.boards.board import Board
from penstock.boards.cores import check_simulated
from penstock.boards.costs import region_costs
from penstock.planning.estimate.coefficients import CoreCoefficients
from penstock.report.results import Truth
from penstock.toolchain import find_target_compiler

Progress = Callable[[str, float | None], None]
"""Takes the name of the stage and the fraction done."""


@dataclass(frozen=True, slots=True)
class OperatorBenchmark:
    """What was measured on a virtual board.

    Attributes:
        board: its name.
        core: its processor.
        compiler: that made the machine code.
        kernels: what each costs by shape, in the fastest memories; empty where not asked for.
        throughput: kernels by shape and placement; empty where not asked for.
        coefficients: fitted costs; None where not asked for.
    """

    board: str
    core: str
    compiler: str
    kernels: tuple[KernelCost, ...]
    throughput: tuple[Throughput, ...]
    coefficients: CoreCoefficients | None

    def to_json(self) -> dict[str, Any]:
        """Return the ``penstock.bench-ops/2`` form."""
        return {
            "schema": "penstock.bench-ops/2",
            "truth": Truth.SIMULATE.value,
            "board": self.board,
            "core": self.core,
            "compiler": self.compiler,
            "kernels": [row.to_json() for row in self.kernels],
            "operators": [row.to_json() for row in self.throughput],
        }


def benchmark_operators(board: Board, progress: Progress, *, fits: bool) -> OperatorBenchmark:
    """Measure kernels on a board.

    Args:
        board: where.
        progress: told what is going on.
        fits: run every loop of every kernel and fit what each costs on the core, instead of
            timing shapes and placements.

    Raises:
        PenstockError: a tool is missing, the board does not say how long accesses take, or nobody
            has fitted the core whose kernels are timed.
    """
    check_simulated(board.core.name)
    for region in board.regions:
        region_costs(region, board)  # raises where nobody said: nothing could be timed
    compiler = find_target_compiler(board.core).version
    costs: tuple[KernelCost, ...] = ()
    rows: tuple[Throughput, ...] = ()
    fitted = None
    if fits:
        measured = measure_all(board, _stage(progress, "simulating every loop"))
        fitted = fit_coefficients(measured, board, compiler, version("penstock"))
    else:
        costs = tuple(measure_kernels(board, _stage(progress, "simulating each kernel")))
        in_memories = _stage(progress, "simulating kernels in each memory")
        rows = tuple(measure_throughput(board, in_memories))
    return OperatorBenchmark(board.name, board.core.name, compiler, costs, rows, fitted)


def _stage(progress: Progress, name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done / total)
