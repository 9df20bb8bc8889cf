"""Random graphs of one operator: every shape, geometry and quantization that the kernels allow."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Activation, Padding2D
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor

Draw = Callable[..., Any]

ACTIVATIONS = st.sampled_from(Activation)
NARROW = st.sampled_from([DType.INT8, DType.INT16])


def float32(value: float) -> float:
    return float(np.float32(value))


@dataclass
class Builder:
    """Collects the tensors of one operator."""

    draw: Draw
    tensors: list[Tensor] = field(default_factory=list)
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.draw(st.integers(0, 2**32 - 1), label="seed"))

    def scale(self, low: float = 1e-5, high: float = 10.0) -> float:
        exponent = self.draw(st.floats(math.log2(low), math.log2(high)), label="log2 scale")
        if self.draw(st.booleans(), label="power of two"):
            exponent = round(exponent)
        return float32(2.0**exponent)

    def zero_point(self, dtype: DType) -> int:
        return self.draw(st.integers(*dtype.range)) if dtype is DType.INT8 else 0

    def add(self, name: str, shape: tuple[int, ...], dtype: DType, **changes: Any) -> str:
        quantization = changes.pop("quantization", None)
        if "scale" in changes or "zero_point" in changes:
            scale = changes.pop("scale", None) or self.scale()
            point = changes.pop("zero_point", None)
            quantization = QuantizationParameters.per_tensor(
                scale, self.zero_point(dtype) if point is None else point
            )
        self.tensors.append(Tensor(name, shape, dtype, quantization, **changes))
        return name

    def graph(self, operator: ops.Operator, *inputs: str) -> Graph:
        return Graph.build("case", self.tensors, [operator], inputs, operator.outputs)

    def filters(self, shape: tuple[int, ...], axis: int, *, per_channel: bool | None = None) -> str:
        if per_channel is None:
            per_channel = self.draw(st.booleans(), label="per channel")
        base = self.scale(1e-4, 1.0)
        spread = self.rng.uniform(0.05, 1.0, shape[axis]) if per_channel else np.ones(1)
        scales = tuple(float32(base * factor) for factor in spread)
        per_tensor = len(scales) == 1
        quantization = QuantizationParameters(
            scales, (0,) * len(scales), None if per_tensor else axis
        )
        data = self.rng.integers(-127, 128, shape, dtype=np.int8)
        if self.draw(st.booleans(), label="sparse filters"):
            data[self.rng.random(shape) < 0.7] = 0
        return self.add("filters", shape, DType.INT8, quantization=quantization, data=data)

    def bias(self, count: int, data_scale: float, dtype: DType) -> str | None:
        if self.draw(st.integers(0, 3), label="bias") == 0:
            return None
        filters = next(t for t in self.tensors if t.name == "filters").quantization
        scales = tuple(float32(data_scale * scale) for scale in filters.scale)
        axis = None if len(scales) == 1 else 0
        limit = self.draw(st.sampled_from([100, 10_000, 1_000_000]), label="largest bias")
        wide = DType.INT64 if dtype is DType.INT16 else DType.INT32
        quantization = QuantizationParameters(scales, (0,) * len(scales), axis)
        data = self.rng.integers(-limit, limit + 1, count).astype(wide.numpy)
        return self.add("bias", (count,), wide, quantization=quantization, data=data)

    def fitting_scale(self, products: int, data_scale: float, dtype: DType) -> float:
        """Return an output scale under which a sum of products mostly stays in range."""
        filters = next(t for t in self.tensors if t.name == "filters").quantization
        steps = 127 * 60 if dtype is DType.INT8 else 32767 * 60
        typical = data_scale * max(filters.scale) * steps * math.sqrt(products)
        levels = dtype.range[1]
        stretch = self.draw(st.sampled_from([0.02, 0.3, 1.0, 3.0, 50.0]), label="stretch")
        return float32(typical / levels * stretch)


def _extents(draw: Draw, low: int = 1, high: int = 9) -> tuple[int, int]:
    return draw(st.integers(low, high)), draw(st.integers(low, high))


def _pair(draw: Draw, high: int) -> tuple[int, int]:
    return draw(st.integers(1, high)), draw(st.integers(1, high))


def _same_padding(
    size: tuple[int, int], span: tuple[int, int], stride: tuple[int, int]
) -> Padding2D:
    amounts = []
    for axis in range(2):
        output = -(-size[axis] // stride[axis])
        total = max(0, (output - 1) * stride[axis] + span[axis] - size[axis])
        amounts += [total // 2, total - total // 2]
    return Padding2D(*amounts)


@dataclass(frozen=True)
class Geometry:
    """Windows over an image; the output is never empty."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Padding2D
    output: tuple[int, int]


