"""Random graphs of one operator beyond those that LiteRT judges.

Legacy filters, extremes, and movement (`movement_cases`): what the interpreter does with them is
the definition.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Activation, AverageRounding, MultiplierSource, Padding2D
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor
from tests.interpreter import elementwise_cases, weighted_cases
from tests.interpreter.building import ACTIVATIONS, NARROW, Builder, Draw, geometry
from tests.kernels import movement_cases

ARITHMETIC = weighted_cases.CASES | elementwise_cases.CASES


def legacy_weights(draw: Draw) -> Graph:
    """An operator whose filters have a zero point, as in models converted from uint8."""
    names = ["conv_2d", "depthwise_conv_2d", "transpose_conv_2d", "fully_connected"]
    graph = ARITHMETIC[draw(st.sampled_from(names))](draw)
    filters = graph.tensors["filters"]
    if graph.tensors["x"].dtype is not DType.INT8 or len(filters.quantization.scale) > 1:
        return graph
    changed = Tensor(
        "filters",
        filters.shape,
        filters.dtype,
        QuantizationParameters(filters.quantization.scale, (draw(st.integers(-128, 127)),)),
        np.where(filters.data == -127, -128, filters.data).astype(np.int8),
    )
    operator: Any = graph.operators[0]
    if hasattr(operator, "multiplier_source"):
        operator = replace(operator, multiplier_source=MultiplierSource.SINGLE)
    return graph.with_changes(tensors={"filters": changed}, operators=[operator])


def extreme_scales(draw: Draw) -> Graph:
    """An operator with the largest and smallest factors, where sums saturate or vanish."""
    names = ["conv_2d", "depthwise_conv_2d", "fully_connected", "mul", "mean", "leaky_relu"]
    graph = ARITHMETIC[draw(st.sampled_from(names))](draw)
    output = graph.tensors["y"]
    if output.dtype is DType.INT16:
        return graph  # factors of 128 and more are refused
    scale = float(np.float32(draw(st.sampled_from([1e-12, 1e-7, 1e-5, 1e6, 1e15]))))
    quantization = QuantizationParameters.per_tensor(scale, output.zero_point)
    changed = Tensor("y", output.shape, output.dtype, quantization)
    operator: Any = graph.operators[0]
    if hasattr(operator, "activation"):
        operator = replace(operator, activation=Activation.NONE)
    return graph.with_changes(tensors={"y": changed}, operators=[operator])


def wide_depthwise(draw: Draw) -> Graph:
    """DEPTHWISE_CONV_2D with multipliers and channels that meet every path of the kernel."""
    build, shape, dtype = Builder(draw), geometry(draw), draw(NARROW)
    depth, multiplier = draw(st.sampled_from([(1, 8), (2, 4), (9, 1), (12, 1), (3, 2), (5, 12)]))
    scale = build.scale(1e-3, 1.0)
    build.add("x", (1, *shape.size, depth), dtype, scale=scale)
    build.filters((1, *shape.kernel, depth * multiplier), 3)
    bias = build.bias(depth * multiplier, scale, dtype)
    fitting = build.fitting_scale(shape.kernel[0] * shape.kernel[1], scale, dtype)
    build.add("y", (1, *shape.output, depth * multiplier), dtype, scale=fitting)
    operator = ops.DepthwiseConv2D(
        input="x", filters="filters", bias=bias, output="y", stride=shape.stride,
        dilation=shape.dilation, padding=shape.padding, activation=draw(ACTIVATIONS),
    )  # fmt: skip
    return build.graph(operator, "x")


def winograd(draw: Draw) -> Graph:
    """CONV_2D of 3x3 with strides of 1 and channels by fours: any padding, edge and remainder."""
    build = Builder(draw)
    height, width = (draw(st.integers(6, 15)) for _ in range(2))
    padding = Padding2D(*(draw(st.integers(0, 2)) for _ in range(4)))
    output = height + padding.top + padding.bottom - 2, width + padding.left + padding.right - 2
    depth, out = draw(st.sampled_from([8, 12, 16, 20, 32])), draw(st.integers(8, 13))
    batch, scale = draw(st.sampled_from([1, 1, 2])), build.scale(1e-3, 1.0)
    build.add("x", (batch, height, width, depth), DType.INT8, scale=scale)
    build.filters((out, 3, 3, depth), 0)
    bias = build.bias(out, scale, DType.INT8)
    fitting = build.fitting_scale(9 * depth, scale, DType.INT8)
    build.add("y", (batch, *output, out), DType.INT8, scale=fitting)
    operator = ops.Conv2D(
        input="x", filters="filters", bias=bias, output="y", stride=(1, 1), dilation=(1, 1),
        padding=padding, activation=draw(ACTIVATIONS),
    )  # fmt: skip
    return build.graph(operator, "x")


def far_padding(draw: Draw) -> Graph:
    """DEPTHWISE_CONV_2D whose outputs may see nothing but padding, and step over some of it."""
    build = Builder(draw)
    height, width = (draw(st.integers(1, 4)) for _ in range(2))
    taps = draw(st.sampled_from([(3, 3), (1, 4)]))
    padding = Padding2D(*(draw(st.integers(0, 15)) for _ in range(4)))
    around = height + padding.top + padding.bottom, width + padding.left + padding.right
    stride = draw(st.integers(1, 9)), draw(st.integers(1, 20))
    output = tuple(max((around[n] - taps[n]) // stride[n] + 1, 1) for n in (0, 1))
    missing = tuple(max(taps[n] - around[n], 0) for n in (0, 1))
    padding = replace(padding, bottom=padding.bottom + missing[0], right=padding.right + missing[1])
    depth, scale = draw(st.integers(1, 9)), build.scale(1e-3, 1.0)
    build.add("x", (1, height, width, depth), DType.INT8, scale=scale)
    build.filters((1, *taps, depth), 3)
    bias = build.bias(depth, scale, DType.INT8, narrow=False)
    fitting = build.fitting_scale(taps[0] * taps[1], scale, DType.INT8)
    build.add("y", (1, *output, depth), DType.INT8, scale=fitting)
    operator = ops.DepthwiseConv2D(
        input="x", filters="filters", bias=bias, output="y", stride=stride, dilation=(1, 1),
        padding=padding, activation=draw(ACTIVATIONS),
    )  # fmt: skip
    return build.graph(operator, "x")


def padded_points(draw: Draw) -> Graph:
    """CONV_2D of 1x1 with padding, as PAD in front of it becomes: on any side, or on one only."""
    build = Builder(draw)
    height, width = (draw(st.integers(1, 7)) for _ in range(2))
    padding = Padding2D(*(draw(st.sampled_from([0, 0, 1, 2])) for _ in range(4)))
    output = height + padding.top + padding.bottom, width + padding.left + padding.right
    depth, out = draw(st.sampled_from([4, 8, 3])), draw(st.integers(1, 6))
    scale = build.scale(1e-3, 1.0)
    build.add("x", (1, height, width, depth), DType.INT8, scale=scale)
    build.filters((out, 1, 1, depth), 0)
    bias = build.bias(out, scale, DType.INT8)
    fitting = build.fitting_scale(depth, scale, DType.INT8)
    build.add("y", (1, *output, out), DType.INT8, scale=fitting)
    operator = ops.Conv2D(
        input="x", filters="filters", bias=bias, output="y", stride=(1, 1), dilation=(1, 1),
        padding=padding, activation=draw(ACTIVATIONS),
    )  # fmt: skip
    return build.graph(operator, "x")


def narrow_depthwise(draw: Draw) -> Graph:
    """DEPTHWISE_CONV_2D of 3x3 on images that are much longer one way than the other."""
    build = Builder(draw)
    sides = draw(st.sampled_from([(25, 5), (13, 1), (18, 6), (5, 25), (2, 14)]))
    padding = Padding2D(*(draw(st.integers(1, 2)) for _ in range(4)))
    stride = draw(st.sampled_from([(1, 1), (1, 2), (2, 1), (2, 2)]))
    around = padding.top + padding.bottom, padding.left + padding.right
    output = tuple((sides[n] + around[n] - 3) // stride[n] + 1 for n in (0, 1))
    depth, scale = draw(st.integers(1, 19)), build.scale(1e-3, 1.0)
    build.add("x", (1, *sides, depth), DType.INT8, scale=scale)
    build.filters((1, 3, 3, depth), 3)
    bias = build.bias(depth, scale, DType.INT8, narrow=False)
    build.add("y", (1, *output, depth), DType.INT8, scale=build.fitting_scale(9, scale, DType.INT8))
    operator = ops.DepthwiseConv2D(
        input="x", filters="filters", bias=bias, output="y", stride=stride, dilation=(1, 1),
        padding=padding, activation=draw(ACTIVATIONS),
    )  # fmt: skip
    return build.graph(operator, "x")


def single_channel(draw: Draw) -> Graph:
    """DEPTHWISE_CONV_2D of a single channel, which is a convolution; rows of any length."""
    build = Builder(draw)
    taps = draw(st.sampled_from([(1, 4), (2, 5), (3, 3), (5, 5), (4, 7), (7, 6), (3, 18)]))
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    output = draw(st.integers(1, 5)), draw(st.integers(1, 9))
    padding = Padding2D(*(draw(st.integers(0, 2)) for _ in range(4)))
    around = padding.top + padding.bottom, padding.left + padding.right
    sides = (max((output[n] - 1) * stride[n] + taps[n] - around[n], 1) for n in (0, 1))
    channels, scale = draw(st.sampled_from([1, 2, 5, 8])), build.scale(1e-3, 1.0)
    height, width = sides
    output = tuple(
        (side + more - tap) // step + 1
        for side, more, tap, step in zip((height, width), around, taps, stride, strict=True)
    )
    build.add("x", (1, height, width, 1), DType.INT8, scale=scale)
    build.filters((1, *taps, channels), 3)
    bias = build.bias(channels, scale, DType.INT8, narrow=False)
    fitting = build.fitting_scale(taps[0] * taps[1], scale, DType.INT8)
    build.add("y", (1, *output, channels), DType.INT8, scale=fitting)
    operator = ops.DepthwiseConv2D(
        input="x", filters="filters", bias=bias, output="y", stride=stride, dilation=(1, 1),
        padding=padding, activation=draw(ACTIVATIONS),
    )  # fmt: skip
    return build.graph(operator, "x")


def average_half_up(draw: Draw) -> Graph:
    build, shape = Builder(draw), geometry(draw, dilated=False, explicit=False)
    depth, scale, point = draw(st.integers(1, 9)), build.scale(), draw(st.integers(-128, 127))
    build.add("x", (2, *shape.size, depth), DType.INT8, scale=scale, zero_point=point)
    build.add("y", (2, *shape.output, depth), DType.INT8, scale=scale, zero_point=point)
    operator = ops.AveragePool2D(
        input="x", output="y", filter=shape.kernel, stride=shape.stride, padding=shape.padding,
        activation=draw(ACTIVATIONS), rounding=AverageRounding.HALF_UP,
    )  # fmt: skip
    return build.graph(operator, "x")


def pool_by_fours(draw: Draw) -> Graph:
    """Pooling of channels by fours, of windows with up to 255 elements."""
    build = Builder(draw)
    window = draw(st.sampled_from([(1, 1), (2, 2), (3, 2), (1, 5), (5, 1), (15, 17), (51, 5)]))
    padding = Padding2D(*(draw(st.integers(0, min(window) - 1)) for _ in range(4)))
    height, width = (
        draw(st.integers(max(taps - sum(ends), 1), taps + 3))
        for taps, ends in zip(
            window, ((padding.top, padding.bottom), (padding.left, padding.right)), strict=True
        )
    )
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    output = (
        (height + padding.top + padding.bottom - window[0]) // stride[0] + 1,
        (width + padding.left + padding.right - window[1]) // stride[1] + 1,
    )
    depth, point = 4 * draw(st.integers(1, 4)), draw(st.integers(-128, 127))
    scale, batch = build.scale(), draw(st.sampled_from([1, 1, 2]))
    build.add("x", (batch, height, width, depth), DType.INT8, scale=scale, zero_point=point)
    build.add("y", (batch, *output, depth), DType.INT8, scale=scale, zero_point=point)
    kind = draw(st.sampled_from([ops.AveragePool2D, ops.MaxPool2D]))
    operator = kind(
        input="x", output="y", filter=window, stride=stride, padding=padding,
        activation=draw(ACTIVATIONS),
    )  # fmt: skip
    return build.graph(operator, "x")


def svdf_bytes(draw: Draw) -> Graph:
    """SVDF with int8 state and time weights."""
    graph = ARITHMETIC["svdf"](draw)
    point = draw(st.integers(-128, 127))
    tensors = {}
    for name, zero_point in (("times", 0), ("state", point)):
        tensor = graph.tensors[name]
        data = None if tensor.data is None else (tensor.data // 24).astype(np.int8)
        tensors[name] = Tensor(
            name,
            tensor.shape,
            DType.INT8,
            QuantizationParameters.per_tensor(tensor.scale * 20, zero_point),
            data,
            tensor.is_variable,
        )
    return graph.with_changes(tensors=tensors)


def relu_int16(draw: Draw) -> Graph:
    build = Builder(draw)
    build.add("x", (3, 200), DType.INT16, scale=None)
    build.add("y", (3, 200), DType.INT16, scale=None)
    kinds = [Activation.RELU, Activation.RELU6, Activation.RELU_N1_TO_1]
    operator = ops.Relu(input="x", output="y", activation=draw(st.sampled_from(kinds)))
    return build.graph(operator, "x")


def quantize_other_types(draw: Draw) -> Graph:
    """QUANTIZE between types that the interpreter's own tests seldom or never draw."""
    build = Builder(draw)
    source, output = draw(
        st.sampled_from(
            [
                (DType.INT8, DType.INT16),
                (DType.INT8, DType.INT32),
                (DType.FLOAT32, DType.UINT8),
            ]
        )
    )
    quantization = {} if source is DType.FLOAT32 else {"scale": None}
    build.add("x", (2, 300), source, **quantization)
    point = draw(st.integers(0, 127)) if output is DType.UINT8 else 0
    build.add("y", (2, 300), output, scale=None, zero_point=point)
    return build.graph(ops.Quantize(input="x", output="y"), "x")


