"""QDQ models become int8 graphs: the file's integers, TensorFlow Lite's rounding."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs the extra 'onnx'")
pytest.importorskip("onnxruntime", reason="needs the extra 'dev'")

from onnx import TensorProto  # noqa: E402
from onnxruntime import quantization  # noqa: E402

from penstock import api  # noqa: E402
from penstock.errors import InputError, UnsupportedError  # noqa: E402
from penstock.frontends.source_models import SourceModel  # noqa: E402
from penstock.frontends.tflite import write_model  # noqa: E402
from penstock.ir import interpreter  # noqa: E402
from penstock.ir.dtype import DType  # noqa: E402
from penstock.quantize.affine import dequantize_array, quantize_array  # noqa: E402
from tests.frontends.onnx_files.models import (  # noqa: E402
    OnnxModel,
    channels_first,
    onnxruntime_outputs,
    read,
)
from tests.frontends.onnx_files.networks import NETWORKS, sample_for  # noqa: E402
from tests.litert import LiteRT, random_inputs  # noqa: E402

QUANTIZED = {"mobilenet": 2, "channels last": 2, "shuffled": 2, "gated": 4}
"""Networks of which onnxruntime's quantizer quantizes every operator, and how many steps outputs
may be off: each operator may round otherwise, and HardSigmoid is three of them here."""
TYPES = {"int8": quantization.QuantType.QInt8, "uint8": quantization.QuantType.QUInt8}


class Reader(quantization.CalibrationDataReader):
    def __init__(self, samples: list[np.ndarray]) -> None:
        self._samples: Iterator[np.ndarray] = iter(samples)

    def get_next(self) -> dict[str, np.ndarray] | None:
        sample = next(self._samples, None)
        return None if sample is None else {"x": sample}


@cache
def quantized(name: str, kind: str, folder: Path, *, per_channel: bool = True) -> Any:
    """Return what onnxruntime's quantizer makes of a network."""
    model, generator = NETWORKS[name](), np.random.default_rng(0)
    onnx.save(model, folder / "float.onnx")
    quantization.quantize_static(
        folder / "float.onnx",
        folder / "qdq.onnx",
        Reader([sample_for(model, generator) for _ in range(30)]),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=per_channel,
        activation_type=TYPES[kind],
        weight_type=quantization.QuantType.QInt8,
    )
    return onnx.load(folder / "qdq.onnx")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("qdq")


def run_int8(source: SourceModel, sample: np.ndarray) -> np.ndarray:
    """Return the first output as real numbers, an image as ONNX has it."""
    graph = source.graph
    given, made = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    assert given.quantization is not None and made.quantization is not None
    turned = sample.transpose(source.order(graph.inputs[0]))
    integers = quantize_array(turned, given.quantization, given.dtype)
    (result,) = interpreter.run(graph, [integers])
    return channels_first(dequantize_array(result, made.quantization))


