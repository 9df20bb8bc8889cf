"""Hypothesis strategies for random quantized networks, usable by every suite."""

from dataclasses import dataclass, field

import hypothesis.strategies as st
import numpy as np

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import NO_PADDING, Activation, Padding2D
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor

SCALES = (0.004, 0.0235, 0.05, 0.11)
ACTIVATIONS = st.sampled_from(Activation)
SEEDS = st.integers(0, 2**16)
SHARES = st.sampled_from([0.0, 0.0, 0.4, 0.8, 1.0])


@dataclass
class NetworkBuilder:
    """A graph that grows operator by operator; each method returns the name of its result."""

    dtype: DType = DType.INT8
    tensors: dict[str, Tensor] = field(default_factory=dict)
    operators: list[ops.Operator] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)

    def add(self, tensor: Tensor) -> str:
        self.tensors[tensor.name] = tensor
        return tensor.name

    def fresh(self, shape, quantization) -> str:
        name = f"t{len(self.tensors)}"
        return self.add(Tensor(name, tuple(shape), self.dtype, quantization))

    def input(self, shape, quantization) -> str:
        name = self.fresh(shape, quantization)
        self.inputs.append(name)
        return name

    def constant(self, array, quantization=None) -> str:
        dtype = DType.from_numpy(array.dtype)
        return self.add(Tensor(f"c{len(self.tensors)}", array.shape, dtype, quantization, array))

    def append(self, operator: ops.Operator) -> str:
        self.operators.append(operator)
        return operator.outputs[0]

    def build(self, outputs) -> Graph:
        return Graph.build(
            "random", self.tensors.values(), self.operators, self.inputs, outputs
        ).with_changes()

    # --- layers, given everything they need ---

    def unary(self, kind, source, quantization, **attributes) -> str:
        result = self.fresh(self.tensors[source].shape, quantization)
        return self.append(kind(input=source, output=result, **attributes))

    def reshape(self, source, shape) -> str:
        result = self.fresh(shape, self.tensors[source].quantization)
        return self.append(ops.Reshape(input=source, output=result))

    def pad(self, source, paddings, value) -> str:
        before = self.tensors[source]
        shape = [e + sum(pad) for e, pad in zip(before.shape, paddings, strict=True)]
        result = self.fresh(shape, before.quantization)
        return self.append(ops.Pad(input=source, output=result, paddings=paddings, value=value))

    def pool(self, kind, source, window, stride, padding, activation) -> str:
        before = self.tensors[source]
        height, width = output_size(before.shape, window, stride, padding)
        shape = (before.shape[0], height, width, before.shape[3])
        result = self.fresh(shape, before.quantization)
        operator = kind(
            input=source,
            output=result,
            filter=window,
            stride=stride,
            padding=padding,
            activation=activation,
        )
        return self.append(operator)

    def bias(self, source, filters, values) -> str:
        scales = filters.scale
        quantization = QuantizationParameters(
            tuple(float(np.float32(self.tensors[source].scale * s)) for s in scales),
            (0,) * len(scales),
            None if len(scales) == 1 else 0,
        )
        wide = np.int64 if self.dtype is DType.INT16 else np.int32
        return self.constant(values.astype(wide), quantization)


def output_size(shape, window, stride, padding):
    height = (shape[1] + padding.top + padding.bottom - window[0]) // stride[0] + 1
    width = (shape[2] + padding.left + padding.right - window[1]) // stride[1] + 1
    return height, width


def transposed_size(shape, window, stride, padding):
    height = (shape[1] - 1) * stride[0] + window[0] - padding.top - padding.bottom
    width = (shape[2] - 1) * stride[1] + window[1] - padding.left - padding.right
    return height, width


def quantizations(dtype):
    points = st.sampled_from([-128, -128, -11, 0, 127]) if dtype is DType.INT8 else st.just(0)
    scales = SCALES if dtype is DType.INT8 else tuple(scale / 300 for scale in SCALES)
    return st.builds(
        lambda scale, point: QuantizationParameters.per_tensor(float(np.float32(scale)), point),
        st.sampled_from(scales),
        points,
    )


def paddings_2d(largest):
    sizes = st.integers(0, largest)
    return st.one_of(st.just(NO_PADDING), st.builds(Padding2D, sizes, sizes, sizes, sizes))


@st.composite
def filters(draw, shape, axis, *, depthwise=False):
    """Draw weights with some output and some input channels zeroed, and their quantization."""
    generator = np.random.default_rng(draw(SEEDS))
    data = generator.integers(-127, 127, shape, dtype=np.int8, endpoint=True)
    dead = generator.random(shape[axis]) < draw(SHARES)
    data[(slice(None),) * axis + (dead,)] = 0
    if not depthwise:
        data[..., generator.random(shape[-1]) < draw(SHARES)] = 0
    count = shape[axis] if draw(st.booleans()) else 1
    scales = tuple(float(np.float32(x)) for x in generator.uniform(0.002, 0.02, count))
    return data, QuantizationParameters(scales, (0,) * count, axis if count > 1 else None)


