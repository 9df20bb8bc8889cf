"""Operators that move or repeat elements without computing on them."""

# ruff: noqa: ARG001 - evaluators share one signature

from collections.abc import Mapping

import numpy as np

from penstock.ir.graph import Graph
from penstock.ir.interpreter.requantization import clamp, round_half_away
from penstock.ir.operators import (
    Concatenation,
    Pack,
    Pad,
    Reshape,
    Shape,
    Split,
    StridedSlice,
    Transpose,
)
from penstock.ir.tensor import Array, Tensor


def pad(graph: Graph, operator: Pad, values: Mapping[str, Array]) -> Array:
    """Evaluate PAD and PADV2."""
    source = values[operator.input]
    fill = operator.value
    if fill is None:
        tensor = graph.tensors[operator.output]
        fill = 0 if tensor.quantization is None else tensor.zero_point
    return np.pad(source, operator.paddings, constant_values=fill)


def reshape(graph: Graph, operator: Reshape, values: Mapping[str, Array]) -> Array:
    """Evaluate RESHAPE to the shape of the output tensor."""
    return values[operator.input].reshape(graph.tensors[operator.output].shape)


def transpose(graph: Graph, operator: Transpose, values: Mapping[str, Array]) -> Array:
    """Evaluate TRANSPOSE."""
    return np.ascontiguousarray(values[operator.input].transpose(operator.permutation))


def strided_slice(graph: Graph, operator: StridedSlice, values: Mapping[str, Array]) -> Array:
    """Evaluate STRIDED_SLICE."""
    positions = [
        begin + stride * np.arange(extent)
        for begin, extent, stride in zip(
            operator.begin, operator.extents, operator.strides, strict=True
        )
    ]
    taken = values[operator.input][np.ix_(*positions)]
    return taken.reshape(graph.tensors[operator.output].shape)


def concatenation(graph: Graph, operator: Concatenation, values: Mapping[str, Array]) -> Array:
    """Evaluate CONCATENATION."""
    output = graph.tensors[operator.output]
    parts = [
        requantize_operand(graph.tensors[name], output, values[name]) for name in operator.operands
    ]
    return np.concatenate(parts, axis=operator.axis)


def requantize_operand(operand: Tensor, output: Tensor, value: Array) -> Array:
    """Return an operand of a concatenation in the output's quantization.

    Only legacy uint8 models mix quantizations; their kernel computes in float32 on uint8 values,
    so int8 values converted from uint8 are shifted back for it.
    """
    same = operand.quantization == output.quantization
    if same or operand.quantization is None or output.quantization is None:
        return value
    smallest, _ = output.dtype.range
    shift = -smallest
    scale = np.float32(operand.scale) * (np.float32(1) / np.float32(output.scale))
    bias = np.float32(-(operand.zero_point + shift)) * scale
    real = np.asarray(value.astype(np.int64) + shift, np.float32) * scale + bias
    steps = round_half_away(np.asarray(real, np.float32)).astype(np.int64)
    return clamp(steps + output.zero_point, output.dtype.range, output.dtype.numpy)


def split(graph: Graph, operator: Split, values: Mapping[str, Array]) -> tuple[Array, ...]:
    """Evaluate SPLIT and SPLIT_V into parts as large as the outputs."""
    extents = [graph.tensors[name].shape[operator.axis] for name in operator.results]
    boundaries = np.cumsum(extents)[:-1]
    parts = np.split(values[operator.input], boundaries, axis=operator.axis)
    return tuple(np.ascontiguousarray(part) for part in parts)


def pack(graph: Graph, operator: Pack, values: Mapping[str, Array]) -> Array:
    """Evaluate PACK."""
    return np.stack([values[name] for name in operator.operands], axis=operator.axis)


def shape(graph: Graph, operator: Shape, values: Mapping[str, Array]) -> Array:
    """Evaluate SHAPE."""
    extents = values[operator.input].shape
    return np.array(extents, graph.tensors[operator.output].dtype.numpy)
