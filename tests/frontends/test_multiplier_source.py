"""In which precision LiteRT multiplies scales, seen where the last bits decide an output."""

from dataclasses import replace

import numpy as np
import pytest
from tflite_models import FileModel, FileOperator, FileTensor, options

from penstock.frontends.tflite import read_model
from penstock.ir.interpreter import run
from penstock.ir.operators import FullyConnected, MultiplierSource
from tests.litert import LiteRT

CHANNELS = 64
INPUT_SCALE = np.float32(0.0123457)
OUTPUT_SCALE = {"int8": np.float32(1000.0), "uint8": np.float32(1000.0), "int16": np.float32(70.0)}
ZERO_POINT = {"int8": 0, "uint8": 128, "int16": 0}


def filter_scale(*, per_channel: bool) -> np.ndarray:
    """Return scales whose product with the input's is not a float32."""
    values = np.float32(0.0034) + np.arange(CHANNELS, dtype=np.float32) * np.float32(1e-5)
    return values if per_channel else values[:1]


def decisive_biases(dtype: str, scales: np.ndarray) -> np.ndarray:
    """Return accumulators for which single and double precision round to different outputs."""
    biases = np.empty(CHANNELS, np.int64)
    for channel in range(CHANNELS):
        scale = scales[channel % len(scales)]
        double = float(INPUT_SCALE) * float(scale) / float(OUTPUT_SCALE[dtype])
        single = float(INPUT_SCALE * scale) / float(OUTPUT_SCALE[dtype])
        step = 60.5 + channel % 7 if dtype != "int16" else 900.5 + channel
        biases[channel] = round((step / double + step / single) / 2)
    assert np.abs(biases).max() < 1 << 31
    return biases


def model_of(kind: str, dtype: str, *, per_channel: bool) -> bytes:
    """Return a model whose filters are all zero: the output is the requantized bias."""
    scales = filter_scale(per_channel=per_channel)
    weight_dtype = "uint8" if dtype == "uint8" else "int8"
    zero = ZERO_POINT[dtype]
    shapes = {
        "CONV_2D": ([1, 1, 1, 1], [CHANNELS, 1, 1, 1], [1, 1, 1, CHANNELS]),
        "DEPTHWISE_CONV_2D": ([1, 1, 1, CHANNELS], [1, 1, 1, CHANNELS], [1, 1, 1, CHANNELS]),
        "TRANSPOSE_CONV": ([1, 1, 1, 1], [CHANNELS, 1, 1, 1], [1, 1, 1, CHANNELS]),
        "FULLY_CONNECTED": ([1, 1], [CHANNELS, 1], [1, CHANNELS]),
    }
    image, filters, result = shapes[kind]
    attributes = {
        "CONV_2D": {"strideH": 1, "strideW": 1},
        "DEPTHWISE_CONV_2D": {"strideH": 1, "strideW": 1, "depthMultiplier": 1},
        "TRANSPOSE_CONV": {"strideH": 1, "strideW": 1},
        "FULLY_CONNECTED": {},
    }
    tables = {
        "CONV_2D": "Conv2DOptions",
        "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
        "TRANSPOSE_CONV": "TransposeConvOptions",
        "FULLY_CONNECTED": "FullyConnectedOptions",
    }
    data = FileTensor("x", image, dtype, INPUT_SCALE, zero)
    weights = FileTensor(
        "w",
        filters,
        weight_dtype,
        scales,
        128 if dtype == "uint8" else 0,
        axis=3 if kind == "DEPTHWISE_CONV_2D" else 0,
        data=np.full(filters, 128 if dtype == "uint8" else 0),
    )
    bias = FileTensor(
        "b",
        [CHANNELS],
        "int64" if dtype == "int16" else "int32",
        INPUT_SCALE * scales,
        data=decisive_biases(dtype, scales),
    )
    shape = FileTensor("s", [4], "int32", data=result)
    output = FileTensor("y", result, dtype, OUTPUT_SCALE[dtype], zero)
    names = ["s", "w", "x", "b"] if kind == "TRANSPOSE_CONV" else ["x", "w", "b"]
    tensors = [data, weights, bias, output]
    return FileModel(
        [shape, *tensors] if kind == "TRANSPOSE_CONV" else tensors,
        [FileOperator(kind, names, ["y"], options(tables[kind], **attributes[kind]))],
        ["x"],
        ["y"],
    ).to_bytes()


@pytest.mark.parametrize(
    ("kind", "dtype", "per_channel"),
    [
        ("CONV_2D", "int8", False),
        ("CONV_2D", "int8", True),
        ("CONV_2D", "int16", True),
        ("CONV_2D", "uint8", False),
        ("DEPTHWISE_CONV_2D", "int8", False),
        ("DEPTHWISE_CONV_2D", "int8", True),
        ("DEPTHWISE_CONV_2D", "uint8", False),
        ("TRANSPOSE_CONV", "int8", False),
        ("TRANSPOSE_CONV", "int8", True),
        ("TRANSPOSE_CONV", "int16", True),
        ("TRANSPOSE_CONV", "uint8", False),
        ("FULLY_CONNECTED", "int8", False),
        ("FULLY_CONNECTED", "int8", True),
        ("FULLY_CONNECTED", "int16", False),
        ("FULLY_CONNECTED", "uint8", False),
    ],
)
def test_precision_of_the_scale_product(kind: str, dtype: str, per_channel: bool) -> None:
    model = model_of(kind, dtype, per_channel=per_channel)
    graph = read_model(model, "probe")
    tensor = graph.tensors[graph.inputs[0]]
    zeros = np.full(tensor.shape, ZERO_POINT[dtype], tensor.dtype.numpy)
    expected = LiteRT(model).run([zeros])[0]
    np.testing.assert_array_equal(run(graph, [zeros])[0], expected)

    # The probe must be able to tell: per-tensor filters of convolutions allow either precision.
    (position,) = [i for i, op in enumerate(graph.operators) if op.kind.startswith(kind)]
    operator = graph.operators[position]
    if not per_channel and not isinstance(operator, FullyConnected):
        other = {
            MultiplierSource.SINGLE: MultiplierSource.DOUBLE,
            MultiplierSource.DOUBLE: MultiplierSource.SINGLE,
        }[operator.multiplier_source]
        operators = list(graph.operators)
        operators[position] = replace(operator, multiplier_source=other)
        assert np.any(run(graph.with_changes(operators=operators), [zeros])[0] != expected)