@st.composite
def windows(draw, shape, kind):
    """Draw kernel, size of the output and attributes of a convolution; the size may be < 1."""
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    if kind is ops.TransposeConv2D:
        # Networks of many layers must not double their images each time.
        strides = [(1, 1), (2, 2), (1, 2)] if max(shape[1:3]) <= 6 else [(1, 1)]
        stride, padding = draw(st.sampled_from(strides)), draw(paddings_2d(1))
        size = transposed_size(shape, kernel, stride, padding)
        return kernel, size, {"stride": stride, "padding": padding}
    stride = draw(st.sampled_from([(1, 1), (2, 2), (1, 2)]))
    padding = draw(paddings_2d(2))
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 1)]))
    window = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = output_size(shape, window, stride, padding)
    return kernel, size, {"stride": stride, "padding": padding, "dilation": dilation}


@st.composite
def with_weights(draw, network, source, kind):
    """Append a convolution of any kind, or a fully connected layer."""
    before = network.tensors[source]
    channels = before.shape[-1]
    attributes = {"activation": draw(ACTIVATIONS)}
    depthwise = kind is ops.DepthwiseConv2D
    if kind is ops.FullyConnected:
        shape, axis = (draw(st.integers(1, 5)), channels), 0
        result_shape = (before.shape[0], shape[0])
    else:
        kernel, size, geometry = draw(windows(before.shape, kind))
        if min(size) < 1:
            return source
        attributes |= geometry
        count = channels * draw(st.integers(1, 2)) if depthwise else draw(st.integers(1, 6))
        shape = (1, *kernel, count) if depthwise else (count, *kernel, channels)
        axis = 3 if depthwise else 0
        result_shape = (before.shape[0], *size, count)
    data, quantization = draw(filters(shape, axis, depthwise=depthwise))
    bias = None
    if draw(st.integers(0, 4)):
        generator = np.random.default_rng(draw(SEEDS))
        values = generator.integers(-6000, 6000, shape[axis])
        bias = network.bias(source, quantization, values)
    result = network.fresh(result_shape, draw(quantizations(network.dtype)))
    weights = network.constant(data, quantization)
    return network.append(
        kind(input=source, filters=weights, bias=bias, output=result, **attributes)
    )


def _has_one_scale(tensor: Tensor) -> bool:
    """Filters may have one for each channel, which no operand of arithmetic has."""
    return tensor.quantization is not None and tensor.quantization.is_per_tensor


@st.composite
def sums(draw, network, source):
    """Append ADD, SUB or MUL with an earlier tensor of the shape, or a constant."""
    before = network.tensors[source]
    partners = [
        tensor.name
        for tensor in network.tensors.values()
        if tensor.shape == before.shape and tensor.dtype == before.dtype and _has_one_scale(tensor)
    ]
    if draw(st.booleans()):
        generator = np.random.default_rng(draw(SEEDS))
        shape = draw(st.sampled_from([before.shape[-1:], (1,), before.shape]))
        array = generator.integers(*before.dtype.range, shape).astype(before.dtype.numpy)
        right = network.constant(array, draw(quantizations(network.dtype)))
    else:
        right = draw(st.sampled_from(partners))
    kind = draw(st.sampled_from([ops.Add, ops.Add, ops.Sub, ops.Mul]))
    result = network.fresh(before.shape, draw(quantizations(network.dtype)))
    return network.append(
        kind(left=source, right=right, output=result, activation=draw(ACTIVATIONS))
    )


@st.composite
def pads(draw, network, source):
    """Append a spatial PAD, sometimes of nothing, sometimes of the channels too."""
    sizes = st.integers(0, 2)
    spatial = draw(st.tuples(st.tuples(sizes, sizes), st.tuples(sizes, sizes)))
    channels = draw(st.sampled_from([(0, 0), (0, 0), (0, 0), (1, 0)]))
    low = network.dtype.range[0]
    value = draw(st.sampled_from([None, None, network.tensors[source].zero_point, low, 5]))
    return network.pad(source, ((0, 0), *spatial, channels), value)


@st.composite
def pools(draw, network, source):
    """Append a pool whose windows all hold an element that is not padding."""
    shape = network.tensors[source].shape
    window = draw(st.sampled_from([(1, 1), (2, 2), (3, 2)]))
    if window[0] > shape[1] or window[1] > shape[2]:
        window = (1, 1)
    padding = draw(paddings_2d(min(window) - 1))
    kind = draw(st.sampled_from([ops.AveragePool2D, ops.MaxPool2D]))
    stride = draw(st.sampled_from([(1, 1), (2, 2)]))
    return network.pool(kind, source, window, stride, padding, draw(ACTIVATIONS))


