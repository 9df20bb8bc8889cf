"""Convolutions of all kinds and fully connected layers.

Sums of products are formed by floating-point matrix multiplication wherever every partial sum is
an integer that the type holds exactly: the bound is computed from the filters at hand.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.ir.dtype import DType
from penstock.ir.fixed_point import IntArray, wrap_int32
from penstock.ir.graph import Graph
from penstock.ir.integer_parameters import (
    Convolution,
    activation_range,
    fully_connected_scales,
    requantization_multipliers,
)
from penstock.ir.interpreter.requantization import clamp, requantize_channels, round_half_away
from penstock.ir.operators import (
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Padding2D,
    TransposeConv2D,
)
from penstock.ir.tensor import Array

_BLOCK_ELEMENTS = 1 << 21  # of the unfolded input, so that memory stays modest

Number = npt.NDArray[Any]
Weighted = Convolution | FullyConnected


def conv_2d(graph: Graph, operator: Conv2D, values: Mapping[str, Array]) -> Array:
    """Evaluate CONV_2D, grouped or not."""
    return _finish(graph, operator, values, conv_2d_sums(graph, operator, values))


def conv_2d_sums(graph: Graph, operator: Conv2D, values: Mapping[str, Array]) -> IntArray:
    """Return what CONV_2D adds the bias to: ``[N, H_OUT, W_OUT, C_OUT]``."""
    filters = _centered_filters(graph, operator, values)
    dtype = _exact_dtype(graph, operator, np.abs(filters).sum(axis=(1, 2, 3)))
    source = _centered_input(graph, operator, values, dtype, operator.padding)
    accumulators = np.empty(graph.tensors[operator.output].shape, np.int64)
    convolve(source, filters.astype(dtype), operator, accumulators)
    return accumulators


def convolve(source: Number, filters: Number, operator: Conv2D, sums: Number) -> None:
    """Put the sums of a convolution into ``sums``, ``[N, H_OUT, W_OUT, C_OUT]``.

    Args:
        source: padded, of the type to multiply in.
        filters: of the same type.
        operator: stride and dilation.
        sums: of any type that holds them.
    """
    channels, height, width, depth = filters.shape
    _, out_height, out_width, _ = sums.shape
    groups = source.shape[3] // depth
    columns = filters.reshape(channels, -1).T.reshape(-1, groups, channels // groups)
    windows = _windows(source, operator, (height, width), (out_height, out_width))
    rows = max(1, _BLOCK_ELEMENTS // max(1, out_width * source.shape[3] * height * width))
    for batch in range(len(source)):
        for first in range(0, out_height, rows):
            block = windows[batch, first : first + rows]
            taken = len(block)
            for group in range(groups):
                part = block[:, :, group * depth : (group + 1) * depth]
                unfolded: Number = part.transpose(0, 1, 3, 4, 2).reshape(taken * out_width, -1)
                product = _product(unfolded, columns[:, group])
                sums[batch, first : first + rows, :, _group(group, groups, channels)] = (
                    product.reshape(taken, out_width, -1)
                )


def _product(left: Number, right: Number) -> Number:
    """Multiply matrices; those of integers in a type that holds every partial sum exactly.

    BLAS works on whole blocks, and what lies behind a matrix's end in its buffers may raise the
    flag for invalid operations, at random; no such value gets into the product.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        product: Number = left @ right
    return product


def _group(group: int, groups: int, channels: int) -> slice:
    per_group = channels // groups
    return slice(group * per_group, (group + 1) * per_group)


def depthwise_conv_2d(
    graph: Graph, operator: DepthwiseConv2D, values: Mapping[str, Array]
) -> Array:
    """Evaluate DEPTHWISE_CONV_2D."""
    return _finish(graph, operator, values, depthwise_conv_2d_sums(graph, operator, values))


