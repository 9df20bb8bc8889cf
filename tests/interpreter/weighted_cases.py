"""Random convolutions of all kinds, fully connected layers and SVDF."""

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Activation, Padding2D
from tests.interpreter.building import (
    ACTIVATIONS,
    NARROW,
    Builder,
    Draw,
    extents,
    geometry,
    pair,
    same_padding,
)


def conv_2d(draw: Draw) -> Graph:
    build, shape, dtype = Builder(draw), geometry(draw), draw(NARROW)
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    depth, out = draw(st.integers(1, 9)), groups * draw(st.integers(1, 5))
    batch = draw(st.integers(1, 2))
    scale = build.scale(1e-3, 1.0)
    build.add("x", (batch, *shape.size, groups * depth), dtype, scale=scale)
    build.filters((out, *shape.kernel, depth), 0)
    bias = build.bias(out, scale, dtype)
    products = depth * math.prod(shape.kernel)
    build.add(
        "y", (batch, *shape.output, out), dtype, scale=build.fitting_scale(products, scale, dtype)
    )
    return build.graph(
        ops.Conv2D(
            input="x", filters="filters", bias=bias, output="y", stride=shape.stride,
            dilation=shape.dilation, padding=shape.padding, activation=draw(ACTIVATIONS),
        ),
        "x",
    )  # fmt: skip


def depthwise_conv_2d(draw: Draw) -> Graph:
    build, shape, dtype = Builder(draw), geometry(draw), draw(NARROW)
    depth, multiplier = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    batch = draw(st.integers(1, 2))
    scale = build.scale(1e-3, 1.0)
    build.add("x", (batch, *shape.size, depth), dtype, scale=scale)
    build.filters((1, *shape.kernel, depth * multiplier), 3)
    bias = build.bias(depth * multiplier, scale, dtype, narrow=False)
    fitting = build.fitting_scale(math.prod(shape.kernel), scale, dtype)
    build.add("y", (batch, *shape.output, depth * multiplier), dtype, scale=fitting)
    return build.graph(
        ops.DepthwiseConv2D(
            input="x", filters="filters", bias=bias, output="y", stride=shape.stride,
            dilation=shape.dilation, padding=shape.padding, activation=draw(ACTIVATIONS),
        ),
        "x",
    )  # fmt: skip


def transpose_conv_2d(draw: Draw) -> Graph:
    build, dtype = Builder(draw), draw(NARROW)
    small, kernel, stride = extents(draw, 1, 5), pair(draw, 4), pair(draw, 3)
    if draw(st.booleans(), label="valid"):
        output = tuple(
            (e - 1) * s + max(k, s) for e, k, s in zip(small, kernel, stride, strict=True)
        )
        padding = Padding2D()
    else:
        output = tuple(
            draw(st.integers((e - 1) * s + 1, e * s)) for e, s in zip(small, stride, strict=True)
        )
        padding = same_padding(output, kernel, stride)
    depth, out, batch = (draw(st.integers(1, high)) for high in (9, 5, 2))
    scale = build.scale(1e-3, 1.0)
    build.add("x", (batch, *small, depth), dtype, scale=scale)
    build.filters((out, *kernel, depth), 0)
    bias = build.bias(out, scale, dtype)
    fitting = build.fitting_scale(depth * math.prod(kernel), scale, dtype)
    build.add("y", (batch, *output, out), dtype, scale=fitting)
    return build.graph(
        ops.TransposeConv2D(
            input="x", filters="filters", bias=bias, output="y", stride=stride,
            padding=padding, activation=draw(ACTIVATIONS),
        ),
        "x",
    )  # fmt: skip


def fully_connected(draw: Draw) -> Graph:
    build, dtype = Builder(draw), draw(NARROW)
    depth = draw(st.one_of(st.integers(1, 60), st.integers(500, 3000)))
    out, batch = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    scale = build.scale(1e-3, 1.0)
    build.add("x", (batch, depth), dtype, scale=scale)
    build.filters((out, depth), 0)
    bias = build.bias(out, scale, dtype)
    build.add("y", (batch, out), dtype, scale=build.fitting_scale(depth, scale, dtype))
    return build.graph(
        ops.FullyConnected(
            input="x", filters="filters", bias=bias, output="y", activation=draw(ACTIVATIONS)
        ),
        "x",
    )


def svdf(draw: Draw) -> Graph:
    build = Builder(draw)
    batch, depth, rank, units, memory = (draw(st.integers(1, high)) for high in (2, 9, 2, 5, 6))
    filters = rank * units
    build.add("x", (batch, depth), DType.INT8, scale=build.scale(1e-3, 0.1))
    feature = build.rng.integers(-127, 128, (filters, depth), dtype=np.int8)
    build.add("features", feature.shape, DType.INT8, scale=0.01, zero_point=0, data=feature)
    time = build.rng.integers(-3000, 3001, (filters, memory)).astype(np.int16)
    build.add("times", time.shape, DType.INT16, scale=0.0005, zero_point=0, data=time)
    bias = build.rng.integers(-20_000, 20_000, units).astype(np.int32)
    build.add("bias", (units,), DType.INT32, scale=0.0001, zero_point=0, data=bias)
    build.add(
        "state", (batch, filters * memory), DType.INT16, scale=build.scale(1e-4, 1e-2),
        zero_point=0, is_variable=True,
    )  # fmt: skip
    build.add("y", (batch, units), DType.INT8, scale=build.scale(1e-3, 1.0), zero_point=-128)
    return build.graph(
        ops.Svdf(
            input="x", feature_weights="features", time_weights="times", bias="bias",
            state="state", output="y", rank=rank, activation=Activation.RELU,
        ),
        "x",
    )  # fmt: skip


CASES: dict[str, Any] = {
    "conv_2d": conv_2d,
    "depthwise_conv_2d": depthwise_conv_2d,
    "transpose_conv_2d": transpose_conv_2d,
    "fully_connected": fully_connected,
    "svdf": svdf,
}
"""By name, a function that draws a graph of one operator."""