@st.composite
def element_wise(draw, network, source):
    """Append a clamp, often quantized as its input, or another function of single elements."""
    before = network.tensors[source]
    kinds = [ops.Relu, ops.Relu, ops.Quantize, ops.LeakyRelu]
    kind = draw(st.sampled_from(kinds))
    other = draw(quantizations(network.dtype))
    quantization = draw(st.sampled_from([before.quantization, before.quantization, other]))
    if kind is ops.Relu:
        limits = [Activation.RELU, Activation.RELU6]
        activation = draw(st.sampled_from(limits))
        return network.unary(kind, source, quantization, activation=activation)
    attributes = {"alpha": 0.25} if kind is ops.LeakyRelu else {}
    return network.unary(kind, source, quantization, **attributes)


@st.composite
def movements(draw, network, source):
    """Append an operator that moves elements, often without changing their order."""
    before = network.tensors[source]
    batch, height, width, channels = before.shape
    kind = draw(st.sampled_from(["reshape", "transpose", "slice", "concatenation"]))
    if kind == "reshape":
        shapes = [
            before.shape,
            (batch, width, height, channels),
            (batch, 1, height, width * channels),
        ]
        return network.reshape(source, draw(st.sampled_from(shapes)))
    if kind == "transpose":
        permutation = draw(st.sampled_from([(0, 1, 2, 3), (0, 2, 1, 3), (0, 1, 3, 2)]))
        result = network.fresh([before.shape[axis] for axis in permutation], before.quantization)
        return network.append(ops.Transpose(input=source, output=result, permutation=permutation))
    if kind == "slice":
        extents = (batch, draw(st.integers(1, height)), width, channels)
        result = network.fresh(extents, before.quantization)
        zeros, ones = (0,) * 4, (1,) * 4
        return network.append(
            ops.StridedSlice(
                input=source, output=result, begin=zeros, extents=extents, strides=ones
            )
        )
    copies = draw(st.integers(1, 2))
    result = network.fresh((batch, height, width, channels * copies), before.quantization)
    return network.append(ops.Concatenation(operands=(source,) * copies, output=result, axis=3))


@st.composite
def heads(draw, network, source):
    """Append a classifier: a mean or a flattening, then fully connected layers."""
    batch, height, width, channels = network.tensors[source].shape
    if draw(st.booleans()):
        keep = draw(st.booleans())
        shape = (batch, 1, 1, channels) if keep else (batch, channels)
        result = network.fresh(shape, draw(quantizations(network.dtype)))
        source = network.append(ops.Mean(input=source, output=result, axes=(1, 2), keep_dims=keep))
        source = network.reshape(source, (batch, channels))
    else:
        source = network.reshape(source, (batch, height * width * channels))
    for _ in range(draw(st.integers(1, 2))):
        source = draw(with_weights(network, source, ops.FullyConnected))
    return source


@st.composite
def networks(draw, *, dtypes=(DType.INT8, DType.INT8, DType.INT16), max_layers=7):
    """Draw a valid network: layers in a row, with links to earlier tensors."""
    network = NetworkBuilder(draw(st.sampled_from(dtypes)))
    extents = st.integers(1, 5)
    shape = (draw(st.integers(1, 2)), draw(extents), draw(extents), draw(st.integers(1, 4)))
    source = network.input(shape, draw(quantizations(network.dtype)))
    layers = {
        "conv": lambda s: with_weights(network, s, ops.Conv2D),
        "depthwise": lambda s: with_weights(network, s, ops.DepthwiseConv2D),
        "transposed": lambda s: with_weights(network, s, ops.TransposeConv2D),
        "sum": lambda s: sums(network, s),
        "pad": lambda s: pads(network, s),
        "pool": lambda s: pools(network, s),
        "element_wise": lambda s: element_wise(network, s),
        "movement": lambda s: movements(network, s),
    }
    weighted = ["conv", "conv", "depthwise", *layers]
    for _ in range(draw(st.integers(1, max_layers))):
        source = draw(layers[draw(st.sampled_from(weighted))](source))
    if draw(st.booleans()):
        source = draw(heads(network, source))
    outputs = [source] if network.operators else network.inputs
    written = [name for operator in network.operators for name in operator.outputs]
    if written and draw(st.integers(0, 3)) == 0:
        outputs = list(dict.fromkeys([*outputs, draw(st.sampled_from(written))]))
    return network.build(outputs)


def arrays_for(graph, seed):
    """Return input values of every kind: random, and each type's extremes."""
    generator = np.random.default_rng(seed)
    arrays = []
    for name in graph.inputs:
        tensor = graph.tensors[name]
        low, high = tensor.dtype.range
        array = generator.integers(low, high, tensor.shape, endpoint=True)
        if seed % 3 == 1:
            array = generator.choice([low, high], tensor.shape)
        if seed % 3 == 2:
            array = np.full(tensor.shape, tensor.zero_point if tensor.quantization else 0)
        arrays.append(array.astype(tensor.dtype.numpy))
    return arrays
