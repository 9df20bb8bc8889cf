"""Filters with negative scales give LiteRT's bytes, with scales above 0 in the graph."""

import numpy as np
import pytest
from tflite_models import FileModel, FileOperator, FileTensor, options

from penstock.frontends.tflite import read_model
from penstock.ir.interpreter import run
from tests.litert import LiteRT, random_inputs

CHANNELS = 6
SIGNS = np.array([1, -1, -1, 1, -1, 1])


def model_of(builtin: str, *, is_shared: bool = False) -> FileModel:
    """Return a convolution, or two that share their bias, with scales of both signs."""
    rng = np.random.default_rng(5)
    scales = (rng.uniform(0.003, 0.02, CHANNELS) * SIGNS).astype(np.float32)
    shape = [1, 3, 3, CHANNELS] if builtin == "DEPTHWISE_CONV_2D" else [CHANNELS, 3, 3, CHANNELS]
    tables = {
        "CONV_2D": options("Conv2DOptions", strideH=1, strideW=1),
        "DEPTHWISE_CONV_2D": options(
            "DepthwiseConv2DOptions", strideH=1, strideW=1, depthMultiplier=1
        ),
    }
    image = [1, 6, 5, CHANNELS]
    tensors = [
        FileTensor("x", image, "int8", 0.05, -4),
        FileTensor("y", image, "int8", 0.09, 11),
        FileTensor("z", image, "int8", 0.08, -3),
        FileTensor(
            "w",
            shape,
            "int8",
            scales,
            axis=3 if builtin == "DEPTHWISE_CONV_2D" else 0,
            data=rng.integers(-127, 128, shape),
        ),
        FileTensor(
            "v",
            shape,
            "int8",
            -scales,
            axis=3 if builtin == "DEPTHWISE_CONV_2D" else 0,
            data=rng.integers(-127, 128, shape),
        ),
        FileTensor("b", [CHANNELS], "int32", scales * 0.05, data=rng.integers(-999, 999, CHANNELS)),
    ]
    operators = [
        FileOperator(builtin, ["x", "w", "b"], ["y"], tables[builtin]),
        FileOperator(builtin, ["y", "v", "b"], ["z"], tables[builtin]),
    ]
    last = "z" if is_shared else "y"
    return FileModel(tensors, operators[: 2 if is_shared else 1], ["x"], [last])


@pytest.mark.parametrize("builtin", ["CONV_2D", "DEPTHWISE_CONV_2D"])
@pytest.mark.parametrize("is_shared", [False, True])
def test_negative_scales_are_exact(builtin: str, is_shared: bool) -> None:
    content = model_of(builtin, is_shared=is_shared).to_bytes()
    graph = read_model(content, "model")
    for tensor in graph.tensors.values():
        assert tensor.quantization is None or min(tensor.quantization.scale) > 0
    inputs = random_inputs(graph, 1)
    np.testing.assert_array_equal(run(graph, inputs)[0], LiteRT(content).run(inputs)[0])


def test_a_bias_that_serves_two_signs_becomes_two() -> None:
    graph = read_model(model_of("CONV_2D", is_shared=True).to_bytes(), "model")
    first, second = (graph.tensors[operator.bias].data for operator in graph.operators)
    np.testing.assert_array_equal(first, -second)
