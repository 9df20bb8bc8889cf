"""What each ATen operator is in a graph: translators by the operator's name and overload."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch.fx import Node

from penstock.ir import operators as ops
from penstock.ir.operators import Activation, Padding2D

if TYPE_CHECKING:
    from penstock.frontends.torch.translation import Translation

Pair = tuple[int, int]
IMAGE_RANK = 4
_ACTIVATIONS = {(0.0, 6.0): Activation.RELU6, (-1.0, 1.0): Activation.RELU_N1_TO_1}
FROM_TORCH = (0, 2, 3, 1)
"""An image of the graph has these dimensions of torch's, in this order."""
_TO_TORCH = (0, 3, 1, 2)
_LEAKY_SLOPE = 0.01


def argument(node: Node, position: int, name: str, default: Any = None) -> Any:
    """Return an argument of a call, given by position or by name."""
    return node.args[position] if position < len(node.args) else node.kwargs.get(name, default)


def _pair(value: int | Sequence[int]) -> Pair:
    if isinstance(value, int):
        return value, value
    return (value[0], value[1]) if len(value) == 2 else (value[0], value[0])


def _conv_2d(t: "Translation", node: Node) -> None:
    filters = t.weight(node.args[1])
    stride = _pair(argument(node, 3, "stride", 1))
    padding = argument(node, 4, "padding", 0)
    dilation = _pair(argument(node, 5, "dilation", 1))
    groups = argument(node, 6, "groups", 1)
    source = t.tensor(node.args[0])
    depth = t.tensors[source].shape[3]
    is_depthwise = groups == depth and filters.shape[1] == 1
    order = (1, 2, 3, 0) if is_depthwise else (0, 2, 3, 1)
    output = t.add_output(node)
    kind = ops.DepthwiseConv2D if is_depthwise else ops.Conv2D
    operator = kind(
        input=source,
        filters=t.add_constant(f"{output}.filters", filters.transpose(order)),
        bias=_bias(t, node, output, filters.shape[0]),
        output=output,
        stride=stride,
        dilation=dilation,
        padding=_conv_padding(padding, filters.shape[2:], dilation),
    )
    t.append(operator)


def _bias(t: "Translation", node: Node, output: str, channels: int) -> str:
    """Return the bias, zeros for none: LiteRT's float32 convolution wants one."""
    bias = argument(node, 2, "bias")
    values = np.zeros(channels) if bias is None else t.weight(bias)
    return t.add_constant(f"{output}.bias", values)


