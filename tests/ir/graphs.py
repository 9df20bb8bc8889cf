"""A graph that has one of everything the text form and the invariants speak of."""

from collections.abc import Iterator

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
    Operator,
    Padding2D,
    Quantize,
    Reshape,
    Softmax,
    Split,
    Svdf,
)
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Array, Tensor

CHANNELS = 12


def activation(name: str, shape: tuple[int, ...], scale: float = 0.5, zero: int = 3) -> Tensor:
    return Tensor(name, shape, DType.INT8, QuantizationParameters.per_tensor(scale, zero))


def weights(name: str, data: Array, scale: float = 0.25) -> Tensor:
    parameters = QuantizationParameters.per_tensor(scale, 0)
    return Tensor(name, data.shape, DType.from_numpy(data.dtype), parameters, data)


def sample_graph() -> Graph:
    """Return a valid graph: quantize, convolution, pool, split, join, SVDF, product, softmax."""
    tensors = [*_image_tensors(), *_vector_tensors()]
    return Graph.build(
        "sample", tensors, [*_image_operators(), *_vector_operators()], ["image"], ["scores"]
    )


def _image_tensors() -> Iterator[Tensor]:
    per_channel = QuantizationParameters(
        tuple(0.001 * (i + 1) for i in range(CHANNELS)), (0,) * CHANNELS, axis=0
    )
    filters = np.arange(CHANNELS * 3 * 3 * 2, dtype=np.int64).reshape(CHANNELS, 3, 3, 2) % 251 - 125
    uint8 = QuantizationParameters.per_tensor(0.5, 131)
    yield Tensor("image", (1, 5, 6, 2), DType.UINT8, uint8)
    yield activation("image_int8", (1, 5, 6, 2))
    yield Tensor("filters", filters.shape, DType.INT8, per_channel, filters.astype(np.int8))
    yield Tensor("bias", (CHANNELS,), DType.INT32, None, np.arange(CHANNELS, dtype="<i4") * -7)
    yield activation("größe/conv;relu", (1, 3, 3, CHANNELS), 0.1, -128)
    yield activation("pooled", (1, 1, 1, CHANNELS), 0.1, -128)
    yield activation("first", (1, 1, 1, 6), 0.1, -128)
    yield activation("second", (1, 1, 1, 6), 0.1, -128)
    yield activation("joined", (1, 1, 1, CHANNELS), 0.1, -128)


def _vector_tensors() -> Iterator[Tensor]:
    memory = QuantizationParameters.per_tensor(0.125, -3)
    yield activation("flat", (1, CHANNELS), 0.1, -128)
    yield weights("features", np.ones((4, CHANNELS), np.int8))
    yield weights("times", np.array([[1, -2], [3, -4], [5, -6], [7, -8]], np.int8))
    yield Tensor("memory", (1, 8), DType.INT8, memory, is_variable=True)
    yield activation("filtered", (1, 2))
    yield weights("product", np.array([[1, 2], [3, 4], [5, 6]], np.int8))
    yield activation("logits", (1, 3))
    yield activation("scores", (1, 3), 1 / 256, -128)


def _image_operators() -> Iterator[Operator]:
    yield Quantize(input="image", output="image_int8")
    yield Conv2D(
        source=0,
        input="image_int8",
        filters="filters",
        bias="bias",
        output="größe/conv;relu",
        stride=(2, 2),
        padding=Padding2D(1, 1, 0, 1),
        activation=Activation.RELU6,
        multiplier_source=MultiplierSource.SINGLE,
    )
    yield AveragePool2D(source=1, input="größe/conv;relu", output="pooled", filter=(3, 3))
    yield Split(source=2, input="pooled", results=("first", "second"), axis=3)
    yield Concatenation(source=3, operands=("second", "first"), output="joined", axis=3)


def _vector_operators() -> Iterator[Operator]:
    yield Reshape(source=4, input="joined", output="flat")
    yield Svdf(
        source=5,
        input="flat",
        feature_weights="features",
        time_weights="times",
        state="memory",
        output="filtered",
        rank=2,
    )
    yield FullyConnected(source=6, input="filtered", filters="product", output="logits")
    yield Softmax(source=7, input="logits", output="scores", beta=0.5)
