"""Files that the writer makes run in LiteRT, which then agrees with the graph's definition."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from writer_cases import CASES

from penstock.frontends.tflite.writer import write_model


def run_litert(contents, inputs):
    interpreter = Interpreter(
        model_content=contents, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    for detail, array in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def random_array(tensor, generator):
    if tensor.dtype.is_integer:
        low, high = tensor.dtype.range if tensor.dtype.size_bytes < 4 else (-1000, 1000)
        return generator.integers(low, high, tensor.shape, endpoint=True).astype(tensor.dtype.numpy)
    return generator.normal(size=tensor.shape).astype(np.float32)


@pytest.mark.parametrize("name", CASES)
def test_litert_runs_every_operator(name):
    graph = CASES[name]
    generator = np.random.default_rng(3)
    inputs = [random_array(graph.tensors[name], generator) for name in graph.inputs]
    found = run_litert(write_model(graph), inputs)
    expected = [graph.tensors[name] for name in graph.outputs]
    assert [(a.shape, a.dtype) for a in found] == [(t.shape, t.dtype.numpy) for t in expected]
    assert any(array.any() for array in found)


def test_the_same_graph_gives_the_same_bytes():
    assert write_model(CASES["conv_i8"]) == write_model(CASES["conv_i8"])