def check_against_litert(source: SourceModel) -> None:
    oracle = LiteRT(write_model(source.graph))
    for seed in range(3):
        inputs = random_inputs(source.graph, seed)
        expected = oracle.run(inputs)
        for ours, theirs in zip(interpreter.run(source.graph, inputs), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("per_channel", [True, False], ids=["per channel", "per tensor"])
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", QUANTIZED)
def test_what_onnxruntime_quantizes_is_computed_alike(
    name: str, kind: str, per_channel: bool, folder: Path
) -> None:
    model = quantized(name, kind, folder, per_channel=per_channel)
    source = read(model, folder)
    types = {t.dtype for t in source.graph.tensors.values()}
    assert types == {DType.INT8, DType.INT32}
    step = source.graph.tensors[source.graph.outputs[0]].scale
    generator, same = np.random.default_rng(1), 0
    for _ in range(40):
        sample = sample_for(model, generator)
        (expected,) = onnxruntime_outputs(model, sample)
        found = run_int8(source, sample)
        np.testing.assert_allclose(found, expected, atol=(QUANTIZED[name] + 0.01) * step)
        same += int(found.argmax() == expected.argmax())
    assert same >= 36
    check_against_litert(source)


def test_weights_are_the_integers_of_the_file(folder: Path) -> None:
    model = quantized("mobilenet", "int8", folder)
    graph = read(model, folder).graph
    stored = [
        onnx.numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if tensor.data_type in (TensorProto.INT8, TensorProto.INT32) and tensor.dims
    ]
    for array in stored:
        if array.ndim == 4:
            wanted = array.transpose((1, 2, 3, 0) if array.shape[1] == 1 else (0, 2, 3, 1))
        else:
            wanted = array
        same = [
            tensor.name
            for tensor in graph.tensors.values()
            if tensor.data is not None and np.array_equal(tensor.data, wanted)
        ]
        assert same or not wanted.any()
    assert len([array for array in stored if array.ndim == 4]) == 4


@pytest.mark.parametrize("name", ["mobilenet", "gated"])
def test_a_qdq_file_compiles_as_it_is(name: str, folder: Path, tmp_path: Path) -> None:
    onnx.save(quantized(name, "uint8", folder), tmp_path / "net.onnx")
    result = api.compile(tmp_path / "net.onnx", board="host", output=tmp_path / "c")
    assert result.verified and result.calibrated is None
    # The project needs no ONNX any more.
    again = api.run(tmp_path / "c", board="host", seed=3, verify=True)
    first = api.run(tmp_path / "net.onnx", board="host", seed=3)
    np.testing.assert_array_equal(again.outputs[0], first.outputs[0])
    data = tmp_path / "x.npy"
    np.save(data, np.zeros((1, 3, 16, 16), np.float32))
    with pytest.raises(InputError, match="is quantized already"):
        api.quantize(tmp_path / "net.onnx", data=data)


def odd_scales(dtype: Any = np.int8, shift: int = 0) -> Any:
    """Scales that TensorFlow Lite's operators do not have: every tensor has its own."""
    m = OnnxModel((1, 4, 6, 6))

    def rounded(value: str, scale: float, point: int) -> str:
        return m.rounded(value, scale, point + shift, dtype)

    x = rounded("x", 0.03, 3)
    filters = m.stored(m.generator.normal(size=(4, 4, 3, 3)), [0.02, 0.03, 0.025, 0.04])
    x = m.node("Relu", m.node("Conv", x, filters, pads=[1, 1, 1, 1]))
    x = rounded(x, 0.08, -128)
    left = rounded(m.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 0.07, -120)
    right = rounded(m.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]), 0.06, -128)
    x = rounded(m.node("Concat", left, right, axis=1), 0.075, -125)
    x = rounded(m.node("Max", x, rounded(m.node("Tanh", x), 0.01, 5)), 0.07, -128)
    x = rounded(rounded(m.node("Sigmoid", x), 0.005, -100), 0.006, -90)
    x = m.node("Flatten", x)
    weights = m.stored(m.generator.normal(size=(72, 5)), 0.02)
    bias = m.stored(m.generator.normal(size=5), 0.006 * 0.02, np.int32)
    x = m.node("Add", rounded(m.node("MatMul", x, weights), 0.1, 10), bias)
    x = rounded(x, 0.11, 4)
    return m.build(rounded(m.node("Softmax", x), 0.004, -128))


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_scales_that_tensorflow_lite_has_not(kind: str, tmp_path: Path) -> None:
    """Each sum is computed by onnxruntime as the file says it, with rounding where it says so."""
    model = odd_scales(np.dtype(kind).type, 128 if kind == "uint8" else 0)
    source, generator = read(model, tmp_path), np.random.default_rng(0)
    kinds = [operator.kind for operator in source.graph.operators]
    assert kinds.count("QUANTIZE") == 10
    for _ in range(20):
        sample = sample_for(model, generator)
        (expected,) = onnxruntime_outputs(model, sample, optimized=False)
        np.testing.assert_allclose(run_int8(source, sample), expected, atol=3.01 * 0.004)
    check_against_litert(source)


