"""Shapes, element types and quantization that each operator allows and refuses."""

import numpy as np
import pytest
from graphs import activation, weights

from penstock.errors import GraphError
from penstock.ir import element_types, shapes
from penstock.ir import operators as ir
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor
from penstock.ir.verify import verify


def single(made: ir.Operator, *tensors: Tensor) -> Graph:
    """Return a graph of one operator whose first tensors are its inputs."""
    outputs = made.outputs
    inputs = [
        t.name for t in tensors if t.name in made.inputs and not (t.is_constant or t.is_variable)
    ]
    return Graph.build("g", tensors, [made], inputs, outputs)


def floats(name: str, *shape: int) -> Tensor:
    return Tensor(name, shape, DType.FLOAT32)


def int16(name: str, *shape: int, zero: int = 0, factor: float = 0.1) -> Tensor:
    return Tensor(name, shape, DType.INT16, QuantizationParameters.per_tensor(factor, zero))


VALID = {
    "float convolution": single(
        ir.Conv2D(input="x", filters="w", output="y"),
        floats("x", 1, 4, 4, 4),
        Tensor("w", (6, 2, 2, 2), DType.FLOAT32, data=np.ones((6, 2, 2, 2), np.float32)),
        floats("y", 1, 3, 3, 6),
    ),
    "broadcast": single(
        ir.Mul(left="x", right="w", output="y"),
        activation("x", (2, 1, 3)),
        activation("w", (4, 1)),
        activation("y", (2, 4, 3)),
    ),
    "16-bit softmax": single(
        ir.Softmax(input="x", output="y"), int16("x", 2, 4), int16("y", 2, 4, factor=1 / 32768)
    ),
    "mixed softmax": single(
        ir.Softmax(input="x", output="y"),
        activation("x", (2, 4)),
        int16("y", 2, 4, zero=-32768, factor=1 / 65536),
    ),
    "mean": single(
        ir.Mean(input="x", output="y", axes=(0, 2), keep_dims=False),
        activation("x", (2, 3, 4)),
        activation("y", (3,), 0.7),
    ),
    "kept dimensions": single(
        ir.FullyConnected(input="x", filters="w", output="y"),
        activation("x", (2, 3, 4)),
        weights("w", np.ones((5, 4), np.int8)),
        activation("y", (2, 3, 5)),
    ),
    "flattened": single(
        ir.FullyConnected(input="x", filters="w", output="y"),
        activation("x", (2, 3, 4)),
        weights("w", np.ones((5, 12), np.int8)),
        activation("y", (2, 5)),
    ),
    "hidden extent": single(
        ir.TransposeConv2D(input="x", filters="w", output="y", stride=(2, 2)),
        activation("x", (1, 3, 3, 2)),
        weights("w", np.ones((4, 1, 1, 2), np.int8)),
        activation("y", (1, 6, 5, 4)),
    ),
    "dropped dimension": single(
        ir.StridedSlice(input="x", output="y", begin=(0, 3), extents=(2, 1), strides=(1, -1)),
        activation("x", (2, 4)),
        activation("y", (2,)),
    ),
    "pack": single(
        ir.Pack(operands=("x", "x"), output="y", axis=1),
        activation("x", (2, 4)),
        activation("y", (2, 2, 4)),
    ),
    "shape": single(
        ir.Shape(input="x", output="y"), activation("x", (2, 4)), Tensor("y", (2,), DType.INT32)
    ),
    "mixed join": single(
        ir.Concatenation(operands=("x", "z"), output="y", axis=0),
        activation("x", (2, 4), 0.5),
        activation("z", (1, 4), 0.25),
        activation("y", (3, 4), 0.7),
    ),
    "pad": single(
        ir.Pad(input="x", output="y", paddings=((0, 1), (2, 0)), value=-128),
        activation("x", (2, 4)),
        activation("y", (3, 6)),
    ),
    "transpose": single(
        ir.Transpose(input="x", output="y", permutation=(1, 0)),
        activation("x", (2, 4)),
        activation("y", (4, 2)),
    ),
}


@pytest.mark.parametrize("name", VALID)
def test_valid_operators(name: str) -> None:
    verify(VALID[name])


def log_softmax(output: Tensor) -> Graph:
    return single(ir.LogSoftmax(input="x", output="y"), activation("x", (1, 3)), output)


