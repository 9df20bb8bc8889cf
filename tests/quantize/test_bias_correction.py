"""Biases make up for what rounding the weights adds to outputs on average."""

import numpy as np
import pytest

from penstock.frontends.tflite import write_model
from penstock.ir import interpreter
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Operator
from penstock.ir.tensor import Tensor
from penstock.quantize.affine import quantize_array
from penstock.quantize.histograms import HistogramObserver, RangeRule
from penstock.quantize.observers import ChannelMeanObserver
from penstock.quantize.post_training import WeightOptions, quantize_graph
from tests.litert import LiteRT

FILTERS = {
    "conv": (6, 1, 1, 8),
    "large": (6, 3, 2, 8),
    "grouped": (6, 1, 1, 4),
    "depthwise": (1, 3, 3, 8),
    "multiplied": (1, 2, 2, 16),
    "dense": (6, 8),
}


def network(kind: str, generator: np.random.Generator) -> Graph:
    """Return one weighted operator whose filters have an outlier, so that the others are coarse."""
    shape = FILTERS[kind]
    weights = generator.normal(scale=0.02, size=shape).astype(np.float32)
    weights[..., 0] = 2.0
    if kind in ("depthwise", "multiplied"):
        weights[:, 0, 0, :] = 2.0
    is_dense = kind == "dense"
    channels = shape[3] if kind in ("depthwise", "multiplied") else shape[0]
    source = (1, 8) if is_dense else (1, 7, 6, 8)
    rows, columns = (1, 1) if is_dense else (7 - shape[1] + 1, 6 - shape[2] + 1)
    result = (1, channels) if is_dense else (1, rows, columns, channels)
    names = {"input": "x", "filters": "f", "bias": "b", "output": "y"}
    operator: Operator
    if is_dense:
        operator = ops.FullyConnected(**names)
    elif kind in ("depthwise", "multiplied"):
        operator = ops.DepthwiseConv2D(**names)
    else:
        operator = ops.Conv2D(**names)
    tensors = [
        Tensor("x", source, DType.FLOAT32),
        Tensor("f", shape, DType.FLOAT32, data=weights),
        Tensor("b", (channels,), DType.FLOAT32, data=np.zeros(channels, np.float32)),
        Tensor("y", result, DType.FLOAT32),
    ]
    return Graph.build("net", tensors, [operator], ["x"], ["y"])


@pytest.mark.parametrize("kind", FILTERS)
def test_the_mean_error_of_each_channel_is_smaller(kind: str) -> None:
    generator = np.random.default_rng(3)
    graph = network(kind, generator)
    shape = graph.tensors["x"].shape
    offset = generator.uniform(0.5, 3, size=shape[-1])
    samples = [(generator.normal(size=shape) + offset).astype(np.float32) for _ in range(60)]
    ranges, means = HistogramObserver(), ChannelMeanObserver()
    oracle, expected = LiteRT(write_model(graph)), []
    for sample in samples:
        expected.append(oracle.run([sample])[0])
        for name, values in (("x", sample), ("y", expected[-1])):
            ranges.observe(name, values)
            means.observe(name, values)
    errors = [
        mean_error(graph, ranges, samples, expected, WeightOptions(means=known))
        for known in (None, means.means)
    ]
    assert errors[1] < 0.4 * errors[0]


def mean_error(
    graph: Graph,
    ranges: HistogramObserver,
    samples: list[np.ndarray],
    expected: list[np.ndarray],
    options: WeightOptions,
) -> float:
    """Return the largest mean error of a channel."""
    quantized = quantize_graph(graph, ranges.ranges(RangeRule.ALL), options)
    source, result = quantized.tensors["x"], quantized.tensors["y"]
    assert source.quantization is not None
    total = np.zeros(result.shape[-1])
    for sample, wanted in zip(samples, expected, strict=True):
        given = quantize_array(sample, source.quantization, DType.INT8)
        found = np.asarray(interpreter.run(quantized, [given])[0], np.float64)
        difference = (found - result.zero_point) * result.scale - wanted
        total += difference.reshape(-1, result.shape[-1]).mean(axis=0)
    return float(np.abs(total).max() / len(samples))


def test_dense_layers_may_have_a_scale_for_each_channel() -> None:
    graph = network("dense", np.random.default_rng(0))
    ranges = HistogramObserver()
    for name in "xy":
        ranges.observe(name, np.array([-1.0, 1.0]))
    found = quantize_graph(
        graph, ranges.ranges(RangeRule.ALL), WeightOptions(dense_per_channel=True)
    )
    quantization = found.tensors["f"].quantization
    assert quantization is not None and quantization.axis == 0 and len(quantization.scale) == 6
    bias = found.tensors["b"].quantization
    assert bias is not None and len(bias.scale) == 6