def _conv_padding(padding: Any, filter_size: Sequence[int], dilation: Pair) -> Padding2D:
    if padding == "valid":
        return Padding2D()
    if padding == "same":  # stride 1, as torch demands; the odd element comes last
        totals = [d * (k - 1) for k, d in zip(filter_size, dilation, strict=True)]
        (top, bottom), (left, right) = ((n // 2, n - n // 2) for n in totals)
        return Padding2D(top, bottom, left, right)
    height, width = _pair(padding)
    return Padding2D(height, height, width, width)


def _batch_norm(t: "Translation", node: Node) -> None:
    """One multiplication and addition a channel: a depthwise 1x1 convolution."""
    source = t.tensor(node.args[0])
    if len(t.tensors[source].shape) != IMAGE_RANK:
        raise t.refused(node, "normalizes no images", "put BatchNorm2d behind a convolution")
    if node.args[3] is None:
        raise t.refused(
            node,
            "normalizes by the batch at hand, as it has no statistics",
            "leave out track_running_stats=False, and train again",
        )
    mean, variance = t.weight(node.args[3]), t.weight(node.args[4])
    epsilon = argument(node, 7, "eps", 1e-5)
    if (variance < 0).any():
        why = f"normalizes by a variance of {variance.min():g}, allowed is 0 and more"
        raise t.refused(node, why, "take an earlier checkpoint: running_var is damaged")
    factor = 1 / np.sqrt(variance.astype(np.float64) + epsilon)
    if node.args[1] is not None:
        factor = factor * t.weight(node.args[1])
    shift = -mean * factor
    if node.args[2] is not None:
        shift = shift + t.weight(node.args[2])
    output = t.add_output(node)
    t.append(
        ops.DepthwiseConv2D(
            input=source,
            filters=t.add_constant(f"{output}.filters", factor.reshape(1, 1, 1, -1)),
            bias=t.add_constant(f"{output}.bias", shift),
            output=output,
        )
    )


def _linear(t: "Translation", node: Node) -> None:
    source = t.tensor(node.args[0])
    if len(t.tensors[source].shape) != 2:
        raise t.refused(
            node,
            f"a linear layer reads a tensor of {len(t.shape(node))} dimensions, 2 are allowed",
            "flatten its input to [batch, features]",
        )
    output = t.add_output(node)
    filters = t.weight(node.args[1])
    t.append(
        ops.FullyConnected(
            input=source,
            filters=t.add_constant(f"{output}.filters", filters),
            bias=_bias(t, node, output, len(filters)),
            output=output,
        )
    )


def _relu(t: "Translation", node: Node) -> None:
    _clamp_to(t, node, Activation.RELU)


def _relu6(t: "Translation", node: Node) -> None:
    _clamp_to(t, node, Activation.RELU6)


def _clamp(t: "Translation", node: Node) -> None:
    """HARDTANH has -1 and 1 by default, CLAMP none."""
    is_hard = "hardtanh" in str(node.target)
    low = argument(node, 1, "min_val" if is_hard else "min", -1.0 if is_hard else None)
    high = argument(node, 2, "max_val" if is_hard else "max", 1.0 if is_hard else None)
    bounds = (
        -math.inf if low is None else float(low),
        math.inf if high is None else float(high),
    )
    known = {(0.0, math.inf): Activation.RELU, **_ACTIVATIONS}
    if bounds not in known:
        raise t.refused(
            node, f"clamps to {bounds[0]:g} … {bounds[1]:g}", "clamp with ReLU, ReLU6 or Hardtanh"
        )
    _clamp_to(t, node, known[bounds])


def _clamp_to(t: "Translation", node: Node, activation: Activation) -> None:
    source = t.tensor(node.args[0])
    t.append(ops.Relu(input=source, output=t.add_output(node), activation=activation))


def _leaky_relu(t: "Translation", node: Node) -> None:
    alpha = float(argument(node, 1, "negative_slope", _LEAKY_SLOPE))
    source = t.tensor(node.args[0])
    t.append(ops.LeakyRelu(input=source, output=t.add_output(node), alpha=alpha))


def _unary(kind: Any) -> Callable[["Translation", Node], None]:
    def translate(t: "Translation", node: Node) -> None:
        source = t.tensor(node.args[0])
        t.append(kind(input=source, output=t.add_output(node)))

    return translate


def _binary(kind: Any) -> Callable[["Translation", Node], None]:
    def translate(t: "Translation", node: Node) -> None:
        if node.kwargs.get("alpha", 1) != 1:
            raise t.refused(node, "scales an operand (alpha)", "multiply before")
        sides = node.args[:2]
        if not all(isinstance(side, Node) for side in sides):
            raise t.refused(
                node, "computes with a number", "make the number a buffer of the module"
            )
        left, right = (t.tensor(side) for side in sides)
        t.append(kind(left=left, right=right, output=t.add_output(node)))

    return translate


def _concatenate(t: "Translation", node: Node) -> None:
    parts = node.args[0]
    assert isinstance(parts, list | tuple)
    operands = tuple(t.tensor(part) for part in parts)
    rank = len(t.shape(node))
    axis = _axis(argument(node, 1, "dim", 0), rank)
    t.append(ops.Concatenation(operands=operands, output=t.add_output(node), axis=axis))


def _axis(axis: int, rank: int) -> int:
    """Return where a dimension of torch's lies in the graph."""
    axis %= rank
    return {0: 0, 1: 3, 2: 1, 3: 2}[axis] if rank == IMAGE_RANK else axis


def _adaptive_average(t: "Translation", node: Node) -> None:
    source = t.tensor(node.args[0])
    _, height, width, _ = t.tensors[source].shape
    size = node.args[1]
    assert isinstance(size, int | list | tuple)
    rows, columns = _pair(size)
    if (rows, columns) == (1, 1):
        output = t.add_output(node)
        t.append(ops.Mean(input=source, output=output, axes=(1, 2), keep_dims=True))
        return
    if height % rows or width % columns:
        raise t.refused(
            node,
            f"averages {height}x{width} to {rows}x{columns}, which is no whole number of pixels",
            "average to a divisor of the image's size",
        )
    window = height // rows, width // columns
    output = t.add_output(node)
    t.append(ops.AveragePool2D(input=source, output=output, filter=window, stride=window))


def _pool_window(t: "Translation", node: Node, ceil_at: int) -> tuple[Pair, Pair, Padding2D]:
    """Return filter, stride and padding; ``ceil_at`` is the position of ``ceil_mode``."""
    if argument(node, ceil_at, "ceil_mode", False):
        raise t.refused(node, "rounds the size up (ceil_mode)", "pad the image, and round down")
    window = _pair(argument(node, 1, "kernel_size"))
    stride = _pair(argument(node, 2, "stride", None) or window)
    rows, columns = _pair(argument(node, 3, "padding", 0))
    return window, stride, Padding2D(rows, rows, columns, columns)


def _max_pool(t: "Translation", node: Node) -> None:
    if _pair(argument(node, 4, "dilation", 1)) != (1, 1):
        raise t.refused(node, "takes a dilated maximum", "pool without dilation")
    window, stride, padding = _pool_window(t, node, 5)
    source = t.tensor(node.args[0])
    output = t.add_output(node)
    t.append(
        ops.MaxPool2D(input=source, output=output, filter=window, stride=stride, padding=padding)
    )


def _average_pool(t: "Translation", node: Node) -> None:
    window, stride, padding = _pool_window(t, node, 4)
    if argument(node, 6, "divisor_override") is not None:
        raise t.refused(node, "divides by another number (divisor_override)", "leave it out")
    source = t.tensor(node.args[0])
    if not padding.is_none and argument(node, 5, "count_include_pad", True):
        source = _padded(t, source, padding)
        padding = Padding2D()
    output = t.add_output(node)
    t.append(
        ops.AveragePool2D(
            input=source, output=output, filter=window, stride=stride, padding=padding
        )
    )


def _padded(t: "Translation", source: str, padding: Padding2D) -> str:
    """Zeros around an image, which an average counts."""
    n, height, width, depth = t.tensors[source].shape
    rows, columns = padding.top + padding.bottom, padding.left + padding.right
    padded = t.add_hidden(f"{source}.padded", (n, height + rows, width + columns, depth))
    around = ((0, 0), (padding.top, padding.bottom), (padding.left, padding.right), (0, 0))
    t.append(ops.Pad(input=source, output=padded, paddings=around))
    return padded


def _pad(t: "Translation", node: Node) -> None:
    amounts = node.args[1]
    assert isinstance(amounts, list | tuple)
    is_general = "aten.pad." in str(node.target)
    mode = argument(node, 2, "mode", "constant") if is_general else "constant"
    if mode != "constant" or argument(node, 2 + is_general, "value", 0) not in (0, None):
        raise t.refused(node, "pads with something else than 0", "pad with zeros")
    rank = len(t.shape(node))
    around = [(0, 0)] * rank
    for index in range(len(amounts) // 2):  # of the last dimension first
        before, behind = amounts[2 * index], amounts[2 * index + 1]
        assert isinstance(before, int) and isinstance(behind, int)
        if before < 0 or behind < 0:
            raise t.refused(node, "pads by a negative number", "slice the tensor")
        around[_axis(rank - 1 - index, rank)] = (before, behind)
    source = t.tensor(node.args[0])
    t.append(ops.Pad(input=source, output=t.add_output(node), paddings=tuple(around)))


def _mean(t: "Translation", node: Node) -> None:
    source = t.tensor(node.args[0])
    rank = len(t.tensors[source].shape)
    dims = argument(node, 1, "dim")
    if not dims:
        raise t.refused(node, "averages over everything", "name the dimensions, as (2, 3)")
    axes = tuple(sorted(_axis(dim, rank) for dim in (dims if isinstance(dims, list) else [dims])))
    keeps = bool(argument(node, 2, "keepdim", False))
    if rank == IMAGE_RANK and not keeps and axes != (1, 2):
        raise t.refused(node, "averages away part of an image", "average over both (2, 3)")
    t.append(ops.Mean(input=source, output=t.add_output(node), axes=axes, keep_dims=keeps))


def _softmax(t: "Translation", node: Node) -> None:
    rank = len(t.shape(node))
    axis = argument(node, 1, "dim")
    if rank == IMAGE_RANK or axis % rank != rank - 1:
        raise t.refused(
            node, "is no softmax over the last dimension", "apply it to [batch, classes]"
        )
    t.append(ops.Softmax(input=t.tensor(node.args[0]), output=t.add_output(node)))


def _reshape(t: "Translation", node: Node) -> None:
    """Elements keep torch's order: an image of more than one pixel is turned before."""
    source = t.tensor(node.args[0])
    given, wanted = t.tensors[source].shape, t.shape(node)
    if len(wanted) == IMAGE_RANK and (len(given) != IMAGE_RANK or wanted[1] != given[3]):
        raise t.refused(node, f"makes an image of {list(wanted)}", "keep images as they are")
    if len(given) == IMAGE_RANK and given[1] * given[2] > 1:
        turned = t.add_hidden(f"{source}.channels_first", (given[0], given[3], *given[1:3]))
        t.append(ops.Transpose(input=source, output=turned, permutation=_TO_TORCH))
        source = turned
    t.append(ops.Reshape(input=source, output=t.add_output(node)))


def _same(t: "Translation", node: Node) -> None:
    t.alias(node, node.args[0])


TRANSLATORS: dict[str, Callable[["Translation", Node], None]] = {
    "aten.conv2d.default": _conv_2d,
    "aten.conv2d.padding": _conv_2d,
    "aten.batch_norm.default": _batch_norm,
    "aten.linear.default": _linear,
    "aten.relu.default": _relu,
    "aten.relu_.default": _relu,
    "aten.relu6.default": _relu6,
    "aten.relu6_.default": _relu6,
    "aten.hardtanh.default": _clamp,
    "aten.hardtanh_.default": _clamp,
    "aten.clamp.default": _clamp,
    "aten.clamp_.default": _clamp,
    "aten.clamp_min.default": _clamp,
    "aten.leaky_relu.default": _leaky_relu,
    "aten.leaky_relu_.default": _leaky_relu,
    "aten.hardswish.default": _unary(ops.HardSwish),
    "aten.hardswish_.default": _unary(ops.HardSwish),
    "aten.sigmoid.default": _unary(ops.Logistic),
    "aten.tanh.default": _unary(ops.Tanh),
    "aten.add.Tensor": _binary(ops.Add),
    "aten.add_.Tensor": _binary(ops.Add),
    "aten.sub.Tensor": _binary(ops.Sub),
    "aten.mul.Tensor": _binary(ops.Mul),
    "aten.maximum.default": _binary(ops.Maximum),
    "aten.minimum.default": _binary(ops.Minimum),
    "aten.cat.default": _concatenate,
    "aten.adaptive_avg_pool2d.default": _adaptive_average,
    "aten.avg_pool2d.default": _average_pool,
    "aten.max_pool2d.default": _max_pool,
    "aten.constant_pad_nd.default": _pad,
    "aten.pad.default": _pad,
    "aten.mean.dim": _mean,
    "aten.softmax.int": _softmax,
    "aten.flatten.using_ints": _reshape,
    "aten.view.default": _reshape,
    "aten.reshape.default": _reshape,
    "aten.squeeze.dims": _reshape,
    "aten.dropout.default": _same,
    "aten.dropout_.default": _same,
    "aten.feature_dropout.default": _same,
    "aten.feature_dropout_.default": _same,
    "aten.alpha_dropout.default": _same,
    "aten.alpha_dropout_.default": _same,
    "aten.feature_alpha_dropout.default": _same,
    "aten.feature_alpha_dropout_.default": _same,
    "aten.contiguous.default": _same,
    "aten.clone.default": _same,
    "aten.alias.default": _same,
    "aten.detach.default": _same,
    "aten.detach_.default": _same,
    "aten.lift_fresh_copy.default": _same,
}
