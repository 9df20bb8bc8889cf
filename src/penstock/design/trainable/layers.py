"""Weighted operators as torch's layers, and their weights back as the graph has them."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from penstock.ir import operators as ops
from penstock.ir.operators import Activation, Padding2D
from penstock.ir.tensor import Tensor as GraphTensor
from penstock.quantize.affine import Weighted

RealArray = npt.NDArray[np.float32]
Tensors = dict[str, GraphTensor]


def make_layer(
    operator: Weighted, filters: RealArray, bias: RealArray | None, depth: int
) -> nn.Conv2d | nn.Linear:
    """Return the layer of an operator; ``depth`` is the channels of its input."""
    layer: nn.Conv2d | nn.Linear
    if isinstance(operator, ops.FullyConnected):
        layer = nn.Linear(filters.shape[1], filters.shape[0])
    else:
        is_depthwise = isinstance(operator, ops.DepthwiseConv2D)
        channels = filters.shape[3] if is_depthwise else filters.shape[0]
        layer = nn.Conv2d(
            depth,
            channels,
            (filters.shape[1], filters.shape[2]),
            operator.stride,
            dilation=operator.dilation,
            groups=depth if is_depthwise else depth // filters.shape[3],
        )
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(_torch_filters(operator, filters)))
        assert layer.bias is not None
        layer.bias.copy_(torch.zeros(()) if bias is None else torch.from_numpy(bias))
    return layer


def _torch_filters(operator: Weighted, filters: RealArray) -> RealArray:
    match operator:
        case ops.FullyConnected():
            return np.ascontiguousarray(filters)
        case ops.DepthwiseConv2D():
            return np.ascontiguousarray(filters.transpose(3, 0, 1, 2))
        case ops.Conv2D():
            return np.ascontiguousarray(filters.transpose(0, 3, 1, 2))


def graph_filters(operator: Weighted, weight: RealArray) -> RealArray:
    """Return a layer's weight in the graph's order."""
    match operator:
        case ops.FullyConnected():
            return np.ascontiguousarray(weight)
        case ops.DepthwiseConv2D():
            return np.ascontiguousarray(weight.transpose(1, 2, 3, 0))
        case ops.Conv2D():
            return np.ascontiguousarray(weight.transpose(0, 2, 3, 1))


def run_layer(operator: Weighted, layer: nn.Module, value: Tensor) -> Tensor:
    """Return what a layer makes of a value, with the operator's padding."""
    if isinstance(operator, ops.FullyConnected):
        operand = value.flatten(1)
    else:
        operand = pad(value, operator.padding)
    result: Tensor = layer(operand)
    return result


def pad(value: Tensor, padding: Padding2D, filler: float = 0.0) -> Tensor:
    """Return an image with a border."""
    if padding.is_none:
        return value
    sides = (padding.left, padding.right, padding.top, padding.bottom)
    return nn.functional.pad(value, sides, value=filler)


def activate(value: Tensor, activation: Activation) -> Tensor:
    """Return what an operator's fused activation makes of its result."""
    if activation is Activation.NONE:
        return value
    if activation is Activation.RELU:
        return nn.functional.relu(value)
    return nn.functional.hardtanh(value, *activation.real_range)
