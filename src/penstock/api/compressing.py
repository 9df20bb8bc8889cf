"""From a trained network and a recipe to a small int8 one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.boards import load_board
from penstock.design.compression.choices import WeightFormat
from penstock.design.compression.documents import recipe_document
from penstock.design.compression.fitting import (
    expect_board_fits,
    expect_data_fit,
    expect_one_of_each,
)
from penstock.design.compression.recipe import ITSELF, DistillStep, Recipe
from penstock.design.compression.results import StageResult
from penstock.extras import needs_extra
from penstock.ir.graph import Graph
from penstock.options import process_place
from penstock.progress import Progress, silent
from penstock.report.compressing import Compressed, CompressResult, SensitivityResult
from penstock.report.summary import HOST

if TYPE_CHECKING:
    from penstock.design.compression.networks import Module
    from penstock.design.compression.run import Compression
    from penstock.design.compression.setting import Setting
    from penstock.design.data import DataSet
    from penstock.design.learning.processes import Processes


_IN_MEMORY = "in memory"
"""What a result's recipe calls a teacher that is no file."""


@dataclass(frozen=True, slots=True, eq=False)
class Notices:
    """Who is told of what while a network is compressed.

    Attributes:
        progress: told what is going on, and how much of it is done.
        stage: told of each stage when it is done.
        epoch: told of each pass over the training samples: stage, its number, loss, seconds.
        warning: told what is odd.
    """

    progress: Progress = silent
    stage: Callable[[StageResult], None] = lambda _result: None
    epoch: Callable[[str, int, float, float], None] = lambda _stage, _n, _loss, _seconds: None
    warning: Callable[[str], None] = lambda _what: None


def is_first_process() -> bool:
    """Return whether this process writes and reports, of those that `torchrun` started."""
    return process_place()[0] == 0


def compress(
    model: "str | Path | Module",
    recipe: Recipe,
    *,
    data: "DataSet | None" = None,
    teacher: "Module | None" = None,
    work: str | Path | None = None,
    notices: Notices | None = None,
) -> Compressed:
    """Make a small int8 network of a trained float one.

    Args:
        model: what `quantize` takes, or a module in memory: a classifier, or an autoencoder.
        recipe: what to do to it.
        data: to learn from and to test with, in place of the recipe's: `from_datasets` of
            `penstock.design.data` takes those of PyTorch.
        teacher: a module in memory, in place of the recipe's; `[distill]` says how it teaches.
        work: folder of checkpoints, from which an interrupted compression goes on; None keeps none.
        notices: who is told of what.

    Raises:
        PenstockError: bad input, found before any training where it can be; a missing package; or
            a network that cannot be trained or made to fit.
    """
    with needs_extra("compressing a network", "design"):
        from penstock.api.deploying import BoardDeployment
        from penstock.design.compression.networks import load_network
        from penstock.design.compression.run import Compression
        from penstock.design.compression.teachers import expect_scores
        from penstock.design.learning.processes import join_processes, set_threads
    told = notices or Notices()
    board = load_board(recipe.board) if recipe.board else None
    if board is not None:
        expect_board_fits(board, recipe)
    told.progress("reading the network", None)
    name, trained = load_network(model, data)
    data = _fitting_data(trained, recipe, data, told.progress)
    if teacher is not None:
        step = replace(recipe.distill or DistillStep(), teacher=_IN_MEMORY)
        recipe = replace(recipe, distill=step)
        expect_scores(teacher, data, recipe.scaling)
    else:
        teacher = find_teacher(name, recipe.distill, trained)
    set_threads(recipe.threads)
    with join_processes() as processes:
        setting = make_setting(recipe, data, teacher, work, processes, told)
        deployment = BoardDeployment(
            board,
            recipe.board or HOST,
            data.test,
            recipe.scaling,
            setting.task,
            int4_filters=recipe.quantize.weights is not WeightFormat.INT8,
            progress=told.progress,
        )
        compression = Compression(recipe, data, setting, deployment, told.stage, told.warning)
        quantized = compression.run(trained)
    content = deployment.content(quantized)
    smallest_bytes = deployment.smallest_bytes(quantized)
    return Compressed(_summary(name, compression, len(content), smallest_bytes), content)


def _summary(
    name: str, compression: "Compression", file_bytes: int, smallest_bytes: int
) -> CompressResult:
    from penstock.design.learning.processes import describe_computer

    recipe = compression.recipe
    return CompressResult(
        model=name,
        data=compression.data.name,
        test_samples=len(compression.data.test),
        measure=compression.setting.task.measure,
        board=recipe.board,
        latency=recipe.latency,
        size=recipe.quantize.size,
        recipe=recipe_document(recipe),
        stages=tuple(compression.results),
        file_bytes=file_bytes,
        smallest_bytes=smallest_bytes,
        computer=describe_computer(compression.setting.processes),
    )


def sensitivity(
    model: str | Path, recipe: Recipe, notices: Notices | None = None
) -> SensitivityResult:
    """Find out how much each layer minds filters of 4 bits.

    Args:
        model: as for `compress`.
        recipe: whose data and scaling of pixels are taken.
        notices: who is told of what.

    Raises:
        PenstockError: as `compress` does.
    """
    with needs_extra("running a network", "design"):
        from penstock.design.compression.networks import load_float
        from penstock.design.compression.sensitivity import measure_sensitivity
        from penstock.design.learning.processes import ALONE
    told = notices or Notices()
    source = Path(model)
    trained = load_float(source)
    data = _fitting_data(trained, recipe, None, told.progress)
    setting = make_setting(recipe, data, None, None, ALONE, told)
    return SensitivityResult(source.name, tuple(measure_sensitivity(trained, setting)))


def find_teacher(name: str, step: DistillStep | None, trained: Graph) -> "Module | None":
    """Return who teaches: another network of the same use, or the given one.

    Raises:
        PenstockError: the teacher cannot be read, or is of another use.
    """
    if step is None:
        return None
    from penstock.design.compression.networks import load_float
    from penstock.design.compression.teachers import Teacher, expect_features, expect_same_use

    path, teacher = Path(step.teacher), trained
    if step.teacher != ITSELF:
        teacher = load_float(path)
        expect_same_use(path.name, teacher, name, trained)
    expect_features(step.features, name, trained, path.name, teacher)
    return Teacher(teacher)


def _fitting_data(
    trained: Graph, recipe: Recipe, given: "DataSet | None", progress: Progress
) -> "DataSet":
    from penstock.design.data import load_data_set

    expect_one_of_each(trained)
    shape = trained.tensors[trained.inputs[0]].shape
    data = given or load_data_set(recipe.data, shape[1:], recipe.seed, progress)
    expect_data_fit(trained, data, recipe)
    return data


def make_setting(
    recipe: Recipe,
    data: "DataSet",
    teacher: "Module | None",
    work: str | Path | None,
    processes: "Processes",
    told: Notices,
) -> "Setting":
    """Return what all trainings of a recipe have in common."""
    from penstock.design.compression.setting import Setting
    from penstock.design.learning.tasks import Classification, Reconstruction, training_data

    task = Classification() if recipe.normal is None else Reconstruction(recipe.normal)
    return Setting(
        data=training_data(data, task),
        task=task,
        scaling=recipe.scaling,
        teacher=teacher,
        distill=recipe.distill,
        folder=None if work is None else Path(work),
        processes=processes,
        progress=told.progress,
        report=lambda stage, result: told.epoch(stage, result.epoch, result.loss, result.seconds),
    )
