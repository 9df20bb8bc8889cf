"""Inputs, outputs, intermediate values and memory of whole graphs."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.errors import GraphError
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.interpreter import initial_state, run, trace
from penstock.ir.operators import Activation, Maximum, Relu, Reshape, Softmax, Svdf
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor
from tests.interpreter.weighted_cases import svdf
from tests.litert import random_inputs

SCALE = QuantizationParameters.per_tensor(0.5, -3)


def relu_chain() -> Graph:
    """Return x → a → b, and y = max(a, b) as second output."""
    names = ("x", "a", "b", "y")
    tensors = [Tensor(name, (2, 3), DType.INT8, SCALE) for name in names]
    relu = Activation.RELU
    return Graph.build(
        "chain",
        tensors,
        [
            Relu(input="x", output="a", activation=relu),
            Relu(input="a", output="b", activation=relu),
            Maximum(left="a", right="b", output="y"),
        ],
        ["x"],
        ["b", "y"],
    )


def sample() -> np.ndarray:
    return np.array([[-5, -3, 0], [7, 100, -128]], np.int8)


def test_inputs_by_order_and_by_name_are_the_same() -> None:
    graph = relu_chain()
    first, second = run(graph, [sample()]), run(graph, {"x": sample()})
    assert [value.tolist() for value in first] == [value.tolist() for value in second]
    assert first[0].tolist() == [[-3, -3, 0], [7, 100, -3]]


def test_trace_has_every_computed_tensor() -> None:
    values = trace(relu_chain(), [sample()])
    assert sorted(values) == ["a", "b", "x", "y"]
    assert values["a"].tolist() == values["y"].tolist()


def test_an_output_may_be_an_input_or_a_constant() -> None:
    constant = Tensor("c", (2,), DType.INT8, SCALE, np.array([1, 2], np.int8))
    source = Tensor("x", (2,), DType.INT8, SCALE)
    graph = Graph.build("edges", [constant, source], [], ["x"], ["c", "x"])
    outputs = run(graph, [np.array([5, 6], np.int8)])
    assert [value.tolist() for value in outputs] == [[1, 2], [5, 6]]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "has 1 inputs, found 0"),
        ({}, r"no value for the inputs \['x'\]"),
        ([np.zeros((3, 2), np.int8)], r"'x' is i8\[2, 3\], the caller gave int8\[3, 2\]"),
        ([np.zeros((2, 3), np.uint8)], r"'x' is i8\[2, 3\], the caller gave uint8\[2, 3\]"),
    ],
)
def test_wrong_inputs_are_named(inputs: object, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        run(relu_chain(), inputs)  # type: ignore[arg-type]


def test_a_result_of_another_shape_is_our_bug() -> None:
    tensors = [Tensor("x", (2, 3), DType.FLOAT32), Tensor("y", (3, 2), DType.FLOAT32)]
    graph = Graph.build("wrong", tensors, [Softmax(input="x", output="y")], ["x"], ["y"])
    with pytest.raises(GraphError, match="SOFTMAX gave"):
        run(graph, [np.zeros((2, 3), np.float32)])


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_state_is_kept_only_by_the_caller(data: st.DataObject) -> None:
    graph = svdf(data.draw)
    first, second = random_inputs(graph, 1), random_inputs(graph, 2)
    state = initial_state(graph)
    run(graph, first, state=state)
    remembered = run(graph, second, state=state)[0]
    traced = trace(graph, second, state=_after(graph, first))
    np.testing.assert_array_equal(remembered, traced["y"])
    np.testing.assert_array_equal(state["state"], traced["state"])
    fresh = run(graph, second)[0]
    np.testing.assert_array_equal(fresh, run(graph, second)[0])


def _after(graph: Graph, inputs: list[np.ndarray]) -> dict[str, np.ndarray]:
    state = initial_state(graph)
    run(graph, inputs, state=state)
    return state


def test_state_starts_at_its_zero_point() -> None:
    state = Tensor("state", (1, 4), DType.INT8, SCALE, is_variable=True)
    graph = Graph.build("memory", [state], [], [], ["state"])
    assert initial_state(graph)["state"].tolist() == [[-3] * 4]


def test_a_reshape_leaves_its_input_as_it_is() -> None:
    tensors = [Tensor("x", (2, 3), DType.INT8, SCALE), Tensor("y", (6,), DType.INT8, SCALE)]
    graph = Graph.build("view", tensors, [Reshape(input="x", output="y")], ["x"], ["y"])
    assert run(graph, [sample()])[0].tolist() == sample().ravel().tolist()


def test_int8_memory_counts_from_its_zero_point() -> None:
    """A state of zero points adds nothing, whatever the time weights (TFLM's int8 SVDF)."""
    one = QuantizationParameters.per_tensor(1.0, 0)
    tensors = [
        Tensor("x", (1, 1), DType.INT8, one),
        Tensor("f", (1, 1), DType.INT8, one, np.array([[1]], np.int8)),
        Tensor("t", (1, 2), DType.INT8, one, np.array([[100, 1]], np.int8)),
        Tensor("state", (1, 2), DType.INT8, QuantizationParameters.per_tensor(1.0, 5),
               is_variable=True),
        Tensor("y", (1, 1), DType.INT8, one),
    ]  # fmt: skip
    operator = Svdf(
        input="x", feature_weights="f", time_weights="t", state="state", output="y", rank=1
    )
    graph = Graph.build("svdf", tensors, [operator], ["x"], ["y"])
    state = initial_state(graph)
    assert run(graph, [np.array([[7]], np.int8)], state=state)[0].tolist() == [[7]]
    assert state["state"].tolist() == [[5, 12]]
    assert run(graph, [np.array([[0]], np.int8)], state=state)[0].tolist() == [[127]]
