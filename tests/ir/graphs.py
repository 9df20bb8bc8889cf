"""A graph that has one of everything the text form and the invariants speak of."""

import numpy as np

from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import (
    Activation,
    AveragePool2D,
    Concatenation,
    Conv2D,
    FullyConnected,
    MultiplierSource,
    Padding2D,
    Quantize,
    Reshape,
    Softmax,
    Split,
    Svdf,
)
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Array, Tensor


def activation(name: str, shape: tuple[int, ...], scale: float = 0.5, zero: int = 3) -> Tensor:
    return Tensor(name, shape, DType.INT8, QuantizationParameters.per_tensor(scale, zero))


def weights(name: str, data: Array, scale: float = 0.25) -> Tensor:
    parameters = QuantizationParameters.per_tensor(scale, 0)
    return Tensor(name, data.shape, DType.from_numpy(data.dtype), parameters, data)


def sample_graph() -> Graph:
    """Return a valid graph: quantize, convolution, pool, split, join, SVDF, product, softmax."""
    channels = 12
    per_channel = QuantizationParameters(
        tuple(0.001 * (i + 1) for i in range(channels)), (0,) * channels, axis=0
    )
    filters = np.arange(channels * 3 * 3 * 2, dtype=np.int64).reshape(channels, 3, 3, 2) % 251 - 125
    uint8 = QuantizationParameters.per_tensor(0.5, 131)
    return Graph.build(
        "sample",
        [
            Tensor("image", (1, 5, 6, 2), DType.UINT8, uint8),
            activation("image_int8", (1, 5, 6, 2)),
            Tensor("filters", filters.shape, DType.INT8, per_channel, filters.astype(np.int8)),
            Tensor("bias", (channels,), DType.INT32, None, np.arange(channels, dtype="<i4") * -7),
            activation("größe/conv;relu", (1, 3, 3, channels), 0.1, -128),
            activation("pooled", (1, 1, 1, channels), 0.1, -128),
            activation("first", (1, 1, 1, 6), 0.1, -128),
            activation("second", (1, 1, 1, 6), 0.1, -128),
            activation("joined", (1, 1, 1, channels), 0.1, -128),
            activation("flat", (1, channels), 0.1, -128),
            weights("features", np.ones((4, channels), np.int8)),
            weights("times", np.array([[1, -2], [3, -4], [5, -6], [7, -8]], np.int8)),
            Tensor(
                "memory",
                (1, 8),
                DType.INT8,
                QuantizationParameters.per_tensor(0.125, -3),
                is_variable=True,
            ),
            activation("filtered", (1, 2)),
            weights("product", np.array([[1, 2], [3, 4], [5, 6]], np.int8)),
            activation("logits", (1, 3)),
            activation("scores", (1, 3), 1 / 256, -128),
        ],
        [
            Quantize(input="image", output="image_int8"),
            Conv2D(
                source=0,
                input="image_int8",
                filters="filters",
                bias="bias",
                output="größe/conv;relu",
                stride=(2, 2),
                padding=Padding2D(1, 1, 0, 1),
                activation=Activation.RELU6,
                multiplier_source=MultiplierSource.SINGLE,
            ),
            AveragePool2D(source=1, input="größe/conv;relu", output="pooled", filter=(3, 3)),
            Split(source=2, input="pooled", results=("first", "second"), axis=3),
            Concatenation(source=3, operands=("second", "first"), output="joined", axis=3),
            Reshape(source=4, input="joined", output="flat"),
            Svdf(
                source=5,
                input="flat",
                feature_weights="features",
                time_weights="times",
                state="memory",
                output="filtered",
                rank=2,
            ),
            FullyConnected(source=6, input="filtered", filters="product", output="logits"),
            Softmax(source=7, input="logits", output="scores", beta=0.5),
        ],
        ["image"],
        ["scores"],
    )
