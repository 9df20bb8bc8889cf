"""From a trained PyTorch network to an int8 one: translate, calibrate, quantize, compare."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from penstock.design.calibration import DEFAULT_CALIBRATION, CalibrationOptions
from penstock.errors import InputError
from penstock.frontends.samples import FloatArray, load_samples
from penstock.frontends.torch import (
    FloatModel,
    export_module,
    load_program,
    observe_program,
    translate_program,
)
from penstock.ir import interpreter
from penstock.ir.graph import Graph
from penstock.ir.verify import verify
from penstock.passes import FuseActivations
from penstock.progress import Progress, silent
from penstock.quantize.affine import dequantize_array, quantize_array
from penstock.quantize.agreement import Agreement
from penstock.quantize.fold_scaling import fold_scaling
from penstock.quantize.histograms import HistogramObserver
from penstock.quantize.observers import ChannelMeanObserver, ValueRange
from penstock.quantize.post_training import WeightOptions, quantize_graph

COMPARED_MAX = 32
"""Samples that the int8 network is compared on: the interpreter takes its time."""
_IMAGE_RANK = 4


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedModel:
    """An int8 network made from a float one.

    Attributes:
        graph: int8.
        calibrated_on: samples whose ranges were observed.
        agreement: with the network as it was trained.
    """

    graph: Graph
    calibrated_on: int
    agreement: Agreement


def quantize_program(
    model: Path,
    data: Path,
    name: str,
    options: CalibrationOptions = DEFAULT_CALIBRATION,
    progress: Progress = silent,
) -> QuantizedModel:
    """Return the int8 network of a saved program of ``torch.export``.

    Args:
        model: a .pt2 file with one input.
        data: calibration samples, as `load_samples` takes them.
        name: the graph's name, a C identifier.
        options: of calibration.
        progress: told what is going on.

    Raises:
        PenstockError: bad files, or an operator that cannot be translated or quantized.
    """
    progress("reading the program", None)
    trained = translate_program(load_program(model), name)
    pixels = ValueRange(*options.scaling.real_range) if data.is_dir() else None
    return _quantize(trained, _samples(trained, data, options), options, progress, pixels)


def quantize_module(
    module: nn.Module,
    samples: Sequence[FloatArray],
    name: str,
    options: CalibrationOptions = DEFAULT_CALIBRATION,
    progress: Progress = silent,
) -> QuantizedModel:
    """Return the int8 network of a module as it is in memory.

    Args:
        module: with one input; it stays as it is.
        samples: for calibration, each ``[1, …]`` as the module takes it; all are taken.
        name: the graph's name, a C identifier.
        options: of calibration.
        progress: told what is going on.

    Raises:
        InputError: there are no samples, or they do not fit the module.
        UnsupportedError: the module cannot be exported, translated or quantized.
    """
    if not samples:
        raise InputError("there are no calibration samples", help="give at least one, better 100")
    program = export_module(module, (torch.from_numpy(np.asarray(samples[0], np.float32)),))
    return _quantize(translate_program(program, name), samples, options, progress)


def _quantize(
    trained: FloatModel,
    samples: Sequence[FloatArray],
    options: CalibrationOptions,
    progress: Progress,
    input_range: ValueRange | None = None,
) -> QuantizedModel:
    """Calibrate, quantize and compare; the range of an input of pixels is known beforehand."""
    ranges, means = _calibrate(trained, samples, options, progress)
    if input_range is not None:
        ranges = {**ranges, trained.graph.inputs[0]: input_range}
    folded = FuseActivations().apply(fold_scaling(trained.graph))
    weights = WeightOptions(dense_per_channel=True, means=means)
    quantized = quantize_graph(folded, ranges, weights)
    verify(quantized)
    agreement = _compare(trained, quantized, samples[:COMPARED_MAX], progress)
    return QuantizedModel(quantized, len(samples), agreement)


def _calibrate(
    trained: FloatModel,
    samples: Sequence[FloatArray],
    options: CalibrationOptions,
    progress: Progress,
) -> tuple[Mapping[str, ValueRange], Mapping[str, npt.NDArray[np.float64]] | None]:
    """Return the ranges of all tensors, and the means of their channels where these are wanted."""
    values, means = HistogramObserver(), ChannelMeanObserver()

    def observe(tensor: str, seen: FloatArray) -> None:
        if not np.isfinite(seen).all():
            raise InputError(
                f"{tensor}: a calibration sample makes values that are infinite or no number",
                help="look for a sample out of range, or weights that have diverged",
            )
        values.observe(tensor, seen)
        means.observe(tensor, _channels_last(seen))

    tensors = {node: tensor for tensor, node in trained.nodes.items()}
    observe_program(trained.program, _told(samples, "calibrating", progress), tensors, observe)
    progress("choosing ranges", None)
    return values.ranges(options.rule), means.means if options.corrects_bias else None


def _samples(trained: FloatModel, data: Path, options: CalibrationOptions) -> Sequence[FloatArray]:
    if len(trained.graph.inputs) != 1:
        raise InputError(
            f"the network has {len(trained.graph.inputs)} inputs, calibration files have one array",
            help="export a module with one input",
        )
    shape = trained.graph.tensors[trained.graph.inputs[0]].shape
    if len(shape) == _IMAGE_RANK:
        shape = (shape[0], shape[3], shape[1], shape[2])
    return load_samples(data, shape, options.samples_max, options.scaling)


def _compare(
    trained: FloatModel, quantized: Graph, samples: Sequence[FloatArray], progress: Progress
) -> Agreement:
    module = trained.program.module()
    same, signal, noise = 0, 0.0, 0.0
    for sample in _told(samples, "comparing with the float network", progress):
        with torch.inference_mode():
            result = module(torch.from_numpy(sample))
        expected = _first(result).astype(np.float64)
        found = _run(quantized, sample)
        same += int(np.argmax(expected) == np.argmax(found))
        signal += float(np.sum(expected**2))
        noise += float(np.sum((expected - found) ** 2))
    ratio = 10 * np.log10(signal / noise) if signal and noise else np.inf
    return Agreement(len(samples), same, float(ratio))


def _told(samples: Sequence[FloatArray], stage: str, progress: Progress) -> Iterator[FloatArray]:
    """Go over samples, and tell how many are done."""
    for done, sample in enumerate(samples):
        progress(stage, done / len(samples))
        yield sample


def _first(result: object) -> FloatArray:
    tensor = result[0] if isinstance(result, tuple | list) else result
    assert isinstance(tensor, torch.Tensor)
    return _channels_last(np.asarray(tensor.numpy()))


def _channels_last(values: FloatArray) -> FloatArray:
    return values.transpose(0, 2, 3, 1) if values.ndim == _IMAGE_RANK else values


def _run(graph: Graph, sample: FloatArray) -> npt.NDArray[np.float64]:
    """Return the first output of the int8 graph as real numbers."""
    source = graph.tensors[graph.inputs[0]]
    assert source.quantization is not None
    given = quantize_array(_channels_last(sample), source.quantization, source.dtype)
    output = graph.tensors[graph.outputs[0]]
    assert output.quantization is not None
    return dequantize_array(interpreter.run(graph, [given])[0], output.quantization)
