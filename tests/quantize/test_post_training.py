"""Post-training quantization of a small float graph, judged by LiteRT on both versions."""

from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from real_values import dequantize_array

from penstock.errors import GraphError, InputError, UnsupportedError
from penstock.frontends.tflite import write_model
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import LogSoftmax
from penstock.ir.tensor import Array
from penstock.quantize.affine import quantize_array
from penstock.quantize.observers import MinMaxObserver, ValueRange
from penstock.quantize.post_training import quantize_graph
from tests.float_networks import small_float_graph


def run_litert(graph: Graph, value: Array) -> dict[str, Array]:
    """Return every computed tensor as LiteRT's reference kernels have it."""
    interpreter = Interpreter(
        model_content=write_model(graph),
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], value)
    interpreter.invoke()
    computed = {name for name, tensor in graph.tensors.items() if not tensor.is_constant}
    return {
        detail["name"]: interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_tensor_details()
        if detail["name"] in computed
    }


@pytest.mark.parametrize("seed", range(5))
def test_int8_graph_computes_nearly_what_the_float_graph_does(seed: int) -> None:
    graph = small_float_graph(seed)
    images = np.random.default_rng(seed + 100).uniform(0, 1, (8, 1, 6, 6, 3)).astype(np.float32)
    observer = MinMaxObserver()
    expected = [run_litert(graph, image) for image in images]
    for values in expected:
        for name, value in values.items():
            observer.observe(name, value)
    int8_graph = quantize_graph(graph, observer.ranges)
    image_parameters = int8_graph.tensors["image"].quantization
    assert image_parameters is not None
    for image, real in zip(images, expected, strict=True):
        found = run_litert(int8_graph, quantize_array(image, image_parameters, DType.INT8))
        for name, value in found.items():
            parameters = int8_graph.tensors[name].quantization
            assert parameters is not None
            error = np.abs(dequantize_array(value, parameters) - real[name]).max()
            assert error <= max(4 * parameters.scale[0], 0.02), name


def test_parameters_follow_the_specification() -> None:
    graph = small_float_graph(0)
    ranges = {name: ValueRange(-1.0, 1.0) for name in graph.tensors}
    int8_graph = quantize_graph(graph, ranges)
    axes = {
        name: tensor.quantization.axis
        for name, tensor in int8_graph.tensors.items()
        if tensor.quantization is not None and name.endswith("filters")
    }
    assert axes == {"conv.filters": 0, "depthwise.filters": 3, "classify.filters": None}
    assert int8_graph.tensors["conv.bias"].dtype is DType.INT32
    assert int8_graph.tensors["flat"].quantization == int8_graph.tensors["mean"].quantization
    assert int8_graph.tensors["probabilities"].scale == 1 / 256
    assert int8_graph.tensors["probabilities"].zero_point == -128


def test_missing_range_names_the_tensor() -> None:
    with pytest.raises(InputError, match="no range was observed for tensor 'conv'"):
        quantize_graph(small_float_graph(0), {"image": ValueRange(0.0, 1.0)})


def test_computed_filters_are_refused() -> None:
    graph = small_float_graph(0)
    changed = replace(graph.tensors["conv.filters"], data=None)
    ranges = {name: ValueRange(-1.0, 1.0) for name in graph.tensors}
    with pytest.raises(GraphError, match=r"'conv.filters' must be constant"):
        quantize_graph(graph.with_changes(tensors={changed.name: changed}), ranges)


def test_operator_without_a_rule_is_refused() -> None:
    graph = small_float_graph(0)
    operator = LogSoftmax(input="image", output="image2")
    with pytest.raises(
        UnsupportedError,
        match="no quantization rule for the operator LOG_SOFTMAX, which writes 'image2'",
    ):
        quantize_graph(
            graph.with_changes(
                tensors={"image2": replace(graph.tensors["image"], name="image2")},
                operators=(operator,),
            ),
            {"image": ValueRange(0.0, 1.0)},
        )
