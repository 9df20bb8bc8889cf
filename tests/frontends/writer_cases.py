"""One small graph for every operator and element type that the writer must be able to say."""

from collections.abc import Iterator

import numpy as np

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import NO_PADDING, Activation, Padding2D
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor


def per_tensor(scale: float, zero_point: int) -> QuantizationParameters:
    """Scales of files are float32."""
    return QuantizationParameters.per_tensor(float(np.float32(scale)), zero_point)


_QUANTIZED = {
    DType.INT8: per_tensor(0.05, 3),
    DType.INT16: per_tensor(0.001, 0),
    DType.FLOAT32: None,
}
_OTHER = {
    DType.INT8: per_tensor(0.0625, -7),
    DType.INT16: per_tensor(0.0015, 0),
    DType.FLOAT32: None,
}


def tensor(name, shape, dtype=DType.INT8, *, other=False, quantization=None) -> Tensor:
    chosen = (_OTHER if other else _QUANTIZED).get(dtype)
    return Tensor(name, tuple(shape), dtype, quantization or chosen)


def weights(name, shape, dtype=DType.INT8, *, axis=None, scale=0.01, seed=1) -> Tensor:
    generator = np.random.default_rng(seed)
    if dtype is DType.FLOAT32:
        return Tensor(name, shape, dtype, data=generator.normal(size=shape).astype("f4"))
    low, high = (-127, 127) if dtype is DType.INT8 else (-300, 300)
    data = generator.integers(low, high, shape, endpoint=True).astype(dtype.numpy)
    count = 1 if axis is None else shape[axis]
    scales = tuple(float(np.float32(scale * (1 + i / 8))) for i in range(count))
    quantization = QuantizationParameters(scales, (0,) * count, axis)
    return Tensor(name, shape, dtype, quantization, data)


def bias_for(data: Tensor, filters: Tensor, count: int) -> Tensor:
    if data.dtype is DType.FLOAT32:
        return weights("bias", (count,), DType.FLOAT32)
    dtype = DType.INT64 if data.dtype is DType.INT16 else DType.INT32
    scales = tuple(float(np.float32(data.scale * s)) for s in filters.quantization.scale)
    axis = None if len(scales) == 1 else 0
    quantization = QuantizationParameters(scales, (0,) * len(scales), axis)
    values = np.random.default_rng(5).integers(-500, 500, (count,)).astype(dtype.numpy)
    return Tensor("bias", (count,), dtype, quantization, values)


def single(operator, *tensors, inputs=("x",)) -> Graph:
    return Graph.build("case", tensors, [operator], inputs, operator.outputs)


def _out(extent, window, stride, before, after):
    return (extent + before + after - window) // stride + 1


