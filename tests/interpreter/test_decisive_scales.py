"""Scales for which the precision of a multiplier's derivation decides an output byte.

Found by search: with any other order or width of the floating-point operations (double instead of
float32, a rounded instead of a truncated quotient) some output differs from LiteRT's.
"""

import numpy as np
import pytest

from penstock.frontends.tflite import write_model
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.interpreter import initial_state, run
from penstock.ir.operators import Activation
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Array, Tensor
from tests.litert import LiteRT

ALL_INT8 = np.arange(-128, 128).astype(np.int8)


def tensor(name: str, shape: tuple[int, ...], dtype: DType, scale: float, point: int = 0) -> Tensor:
    return Tensor(name, shape, dtype, QuantizationParameters.per_tensor(scale, point))


def check(operator: ops.Operator, tensors: list[Tensor], inputs: list[Array]) -> None:
    graph = Graph.build("decisive", tensors, [operator], operator.inputs, operator.outputs)
    expected = LiteRT(write_model(graph)).run(inputs)[0]
    np.testing.assert_array_equal(run(graph, inputs)[0], expected)


@pytest.mark.parametrize(
    ("source", "output"),
    [(0.387662798166275, 0.5086531043052673), (0.18408364057540894, 0.08117073774337769)],
)
def test_relu(source: float, output: float) -> None:
    tensors = [
        tensor("x", (256,), DType.INT8, source, -128),
        tensor("y", (256,), DType.INT8, output, -128),
    ]
    check(ops.Relu(input="x", output="y", activation=Activation.RELU), tensors, [ALL_INT8])


@pytest.mark.parametrize(
    ("source", "output", "alpha"),
    [
        (0.6246554255485535, 0.6784263849258423, 0.35699886083602905),
        (0.2637386620044708, 0.16023996472358704, 0.6808985471725464),
    ],
)
def test_leaky_relu(source: float, output: float, alpha: float) -> None:
    tensors = [
        tensor("x", (256,), DType.INT8, source, 127),
        tensor("y", (256,), DType.INT8, output, 100),
    ]
    check(ops.LeakyRelu(input="x", output="y", alpha=alpha), tensors, [ALL_INT8])


@pytest.mark.parametrize(
    ("left", "right", "output"),
    [
        (0.11052301526069641, 0.5279749631881714, 6.646068096160889),
        (0.8564202785491943, 0.13712681829929352, 18.449663162231445),
    ],
)
def test_mul(left: float, right: float, output: float) -> None:
    tensors = [
        tensor("a", (256, 1), DType.INT8, left),
        tensor("b", (1, 256), DType.INT8, right),
        tensor("y", (256, 256), DType.INT8, output),
    ]
    inputs: list[Array] = [ALL_INT8.reshape(256, 1), ALL_INT8.reshape(1, 256)]
    check(ops.Mul(left="a", right="b", output="y"), tensors, inputs)


@pytest.mark.parametrize(
    ("left", "right", "output"),
    [
        (0.6288444995880127, 0.8982416391372681, 0.7779288291931152),
        (0.01521265134215355, 0.8230161070823669, 0.7990987300872803),
    ],
)
@pytest.mark.parametrize("operator", [ops.Add, ops.Sub])
def test_sum(operator: type[ops.Add | ops.Sub], left: float, right: float, output: float) -> None:
    tensors = [
        tensor("a", (256, 1), DType.INT8, left),
        tensor("b", (1, 256), DType.INT8, right),
        tensor("y", (256, 256), DType.INT8, output),
    ]
    inputs: list[Array] = [ALL_INT8.reshape(256, 1), ALL_INT8.reshape(1, 256)]
    check(operator(left="a", right="b", output="y"), tensors, inputs)


@pytest.mark.parametrize(
    ("source", "output", "count", "total"),
    [
        (0.5482780933380127, 0.013404562138020992, 22, -2468),
        (0.7336903810501099, 0.1349315643310547, 14, 112),
    ],
)
def test_mean(source: float, output: float, count: int, total: int) -> None:
    row = np.full(count, total // count)
    row[: total % count] += 1
    tensors = [
        tensor("x", (1, count), DType.INT16, source),
        tensor("y", (1,), DType.INT16, output),
    ]
    operator = ops.Mean(input="x", output="y", axes=(1,), keep_dims=False)
    check(operator, tensors, [row.reshape(1, count).astype(np.int16)])


@pytest.mark.parametrize(
    ("source", "output"),
    [
        (0.0625227689743042, 0.07458800822496414),
        (0.0668872818350792, 0.07005457580089569),
        (3.0517578125e-05, 0.02249765768647194),  # divided by 2^16 in 16 bits
        (1e-05, 0.5),
        (0.1279, 0.001),  # the finest output that LiteRT takes
    ],
)
def test_hard_swish(source: float, output: float) -> None:
    tensors = [
        tensor("x", (256,), DType.INT8, source),
        tensor("y", (256,), DType.INT8, output),
    ]
    check(ops.HardSwish(input="x", output="y"), tensors, [ALL_INT8])


def test_svdf() -> None:
    """The sum -252 becomes -787.5 with float32 factors, and a little more with double ones."""
    state = Tensor(
        "state",
        (1, 1),
        DType.INT16,
        QuantizationParameters.per_tensor(float(np.float32(1e-4)), 0),
        is_variable=True,
    )
    constants = {
        "features": (DType.INT8, 0.01, np.array([[-7]], np.int8)),
        "times": (DType.INT16, 0.0005, np.array([[-2791]], np.int16)),
        "bias": (DType.INT32, 0.0001, np.array([-10031], np.int32)),
    }
    tensors = [
        tensor("x", (1, 1), DType.INT8, 0.03125, -49),
        *(
            Tensor(
                name,
                data.shape,
                dtype,
                QuantizationParameters.per_tensor(float(np.float32(scale)), 0),
                data,
            )
            for name, (dtype, scale, data) in constants.items()
        ),
        state,
        tensor("y", (1, 1), DType.INT8, 0.03125, -128),
    ]
    operator = ops.Svdf(
        input="x",
        feature_weights="features",
        time_weights="times",
        bias="bias",
        state="state",
        output="y",
        rank=1,
        activation=Activation.RELU,
    )
    graph = Graph.build("decisive", tensors, [operator], ["x"], ["y"])
    inputs = [np.array([[-13]], np.int8)]
    expected = LiteRT(write_model(graph)).run(inputs)[0]
    np.testing.assert_array_equal(run(graph, inputs, state=initial_state(graph))[0], expected)
    assert expected[0, 0] == -125
