"""Filters of four bits in files: LiteRT computes with them what the graph means."""

from dataclasses import replace

import numpy as np
import pytest
import tflite
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import ModelFormatError, UnsupportedError
from penstock.frontends.tflite import read_model, write_model
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.interpreter import run
from penstock.ir.nibbles import fits_nibbles, pack_nibbles, unpack_nibbles
from penstock.ir.operators import Padding2D
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor
from tests.frontends.test_writer import random_inputs, run_litert

KINDS = ("conv_2d", "depthwise_conv_2d", "fully_connected")


@given(st.lists(st.integers(-8, 7), max_size=40))
def test_values_are_the_same_out_of_bytes(values: list[int]) -> None:
    array = np.array(values, np.int8)
    assert fits_nibbles(array)
    packed = pack_nibbles(array)
    assert packed.size == (len(values) + 1) // 2
    assert unpack_nibbles(packed, len(values)).tolist() == values
    halves = [half for byte in packed.tolist() for half in (byte % 16, byte // 16)]
    assert [half - 16 * (half > 7) for half in halves][: len(values)] == values


@pytest.mark.parametrize("value", [-9, 8, 127, -128])
def test_larger_values_have_no_four_bits(value: int) -> None:
    assert not fits_nibbles(np.array([0, value], np.int8))


def layer(kind: str, seed: int, low: int = -8, high: int = 7) -> Graph:
    """Return a layer of odd sizes with filters from low to high."""
    random = np.random.default_rng(seed)
    depth, channels = (int(random.integers(1, most)) for most in (20, 12))
    taps = int(random.choice([1, 2, 3]))
    if kind == "fully_connected":
        source, shape, output = (2, depth), (channels, depth), (2, channels)
    else:
        channels = depth if kind == "depthwise_conv_2d" else channels
        shape = (channels, taps, taps, depth)
        if kind == "depthwise_conv_2d":
            shape = (1, taps, taps, channels)
        source, output = (1, 6, 7, depth), (1, 7 - taps, 8 - taps, channels)
    data = random.integers(low, high + 1, shape).astype(np.int8)
    data.reshape(-1)[:1] = low
    axis = 3 if kind == "depthwise_conv_2d" else 0
    scales = tuple(float(np.float32(s)) for s in random.uniform(0.01, 0.2, channels))
    one = QuantizationParameters.per_tensor
    filters = QuantizationParameters(scales, (0,) * channels, axis if channels > 1 else None)
    sums = tuple(float(np.float32(0.05 * s)) for s in scales)
    biases = QuantizationParameters(sums, (0,) * channels, 0 if channels > 1 else None)
    bias = random.integers(-200, 200, channels).astype(np.int32)
    tensors = [
        Tensor("x", source, DType.INT8, one(float(np.float32(0.05)), int(random.integers(-9, 9)))),
        Tensor("w", shape, DType.INT8, filters, data),
        Tensor("b", (channels,), DType.INT32, biases, bias),
        Tensor("y", output, DType.INT8, one(0.25, int(random.integers(-9, 9)))),
    ]
    fields = {"input": "x", "filters": "w", "bias": "b", "output": "y"}
    kinds = {"conv_2d": ops.Conv2D, "depthwise_conv_2d": ops.DepthwiseConv2D}
    if kind in kinds:
        operator: ops.Operator = kinds[kind](**fields, padding=Padding2D(0, 0, 0, 0))
    else:
        operator = ops.FullyConnected(**fields)
    return Graph.build("layer", tensors, [operator], ["x"], ["y"])


def filter_types(contents: bytes) -> set[int]:
    subgraph = tflite.Model.GetRootAs(contents, 0).Subgraphs(0)
    tensors = [subgraph.Tensors(index) for index in range(subgraph.TensorsLength())]
    return {tensor.Type() for tensor in tensors if tensor.Name() == b"w"}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_litert_computes_what_the_graph_means(kind: str, seed: int) -> None:
    graph = layer(kind, seed)
    contents = write_model(graph, int4_filters=True)
    assert filter_types(contents) == {tflite.TensorType.INT4}
    inputs = random_inputs(graph, seed)
    (expected,) = run(graph, inputs)
    (found,) = run_litert(contents, inputs)
    np.testing.assert_array_equal(found, expected)
    again = read_model(contents, "layer")
    np.testing.assert_array_equal(again.tensors["w"].data, graph.tensors["w"].data)
    np.testing.assert_array_equal(run(again, inputs)[0], expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("low", "high"), [(-9, 7), (-8, 8)])
def test_filters_that_are_too_large_stay_as_they_are(kind: str, low: int, high: int) -> None:
    graph = layer(kind, 1, low, high)
    data = graph.tensors["w"].data.copy()
    data.reshape(-1)[-1] = high
    graph = graph.with_changes(tensors={"w": graph.tensors["w"].with_data(data)})
    assert filter_types(write_model(graph, int4_filters=True)) == {tflite.TensorType.INT8}
    assert filter_types(write_model(layer(kind, 1))) == {tflite.TensorType.INT8}


def changed(contents: bytes, name: bytes, **values: int) -> bytes:
    """Return a file with another type, or another buffer, of a tensor."""
    content = bytearray(contents)
    subgraph = tflite.Model.GetRootAs(content, 0).Subgraphs(0)
    for index in range(subgraph.TensorsLength()):
        tensor = subgraph.Tensors(index)
        if tensor.Name() == name:
            slots = {"type": 6, "buffer": 8}
            for field, value in values.items():
                at = tensor._tab.Pos + tensor._tab.Offset(slots[field])
                content[at] = value
    return bytes(content)


def test_activations_of_four_bits_are_refused() -> None:
    contents = write_model(layer("fully_connected", 3))
    with pytest.raises(UnsupportedError, match=r"'x' .* is INT4 and no constant"):
        read_model(changed(contents, b"x", type=tflite.TensorType.INT4), "layer")


def test_filters_with_too_many_bytes_are_refused() -> None:
    contents = write_model(layer("fully_connected", 3))
    with pytest.raises(ModelFormatError, match=r"is i4\[\d+, \d+\], \d+ bytes, but its buffer has"):
        read_model(changed(contents, b"w", type=tflite.TensorType.INT4), "layer")


def test_filters_that_others_use_stay_as_they_are() -> None:
    graph = layer("fully_connected", 4)
    shown = replace(graph, outputs=("y", "w"))
    assert filter_types(write_model(shown, int4_filters=True)) == {tflite.TensorType.INT8}
