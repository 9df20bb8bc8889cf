"""Small networks of the kinds that exporters write."""

from collections.abc import Callable

import numpy as np
import onnx

from tests.frontends.onnx_files.models import OnnxModel


def mobilenet() -> onnx.ModelProto:
    """As PyTorch's exporter has it: convolutions with Clip, a residual, a mean, Gemm."""
    m = OnnxModel((1, 3, 16, 16))
    low, high = m.constant(0.0), m.constant(6.0)

    def clipped(value: str) -> str:
        return m.node("Clip", value, low, high)

    x = clipped(m.conv("x", 3, 8, strides=[2, 2], pads=[1, 1, 1, 1]))
    y = clipped(m.conv(x, 8, 16, 1))
    y = clipped(m.conv(y, 16, 16, 3, group=16, pads=[1, 1, 1, 1]))
    x = m.node("Add", x, m.conv(y, 16, 8, 1))
    pooled = m.node("Flatten", m.node("GlobalAveragePool", x))
    return m.build(m.node("Gemm", pooled, m.weights(5, 8), m.weights(5), transB=1))


def with_norms() -> onnx.ModelProto:
    """Batch normalization unfolded, behind a convolution and a matrix product."""
    m = OnnxModel((1, 3, 9, 7))
    g = m.generator

    def norm(value: str, channels: int) -> str:
        factors, shifts = m.constant(g.normal(1, 0.3, channels)), m.weights(channels)
        means, variances = m.weights(channels), m.constant(g.uniform(0.5, 2, channels))
        return m.node("BatchNormalization", value, factors, shifts, means, variances)

    x = m.node("Relu", norm(m.conv("x", 3, 6, auto_pad="SAME_UPPER", strides=[2, 2]), 6))
    x = m.node("ReduceMean", x, axes=[2, 3], keepdims=0)
    x = m.node("MatMul", x, m.weights(6, 7))
    x = norm(m.node("Add", x, m.node("Expand", m.weights(7), m.integers(1, 1))), 7)
    return m.build(m.node("Softmax", m.node("Relu", x), axis=1))


def channels_last() -> onnx.ModelProto:
    """As tf2onnx has it: images with channels last, turned and turned back, and biases added."""
    m = OnnxModel(("batch", 12, 10, 3), opset=13)
    x = m.node("Transpose", "x", perm=[0, 3, 1, 2])
    x = m.conv(x, 3, 8, auto_pad="SAME_UPPER")
    x = m.node("Relu", m.node("Add", x, m.weights(1, 8, 1, 1)))
    x = m.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = m.node("Transpose", x, perm=[0, 2, 3, 1])
    size = m.node("Shape", x)
    batch = m.node("Slice", size, m.integers(0), m.integers(1), m.integers(0))
    shape = m.node("Concat", batch, m.integers(-1), axis=0)
    x = m.node("Reshape", x, shape)
    return m.build(m.node("MatMul", x, m.weights(6 * 5 * 8, 4)))


def squeeze_and_excite(*, with_numbers: bool = True) -> onnx.ModelProto:
    """A gate of HardSigmoid, HardSwish, and numbers among the operands."""
    m = OnnxModel((1, 6, 8, 8))
    x = m.node("HardSwish", m.conv("x", 6, 8, pads=[1, 1, 1, 1]))
    gate = m.node("GlobalAveragePool", x)
    gate = m.node("Relu", m.conv(gate, 8, 4, 1))
    gate = m.node("HardSigmoid", m.conv(gate, 4, 8, 1), alpha=1 / 6, beta=0.5)
    x = m.node("Mul", x, gate)
    if with_numbers:
        x = m.node("Sub", m.node("Div", x, m.constant(2.0)), m.constant(0.25))
    x = m.node("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1])
    x = m.node("Sigmoid", m.conv(x, 8, 3, 1))
    return m.build(m.node("Identity", m.node("Dropout", x)), rank=4)


def gated() -> onnx.ModelProto:
    """Of that what onnxruntime quantizes."""
    return squeeze_and_excite(with_numbers=False)


def branches() -> onnx.ModelProto:
    """Parts cut, moved, padded and put together again."""
    m = OnnxModel((1, 4, 6, 6))
    sizes = m.integers(1, 3)
    left = m.node("Split", "x", sizes, outputs=2, axis=1)
    right = f"{left}_1"
    left = m.node("LeakyRelu", m.conv(left, 1, 3, 1), alpha=0.1)
    right = m.node("Tanh", m.conv(right, 3, 3, 3, group=3, pads=[1, 1, 1, 1]))
    joined = m.node("Concat", left, right, axis=1)
    cut = m.node(
        "Slice", joined, m.integers(1, 5), m.integers(6, -7), m.integers(2, 3), m.integers(2, -1)
    )
    padded = m.node("Pad", cut, m.integers(0, 0, 1, 0, 0, 0, 0, 2))
    x = m.conv(padded, 6, 5, 2)
    x = m.node("Squeeze", m.node("GlobalMaxPool", x), m.integers(3))
    x = m.node("Unsqueeze", m.node("Squeeze", x, m.integers(2)), m.integers(1))
    x = m.node("PRelu", x, m.constant([0.2]))
    return m.build(m.node("Reshape", x, m.integers(0, -1)))


def shuffled() -> onnx.ModelProto:
    """Channels shuffled as ShuffleNet does, through five dimensions."""
    m = OnnxModel((1, 6, 5, 4))
    x = m.node("Relu", m.conv("x", 6, 6, 1, group=2))
    x = m.node("Reshape", x, m.integers(1, 2, 3, 5, 4))
    x = m.node("Transpose", x, perm=[0, 2, 1, 3, 4])
    x = m.node("Reshape", x, m.integers(1, 6, 5, 4))
    x = m.conv(x, 6, 6, 3, group=2, dilations=[1, 2], pads=[0, 1, 0, 1])
    return m.build(m.node("Flatten", x))


def sensor() -> onnx.ModelProto:
    """Dense layers only, with sums and products of vectors."""
    m = OnnxModel(("N", 10), opset=11)
    x = m.node("Gemm", "x", m.weights(10, 12), m.weights(12), alpha=0.5, beta=2.0)
    y = m.node("Relu", x)
    x = m.node("Mul", m.node("Add", x, y), m.node("Sigmoid", y))
    x = m.node("Max", m.node("Min", x, m.node("Tanh", x)), y)
    return m.build(m.node("Softmax", m.node("Gemm", x, m.weights(12, 3), m.weights(3))))


NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    "mobilenet": mobilenet,
    "with norms": with_norms,
    "channels last": channels_last,
    "squeeze and excite": squeeze_and_excite,
    "gated": gated,
    "branches": branches,
    "shuffled": shuffled,
    "sensor": sensor,
}


def sample_for(model: onnx.ModelProto, generator: np.random.Generator) -> np.ndarray:
    """Return a random input, a batch of 1."""
    dims = model.graph.input[0].type.tensor_type.shape.dim
    return generator.normal(size=[dim.dim_value or 1 for dim in dims]).astype(np.float32)