INVALID: dict[str, tuple[Graph, str]] = {
    "broadcast": (
        single(
            ir.Add(left="x", right="w", output="y"),
            activation("x", (2, 3)),
            activation("w", (2, 2)),
            activation("y", (2, 3)),
        ),
        r"'x' \[2, 3\] and 'w' \[2, 2\] do not broadcast",
    ),
    "mixed": (
        single(
            ir.Sub(left="x", right="w", output="y"),
            activation("x", (2,)),
            int16("w", 2),
            activation("y", (2,)),
        ),
        r"'w' \(i16\) must have the type of 'x' \(i8\)",
    ),
    "16-bit zero point": (
        single(
            ir.LeakyRelu(input="x", output="y", alpha=0.1), int16("x", 2, zero=1), int16("y", 2)
        ),
        "'x' .* has the zero point 1, which must be 0",
    ),
    "unlike maximum": (
        single(
            ir.Maximum(left="x", right="x", output="y"),
            activation("x", (2,)),
            activation("y", (2,), 0.7),
        ),
        "must be quantized alike",
    ),
    "groups": (
        single(
            ir.Conv2D(input="x", filters="w", output="y"),
            activation("x", (1, 4, 4, 4)),
            weights("w", np.ones((3, 1, 1, 2), np.int8)),
            activation("y", (1, 4, 4, 3)),
        ),
        "do not divide the 4 channels of 'x' into groups",
    ),
    "depth": (
        single(
            ir.DepthwiseConv2D(input="x", filters="w", output="y"),
            activation("x", (1, 4, 4, 4)),
            weights("w", np.ones((1, 1, 1, 6), np.int8)),
            activation("y", (1, 4, 4, 6)),
        ),
        "a multiple of the 4 channels",
    ),
    "transposed": (
        single(
            ir.TransposeConv2D(input="x", filters="w", output="y", stride=(2, 2)),
            activation("x", (1, 3, 3, 2)),
            weights("w", np.ones((4, 1, 1, 2), np.int8)),
            activation("y", (1, 7, 5, 4)),
        ),
        r"would have \(4, 3\) places",
    ),
    "rows": (
        single(
            ir.FullyConnected(input="x", filters="w", output="y"),
            activation("x", (2, 3)),
            weights("w", np.ones((5, 4), np.int8)),
            activation("y", (2, 5)),
        ),
        "does not divide into rows of 4",
    ),
    "mean axes": (
        single(
            ir.Mean(input="x", output="y", axes=(1, 0), keep_dims=True),
            activation("x", (2, 3)),
            activation("y", (1, 1)),
        ),
        "must be ascending",
    ),
    "reshape": (
        single(ir.Reshape(input="x", output="y"), activation("x", (2, 3)), activation("y", (7,))),
        "have 6 and 7 elements",
    ),
    "permutation": (
        single(
            ir.Transpose(input="x", output="y", permutation=(0, 0)),
            activation("x", (2, 3)),
            activation("y", (2, 2)),
        ),
        "is no permutation",
    ),
    "slice": (
        single(
            ir.StridedSlice(input="x", output="y", begin=(1,), extents=(3,), strides=(1,)),
            activation("x", (3,)),
            activation("y", (3,)),
        ),
        "elements 1 to 3 in steps of 1 are not all within 'x'",
    ),
    "slice extents": (
        single(
            ir.StridedSlice(input="x", output="y", begin=(1,), extents=(2,), strides=(1,)),
            activation("x", (3,)),
            activation("y", (3,)),
        ),
        r"'y' \[3\] does not have the extents \[2\]",
    ),
    "join": (
        single(
            ir.Concatenation(operands=("x", "z"), output="y", axis=0),
            activation("x", (2, 4)),
            activation("z", (2, 3)),
            activation("y", (4, 4)),
        ),
        "differ beside axis 0",
    ),
    "pack": (
        single(
            ir.Pack(operands=("x", "z"), output="y", axis=0),
            activation("x", (2,)),
            activation("z", (3,)),
            activation("y", (2, 2)),
        ),
        r"'x' \[2\] and 'z' \[3\] differ",
    ),
    "pad": (
        single(
            ir.Pad(input="x", output="y", paddings=((0, -1),)),
            activation("x", (3,)),
            activation("y", (2,)),
        ),
        "must be pairs ≥ 0",
    ),
    "pad value": (
        single(
            ir.Pad(input="x", output="y", paddings=((0, 1),), value=128),
            activation("x", (3,)),
            activation("y", (4,)),
        ),
        "the value 128 is outside i8",
    ),
    "shape type": (
        single(ir.Shape(input="x", output="y"), activation("x", (3,)), floats("y", 1)),
        "must be i32 or i64",
    ),
    "dequantize": (
        single(ir.Dequantize(input="x", output="y"), activation("x", (3,)), activation("y", (3,))),
        "'y' .* must be f32",
    ),
    "quantize": (
        single(
            ir.Quantize(input="x", output="y"),
            floats("x", 3),
            Tensor("y", (3,), DType.INT64, QuantizationParameters.per_tensor(1.0, 0)),
        ),
        "'y' .* must be i8 or u8 or i16 or i32",
    ),
    "softmax": (
        single(ir.Softmax(input="x", output="y"), int16("x", 3), activation("y", (3,))),
        "is no softmax",
    ),
    "log softmax": (log_softmax(activation("y", (1, 3), 16 / 256, 127)), "'x' .* must be f32"),
    "logistic": (
        single(
            ir.Logistic(input="x", output="y"),
            activation("x", (3,)),
            activation("y", (3,), 1 / 256),
        ),
        "always 0.00390625 and -128",
    ),
    "tanh": (
        single(
            ir.Tanh(input="x", output="y"), activation("x", (3,)), activation("y", (3,), 1 / 127, 0)
        ),
        "always 0.0078125 and 0",
    ),
    "hard swish": (
        single(ir.HardSwish(input="x", output="y"), int16("x", 3), int16("y", 3)),
        "'x' .* must be i8",
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_operators(name: str) -> None:
    graph, message = INVALID[name]
    with pytest.raises(GraphError, match=message):
        verify(graph)


def test_every_operator_has_rules() -> None:
    assert set(element_types._RULES) == set(shapes._RULES) == set(ir.OPERATORS.values())
