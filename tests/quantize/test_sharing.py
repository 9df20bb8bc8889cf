"""Activations that are moved or compared share one quantization."""

import numpy as np
import pytest

from penstock.errors import InputError, UnsupportedError
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Operator
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor
from penstock.quantize.observers import ValueRange
from penstock.quantize.sharing import choose_parameters

SHAPE = (1, 4, 4, 2)


def graph(*operators: Operator, shapes: dict[str, tuple[int, ...]] | None = None) -> Graph:
    names = dict.fromkeys(n for op in operators for n in (*op.inputs, *op.outputs))
    written = {n for op in operators for n in op.outputs}
    tensors = [Tensor(n, (shapes or {}).get(n, SHAPE), DType.FLOAT32) for n in names]
    inputs = [n for n in names if n not in written]
    return Graph.build("net", tensors, operators, inputs, [operators[-1].outputs[0]])


def test_what_is_put_side_by_side_has_the_union_of_the_ranges() -> None:
    joined = graph(
        ops.Concatenation(operands=("a", "b"), output="c", axis=3),
        ops.MaxPool2D(input="c", output="d", filter=(2, 2)),
        ops.HardSwish(input="d", output="e"),
    )
    ranges = {
        "a": ValueRange(-1.0, 2.0),
        "b": ValueRange(0.0, 4.1),
        "c": ValueRange(-1.0, 4.1),
        "e": ValueRange(-0.3, 4.0),
    }
    chosen = choose_parameters(joined, ranges)
    assert chosen["a"] == chosen["b"] == chosen["c"] == chosen["d"] != chosen["e"]
    assert chosen["a"].scale[0] == pytest.approx(5.1 / 255)


def test_what_an_operator_decides_spreads_to_what_is_moved() -> None:
    moved = graph(
        ops.Logistic(input="a", output="b"),
        ops.Transpose(input="b", output="c", permutation=(0, 3, 1, 2)),
    )
    chosen = choose_parameters(moved, {"a": ValueRange(-3.0, 3.0), "b": ValueRange(0.1, 0.9)})
    assert chosen["b"] == chosen["c"] == QuantizationParameters.per_tensor(1 / 256, -128)


def test_two_fixed_scales_side_by_side_are_refused() -> None:
    both = graph(
        ops.Logistic(input="a", output="b"),
        ops.Tanh(input="a", output="c"),
        ops.Concatenation(operands=("b", "c"), output="d", axis=3),
    )
    with pytest.raises(UnsupportedError, match="b, c are to have one scale"):
        choose_parameters(both, {"a": ValueRange(-1.0, 1.0)})


def test_a_range_that_nobody_observed_is_an_error() -> None:
    alone = graph(ops.HardSwish(input="a", output="b"))
    with pytest.raises(InputError, match="no range was observed for tensor 'b'"):
        choose_parameters(alone, {"a": ValueRange(-1.0, 1.0)})


def test_constants_are_no_activations() -> None:
    scaled = graph(ops.Mul(left="a", right="factor", output="b"))
    factor = Tensor("factor", (1, 1, 1, 2), DType.FLOAT32, data=np.ones((1, 1, 1, 2), np.float32))
    known = scaled.with_changes(tensors={"factor": factor})
    ranges = {"a": ValueRange(0.0, 1.0), "b": ValueRange(0.0, 1.0)}
    assert set(choose_parameters(known, ranges)) == {"a", "b"}
