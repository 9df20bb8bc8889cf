"""How good a model is: the C that is deployed, over labelled data."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

import numpy as np

from penstock.design.labelled import load_labelled
from penstock.errors import InputError
from penstock.frontends.samples import PixelScaling
from penstock.ir.tensor import Array
from penstock.machines import open_host_copies
from penstock.pipeline import (
    DEFAULT_OPTIONS,
    CompileOptions,
    Lowered,
    lower,
    write_temporarily,
)
from penstock.progress import Progress, silent
from penstock.report.accuracy import AccuracyResult, count_answers
from penstock.report.summary import HOST
from penstock.toolchain import HostModel


def accuracy(
    model: str | Path,
    *,
    data: str | Path,
    classes: Sequence[str] | None = None,
    scaling: PixelScaling | None = None,
    board: str = HOST,
    options: CompileOptions = DEFAULT_OPTIONS,
    progress: Progress = silent,
) -> AccuracyResult:
    """Count how often a classifier's largest output is the right one.

    The generated C runs on this computer, bit for bit what a board computes; of equal outputs the
    first counts.

    Args:
        model: the model file, quantized, with one input and one output.
        data: a folder with a folder of images for each class, or a .npz file with ``x`` and ``y``.
        classes: names in the order of outputs; None takes those of folders, sorted.
        scaling: what training made of the pixels of images; None spreads 0 to 255 over the input's
            integers, as `run` does.
        board: whose C to run: a board's name, the path of a board's .toml file, or ``host``.
        options: placement.
        progress: told what is going on.

    Raises:
        PenstockError: bad input, or no compiler.
    """
    source = Path(model)
    progress("reading and planning", None)
    lowered = lower(source, board, options, progress=progress)
    graph = lowered.original
    outputs = [graph.tensors[name] for name in graph.outputs]
    if len(outputs) != 1 or outputs[0].element_count < 2:
        raise InputError(
            f"{source.name} has outputs {[list(t.shape) for t in outputs]}; accuracy is of models "
            "with one output, a number for each class",
            help="`penstock run` shows what a model gives",
        )
    samples = load_labelled(Path(data), graph, outputs[0].element_count, classes, scaling)
    outputs_of = host_outputs(lowered, samples.load, len(samples.labels), progress)
    answers = [int(np.argmax(output)) for output in outputs_of]
    confusion = count_answers(samples.labels, answers, len(samples.classes))
    return AccuracyResult(source.name, board, samples.classes, confusion)


def host_outputs(
    lowered: Lowered, load: Callable[[int], Array], count: int, progress: Progress = silent
) -> list[Array]:
    """Return what the generated C gives for each of many samples, on all processors.

    Args:
        lowered: a model with one input.
        load: returns the model's input of a sample.
        count: of samples.
        progress: told what is going on.

    Raises:
        ToolError: no compiler.
    """
    with ExitStack() as stack:
        progress("compiling the C for this computer", None)
        project = write_temporarily(lowered, stack)
        machines = open_host_copies(lowered, project, stack, os.cpu_count() or 1)
        idle: SimpleQueue[HostModel] = SimpleQueue()
        for machine in machines:
            idle.put(machine)

        def output(position: int) -> Array:
            value = load(position)
            machine = idle.get()
            try:
                machine.init()
                return machine.run([value])[0]
            finally:
                idle.put(machine)

        found: list[Array] = []
        with ThreadPoolExecutor(len(machines)) as pool:
            for given in pool.map(output, range(count)):
                found.append(given)
                progress("running the test set", len(found) / count)
    return found
