"""What operators without weights compute, in torch: the float meaning of the interpreter's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from penstock.design.trainable.layers import activate, pad
from penstock.design.trainable.layout import (
    IMAGE_RANK,
    to_graph_order,
    to_torch_order,
    torch_axes,
    torch_axis,
)
from penstock.ir import operators as ops

Shape = Sequence[int]
Operation = Callable[[Any, Sequence[Tensor], Sequence[Shape]], Sequence[Tensor]]
"""Takes an operator, its operands, and the shapes of its results in the graph."""


def _add(operator: ops.Add, operands: Sequence[Tensor], _shapes: Sequence[Shape]) -> list[Tensor]:
    return [activate(operands[0] + operands[1], operator.activation)]


def _sub(operator: ops.Sub, operands: Sequence[Tensor], _shapes: Sequence[Shape]) -> list[Tensor]:
    return [activate(operands[0] - operands[1], operator.activation)]


def _mul(operator: ops.Mul, operands: Sequence[Tensor], _shapes: Sequence[Shape]) -> list[Tensor]:
    return [activate(operands[0] * operands[1], operator.activation)]


def _relu(operator: ops.Relu, operands: Sequence[Tensor], _shapes: Sequence[Shape]) -> list[Tensor]:
    return [activate(operands[0], operator.activation)]


def _leaky(
    operator: ops.LeakyRelu, operands: Sequence[Tensor], _shapes: Sequence[Shape]
) -> list[Tensor]:
    return [nn.functional.leaky_relu(operands[0], operator.alpha)]


def _elementwise(function: Callable[..., Tensor]) -> Operation:
    return lambda _operator, operands, _shapes: [function(*operands)]


def _softmax(
    operator: ops.Softmax, operands: Sequence[Tensor], _shapes: Sequence[Shape]
) -> list[Tensor]:
    axis = torch_axis(operands[0].ndim - 1, operands[0].ndim)
    return [torch.softmax(operands[0] * operator.beta, axis)]


def _mean(operator: ops.Mean, operands: Sequence[Tensor], shapes: Sequence[Shape]) -> list[Tensor]:
    value = operands[0]
    result = value.mean(torch_axes(operator.axes, value.ndim), keepdim=True)
    if operator.keep_dims:
        return [result]
    return [_reshaped(result, shapes[0])]


def _max_pool(
    operator: ops.MaxPool2D, operands: Sequence[Tensor], _shapes: Sequence[Shape]
) -> list[Tensor]:
    padded = pad(operands[0], operator.padding, -torch.inf)
    pooled = nn.functional.max_pool2d(padded, operator.filter, operator.stride)
    return [activate(pooled, operator.activation)]


def _average_pool(
    operator: ops.AveragePool2D, operands: Sequence[Tensor], _shapes: Sequence[Shape]
) -> list[Tensor]:
    """Average what lies within the image: padding does not count."""
    value = operands[0]
    window = operator.filter, operator.stride
    pooled = nn.functional.avg_pool2d(pad(value, operator.padding), *window)
    if not operator.padding.is_none:
        inside = pad(torch.ones_like(value[:1, :1]), operator.padding)
        pooled = pooled / nn.functional.avg_pool2d(inside, *window)
    return [activate(pooled, operator.activation)]


def _pad(operator: ops.Pad, operands: Sequence[Tensor], _shapes: Sequence[Shape]) -> list[Tensor]:
    sides = [side for axis in reversed(operator.paddings) for side in axis]
    return [to_torch_order(nn.functional.pad(to_graph_order(operands[0]), sides))]


def _reshape(
    _operator: ops.Reshape, operands: Sequence[Tensor], shapes: Sequence[Shape]
) -> list[Tensor]:
    return [_reshaped(operands[0], shapes[0])]


def _reshaped(value: Tensor, shape: Shape) -> Tensor:
    """Return a value in a shape of the graph; the last dimension follows from the others."""
    if value.ndim == IMAGE_RANK and value.shape[2:] == (1, 1) and len(shape) == 2:
        return value.flatten(1)
    return to_torch_order(to_graph_order(value).reshape(len(value), *shape[1:-1], -1))


def _transpose(
    operator: ops.Transpose, operands: Sequence[Tensor], _shapes: Sequence[Shape]
) -> list[Tensor]:
    return [to_torch_order(to_graph_order(operands[0]).permute(operator.permutation))]


def _strided_slice(
    operator: ops.StridedSlice, operands: Sequence[Tensor], shapes: Sequence[Shape]
) -> list[Tensor]:
    value = to_graph_order(operands[0])
    parts = [slice(None)]
    for begin, extent, stride in list(
        zip(operator.begin, operator.extents, operator.strides, strict=True)
    )[1:]:
        parts.append(slice(begin, begin + (extent - 1) * stride + 1, stride))
    return [to_torch_order(value[tuple(parts)].reshape(len(value), *shapes[0][1:]))]


def _concatenation(
    operator: ops.Concatenation, operands: Sequence[Tensor], _shapes: Sequence[Shape]
) -> list[Tensor]:
    count = max(map(len, operands))  # constants are there once for all samples
    spread = [value.expand(count, *value.shape[1:]) for value in operands]
    return [torch.cat(spread, torch_axis(operator.axis, operands[0].ndim))]


def _split(
    operator: ops.Split, operands: Sequence[Tensor], _shapes: Sequence[Shape]
) -> list[Tensor]:
    value = operands[0]
    return list(value.chunk(len(operator.results), torch_axis(operator.axis, value.ndim)))


def _pack(operator: ops.Pack, operands: Sequence[Tensor], _shapes: Sequence[Shape]) -> list[Tensor]:
    stacked = torch.stack([to_graph_order(value) for value in operands], operator.axis)
    return [to_torch_order(stacked)]


OPERATIONS: Mapping[type[ops.Operator], Operation] = {
    ops.Add: _add,
    ops.Sub: _sub,
    ops.Mul: _mul,
    ops.Maximum: _elementwise(torch.maximum),
    ops.Minimum: _elementwise(torch.minimum),
    ops.Relu: _relu,
    ops.LeakyRelu: _leaky,
    ops.HardSwish: _elementwise(nn.functional.hardswish),
    ops.Logistic: _elementwise(torch.sigmoid),
    ops.Tanh: _elementwise(torch.tanh),
    ops.Softmax: _softmax,
    ops.Mean: _mean,
    ops.MaxPool2D: _max_pool,
    ops.AveragePool2D: _average_pool,
    ops.Pad: _pad,
    ops.Reshape: _reshape,
    ops.Transpose: _transpose,
    ops.StridedSlice: _strided_slice,
    ops.Concatenation: _concatenation,
    ops.Split: _split,
    ops.Pack: _pack,
}