def depthwise_conv_2d_sums(
    graph: Graph, operator: DepthwiseConv2D, values: Mapping[str, Array]
) -> IntArray:
    """Return what DEPTHWISE_CONV_2D adds the bias to: ``[N, H_OUT, W_OUT, C_OUT]``."""
    filters = _centered_filters(graph, operator, values)[0]
    source = _centered_input(graph, operator, values, np.dtype(np.int64), operator.padding)
    bound = int(np.abs(filters).sum(axis=(0, 1)).max(initial=0)) * _largest_input(graph, operator)
    dtype = np.int32 if bound < 1 << 31 else np.int64
    accumulators = np.zeros(graph.tensors[operator.output].shape, dtype)
    convolve_channels(source.astype(dtype), filters.astype(dtype), operator, accumulators)
    return accumulators.astype(np.int64)


def convolve_channels(
    source: Number, filters: Number, operator: DepthwiseConv2D, sums: Number
) -> None:
    """Add the sums of a depthwise convolution to ``sums``, ``[N, H_OUT, W_OUT, C_OUT]``.

    Args:
        source: padded.
        filters: ``[KH, KW, C_OUT]``.
        operator: stride and dilation.
        sums: of the type of both.
    """
    height, width, channels = filters.shape
    repeated = np.repeat(source, channels // source.shape[3], axis=3)
    for row in range(height):
        for column in range(width):
            view = _tap(repeated, operator, (row, column), sums.shape[1:3])
            sums += view * filters[row, column]


def transpose_conv_2d(
    graph: Graph, operator: TransposeConv2D, values: Mapping[str, Array]
) -> Array:
    """Evaluate TRANSPOSE_CONV_2D: each filter element scatters one matrix product."""
    filters = _centered_filters(graph, operator, values)
    channels, height, width, _ = filters.shape
    dtype = _exact_dtype(graph, operator, np.abs(filters).sum(axis=(1, 2, 3)))
    source = _centered_input(graph, operator, values, dtype, Padding2D())
    stride_y, stride_x = operator.stride
    batches, in_height, in_width = source.shape[:3]
    out_height, out_width = graph.tensors[operator.output].shape[1:3]
    top, left = operator.padding.top, operator.padding.left
    full_height = max((in_height - 1) * stride_y + height, top + out_height)
    full_width = max((in_width - 1) * stride_x + width, left + out_width)
    canvas = np.zeros((batches, full_height, full_width, channels), np.int64)
    for row in range(height):
        for column in range(width):
            product = _product(source, filters[:, row, column, :].T.astype(dtype))
            canvas[
                :,
                row : row + (in_height - 1) * stride_y + 1 : stride_y,
                column : column + (in_width - 1) * stride_x + 1 : stride_x,
            ] += product.astype(np.int64)
    cropped = canvas[:, top : top + out_height, left : left + out_width]
    return _finish(graph, operator, values, np.ascontiguousarray(cropped))


def fully_connected(graph: Graph, operator: FullyConnected, values: Mapping[str, Array]) -> Array:
    """Evaluate FULLY_CONNECTED."""
    sums = fully_connected_sums(graph, operator, values)
    total, _ = _with_bias(graph, operator, values, sums)
    output = graph.tensors[operator.output]
    product = total.astype(np.float64) * np.array(fully_connected_scales(graph, operator))
    smallest, largest = activation_range(output, operator.activation)
    # Limited before the conversion to integers, which huge products would overflow.
    limited = np.clip(product, smallest - output.zero_point - 1, largest - output.zero_point + 1)
    quantized = round_half_away(limited).astype(np.int64) + output.zero_point
    return clamp(quantized, (smallest, largest), output.dtype.numpy).reshape(output.shape)


def fully_connected_sums(
    graph: Graph, operator: FullyConnected, values: Mapping[str, Array]
) -> IntArray:
    """Return what FULLY_CONNECTED adds the bias to: ``[N, C_OUT]``.

    The input is flattened to rows of the filters' depth.
    """
    matrix = _centered_filters(graph, operator, values).T
    dtype = _exact_dtype(graph, operator, np.abs(matrix).sum(axis=0))
    source = _centered_input(graph, operator, values, dtype, Padding2D())
    return _product(source.reshape(-1, len(matrix)), matrix.astype(dtype)).astype(np.int64)


def _largest_input(graph: Graph, operator: Weighted) -> int:
    tensor = graph.tensors[operator.input]
    smallest, largest = tensor.dtype.range
    return max(largest - tensor.zero_point, tensor.zero_point - smallest)


def _exact_dtype(graph: Graph, operator: Weighted, weight_sums: IntArray) -> np.dtype[np.generic]:
    """Return a type in which sums of products are exact; the fastest that is."""
    bound = int(weight_sums.max(initial=0)) * _largest_input(graph, operator)
    if bound < 1 << 24:
        return np.dtype(np.float32)
    return np.dtype(np.float64 if bound < 1 << 53 else np.int64)


def _centered_filters(graph: Graph, operator: Weighted, values: Mapping[str, Array]) -> IntArray:
    """Return filters minus their zero points, which vary along the axis of their scales."""
    filters = np.asarray(values[operator.filters], np.int64)
    quantization = graph.tensors[operator.filters].quantization
    if quantization is None or not any(quantization.zero_point):
        return filters
    if quantization.axis is None or quantization.is_per_tensor:
        return filters - quantization.zero_point[0]
    extents = [1] * filters.ndim
    extents[quantization.axis] = -1
    return filters - np.array(quantization.zero_point, np.int64).reshape(extents)


def _centered_input(
    graph: Graph,
    operator: Weighted,
    values: Mapping[str, Array],
    dtype: np.dtype[np.generic],
    padding: Padding2D,
) -> Number:
    """Return the input minus its zero point, so that padding is 0."""
    centered = values[operator.input].astype(dtype)
    centered -= graph.tensors[operator.input].zero_point
    return padded(centered, padding)


def padded(source: Number, padding: Padding2D) -> Number:
    """Return an image with zeros around it."""
    if padding.is_none:
        return source
    amounts = ((0, 0), (padding.top, padding.bottom), (padding.left, padding.right), (0, 0))
    return np.pad(source, amounts)


def _windows(
    source: Number, operator: Conv2D, kernel: tuple[int, int], output: tuple[int, int]
) -> Number:
    """Return a view ``[N, H_OUT, W_OUT, C, KH, KW]`` of the padded input."""
    (height, width), (dilation_y, dilation_x) = kernel, operator.dilation
    span = ((height - 1) * dilation_y + 1, (width - 1) * dilation_x + 1)
    view = np.lib.stride_tricks.sliding_window_view(source, span, axis=(1, 2))
    stride_y, stride_x = operator.stride
    strided = view[:, ::stride_y, ::stride_x, :, ::dilation_y, ::dilation_x]
    return strided[:, : output[0], : output[1]]


def _tap(
    source: Number, operator: DepthwiseConv2D, position: tuple[int, int], output: tuple[int, ...]
) -> Number:
    """Return the inputs that one filter element meets, one for each output position."""
    index = [slice(None)]
    for axis in range(2):
        first = position[axis] * operator.dilation[axis]
        last = first + (output[axis] - 1) * operator.stride[axis] + 1
        index.append(slice(first, last, operator.stride[axis]))
    return source[tuple(index)]


def _with_bias(
    graph: Graph, operator: Weighted, values: Mapping[str, Array], accumulators: IntArray
) -> tuple[IntArray, bool]:
    """Add the bias; return accumulators and whether they have 64 bits (int16 activations)."""
    wide = graph.tensors[operator.input].dtype is DType.INT16
    if operator.bias is not None:
        accumulators += values[operator.bias].astype(np.int64)
        wide = wide and graph.tensors[operator.bias].dtype is DType.INT64
    if not wide and math.prod(accumulators.shape):
        accumulators = wrap_int32(accumulators)
    return accumulators, wide


def _finish(
    graph: Graph, operator: Convolution, values: Mapping[str, Array], accumulators: IntArray
) -> Array:
    """Add the bias, requantize and clamp."""
    accumulators, wide = _with_bias(graph, operator, values, accumulators)
    output = graph.tensors[operator.output]
    return requantize_channels(
        accumulators,
        requantization_multipliers(graph, operator),
        output.zero_point,
        activation_range(output, operator.activation),
        output.dtype.numpy,
        wide=wide,
    )
