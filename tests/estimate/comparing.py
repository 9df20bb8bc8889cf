"""Estimates beside simulations, and what they add up to."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from penstock import machines, pipeline
from penstock.boards import load_board
from penstock.errors import CapacityError
from penstock.frontends.inputs import random_inputs
from penstock.pipeline import CompileOptions
from penstock.planning.estimate import Homes, estimate_plan
from penstock.planning.estimate.accuracy import ANY, Accuracy, load_accuracy
from penstock.planning.estimate.coefficients import load_coefficients
from penstock.planning.options import PlanOptions
from penstock.simulate.simulation import run_inference
from penstock.toolchain import find_target_compiler

ERROR_MEDIAN, ERROR_WORST = 0.05, 0.15
"""How far estimates may be from simulations."""

STALE = 0.002
"""How far stated errors may be from those found before `make docs` has to state them anew."""

PROCESSES = 2
IN_DOUBLES = "mcunet/ptq_mnist_lenet-300-100.tflite"
"""Its LOG_SOFTMAX computes in double precision, for which the emulator's Cortex-M7 has no unit."""
DOUBLE_PRECISION = "fpv5-d16"
_DIGITS = 4


@dataclass(frozen=True)
class Job:
    """A model for a board, and where its data shall be; None lets the planner choose.

    Without overlays, unless they are asked for.
    """

    board: str
    model: str
    weights_in: str | None = None
    arena_in: str | None = None
    overlays: bool = False


@dataclass(frozen=True)
class Comparison:
    """Cycles of one job."""

    job: Job
    homes: Homes
    estimated: int
    simulated: int

    @property
    def error(self) -> float:
        return self.estimated / self.simulated - 1


def compare(job: Job, folder: Path) -> Comparison | None:
    """Estimate and simulate; None for what does not fit the board or the emulator."""
    options = CompileOptions(PlanOptions(job.weights_in, job.arena_in, overlays=job.overlays))
    try:
        lowered = pipeline.lower(folder / job.model, job.board, options)
    except CapacityError:
        return None
    assert lowered.board is not None
    if job.model == IN_DOUBLES and lowered.board.core.fpu == DOUBLE_PRECISION:
        return None
    estimate = estimate_plan(lowered.plan, lowered.board)
    with ExitStack() as stack:
        project = pipeline.write_temporarily(lowered, stack)
        opened = machines.open_board(lowered, lowered.board, project, stack)
        arrays = random_inputs(lowered.original, 0).arrays
        simulation = run_inference(opened.machine, arrays)  # type: ignore[arg-type]
    assert simulation.time is not None
    return Comparison(job, estimate.error.homes, estimate.cycles, simulation.time.cycles)


def compare_all(jobs: Sequence[Job], folder: Path) -> list[Comparison]:
    with ProcessPoolExecutor(PROCESSES) as pool:
        found = pool.map(compare, jobs, [folder] * len(jobs))
        return [comparison for comparison in found if comparison is not None]


def summarize(models: str, compared: Iterable[Comparison], homes: Homes) -> Accuracy:
    """Return the accuracy of comparisons on one board."""
    found = list(compared)
    errors = np.abs([comparison.error for comparison in found])
    worst = max(found, key=lambda comparison: abs(comparison.error))
    board = load_board(worst.job.board)
    return Accuracy(
        board=board.name,
        core=board.core.name,
        models=models,
        weights=homes.weights,
        arena=homes.arena,
        count=len(found),
        median=round(float(np.median(errors)), _DIGITS),
        ninety=round(float(np.quantile(errors, 0.9)), _DIGITS),
        worst=round(worst.error, _DIGITS),
        worst_model=worst.job.model,
    )


def summarize_by_homes(models: str, compared: Sequence[Comparison]) -> list[Accuracy]:
    """Return the accuracy for each kind of placement that was compared, and that of all."""
    kinds = {comparison.homes for comparison in compared}
    return [
        summarize(models, compared, Homes(ANY, ANY)),
        *(summarize(models, [c for c in compared if c.homes == homes], homes) for homes in kinds),
    ]


def check_accuracy(found: Sequence[Accuracy], stale: float = STALE) -> None:
    """Fail where the package states other errors, unless another compiler made the code."""
    core = found[0].core
    if find_target_compiler(load_board(found[0].board).core).version != (
        load_coefficients(core).compiler
    ):
        return
    made = {(entry.board, entry.models) for entry in found}
    stated = {_key(e): e for e in load_accuracy() if (e.board, e.models) in made}
    assert {_key(entry) for entry in found} == set(stated), "stale: run `make docs`"
    for entry in found:
        for name in ("median", "ninety", "worst"):
            wanted = pytest.approx(abs(getattr(entry, name)), abs=stale)
            assert abs(getattr(stated[_key(entry)], name)) == wanted, f"stale: {name} of {entry}"


def _key(entry: Accuracy) -> tuple[str, str, str, str, int]:
    return entry.board, entry.models, entry.weights, entry.arena, entry.count
