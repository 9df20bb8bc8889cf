"""Float32 networks that need no framework."""

import numpy as np

from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import (
    Activation,
    Add,
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
