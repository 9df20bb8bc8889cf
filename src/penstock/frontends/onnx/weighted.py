"""Convolutions, matrix products with weights, and batch normalization."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from penstock.frontends.onnx.values import IMAGE, Computed, Constant, Node, Order, plain
from penstock.frontends.onnx.windows import read_window
from penstock.ir import operators as ops
from penstock.ir.shapes import window_count

if TYPE_CHECKING:
    from penstock.frontends.onnx.translation import Translation

_AGAIN = "export the model again: they do not fit together"
_CONV_FILTERS: Order = (0, 2, 3, 1)
_DEPTHWISE_FILTERS: Order = (1, 2, 3, 0)


def _conv(t: "Translation", node: Node) -> None:
    filters = t.constant(node, node.input_name(1))
    source = t.image(node)
    _, height, width, depth = t.tensors[source].shape
    if filters.data.ndim != len(IMAGE):
        raise t.refused(
            node, f"has filters {list(filters.data.shape)}, images have 4 dimensions", _AGAIN
        )
    channels, taken = filters.data.shape[:2]
    groups = node.attribute("group", 1)
    if taken * groups != depth or channels % groups:
        raise t.refused(
            node,
            f"has filters {list(filters.data.shape)} in {groups} groups for {depth} channels",
            _AGAIN,
        )
    size = filters.data.shape[2], filters.data.shape[3]
    window = read_window(t, node, size, (height, width))
    is_depthwise = groups == depth and taken == 1
    pads = window.padding
    rows = window_count(height, size[0], window.stride[0], window.dilation[0], pads.rows)
    columns = window_count(width, size[1], window.stride[1], window.dilation[1], pads.columns)
    output = t.add_output(node, (1, channels, rows, columns), IMAGE)
    kind = ops.DepthwiseConv2D if is_depthwise else ops.Conv2D
    order = _DEPTHWISE_FILTERS if is_depthwise else _CONV_FILTERS
    t.append(
        kind(
            input=source,
            filters=t.add_constant(f"{output}.filters", filters, order),
            bias=_bias(t, node, output, channels),
            output=output,
            stride=window.stride,
            dilation=window.dilation,
            padding=pads.as_padding(),
        )
    )


def _bias(t: "Translation", node: Node, output: str, channels: int) -> str:
    """Return the bias, zeros for none: LiteRT's float32 convolution wants one."""
    given = t.numbers(node, 2)
    values = np.zeros(channels, np.float32) if given is None else given
    return t.add_constant(f"{output}.bias", Constant(np.broadcast_to(values, (channels,))))


def _batch_norm(t: "Translation", node: Node) -> None:
    """One multiplication and addition a channel: of images a depthwise 1x1 convolution."""
    factor, shift, mean, variance = (
        np.asarray(t.constant(node, node.input_name(n)).data, np.float64) for n in range(1, 5)
    )
    if (variance < 0).any():
        why = f"normalizes by a variance of {variance.min():g}, allowed is 0 and more"
        raise t.refused(node, why, "take an earlier checkpoint: its statistics are damaged")
    factor = factor / np.sqrt(variance + node.attribute("epsilon", 1e-5))
    shift = shift - mean * factor
    value = t.computed(node)
    shape = t.shape(value)
    if len(shape) == len(IMAGE):
        source = t.image(node)
        output = t.add_output(node, shape, IMAGE)
        filters = Constant(factor.reshape(1, 1, 1, -1))
        t.append(
            ops.DepthwiseConv2D(
                input=source,
                filters=t.add_constant(f"{output}.filters", filters),
                bias=t.add_constant(f"{output}.bias", Constant(shift)),
                output=output,
            )
        )
        return
    if len(shape) != 2:
        raise t.refused(
            node,
            f"normalizes a tensor of {len(shape)} dimensions, 2 and 4 are allowed",
            "give one-dimensional data a height of 1, [N, C, 1, W]",
        )
    source = t.in_order(value, plain(2))
    output = t.add_output(node, shape)
    scaled = t.add_hidden(f"{output}.scaled", output)
    factors = t.add_constant(f"{output}.factors", Constant(factor))
    t.append(ops.Mul(left=source, right=factors, output=scaled))
    shifts = t.add_constant(f"{output}.shifts", Constant(shift))
    t.append(ops.Add(left=scaled, right=shifts, output=output))


def _gemm(t: "Translation", node: Node) -> None:
    if node.attribute("transA", 0):
        raise t.refused(node, "turns its input (transA)", "transpose it before")
    alpha, beta = node.attribute("alpha", 1.0), node.attribute("beta", 1.0)
    weights = t.constant(node, node.input_name(1))
    if alpha != 1.0:
        weights = Constant(np.asarray(weights.data, np.float64) * alpha)
    added = t.numbers(node, 2)
    bias = None if added is None else np.asarray(added, np.float64) * beta
    order = (0, 1) if node.attribute("transB", 0) else (1, 0)
    _fully_connected(t, node, Constant(weights.data, weights.quantization), order, bias)


def _mat_mul(t: "Translation", node: Node) -> None:
    weights = t.value(node, 1)
    if isinstance(weights, Computed) or isinstance(t.value(node, 0), Constant):
        raise t.refused(
            node,
            "multiplies two computed matrices, or a constant by one",
            "only [batch, features] by constant weights is known",
        )
    if weights.data.ndim != 2:
        raise t.refused(
            node,
            f"has weights of {weights.data.ndim} dimensions, 2 are allowed",
            "use a linear layer, or a 1x1 convolution",
        )
    _fully_connected(t, node, weights, (1, 0), None)


def _fully_connected(
    t: "Translation", node: Node, weights: Constant, order: Order, bias: np.ndarray | None
) -> None:
    """Multiply rows by weights that have the outputs first once they are in ``order``."""
    value = t.computed(node)
    shape = t.shape(value)
    outputs, inputs = (weights.data.shape[axis] for axis in order)
    if not shape or shape[-1] != inputs:
        raise t.refused(
            node,
            f"multiplies a tensor {list(shape)} by weights for {inputs} features",
            "flatten its input to [batch, features]",
        )
    if bias is not None and bias.size not in (1, outputs):
        raise t.refused(
            node, f"adds {list(bias.shape)} to {outputs} outputs", "add one number to each output"
        )
    values = np.zeros(outputs) if bias is None else bias.reshape(-1)
    source = t.in_order(value, plain(len(shape)))
    output = t.add_output(node, (*shape[:-1], outputs))
    added = Constant(np.broadcast_to(values, (outputs,)))
    t.append(
        ops.FullyConnected(
            input=source,
            filters=t.add_constant(f"{output}.filters", weights, order),
            bias=t.add_constant(f"{output}.bias", added),
            output=output,
        )
    )


WEIGHTED: dict[str, Callable[["Translation", Node], None]] = {
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _mat_mul,
}
"""Products with weights."""
