"""Estimates against simulations over the shared collection, which nothing was fitted to.

The test also writes the table of docs/estimate.md (``make docs``), and fails when the committed
table says something else.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from penstock import pipeline
from penstock.errors import CapacityError
from penstock.frontends.inputs import random_inputs
from penstock.planning.estimate import ERROR_MEDIAN, ERROR_WORST, estimate_plan
from penstock.planning.estimate.coefficients import load_coefficients
from penstock.simulate.simulation import run_inference
from penstock.toolchain import find_target_compiler
from tests.test_models import SUPPORTED

DOCS_PAGE = Path(__file__).parents[2] / "docs" / "estimate.md"
BOARDS = (
    "stm32f746g-disco",
    "nucleo-h743zi",
    "stm32f469i-disco",
    "nucleo-l4r5zi",
    "nucleo-u575zi-q",
)
FITTED = ("stm32f746g-disco", "stm32f469i-disco", "nucleo-u575zi-q")
PROCESSES = 2
LARGEST_COLLECTION = 230
IN_DOUBLES = "mcunet/ptq_mnist_lenet-300-100.tflite"
"""Its LOG_SOFTMAX computes in double precision, for which the emulator's Cortex-M7 has no unit."""
DOUBLE_PRECISION = "fpv5-d16"


@dataclass(frozen=True)
class Comparison:
    """Cycles of one model on one board."""

    model: str
    estimated: int
    simulated: int

    @property
    def error(self) -> float:
        return self.estimated / self.simulated - 1


def compare(board: str, folder: Path, model: str) -> Comparison | None:
    """Estimate and simulate a model; None where it does not fit the board or the emulator."""
    try:
        lowered = pipeline.lower(folder / model, board)
    except CapacityError:
        return None
    assert lowered.board is not None
    if model == IN_DOUBLES and lowered.board.core.fpu == DOUBLE_PRECISION:
        return None
    estimate = estimate_plan(lowered.plan, lowered.board)
    with ExitStack() as stack:
        project = pipeline.write_temporarily(lowered, stack)
        opened = pipeline.open_board(lowered, lowered.board, project, stack)
        arrays = random_inputs(lowered.original, 0).arrays
        simulation = run_inference(opened.machine, arrays)  # type: ignore[arg-type]
    assert simulation.time is not None
    return Comparison(model, estimate.cycles, simulation.time.cycles)


def compare_all(board: str, folder: Path) -> list[Comparison]:
    with ProcessPoolExecutor(PROCESSES) as pool:
        found = pool.map(compare, *zip(*((board, folder, model) for model in SUPPORTED)))  # noqa: B905
        return [comparison for comparison in found if comparison is not None]


def table_row(board: str, compared: list[Comparison]) -> str:
    errors = np.abs([comparison.error for comparison in compared])
    worst = max(compared, key=lambda comparison: abs(comparison.error))
    cells = (
        board + ("" if board in FITTED else " (never fitted to)"),
        str(len(compared)),
        f"{100 * np.median(errors):.1f} %",
        f"{100 * np.quantile(errors, 0.9):.1f} %",
        f"{100 * worst.error:+.1f} %",
        f"`{worst.model}`",
    )
    return "| " + " | ".join(cells) + " |"


@pytest.mark.models
@pytest.mark.shared
@pytest.mark.parametrize("board", BOARDS)
def test_estimates_are_near_simulations(
    board: str,
    shared_dir: Path,
    record_property: Callable[[str, object], None],
    update_docs: bool,
) -> None:
    compared = compare_all(board, shared_dir / "models")
    assert LARGEST_COLLECTION - 4 < len(compared) <= LARGEST_COLLECTION
    errors = {comparison.model: comparison.error for comparison in compared}
    assert np.median(np.abs(list(errors.values()))) <= ERROR_MEDIAN
    assert {model: error for model, error in errors.items() if abs(error) > ERROR_WORST} == {}
    row = table_row(board, compared)
    record_property("estimate.md", row)
    core = pipeline.load_board(board).core
    if (
        not update_docs
        and find_target_compiler(core).version == load_coefficients(core.name).compiler
    ):
        assert row in DOCS_PAGE.read_text().splitlines(), "docs/estimate.md is stale: `make docs`"
