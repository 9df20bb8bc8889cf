"""Factors of channels go into the weights before them, where nobody else reads the sums."""

from dataclasses import replace

import numpy as np
import pytest

from penstock.frontends.tflite import write_model
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Activation, Padding2D
from penstock.ir.tensor import Tensor
from penstock.quantize.fold_scaling import fold_scaling
from tests.litert import LiteRT

GENERATOR = np.random.default_rng(0)
IMAGE = (1, 5, 6, 4)


def constant(name: str, *shape: int) -> Tensor:
    data = GENERATOR.normal(size=shape).astype(np.float32)
    return Tensor(name, shape, DType.FLOAT32, data=data)


def network(kind: str, **changes: object) -> Graph:
    """Return a convolution and a normalization behind it."""
    before: ops.Conv2D | ops.DepthwiseConv2D = ops.Conv2D(
        input="x", filters="f", bias="b", output="y", padding=Padding2D(1, 1, 1, 1)
    )
    shape = (4, 3, 3, 4)
    if kind == "depthwise":
        before = ops.DepthwiseConv2D(
            input="x", filters="f", bias="b", output="y", padding=Padding2D(1, 1, 1, 1)
        )
        shape = (1, 3, 3, 4)
    before = replace(before, **changes)  # type: ignore[arg-type]
    scaling = ops.DepthwiseConv2D(input="y", filters="s", bias="t", output="z")
    computed = [Tensor(n, IMAGE, DType.FLOAT32) for n in "xyz"]
    constants = [constant("f", *shape), constant("b", 4), constant("s", 1, 1, 1, 4)]
    tensors = [*computed, *constants, constant("t", 4)]
    return Graph.build("net", tensors, [before, scaling], ["x"], ["z"])


@pytest.mark.parametrize("kind", ["ordinary", "depthwise"])
def test_factors_and_shift_go_into_the_weights(kind: str) -> None:
    graph = network(kind)
    folded = fold_scaling(graph)
    assert [operator.outputs for operator in folded.operators] == [("z",)]
    sample = GENERATOR.normal(size=IMAGE).astype(np.float32)
    (expected,), (found,) = (LiteRT(write_model(g)).run([sample]) for g in (graph, folded))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_an_activation_between_them_keeps_both() -> None:
    graph = network("ordinary", activation=Activation.RELU)
    assert fold_scaling(graph).operators == graph.operators


def test_sums_that_others_read_keep_both() -> None:
    graph = network("ordinary")
    read = replace(graph, outputs=("z", "y"))
    assert fold_scaling(read).operators == graph.operators
    total = ops.Add(left="y", right="z", output="w")
    used = graph.with_changes(
        tensors={"w": Tensor("w", IMAGE, DType.FLOAT32)}, operators=[*graph.operators, total]
    )
    assert fold_scaling(used).operators == used.operators


def test_a_depthwise_convolution_with_steps_is_none() -> None:
    graph = network("ordinary")
    stepping = replace(graph.operators[1], stride=(2, 2))
    small = graph.with_changes(
        tensors={"z": Tensor("z", (1, 3, 3, 4), DType.FLOAT32)},
        operators=[graph.operators[0], stepping],
    )
    assert fold_scaling(small).operators == small.operators


@pytest.mark.parametrize("kind", ["Mul", "Add", "Sub", "Sub from", "Mul by all"])
@pytest.mark.parametrize("extent", [1, 4])
def test_products_and_sums_with_constants(kind: str, extent: int) -> None:
    """Of channels and numbers; not of a constant minus the sums, nor of one for each pixel."""
    shape = IMAGE if kind == "Mul by all" else (1, 1, extent)
    operands = {"left": "k", "right": "y"} if kind == "Sub from" else {"left": "y", "right": "k"}
    made = getattr(ops, kind.split()[0])(**operands, output="z", activation=Activation.RELU)
    graph = network("ordinary").with_changes(
        tensors={"k": constant("k", *shape)}, operators=[network("ordinary").operators[0], made]
    )
    folded = fold_scaling(graph)
    assert len(folded.operators) == (1 if kind in ("Mul", "Add", "Sub") else 2)
    sample = GENERATOR.normal(size=IMAGE).astype(np.float32)
    (expected,), (found,) = (LiteRT(write_model(g)).run([sample]) for g in (graph, folded))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_chain_behind_a_fully_connected_layer_folds_whole() -> None:
    tensors = [Tensor(n, (1, 4), DType.FLOAT32) for n in "xyzw"]
    tensors += [constant("f", 4, 4), constant("b", 4), constant("s", 4), constant("t", 1, 4)]
    operators = [
        ops.FullyConnected(input="x", filters="f", bias="b", output="y"),
        ops.Mul(left="s", right="y", output="z"),
        ops.Add(left="z", right="t", output="w", activation=Activation.RELU6),
    ]
    graph = Graph.build("net", tensors, operators, ["x"], ["w"])
    folded = fold_scaling(graph)
    (only,) = folded.operators
    assert isinstance(only, ops.FullyConnected) and only.activation is Activation.RELU6
    sample = GENERATOR.normal(size=(1, 4)).astype(np.float32)
    (expected,), (found,) = (LiteRT(write_model(g)).run([sample]) for g in (graph, folded))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
