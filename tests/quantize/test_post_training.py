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
from penstock.quantize.affine import Weighted, quantize_array
from penstock.quantize.observers import MinMaxObserver, ValueRange
from penstock.quantize.post_training import WeightOptions, quantize_graph
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


@pytest.mark.parametrize("dense_per_channel", [False, True])
@pytest.mark.parametrize("maximum", [1, 7, 100, 127])
def test_the_largest_weight_becomes_as_many_steps_as_asked(
    maximum: int, dense_per_channel: bool
) -> None:
    """Of each filter with its own scale, for the operators named; others have 127 steps."""
    graph = small_float_graph(3)
    ranges = {n: ValueRange(-1, 1) for n, t in graph.tensors.items() if not t.is_constant}
    weighted = [o for o in graph.operators if isinstance(o, Weighted)]
    named = {operator.output: maximum for operator in weighted[::2]}
    options = WeightOptions(dense_per_channel=dense_per_channel, maxima=named)
    made = quantize_graph(graph, ranges, options)
    for operator in weighted:
        before, filters = (each.tensors[operator.filters] for each in (graph, made))
        assert before.data is not None and filters.data is not None
        assert filters.quantization is not None
        axis = filters.quantization.axis
        others = tuple(n for n in range(filters.data.ndim) if n != axis)
        steps = np.abs(filters.data.astype(int)).max(axis=None if axis is None else others)
        assert (steps == named.get(operator.output, 127)).all()
        scales = np.abs(before.data).max(axis=None if axis is None else others) / steps
        np.testing.assert_allclose(filters.quantization.scale, np.ravel(scales), rtol=1e-6)
        error = np.abs(dequantize_array(filters.data, filters.quantization) - before.data)
        assert error.max() <= 0.5001 * np.max(scales)
        if operator.bias is not None:
            bias = made.tensors[operator.bias].quantization
            source = made.tensors[operator.input].scale
            assert bias is not None
            np.testing.assert_allclose(
                bias.scale, np.multiply(filters.quantization.scale, source), rtol=1e-6
            )
    assert len(named) >= 2 and len(weighted) > len(named)


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
