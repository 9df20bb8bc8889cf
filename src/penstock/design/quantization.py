"""From a trained network to an int8 one: read, calibrate, quantize, compare."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from penstock.design.calibration import DEFAULT_CALIBRATION, CalibrationOptions
from penstock.design.data import DATA_SETS, has_parts, load_data_set
from penstock.errors import InputError, UnsupportedError
from penstock.frontends.samples import (
    CalibrationSamples,
    FloatArray,
    SampleShape,
    load_samples,
    some_samples,
)
from penstock.frontends.source_models import SourceModel
from penstock.ir import interpreter
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.real_numbers import first_in_float, first_quantized
from penstock.ir.verify import verify
from penstock.passes import EliminateDeadCode, FoldConstants, FuseActivations
from penstock.progress import Progress, silent
from penstock.quantize.affine import dequantize_array, quantize_array
from penstock.quantize.agreement import Agreement
from penstock.quantize.calibration import calibrate
from penstock.quantize.equalize import equalize
from penstock.quantize.fold_scaling import fold_scaling
from penstock.quantize.layer_names import keep_layer_names
from penstock.quantize.observers import ValueRange
from penstock.quantize.post_training import WeightOptions, expect_rules, quantize_graph

if TYPE_CHECKING:
    from torch import nn

COMPARED_MAX = 32
"""Samples that the int8 network is compared on: the interpreter takes its time."""


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


def quantize_source(
    model: SourceModel,
    data: Path,
    options: CalibrationOptions = DEFAULT_CALIBRATION,
    progress: Progress = silent,
) -> QuantizedModel:
    """Return the int8 network of a model file.

    Args:
        model: float32, with one input.
        data: calibration samples, as `load_samples` takes them, or the name of a data set or a
            .zip file as `load_data_set` takes them; of those with two parts, what is trained on.
        options: of calibration.
        progress: told what is going on.

    Raises:
        PenstockError: it is quantized already, has an operator that cannot be, or the samples do
            not fit.
    """
    prepared = prepare(model.graph)
    samples = _load(data, _sample_shape(model), options, progress)
    pixels = ValueRange(*options.scaling.real_range) if samples.are_pixels else None
    return _quantize(model.graph, prepared, samples.values, options, progress, pixels)


def _load(
    data: Path, shape: SampleShape, options: CalibrationOptions, progress: Progress
) -> CalibrationSamples:
    """Return samples of a file or folder; where it has two parts, of the one to learn from."""
    if str(data) not in DATA_SETS and data.suffix.lower() != ".zip":
        folder = data / "train" if has_parts(data) else data
        return load_samples(folder, shape, options.samples_max, options.scaling)
    found = load_data_set(str(data), shape.graph[1:], progress=progress)
    return some_samples(found.training.values, options.samples_max, options.scaling)


def quantize_module(
    module: "nn.Module",
    samples: Sequence[FloatArray],
    name: str,
    options: CalibrationOptions = DEFAULT_CALIBRATION,
    progress: Progress = silent,
) -> QuantizedModel:
    """Return the int8 network of a PyTorch module as it is in memory.

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
    import torch

    from penstock.frontends.torch import export_module, translate_program

    if not samples:
        raise InputError("there are no calibration samples", help="give at least one, better 100")
    example = torch.from_numpy(np.asarray(samples[0], np.float32))
    model = translate_program(export_module(module, (example,)), name)
    order = _sample_shape(model).order
    turned = [np.asarray(sample, np.float32).transpose(order) for sample in samples]
    return _quantize(model.graph, prepare(model.graph), turned, options, progress)


def prepare(graph: Graph) -> Graph:
    """Return a float32 graph with as few operators as it is quantized with.

    Raises:
        InputError: it is quantized already, or a weight is no number.
        UnsupportedError: there is no rule for an operator, or only a part is float32.
    """
    found, scaled = first_in_float(graph), first_quantized(graph)
    if found is None:
        raise InputError(
            f"the network {graph.name!r} is quantized already",
            help="give the network in real numbers, or compile it as it is: `penstock compile`",
        )
    if scaled is not None:
        raise UnsupportedError(
            f"the network {graph.name!r} is quantized in part: tensor {scaled!r} has a scale, and "
            f"tensor {found[1]!r} is float32",
            help="export the network as it was trained, all in float32",
        )
    _expect_finite(graph)
    static = EliminateDeadCode().apply(FoldConstants().apply(graph))
    prepared = keep_layer_names(static, FuseActivations().apply(fold_scaling(static)))
    expect_rules(prepared)
    return prepared


def _expect_finite(graph: Graph) -> None:
    for name, tensor in graph.tensors.items():
        if tensor.data is None or tensor.dtype is not DType.FLOAT32:
            continue
        broken = int((~np.isfinite(np.asarray(tensor.data, np.float32))).sum())
        if broken:
            raise InputError(
                f"the weights {name!r} have {broken} of {tensor.element_count} values that are "
                "infinite or no number",
                help="training has diverged: take an earlier checkpoint, or train more slowly",
            )


def _quantize(
    trained: Graph,
    prepared: Graph,
    samples: Sequence[FloatArray],
    options: CalibrationOptions,
    progress: Progress,
    input_range: ValueRange | None = None,
) -> QuantizedModel:
    """Calibrate, quantize and compare; the range of an input of pixels is known beforehand."""
    if options.equalizes:
        prepared = equalize(prepared)
    seen = calibrate(prepared, _told(samples, "calibrating", progress), options.rule)
    ranges = dict(seen.ranges)
    if input_range is not None:
        ranges[prepared.inputs[0]] = input_range
    means = seen.means if options.corrects_bias else None
    weights = WeightOptions(dense_per_channel=True, means=means)
    quantized = quantize_graph(prepared, ranges, weights)
    verify(quantized)
    # Evenly spread: folders have one class after the other.
    compared = samples[:: -(-len(samples) // COMPARED_MAX)]
    agreement = _compare(trained, quantized, compared, progress)
    return QuantizedModel(quantized, len(samples), agreement)


def _sample_shape(model: SourceModel) -> SampleShape:
    inputs = model.graph.inputs
    if len(inputs) != 1:
        raise InputError(
            f"the network has {len(inputs)} inputs, calibration files have one array",
            help="export a network with one input",
        )
    return SampleShape(model.graph.tensors[inputs[0]].shape, model.order(inputs[0]))


def _compare(
    trained: Graph, quantized: Graph, samples: Sequence[FloatArray], progress: Progress
) -> Agreement:
    """Compare first outputs on samples."""
    same, signal, noise = 0, 0.0, 0.0
    for sample in _told(samples, "comparing with the float network", progress):
        expected = interpreter.run(trained, [sample])[0].astype(np.float64)
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


def _run(graph: Graph, sample: FloatArray) -> npt.NDArray[np.float64]:
    """Return the first output of the int8 graph as real numbers."""
    source = graph.tensors[graph.inputs[0]]
    assert source.quantization is not None
    given = quantize_array(sample, source.quantization, source.dtype)
    output = graph.tensors[graph.outputs[0]]
    assert output.quantization is not None
    return dequantize_array(interpreter.run(graph, [given])[0], output.quantization)
