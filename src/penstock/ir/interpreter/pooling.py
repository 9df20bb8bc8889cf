"""Pooling and averages."""

from collections.abc import Iterator, Mapping

import numpy as np

from penstock.ir.fixed_point import IntArray, wrap_int32
from penstock.ir.graph import Graph
from penstock.ir.integer_parameters import activation_range, mean_parameters
from penstock.ir.interpreter.requantization import clamp, scale_int32
from penstock.ir.operators import AveragePool2D, AverageRounding, MaxPool2D, Mean
from penstock.ir.tensor import Array


def average_pool_2d(graph: Graph, operator: AveragePool2D, values: Mapping[str, Array]) -> Array:
    """Evaluate AVERAGE_POOL_2D; padded elements are not counted."""
    source, output = values[operator.input], graph.tensors[operator.output]
    total = np.zeros(output.shape, np.int64)
    for window in taps(operator, source, output.shape, padding_value=0):
        total += np.asarray(window, np.int64)
    count = element_counts(operator, source.shape, output.shape)
    if operator.rounding is AverageRounding.HALF_UP:
        # Legacy uint8 kernels round up halves of sums of x + 128, which are never negative.
        average = (total + 128 * count + count // 2) // count - 128
    else:
        average = (np.abs(total) + count // 2) // count * np.sign(total)
    limits = activation_range(output, operator.activation)
    return clamp(average, limits, output.dtype.numpy)


def max_pool_2d(graph: Graph, operator: MaxPool2D, values: Mapping[str, Array]) -> Array:
    """Evaluate MAX_POOL_2D; padded elements never win."""
    source, output = values[operator.input], graph.tensors[operator.output]
    smallest, _ = output.dtype.range
    result = np.full(output.shape, smallest, output.dtype.numpy)
    for window in taps(operator, source, output.shape, padding_value=smallest):
        np.maximum(result, window, out=result)
    limits = activation_range(output, operator.activation)
    return clamp(result, limits, output.dtype.numpy)


def mean(graph: Graph, operator: Mean, values: Mapping[str, Array]) -> Array:
    """Evaluate MEAN over any axes."""
    output = graph.tensors[operator.output]
    parameters = mean_parameters(graph, operator)
    total = values[operator.input].sum(
        axis=operator.axes, dtype=np.int64, keepdims=operator.keep_dims
    )
    centered = wrap_int32(total - parameters.count * parameters.input_zero_point)
    result = scale_int32(centered, parameters.scaling) + parameters.output_zero_point
    return clamp(result, output.dtype.range, output.dtype.numpy)


def taps(
    operator: AveragePool2D | MaxPool2D,
    source: Array,
    output_shape: tuple[int, ...],
    padding_value: float,
) -> Iterator[Array]:
    """Yield, for each position in the window, the input element of every output."""
    padding = operator.padding
    amounts = ((0, 0), (padding.top, padding.bottom), (padding.left, padding.right), (0, 0))
    padded = np.pad(source, amounts, constant_values=padding_value)
    (stride_y, stride_x), (_, out_height, out_width, _) = operator.stride, output_shape
    for row in range(operator.filter[0]):
        for column in range(operator.filter[1]):
            yield padded[
                :,
                row : row + (out_height - 1) * stride_y + 1 : stride_y,
                column : column + (out_width - 1) * stride_x + 1 : stride_x,
            ]


def element_counts(
    operator: AveragePool2D, input_shape: tuple[int, ...], output_shape: tuple[int, ...]
) -> IntArray:
    """Return how many elements of the input each window covers, ``[H_OUT, W_OUT, 1]``."""
    before = (operator.padding.top, operator.padding.left)
    covered = []
    for axis in range(2):
        first = np.arange(output_shape[1 + axis]) * operator.stride[axis] - before[axis]
        last = np.minimum(first + operator.filter[axis], input_shape[1 + axis])
        covered.append(last - np.maximum(first, 0))
    return np.asarray(np.multiply.outer(covered[0], covered[1])[..., np.newaxis], np.int64)
