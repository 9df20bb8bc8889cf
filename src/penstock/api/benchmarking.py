"""How long kernels and models take."""

from collections.abc import Sequence
from pathlib import Path

from penstock.api.running import run
from penstock.bench.models import ModelBenchmark, ModelTiming
from penstock.bench.operators import OperatorBenchmark, benchmark_operators
from penstock.bench.records import find_record
from penstock.boards import load_board
from penstock.pipeline import (
    DEFAULT_OPTIONS,
    CompileOptions,
)
from penstock.progress import Progress, silent


def bench_ops(board: str, *, fit: bool = False, progress: Progress = silent) -> OperatorBenchmark:
    """Time kernels on a virtual board.

    Args:
        board: a board's name, or the path of a board's .toml file.
        fit: fit the costs that estimates are made of, instead of timing shapes and placements.
        progress: told what is going on.

    Raises:
        PenstockError: no such board, or a tool is missing.
    """
    return benchmark_operators(load_board(board), progress, fits=fit)


def bench_models(
    models: Sequence[str | Path],
    *,
    boards: Sequence[str],
    options: CompileOptions = DEFAULT_OPTIONS,
    progress: Progress = silent,
) -> ModelBenchmark:
    """Time models on virtual boards, each with its published record where there is one.

    Args:
        models: .tflite files.
        boards: names, or paths of .toml files.
        options: placement, of all of them.
        progress: told what is going on.

    Raises:
        PenstockError: no such board, a model that cannot be read or does not fit, or no compiler.
        VerificationError: an operator's output differs from the interpreter's.
    """
    targets = {board: load_board(board) for board in boards}
    timings: list[ModelTiming] = []
    for model in map(Path, models):
        for board, target in targets.items():
            progress(f"{model.stem} on {board}", len(timings) / len(models) / len(targets))
            found = run(model, board=board, verify=True, options=options).result
            timings.append(ModelTiming(found, find_record(model.read_bytes(), target)))
    return ModelBenchmark(tuple(timings))
