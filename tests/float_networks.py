"""Float32 networks that need no framework."""

import numpy as np

from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import (
    Activation,
    Add,
    Concatenation,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Mean,
    Padding2D,
    Reshape,
    Softmax,
)
from penstock.ir.tensor import Tensor

SAME = Padding2D(1, 1, 1, 1)


def small_float_graph(seed: int) -> Graph:
    """Convolution, depthwise convolution, sum, mean, reshape, fully connected, softmax."""
    generator = np.random.default_rng(seed)

    def constant(name: str, *shape: int) -> Tensor:
        data = generator.normal(scale=0.5, size=shape).astype(np.float32)
        return Tensor(name, shape, DType.FLOAT32, data=data)

    def computed(name: str, *shape: int) -> Tensor:
        return Tensor(name, shape, DType.FLOAT32)

    tensors = [
        computed("image", 1, 6, 6, 3),
        constant("conv.filters", 8, 3, 3, 3),
        constant("conv.bias", 8),
        computed("conv", 1, 6, 6, 8),
        constant("depthwise.filters", 1, 3, 3, 8),
        constant("depthwise.bias", 8),
        computed("depthwise", 1, 6, 6, 8),
        computed("sum", 1, 6, 6, 8),
        computed("mean", 1, 1, 1, 8),
        computed("flat", 1, 8),
        constant("classify.filters", 4, 8),
        constant("classify.bias", 4),
        computed("classify", 1, 4),
        computed("probabilities", 1, 4),
    ]
    operators = [
        Conv2D(
            input="image",
            filters="conv.filters",
            bias="conv.bias",
            output="conv",
            padding=SAME,
            activation=Activation.RELU6,
        ),
        DepthwiseConv2D(
            input="conv",
            filters="depthwise.filters",
            bias="depthwise.bias",
            output="depthwise",
            padding=SAME,
        ),
        Add(left="conv", right="depthwise", output="sum"),
        Mean(input="sum", output="mean", axes=(1, 2), keep_dims=True),
        Reshape(input="mean", output="flat"),
        FullyConnected(
            input="flat", filters="classify.filters", bias="classify.bias", output="classify"
        ),
        Softmax(input="classify", output="probabilities"),
    ]
    return Graph.build("small", tensors, operators, ["image"], ["probabilities"])


def shared_weights(seed: int) -> Graph:
    """One layer used twice, and a constant that is added and put beside something."""
    generator = np.random.default_rng(seed)

    def constant(name: str, *shape: int, scale: float = 1.0) -> Tensor:
        values = scale * generator.normal(size=shape)
        return Tensor(name, shape, DType.FLOAT32, data=values.astype(np.float32))

    def computed(name: str, channels: int = 4) -> Tensor:
        return Tensor(name, (1, 5, 5, channels), DType.FLOAT32)

    def convolve(source: str, output: str) -> Conv2D:
        return Conv2D(
            input=source,
            filters="filters",
            bias="bias",
            output=output,
            padding=SAME,
            activation=Activation.RELU,
        )

    tensors = [
        *map(computed, ("x", "once", "twice", "sum")),
        computed("beside", 8),
        constant("filters", 4, 3, 3, 4, scale=0.5),
        constant("bias", 4, scale=3.0),
        constant("shift", 1, 5, 5, 4, scale=2.0),
    ]
    operators = [
        convolve("x", "once"),
        convolve("once", "twice"),
        Add(left="twice", right="shift", output="sum"),
        Concatenation(operands=("sum", "shift"), output="beside", axis=3),
    ]
    return Graph.build("net", tensors, operators, ("x",), ("beside",))
