"""Random operators on single elements or windows, without weights."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Activation
from tests.interpreter.building import (
    ACTIVATIONS,
    NARROW,
    Builder,
    Draw,
    any_zero_point,
    float32,
    geometry,
)


def _broadcast_shapes(draw: Draw) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    full = tuple(draw(st.lists(st.integers(1, 12), min_size=2, max_size=4)))
    shapes = []
    for _ in range(2):
        kept = [extent if draw(st.integers(0, 3)) else 1 for extent in full]
        shapes.append(tuple(kept[draw(st.integers(0, len(kept) - 1)) :]))
    return shapes[0], shapes[1], np.broadcast_shapes(*shapes)


def _arithmetic(draw: Draw, operator: type[Any]) -> Graph:
    build, dtype = Builder(draw), draw(NARROW)
    left, right, output = _broadcast_shapes(draw)
    build.add("a", left, dtype, scale=None)
    first = build.tensors[0].scale
    near = float32(first * draw(st.sampled_from([1.0, 0.5, 1.7, 30.0, 1e-3])))
    build.add("b", right, dtype, scale=near)
    reach = first * near * 100 if operator is ops.Mul else max(first, near)
    stretch = draw(st.sampled_from([0.1, 0.7, 1.0, 2.0, 200.0]))
    build.add("y", output, dtype, scale=float32(max(reach * stretch, 1e-8)))
    return build.graph(
        operator(left="a", right="b", output="y", activation=draw(ACTIVATIONS)), "a", "b"
    )


def add(draw: Draw) -> Graph:
    return _arithmetic(draw, ops.Add)


def sub(draw: Draw) -> Graph:
    return _arithmetic(draw, ops.Sub)


def mul(draw: Draw) -> Graph:
    return _arithmetic(draw, ops.Mul)


def add_by_shifts(draw: Draw) -> Graph:
    """ADD and SUB of int16 tensors with scales of powers of two and the option that asks for it."""
    build = Builder(draw)
    output_log2 = draw(st.integers(-14, 0))
    shift = draw(st.integers(0, 6))
    scales = [2.0**output_log2, 2.0 ** (output_log2 - shift)]
    if draw(st.booleans()):
        scales.reverse()
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    for name, scale in (("a", scales[0]), ("b", scales[1]), ("y", 2.0**output_log2)):
        # Scalar loops of the kernel do not broadcast here.
        build.add(name, shape, DType.INT16, scale=scale)
    operator = draw(st.sampled_from([ops.Add, ops.Sub]))
    return build.graph(
        operator(
            left="a", right="b", output="y", activation=draw(ACTIVATIONS), pot_scale_int16=True
        ),
        "a",
        "b",
    )


def extremum(draw: Draw) -> Graph:
    build, dtype = Builder(draw), draw(NARROW)
    left, right, output = _broadcast_shapes(draw)
    scale, point = build.scale(), build.zero_point(dtype)
    for name, shape in (("a", left), ("b", right), ("y", output)):
        build.add(name, shape, dtype, scale=scale, zero_point=point)
    operator = draw(st.sampled_from([ops.Maximum, ops.Minimum]))
    return build.graph(operator(left="a", right="b", output="y"), "a", "b")


def pool_2d(draw: Draw) -> Graph:
    build, dtype = Builder(draw), draw(NARROW)
    shape = geometry(draw, dilated=False, explicit=False)
    depth, batch = draw(st.integers(1, 9)), draw(st.integers(1, 2))
    scale, point = build.scale(), build.zero_point(dtype)
    build.add("x", (batch, *shape.size, depth), dtype, scale=scale, zero_point=point)
    build.add("y", (batch, *shape.output, depth), dtype, scale=scale, zero_point=point)
    operator = draw(st.sampled_from([ops.AveragePool2D, ops.MaxPool2D]))
    return build.graph(
        operator(
            input="x", output="y", filter=shape.kernel, stride=shape.stride,
            padding=shape.padding, activation=draw(ACTIVATIONS),
        ),
        "x",
    )  # fmt: skip


def mean(draw: Draw) -> Graph:
    build, dtype = Builder(draw), draw(NARROW)
    shape = tuple(draw(st.lists(st.integers(1, 12), min_size=1, max_size=4)))
    axes = tuple(sorted(draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))))
    keep = draw(st.booleans())
    output = tuple(
        1 if axis in axes else extent
        for axis, extent in enumerate(shape)
        if keep or axis not in axes
    )
    build.add("x", shape, dtype, scale=None)
    ratio = draw(st.sampled_from([1.0, 0.3, 1.01, 0.9, 20.0, 0.01]))
    build.add("y", output, dtype, scale=float32(build.tensors[0].scale * ratio))
    return build.graph(ops.Mean(input="x", output="y", axes=axes, keep_dims=keep), "x")


def _unary_tensors(draw: Draw, dtype: DType, ratio: float | None = None) -> Builder:
    build = Builder(draw)
    shape = (*draw(st.lists(st.integers(1, 3), max_size=3)), 700)
    build.add("x", shape, dtype, scale=None)
    if ratio is None:
        ratio = draw(st.sampled_from([1.0, 0.5, 0.97, 3.0, 0.02, 40.0]))
    build.add("y", shape, dtype, scale=float32(build.tensors[0].scale * ratio))
    return build


def relu(draw: Draw) -> Graph:
    kinds = [Activation.RELU, Activation.RELU6, Activation.RELU_N1_TO_1]
    build = _unary_tensors(draw, DType.INT8)
    return build.graph(
        ops.Relu(input="x", output="y", activation=draw(st.sampled_from(kinds))), "x"
    )


def leaky_relu(draw: Draw) -> Graph:
    alpha = float32(draw(st.sampled_from([0.0, 0.01, 0.1, 0.3, 1.0, 1.5, -0.2])))
    build = _unary_tensors(draw, draw(NARROW))
    return build.graph(ops.LeakyRelu(input="x", output="y", alpha=alpha), "x")


def hard_swish(draw: Draw) -> Graph:
    return _unary_tensors(draw, DType.INT8).graph(ops.HardSwish(input="x", output="y"), "x")


def sigmoid(draw: Draw) -> Graph:
    """LOGISTIC and TANH over all inputs, whose outputs have the scale that the kernel requires."""
    build, dtype = Builder(draw), draw(NARROW)
    operator = draw(st.sampled_from([ops.Logistic, ops.Tanh]))
    if dtype is DType.INT8:
        fixed = (1 / 256, -128) if operator is ops.Logistic else (1 / 128, 0)
        build.add("x", (2, 700), dtype, scale=build.scale(1e-4, 2.0))
    else:
        fixed = (1 / 32768, 0)
        build.add("x", (1, 4096), dtype, scale=build.scale(1e-5, 0.002))
    shape = build.tensors[0].shape
    build.add("y", shape, dtype, scale=fixed[0], zero_point=fixed[1])
    return build.graph(operator(input="x", output="y"), "x")


def softmax(draw: Draw) -> Graph:
    build = Builder(draw)
    shape = (*draw(st.lists(st.integers(1, 12), max_size=2)), draw(st.integers(1, 80)))
    source, output, scale, point = draw(
        st.sampled_from([
            (DType.INT8, DType.INT8, 1 / 256, -128),
            (DType.INT8, DType.INT16, 1 / 65536, -32768),
            (DType.INT16, DType.INT16, 1 / 32768, 0),
        ])
    )  # fmt: skip
    beta = draw(st.sampled_from([1.0, 1.0, 0.5, 2.5]))
    low, high = (1e-4, 4.0) if source is DType.INT8 else (1e-6, 0.05)
    build.add("x", shape, source, scale=build.scale(low, high))
    build.add("y", shape, output, scale=scale, zero_point=point)
    return build.graph(ops.Softmax(input="x", output="y", beta=beta), "x")


def softmax_float(draw: Draw) -> Graph:
    build = Builder(draw)
    shape = (*draw(st.lists(st.integers(1, 12), max_size=2)), draw(st.integers(1, 80)))
    build.add("x", shape, DType.FLOAT32)
    build.add("y", shape, DType.FLOAT32)
    operator = draw(st.sampled_from([ops.Softmax, ops.LogSoftmax]))
    return build.graph(operator(input="x", output="y"), "x")


def quantize(draw: Draw) -> Graph:
    build = Builder(draw)
    source, output = draw(
        st.sampled_from([
            (DType.INT8, DType.INT8), (DType.INT8, DType.UINT8), (DType.UINT8, DType.INT8),
            (DType.INT16, DType.INT8), (DType.INT16, DType.INT16), (DType.INT16, DType.INT32),
            (DType.INT32, DType.INT8), (DType.INT32, DType.INT16), (DType.FLOAT32, DType.INT8),
            (DType.FLOAT32, DType.UINT8), (DType.FLOAT32, DType.INT16),
        ])
    )  # fmt: skip
    shape = (draw(st.integers(1, 2000)),)
    scale = build.scale(1e-4, 1.0)
    output_scale = float32(scale * draw(st.sampled_from([1.0, 0.5, 0.37, 3.3, 100.0])))
    if source is DType.FLOAT32:
        build.add("x", shape, source)
    else:
        build.add("x", shape, source, scale=scale, zero_point=any_zero_point(draw, source))
    point = any_zero_point(draw, output)
    build.add("y", shape, output, scale=output_scale, zero_point=point)
    return build.graph(ops.Quantize(input="x", output="y"), "x")


def dequantize(draw: Draw) -> Graph:
    build, source = Builder(draw), draw(st.sampled_from([DType.INT8, DType.UINT8, DType.INT16]))
    shape = (draw(st.integers(1, 2000)),)
    point = any_zero_point(draw, source)
    build.add("x", shape, source, scale=build.scale(), zero_point=point)
    build.add("y", shape, DType.FLOAT32)
    return build.graph(ops.Dequantize(input="x", output="y"), "x")


CASES: dict[str, Any] = {
    "add": add,
    "sub": sub,
    "mul": mul,
    "add_by_shifts": add_by_shifts,
    "extremum": extremum,
    "pool_2d": pool_2d,
    "mean": mean,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "hard_swish": hard_swish,
    "sigmoid": sigmoid,
    "softmax": softmax,
    "softmax_float": softmax_float,
    "quantize": quantize,
    "dequantize": dequantize,
}
"""By name, a function that draws a graph of one operator."""
