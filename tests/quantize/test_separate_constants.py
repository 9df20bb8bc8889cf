"""Operators that share weights are quantized each by itself, as LiteRT computes them."""

import numpy as np
import pytest

from penstock.frontends.tflite import write_model
from penstock.ir import interpreter
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.tensor import Tensor
from penstock.ir.verify import verify
from penstock.quantize.affine import dequantize_array, quantize_array
from penstock.quantize.observers import MinMaxObserver
from penstock.quantize.post_training import quantize_graph
from penstock.quantize.separate_constants import separate_constants
from tests.float_networks import shared_weights
from tests.litert import LiteRT


def test_each_operator_has_constants_of_its_own() -> None:
    graph = shared_weights(0)
    made = separate_constants(graph)
    verify(made)
    constants = [n for o in made.operators for n in o.inputs if made.tensors[n].is_constant]
    assert constants == [
        *("filters", "bias", "filters.twice", "bias.twice", "shift", "shift.beside"),
    ]
    for name in constants:
        source = graph.tensors[name.split(".")[0]]
        np.testing.assert_array_equal(made.tensors[name].data, source.data)
    assert separate_constants(made) is made


def test_names_that_are_taken_are_left_alone() -> None:
    graph = shared_weights(0)
    other = Tensor("bias.twice", graph.tensors["once"].shape, DType.FLOAT32)
    renamed = [operator.rename({"once": "bias.twice"}) for operator in graph.operators]
    made = separate_constants(graph.with_changes(tensors={other.name: other}, operators=renamed))
    verify(made)
    assert isinstance(made.operators[1], ops.Conv2D)
    assert made.operators[1].bias == "bias.twice.2"


@pytest.mark.parametrize("seed", range(4))
def test_int8_networks_are_near_the_float_ones(seed: int) -> None:
    graph = shared_weights(seed)
    generator = np.random.default_rng(100 + seed)
    samples = [generator.normal(size=(1, 5, 5, 4)).astype(np.float32) for _ in range(6)]
    observer = MinMaxObserver()
    for sample in samples:
        for name, value in interpreter.trace(graph, [sample]).items():
            observer.observe(name, value)
        observer.observe("x", sample)
    made = quantize_graph(graph, observer.ranges)
    verify(made)
    oracle, before = LiteRT(write_model(made)), LiteRT(write_model(graph))
    source, result = made.tensors["x"], made.tensors["beside"]
    assert source.quantization is not None and result.quantization is not None
    signal = noise = 0.0
    for sample in samples:
        value = quantize_array(sample, source.quantization, DType.INT8)
        (found,) = oracle.run([value])
        np.testing.assert_array_equal(found, interpreter.run(made, [value])[0])
        (expected,) = before.run([sample])
        signal += float(np.square(expected).sum())
        noise += float(np.square(dequantize_array(found, result.quantization) - expected).sum())
    assert 10 * np.log10(signal / noise) > 30