def geometry(draw: Draw, *, dilated: bool = True, explicit: bool = True) -> Geometry:
    kernel = _pair(draw, 4)
    stride = _pair(draw, 3)
    dilation = _pair(draw, 2) if dilated and draw(st.booleans()) else (1, 1)
    span = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    kind = draw(st.sampled_from(["same", "valid", "explicit"] if explicit else ["same", "valid"]))
    smallest = span if kind == "valid" else (1, 1)
    size = tuple(draw(st.integers(low, max(low, 9))) for low in smallest)
    padding = Padding2D()
    if kind == "same":
        padding = _same_padding(size, span, stride)
    if kind == "explicit":
        missing = [max(0, s - e) for s, e in zip(span, size, strict=True)]
        extra = [draw(st.integers(0, 2)) for _ in range(4)]
        padding = Padding2D(extra[0] + missing[0], extra[1], extra[2], extra[3] + missing[1])
    padded = (
        size[0] + padding.top + padding.bottom,
        size[1] + padding.left + padding.right,
    )
    output = tuple((p - k) // s + 1 for p, k, s in zip(padded, span, stride, strict=True))
    return Geometry(size, kernel, stride, dilation, padding, output)


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
    bias = build.bias(depth * multiplier, scale, dtype)
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
    small, kernel, stride = _extents(draw, 1, 5), _pair(draw, 4), _pair(draw, 3)
    if draw(st.booleans(), label="valid"):
        output = tuple(
            (e - 1) * s + max(k, s) for e, k, s in zip(small, kernel, stride, strict=True)
        )
        padding = Padding2D()
    else:
        output = tuple(
            draw(st.integers((e - 1) * s + 1, e * s)) for e, s in zip(small, stride, strict=True)
        )
        padding = _same_padding(output, kernel, stride)
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
    depth, out, batch = draw(st.integers(1, 60)), draw(st.integers(1, 9)), draw(st.integers(1, 3))
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
        build.add("x", shape, source, scale=scale, zero_point=_any_zero_point(draw, source))
    point = _any_zero_point(draw, output)
    build.add("y", shape, output, scale=output_scale, zero_point=point)
    return build.graph(ops.Quantize(input="x", output="y"), "x")


def dequantize(draw: Draw) -> Graph:
    build, source = Builder(draw), draw(st.sampled_from([DType.INT8, DType.UINT8, DType.INT16]))
    shape = (draw(st.integers(1, 2000)),)
    point = _any_zero_point(draw, source)
    build.add("x", shape, source, scale=build.scale(), zero_point=point)
    build.add("y", shape, DType.FLOAT32)
    return build.graph(ops.Dequantize(input="x", output="y"), "x")


def _any_zero_point(draw: Draw, dtype: DType) -> int:
    if dtype in (DType.INT8, DType.UINT8):
        return draw(st.integers(*dtype.range))
    return 0


ARITHMETIC = {
    "conv_2d": conv_2d,
    "depthwise_conv_2d": depthwise_conv_2d,
    "transpose_conv_2d": transpose_conv_2d,
    "fully_connected": fully_connected,
    "svdf": svdf,
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
"""By name, a function that draws a graph of one operator that computes."""