def constant_operand(draw: Draw) -> Graph:
    """Arithmetic with one operand known at compile time."""
    graph = ARITHMETIC[draw(st.sampled_from(["add", "sub", "mul"]))](draw)
    name = draw(st.sampled_from(["a", "b"]))
    tensor = graph.tensors[name]
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    low, high = tensor.dtype.range
    data = rng.integers(low, high + 1, tensor.shape).astype(tensor.dtype.numpy)
    tensors = {**graph.tensors, name: tensor.with_data(data)}
    inputs = [other for other in graph.inputs if other != name]
    return Graph.build("case", tensors.values(), graph.operators, inputs, graph.outputs)


CASES = {
    **ARITHMETIC,
    "legacy_weights": legacy_weights,
    "extreme_scales": extreme_scales,
    "wide_depthwise": wide_depthwise,
    "winograd": winograd,
    "padded_points": padded_points,
    "far_padding": far_padding,
    "narrow_depthwise": narrow_depthwise,
    "single_channel": single_channel,
    "average_half_up": average_half_up,
    "pool_by_fours": pool_by_fours,
    "svdf_bytes": svdf_bytes,
    "relu_int16": relu_int16,
    "quantize_other_types": quantize_other_types,
    "constant_operand": constant_operand,
} | movement_cases.CASES
"""By name, a function that draws a graph of one operator."""


FAST_CASES = {
    name: CASES[name]
    for name in (
        "conv_2d",
        "depthwise_conv_2d",
        "fully_connected",
        "add",
        "legacy_weights",
        "extreme_scales",
        "winograd",
        "padded_points",
        "far_padding",
        "narrow_depthwise",
        "single_channel",
        "pool_by_fours",
    )
}
"""Cases of operators that have kernels for the DSP extension."""