def convolution(
    *,
    depthwise=False,
    dtype=DType.INT8,
    per_channel=True,
    size=(7, 6),
    kernel=(3, 3),
    stride=(1, 1),
    dilation=(1, 1),
    padding=NO_PADDING,
    activation=Activation.NONE,
    groups=1,
    multiplier=1,
    with_bias=True,
) -> Graph:
    channels_in = 4
    channels_out = channels_in * multiplier if depthwise else 6
    window = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    height = _out(size[0], window[0], stride[0], padding.top, padding.bottom)
    width = _out(size[1], window[1], stride[1], padding.left, padding.right)
    x = tensor("x", (1, *size, channels_in), dtype)
    y = tensor("y", (1, height, width, channels_out), dtype, other=True)
    weight_type = DType.FLOAT32 if dtype is DType.FLOAT32 else DType.INT8
    if depthwise:
        shape, axis = (1, *kernel, channels_out), 3
    else:
        shape, axis = (channels_out, *kernel, channels_in // groups), 0
    filters = weights("filters", shape, weight_type, axis=axis if per_channel else None)
    bias = [bias_for(x, filters, channels_out)] if with_bias else []
    operator = (ops.DepthwiseConv2D if depthwise else ops.Conv2D)(
        input="x",
        filters="filters",
        bias="bias" if with_bias else None,
        output="y",
        stride=stride,
        dilation=dilation,
        padding=padding,
        activation=activation,
    )
    return single(operator, x, filters, *bias, y)


def transpose_convolution(dtype, *, same, with_bias, activation=Activation.NONE) -> Graph:
    x = tensor("x", (1, 4, 5, 3), dtype)
    filters = weights("filters", (4, 3, 3, 3), axis=0)
    if dtype is DType.FLOAT32:
        filters = weights("filters", (4, 3, 3, 3), dtype)
    size = (8, 10) if same else (9, 11)
    padding = Padding2D(0, 1, 0, 1) if same else Padding2D()
    y = tensor("y", (1, *size, 4), dtype, other=True)
    bias = [bias_for(x, filters, 4)] if with_bias else []
    operator = ops.TransposeConv2D(
        input="x",
        filters="filters",
        bias="bias" if with_bias else None,
        output="y",
        stride=(2, 2),
        padding=padding,
        activation=activation,
    )
    return single(operator, x, filters, *bias, y)


def fully_connected(dtype, *, per_channel, with_bias, keep_dims=False) -> Graph:
    shape = (2, 1, 10) if keep_dims else (2, 10)
    x = tensor("x", shape, dtype)
    weight_type = DType.FLOAT32 if dtype is DType.FLOAT32 else DType.INT8
    filters = weights("filters", (5, 10), weight_type, axis=0 if per_channel else None)
    y = tensor("y", (*shape[:-1], 5), dtype, other=True)
    bias = [bias_for(x, filters, 5)] if with_bias else []
    operator = ops.FullyConnected(
        input="x",
        filters="filters",
        bias="bias" if with_bias else None,
        output="y",
        activation=Activation.RELU,
    )
    return single(operator, x, filters, *bias, y)


def svdf() -> Graph:
    x = tensor("x", (1, 6))
    feature = weights("feature", (8, 6))
    time = weights("time", (8, 5), DType.INT16, scale=0.001)
    state_quantization = per_tensor(0.002, 0)
    state = Tensor("state", (1, 40), DType.INT16, state_quantization, is_variable=True)
    bias_quantization = per_tensor(float(np.float32(0.002 * 0.001)), 0)
    bias = Tensor("bias", (4,), DType.INT32, bias_quantization, np.array([5, -9, 40, 0], np.int32))
    operator = ops.Svdf(
        input="x",
        feature_weights="feature",
        time_weights="time",
        bias="bias",
        state="state",
        output="y",
        rank=2,
        activation=Activation.RELU,
    )
    return single(operator, x, feature, time, bias, state, tensor("y", (1, 4), other=True))


def binary(kind, dtype, shape=(1, 3, 1, 4), *, same_quantization=False) -> Graph:
    left = tensor("x", (1, 3, 5, 4), dtype)
    right = tensor("z", shape, dtype, other=not same_quantization)
    y = tensor("y", (1, 3, 5, 4), dtype, other=not same_quantization)
    return single(kind(left="x", right="z", output="y"), left, right, y, inputs=("x", "z"))


def unary(operator, dtype=DType.INT8, *, quantization=None, other=True, shape=(2, 9)) -> Graph:
    y = tensor("y", shape, dtype, other=other, quantization=quantization)
    return single(operator, tensor("x", shape, dtype), y)


def pool(kind, dtype, padding=NO_PADDING, size=(3, 3)) -> Graph:
    operator = kind(input="x", output="y", filter=(2, 2), stride=(2, 2), padding=padding)
    return single(operator, tensor("x", (1, 6, 6, 2), dtype), tensor("y", (1, *size, 2), dtype))


def moved(operator, shape, dtype=DType.INT8, *, other=False) -> Graph:
    x = tensor("x", (2, 3, 4, 5), dtype)
    return single(operator, x, tensor("y", shape, dtype, other=other))


def _convolutions() -> Iterator[tuple[str, Graph]]:
    same = Padding2D(1, 1, 1, 1)
    for depthwise in (False, True):
        name = "depthwise" if depthwise else "conv"
        for dtype in (DType.INT8, DType.INT16, DType.FLOAT32):
            yield f"{name}_{dtype.value}", convolution(depthwise=depthwise, dtype=dtype)
        yield f"{name}_same", convolution(depthwise=depthwise, padding=same)
        for activation in Activation:
            graph = convolution(depthwise=depthwise, activation=activation)
            yield f"{name}_{activation.value}", graph
        yield f"{name}_per_tensor", convolution(depthwise=depthwise, per_channel=False)
        yield f"{name}_stride", convolution(depthwise=depthwise, stride=(2, 2))
        yield f"{name}_dilated", convolution(depthwise=depthwise, dilation=(2, 2))
        yield f"{name}_no_bias", convolution(depthwise=depthwise, with_bias=False)
        uneven = Padding2D(2, 0, 1, 3)
        yield f"{name}_padded", convolution(depthwise=depthwise, padding=uneven)
    yield (
        "conv_rectangular",
        convolution(kernel=(1, 4), stride=(2, 3), padding=Padding2D(0, 0, 1, 2)),
    )
    yield "conv_groups", convolution(groups=2)
    yield "depthwise_multiplier", convolution(depthwise=True, multiplier=3)
    for same_padding in (False, True):
        for dtype in (DType.INT8, DType.INT16, DType.FLOAT32):
            name = f"transpose_conv_{dtype.value}_{'same' if same_padding else 'valid'}"
            yield name, transpose_convolution(dtype, same=same_padding, with_bias=False)
            yield f"{name}_bias", transpose_convolution(dtype, same=same_padding, with_bias=True)
    for dtype in (DType.INT8, DType.INT16, DType.FLOAT32):
        for bias in (False, True):
            name = f"fully_connected_{dtype.value}_{'bias' if bias else 'plain'}"
            yield name, fully_connected(dtype, per_channel=False, with_bias=bias)
    yield (
        "fully_connected_per_channel",
        fully_connected(DType.INT8, per_channel=True, with_bias=True),
    )
    yield (
        "fully_connected_keep_dims",
        fully_connected(DType.INT8, per_channel=False, with_bias=True, keep_dims=True),
    )
    yield "svdf", svdf()


def _element_wise() -> Iterator[tuple[str, Graph]]:
    for dtype in (DType.INT8, DType.INT16, DType.FLOAT32):
        for kind in (ops.Add, ops.Sub, ops.Mul):
            yield f"{kind.kind}_{dtype.value}", binary(kind, dtype)
            yield f"{kind.kind}_{dtype.value}_same_shape", binary(kind, dtype, (1, 3, 5, 4))
        for kind in (ops.Maximum, ops.Minimum):
            yield f"{kind.kind}_{dtype.value}", binary(kind, dtype, same_quantization=True)
        for activation in Activation:
            if activation is Activation.NONE:
                continue
            if dtype is DType.INT16 and activation is Activation.RELU_N1_TO_1:
                continue  # LiteRT has no such kernel
            relu = ops.Relu(input="x", output="y", activation=activation)
            yield f"{activation.value}_{dtype.value}", unary(relu, dtype)
        yield (
            f"leaky_relu_{dtype.value}",
            unary(ops.LeakyRelu(input="x", output="y", alpha=0.1), dtype),
        )
        sigmoid = {DType.INT8: (1 / 256, -128), DType.INT16: (1 / 32768, 0)}.get(dtype)
        tanh = {DType.INT8: (1 / 128, 0), DType.INT16: (1 / 32768, 0)}.get(dtype)
        for kind, parameters in ((ops.Logistic, sigmoid), (ops.Tanh, tanh), (ops.Softmax, sigmoid)):
            quantization = parameters and per_tensor(*parameters)
            name = f"{kind.kind.lower()}_{dtype.value}"
            yield name, unary(kind(input="x", output="y"), dtype, quantization=quantization)


def _conversions() -> Iterator[tuple[str, Graph]]:
    for dtype in (DType.INT8, DType.FLOAT32):
        yield f"hard_swish_{dtype.value}", unary(ops.HardSwish(input="x", output="y"), dtype)
        log_range = per_tensor(16 / 256, 127)
        quantization = log_range if dtype is DType.INT8 else None
        operator = ops.LogSoftmax(input="x", output="y")
        yield f"log_softmax_{dtype.value}", unary(operator, dtype, quantization=quantization)
    unsigned = per_tensor(0.05, 131)
    types = {
        "f32": tensor("f", (2, 5), DType.FLOAT32),
        "i8": tensor("i", (2, 5)),
        "other_i8": tensor("o", (2, 5), other=True),
        "i16": tensor("s", (2, 5), DType.INT16),
        "u8": Tensor("u", (2, 5), DType.UINT8, unsigned),
    }
    pairs = [("f32", "i8"), ("f32", "i16"), ("f32", "u8"), ("i8", "other_i8"), ("u8", "i8")]
    for source, target in [*pairs, ("i8", "u8"), ("i8", "i16"), ("i16", "i8")]:
        operator = ops.Quantize(input=types[source].name, output=types[target].name)
        inputs = (types[source].name,)
        graph = single(operator, types[source], types[target], inputs=inputs)
        yield f"quantize_{source}_{target}", graph
    for source in ("i8", "i16", "u8"):
        operator = ops.Dequantize(input=types[source].name, output="f")
        inputs = (types[source].name,)
        yield f"dequantize_{source}", single(operator, types[source], types["f32"], inputs=inputs)


def _pools_and_means() -> Iterator[tuple[str, Graph]]:
    for dtype in (DType.INT8, DType.INT16, DType.FLOAT32):
        for kind in (ops.AveragePool2D, ops.MaxPool2D):
            yield f"{kind.kind}_{dtype.value}", pool(kind, dtype)
        mean = ops.Mean(input="x", output="y", axes=(1, 2), keep_dims=False)
        yield f"mean_{dtype.value}", moved(mean, (2, 5), dtype, other=True)
    keep = ops.Mean(input="x", output="y", axes=(1, 2), keep_dims=True)
    yield "mean_keep_dims", moved(keep, (2, 1, 1, 5))
    same = Padding2D(0, 1, 0, 1)
    for kind in (ops.AveragePool2D, ops.MaxPool2D):
        operator = kind(input="x", output="y", filter=(2, 2), stride=(2, 2), padding=same)
        x, y = tensor("x", (1, 5, 5, 2)), tensor("y", (1, 3, 3, 2))
        yield f"{kind.kind}_same", single(operator, x, y)


def _rearrangements() -> Iterator[tuple[str, Graph]]:
    for dtype in (DType.INT8, DType.INT16, DType.FLOAT32):
        pad = ops.Pad(input="x", output="y", paddings=((0, 0), (1, 2), (0, 1), (0, 3)))
        yield f"pad_{dtype.value}", moved(pad, (2, 6, 5, 8), dtype)
        transpose = ops.Transpose(input="x", output="y", permutation=(0, 3, 1, 2))
        yield f"transpose_{dtype.value}", moved(transpose, (2, 5, 3, 4), dtype)
        cut = ops.StridedSlice(
            input="x", output="y", begin=(0, 1, 0, 4), extents=(2, 1, 2, 5), strides=(1, 1, 2, -1)
        )
        yield f"strided_slice_{dtype.value}", moved(cut, (2, 2, 5), dtype)
        reshape = ops.Reshape(input="x", output="y")
        yield f"reshape_{dtype.value}", moved(reshape, (6, 20), dtype)
    padv2 = ops.Pad(input="x", output="y", paddings=((0, 0), (1, 0), (0, 0), (0, 0)), value=-128)
    yield "pad_value", moved(padv2, (2, 4, 4, 5))


def _joins_and_splits() -> Iterator[tuple[str, Graph]]:
    join = ops.Concatenation(operands=("x", "z"), output="y", axis=1)
    split = ops.Split(input="x", results=("a", "b"), axis=2)
    for dtype in (DType.INT8, DType.INT16, DType.FLOAT32):
        x, z = tensor("x", (2, 3, 4, 5), dtype), tensor("z", (2, 2, 4, 5), dtype)
        y = tensor("y", (2, 5, 4, 5), dtype)
        yield f"concatenation_{dtype.value}", single(join, x, z, y, inputs=("x", "z"))
        halves = [tensor(name, (2, 3, 2, 5), dtype) for name in ("a", "b")]
        yield f"split_{dtype.value}", single(split, x, *halves)
    parts = [tensor("a", (2, 3, 1, 5)), tensor("b", (2, 3, 3, 5))]
    yield "split_uneven", single(split, tensor("x", (2, 3, 4, 5)), *parts)


def _shape_arithmetic() -> Iterator[tuple[str, Graph]]:
    shape = Tensor("y", (4,), DType.INT32)
    operator = ops.Shape(input="x", output="y")
    yield "shape", single(operator, tensor("x", (2, 3, 4, 5)), shape)
    scalars = [Tensor(name, (), DType.INT32) for name in ("x", "z")]
    packed = Tensor("y", (2,), DType.INT32)
    pack = ops.Pack(operands=("x", "z"), output="y", axis=0)
    yield "pack", single(pack, *scalars, packed, inputs=("x", "z"))


CASES = dict(
    [
        *_convolutions(),
        *_element_wise(),
        *_conversions(),
        *_pools_and_means(),
        *_rearrangements(),
        *_joins_and_splits(),
        *_shape_arithmetic(),
    ]
)
