"""Float32 networks: every operator against LiteRT, on the random shapes that integers get."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.frontends.tflite import write_model
from penstock.ir import interpreter
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.interpreter import real
from penstock.ir.tensor import Tensor
from penstock.ir.verify import verify
from tests.interpreter import elementwise_cases, movement_cases, weighted_cases
from tests.litert import LiteRT

CASES = weighted_cases.CASES | elementwise_cases.CASES | movement_cases.CASES
OTHERWISE = {"transpose_conv_2d", "svdf", "softmax_float", "quantize", "dequantize"}
"""No operators of a float network, or as float in every test."""
REAL = sorted(CASES.keys() - OTHERWISE)


def in_real_numbers(graph: Graph, generator: np.random.Generator) -> Graph:
    """Return the graph with float32 tensors of the same shapes, its weights random."""

    def tensor(found: Tensor) -> Tensor:
        data = generator.normal(size=found.shape).astype(np.float32)
        constant = data if found.is_constant else None
        return Tensor(found.name, found.shape, DType.FLOAT32, data=constant)

    tensors = {name: tensor(found) for name, found in graph.tensors.items()}
    (operator,) = graph.operators
    if isinstance(operator, ops.Pad):
        operator = replace(operator, value=None)
    elif isinstance(operator, ops.Conv2D) and operator.bias is None:
        # LiteRT's float32 kernel wants one.
        zeros = np.zeros(graph.tensors[operator.output].shape[3], np.float32)
        tensors["zeros"] = Tensor("zeros", zeros.shape, DType.FLOAT32, data=zeros)
        operator = replace(operator, bias="zeros")
    return graph.with_changes(tensors=tensors, operators=[operator])


@pytest.mark.parametrize("name", REAL)
def test_operator_computes_what_litert_does(name: str) -> None:
    @settings(
        max_examples=40,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        generator = np.random.default_rng(data.draw(st.integers(0, 1000), label="values"))
        graph = in_real_numbers(CASES[name](data.draw), generator)
        verify(graph)
        shapes = [graph.tensors[source].shape for source in graph.inputs]
        inputs: list[Any] = [4 * generator.normal(size=s).astype(np.float32) for s in shapes]
        expected = LiteRT(write_model(graph)).run(inputs)
        for ours, theirs in zip(interpreter.run(graph, inputs), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())

    check()


def test_every_operator_on_reals_is_tested() -> None:
    generator = np.random.default_rng(0)
    tested: set[type[ops.Operator]] = set()

    @settings(max_examples=30, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def collect(data: st.DataObject) -> None:
        for name in REAL:
            graph = in_real_numbers(CASES[name](data.draw), generator)
            tested.update(type(operator) for operator in graph.operators)

    collect()
    assert real.EVALUATORS.keys() <= tested
