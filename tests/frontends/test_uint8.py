"""Legacy uint8 models: the exact conversion to int8 against LiteRT's uint8 kernels."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from tflite_models import FileModel, FileOperator, FileTensor, options

from penstock.frontends.tflite import read_model
from penstock.ir.dtype import DType
from penstock.ir.interpreter import run
from tests.litert import LiteRT, random_inputs

IMAGE = [1, 7, 6, 5]
Make = Callable[[np.random.Generator], FileModel]


def activation(rng: np.random.Generator, name: str, shape: Sequence[int]) -> FileTensor:
    return FileTensor(name, shape, "uint8", rng.uniform(0.005, 0.1), int(rng.integers(0, 256)))


def fixed(name: str, shape: Sequence[int], scale: float = 0.1, zero_point: int = 7) -> FileTensor:
    return FileTensor(name, shape, "uint8", scale, zero_point)


def filters(rng: np.random.Generator, shape: Sequence[int]) -> FileTensor:
    made = activation(rng, "w", shape)
    made.scale, made.data = rng.uniform(0.003, 0.02), rng.integers(0, 256, shape)
    return made


def bias(rng: np.random.Generator, data: FileTensor, weights: FileTensor, count: int) -> FileTensor:
    scale = np.float32(data.scale) * np.float32(weights.scale)
    return FileTensor("b", [count], "int32", scale, data=rng.integers(-2000, 2000, count))


def integers(name: str, values: Any) -> FileTensor:
    return FileTensor(name, np.shape(values), "int32", data=values)


def single(
    builtin: str,
    inputs: Sequence[FileTensor],
    outputs: Sequence[FileTensor],
    table: Any = None,
    constants: Sequence[FileTensor] = (),
) -> FileModel:
    """Return a model of one operator that takes the inputs, then the constants."""
    operands = [*inputs, *constants]
    return FileModel(
        [*operands, *outputs],
        [FileOperator(builtin, [t.name for t in operands], [t.name for t in outputs], table)],
        [tensor.name for tensor in inputs],
        [tensor.name for tensor in outputs],
    )


def convolution(rng: np.random.Generator, fused: int) -> FileModel:
    data, weights = activation(rng, "x", IMAGE), filters(rng, [4, 3, 3, 5])
    output = activation(rng, "y", [1, 4, 3, 4])
    table = options("Conv2DOptions", strideH=2, strideW=2, fusedActivationFunction=fused)
    return single("CONV_2D", [data], [output], table, [weights, bias(rng, data, weights, 4)])


def depthwise(rng: np.random.Generator, fused: int) -> FileModel:
    data, weights = activation(rng, "x", IMAGE), filters(rng, [1, 3, 3, 10])
    output = activation(rng, "y", [1, 4, 3, 10])
    table = options(
        "DepthwiseConv2DOptions",
        strideH=2,
        strideW=2,
        depthMultiplier=2,
        fusedActivationFunction=fused,
    )
    constants = [weights, bias(rng, data, weights, 10)]
    return single("DEPTHWISE_CONV_2D", [data], [output], table, constants)


def fully_connected(rng: np.random.Generator, fused: int) -> FileModel:
    data, weights = activation(rng, "x", [2, 9]), filters(rng, [4, 9])
    table = options("FullyConnectedOptions", fusedActivationFunction=fused)
    constants = [weights, bias(rng, data, weights, 4)]
    return single("FULLY_CONNECTED", [data], [activation(rng, "y", [2, 4])], table, constants)


def transposed(rng: np.random.Generator) -> FileModel:
    data, weights = activation(rng, "x", IMAGE), filters(rng, [4, 3, 3, 5])
    table = options("TransposeConvOptions", strideH=2, strideW=2)
    return FileModel(
        [integers("s", [1, 14, 12, 4]), weights, data, activation(rng, "y", [1, 14, 12, 4])],
        [FileOperator("TRANSPOSE_CONV", ["s", "w", "x"], ["y"], table)],
        ["x"],
        ["y"],
    )


def binary(builtin: str, table: str) -> Make:
    return lambda rng: single(
        builtin,
        [activation(rng, "a", IMAGE), activation(rng, "b", [1, 1, 1, 5])],
        [activation(rng, "y", IMAGE)],
        options(table),
    )


def pool(builtin: str) -> Make:
    table = options(
        "Pool2DOptions",
        strideH=2,
        strideW=2,
        filterHeight=3,
        filterWidth=3,
        fusedActivationFunction=1,
    )
    return lambda rng: single(builtin, [fixed("a", IMAGE)], [fixed("y", [1, 4, 3, 5])], table)


def mean(axes: list[int], shape: list[int], *, keep_dims: bool) -> Make:
    return lambda rng: single(
        "MEAN",
        [activation(rng, "a", IMAGE)],
        [activation(rng, "y", shape)],
        options("ReducerOptions", keepDims=keep_dims),
        [integers("axes", axes)],
    )


def pointwise(builtin: str, table: Any = None, output: FileTensor | None = None) -> Make:
    return lambda rng: single(
        builtin, [activation(rng, "a", IMAGE)], [output or activation(rng, "y", IMAGE)], table
    )


def padded(rng: np.random.Generator) -> FileModel:
    value = fixed("v", [])
    value.data = int(rng.integers(0, 256))
    return single(
        "PADV2",
        [fixed("a", IMAGE)],
        [fixed("y", [1, 9, 7, 5])],
        options("PadV2Options"),
        [integers("p", [[0, 0], [1, 1], [0, 1], [0, 0]]), value],
    )


MODELS: dict[str, Make] = {
    "add": binary("ADD", "AddOptions"),
    "average_pool": pool("AVERAGE_POOL_2D"),
    "concatenation": lambda rng: single(
        "CONCATENATION",
        [activation(rng, "a", IMAGE), activation(rng, "b", IMAGE)],
        [activation(rng, "y", [1, 7, 6, 10])],
        options("ConcatenationOptions", axis=-1),
    ),
    "conv": lambda rng: convolution(rng, 0),
    "conv_relu6": lambda rng: convolution(rng, 3),
    "depthwise": lambda rng: depthwise(rng, 0),
    "depthwise_relu": lambda rng: depthwise(rng, 1),
    "dequantize": pointwise(
        "DEQUANTIZE", options("DequantizeOptions"), FileTensor("y", IMAGE, "float32")
    ),
    "fully_connected": lambda rng: fully_connected(rng, 0),
    "fully_connected_relu6": lambda rng: fully_connected(rng, 3),
    "hard_swish": pointwise("HARD_SWISH", options("HardSwishOptions")),
    "leaky_relu": pointwise("LEAKY_RELU", options("LeakyReluOptions", alpha=0.17)),
    "logistic": pointwise("LOGISTIC", None, fixed("y", IMAGE, 1 / 256, 0)),
    "max_pool": pool("MAX_POOL_2D"),
    "maximum": lambda rng: single(
        "MAXIMUM",
        [fixed("a", IMAGE), fixed("b", IMAGE)],
        [fixed("y", IMAGE)],
        options("MaximumMinimumOptions"),
    ),
    "mean_all": mean([1, 2], [1, 5], keep_dims=False),
    "mean_height": mean([-3], [1, 1, 6, 5], keep_dims=True),
    "mul": binary("MUL", "MulOptions"),
    "pad_value": padded,
    "quantize": pointwise("QUANTIZE", options("QuantizeOptions")),
    "relu": pointwise("RELU"),
    "relu6": pointwise("RELU6"),
    "softmax": lambda rng: single(
        "SOFTMAX",
        [activation(rng, "a", [3, 9])],
        [fixed("y", [3, 9], 1 / 256, 0)],
        options("SoftmaxOptions", beta=1.0),
    ),
    "sub": binary("SUB", "SubOptions"),
    "tanh": pointwise("TANH", None, fixed("y", IMAGE, 1 / 128, 128)),
    "transpose": lambda rng: single(
        "TRANSPOSE",
        [fixed("a", IMAGE)],
        [fixed("y", [1, 6, 7, 5])],
        options("TransposeOptions"),
        [integers("p", [0, 2, 1, 3])],
    ),
    "transpose_conv": transposed,
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", MODELS)
def test_bytes_are_those_of_the_uint8_kernels(name: str, seed: int) -> None:
    model = MODELS[name](np.random.default_rng(seed)).to_bytes()
    graph = read_model(model, name)
    computing = [op for op in graph.operators if op.kind not in ("QUANTIZE", "DEQUANTIZE")]
    for operator in computing:
        for tensor in (*operator.inputs, *operator.outputs):
            assert graph.tensors[tensor].dtype is not DType.UINT8
    inputs = random_inputs(graph, seed)
    for ours, theirs in zip(run(graph, inputs), LiteRT(model).run(inputs), strict=True):
        np.testing.assert_array_equal(ours, theirs, strict=True)