def test_an_input_of_integers(tmp_path: Path) -> None:
    m = OnnxModel((1, 6), kind=TensorProto.UINT8)
    x = m.node("DequantizeLinear", "x", m.constant(0.5), m.constant(100, np.uint8))
    model = m.build(m.rounded(m.node("Relu", x), 0.25, 0, np.uint8))
    graph = read(model, tmp_path).graph
    source = graph.tensors[graph.inputs[0]]
    assert (source.dtype, source.scale, source.zero_point) == (DType.INT8, 0.5, -28)
    sample = np.array([[0, 90, 100, 101, 120, 255]], np.uint8)
    (expected,) = onnxruntime_outputs(model, sample)
    (found,) = interpreter.run(graph, [(sample.astype(np.int16) - 128).astype(np.int8)])
    made = graph.tensors[graph.outputs[0]].quantization
    assert made is not None
    np.testing.assert_array_equal(dequantize_array(found, made), expected)


def with_node(make: Any) -> Any:
    m = OnnxModel((1, 4, 5, 5))
    return m.build(m.rounded(make(m, m.rounded("x", 0.03, 3)), 0.1, 0), rank=4)


def weights(m: OnnxModel, shape: tuple[int, ...] = (4, 4, 1, 1)) -> np.ndarray:
    return m.generator.normal(size=shape)


def shifted_weights(m: OnnxModel, x: str) -> str:
    scale, point = m.constant(0.02), m.constant(3, np.int8)
    integers = m.constant(np.ones((4, 4, 1, 1)), np.int8)
    return m.node("Conv", x, m.node("DequantizeLinear", integers, scale, point))


REFUSED: dict[str, tuple[Any, str]] = {
    "nothing said of a tensor": (
        lambda m, x: m.node("LeakyRelu", m.node("Conv", x, m.stored(weights(m), 0.02))),
        r"nothing of 'conv_3', which node 3 makes \(CONV_2D\)",
    ),
    "weights with a zero point": (shifted_weights, r"'conv_3.filters' have the zero point 3"),
    "scales by input channel": (
        lambda m, x: m.node("Conv", x, m.stored(weights(m), [0.02] * 4, axis=1)),
        "have scales along dimension 3, not for each output channel",
    ),
    "16 bits": (
        lambda m, x: m.rounded(x, 0.01, 0, np.int16),
        "has integers of the type int16",
    ),
    "activations with a scale for each channel": (
        lambda m, x: m.node(
            "QuantizeLinear", x, m.constant([0.1] * 4), m.constant([0] * 4, np.int8), axis=1
        ),
        "quantizes a computed tensor with 4 scales",
    ),
    "a scale of 0": (lambda m, x: m.rounded(x, 0.0, 0), "a scale that is not above 0"),
    "other scales for integers than they were made with": (
        lambda m, x: m.node(
            "DequantizeLinear",
            m.node("QuantizeLinear", m.node("Relu", x), m.constant(0.1), m.constant(0, np.int8)),
            m.constant(0.2),
            m.constant(0, np.int8),
        ),
        "another scale or zero point than they have",
    ),
    "a bias beyond 32 bits": (
        lambda m, x: m.node(
            "Conv", x, m.stored(np.zeros((4, 4, 1, 1)), 1e-12), m.constant([1.0] * 4)
        ),
        "steps of its scale, more than 32 bits hold",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_integers_cannot_be_is_refused(name: str, tmp_path: Path) -> None:
    make, reason = REFUSED[name]
    with pytest.raises(UnsupportedError, match=reason) as refused:
        read(with_node(make), tmp_path)
    assert refused.value.what.startswith("net.onnx: ") and refused.value.help


def test_integers_without_meaning_are_refused(tmp_path: Path) -> None:
    m = OnnxModel((1, 4), kind=TensorProto.INT8)
    model = m.build(m.node("Relu", "x"))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT8
    with pytest.raises(UnsupportedError, match="no DequantizeLinear says their scale"):
        read(model, tmp_path)
