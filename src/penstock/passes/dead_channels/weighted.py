"""Arithmetic on the weights of convolutions and fully connected operators, channel by channel."""

from dataclasses import replace

import numpy as np

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.interpreter import run
from penstock.ir.operators import NO_PADDING
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor
from penstock.passes.dead_channels.ties import IntArray, Weighted


def centered_filters(graph: Graph, operator: Weighted) -> IntArray:
    """Return constant filters minus their zero points, ``[C_OUT, taps, inputs]``.

    For depthwise filters there is one input; for fully connected ones, one tap.
    """
    filters = graph.tensors[operator.filters]
    assert filters.data is not None
    centered = filters.data.astype(np.int64) - filter_zero_points(graph, operator)
    if isinstance(operator, ops.DepthwiseConv2D):
        return centered.reshape(-1, filters.shape[3]).T[:, :, np.newaxis]
    return centered.reshape(filters.shape[0], -1, filters.shape[-1])


def filter_zero_points(graph: Graph, operator: Weighted) -> IntArray:
    """Return the filters' zero points in a shape that broadcasts against the filters."""
    quantization = graph.tensors[operator.filters].quantization
    assert quantization is not None
    shape = [1] * len(graph.tensors[operator.filters].shape)
    shape[3 if isinstance(operator, ops.DepthwiseConv2D) else 0] = len(quantization.zero_point)
    return np.array(quantization.zero_point, np.int64).reshape(shape)


def has_border_effect(operator: Weighted) -> bool:
    """Return whether some outputs see fewer elements of the input than others."""
    if isinstance(operator, ops.FullyConnected):
        return False
    # Even without padding, a transposed convolution covers its outputs unevenly.
    return isinstance(operator, ops.TransposeConv2D) or not operator.padding.is_none


def bias_values(graph: Graph, operator: Weighted) -> IntArray:
    """Return the constant bias as int64 ``[C_OUT]``, zeros without one."""
    data = None if operator.bias is None else graph.tensors[operator.bias].data
    if data is None:
        return np.zeros(graph.tensors[operator.output].shape[-1], np.int64)
    return data.astype(np.int64)


def bias_tensor(graph: Graph, operator: Weighted, name: str, values: IntArray) -> Tensor:
    """Return a bias of these values, quantized as the existing one, or as input times filters."""
    if operator.bias is not None:
        bias = graph.tensors[operator.bias]
        return replace(bias, name=name, shape=values.shape, data=values.astype(bias.dtype.numpy))
    data, filters = graph.tensors[operator.input], graph.tensors[operator.filters]
    assert filters.quantization is not None
    dtype = DType.INT64 if data.dtype is DType.INT16 else DType.INT32
    scales = filters.quantization.scale
    quantization = QuantizationParameters(
        tuple(float(np.float32(data.scale) * np.float32(scale)) for scale in scales),
        (0,) * len(scales),
        None if len(scales) == 1 else 0,
    )
    return Tensor(name, values.shape, dtype, quantization, values.astype(dtype.numpy))


def bias_range(graph: Graph, operator: Weighted) -> tuple[int, int]:
    """Return the smallest and largest accumulator value that the bias type can hold."""
    empty = np.zeros(0, np.int64)
    return bias_tensor(graph, operator, "bias", empty).dtype.range


def requantize_biases(graph: Graph, operator: Weighted, totals: IntArray) -> IntArray:
    """Return the outputs of channels whose accumulators are ``totals`` ``[C_OUT]``.

    The operator itself is run, with these biases and weights that are all zero, on one element.
    """
    count = len(totals)
    data, output = graph.tensors[operator.input], graph.tensors[operator.output]
    filters = graph.tensors[operator.filters]
    rank = len(filters.shape)
    shape = [1] * rank
    shape[3 if isinstance(operator, ops.DepthwiseConv2D) else 0] = count
    no_weights = np.broadcast_to(filter_zero_points(graph, operator), shape)
    element = np.full((1,) * rank, data.zero_point, data.dtype.numpy)
    names = {operator.input: "input", operator.filters: "filters", operator.output: "output"}
    alone = Graph.build(
        "requantize",
        [
            replace(data, name="input", shape=element.shape, data=element),
            replace(
                filters,
                name="filters",
                shape=tuple(shape),
                data=no_weights.astype(filters.dtype.numpy),
            ),
            bias_tensor(graph, operator, "bias", totals),
            replace(output, name="output", shape=(*element.shape[1:], count)),
        ],
        [_on_one_element(replace(operator, bias="bias").rename(names))],
        [],
        ["output"],
    )
    return run(alone, [])[0].reshape(count).astype(np.int64)


def _on_one_element(operator: Weighted) -> Weighted:
    if isinstance(operator, ops.FullyConnected):
        return operator
    if isinstance(operator, ops.TransposeConv2D):
        return replace(operator, stride=(1, 1), padding=NO_PADDING)
    return replace(operator, stride=(1, 1), padding=NO_PADDING, dilation=(1, 1))
