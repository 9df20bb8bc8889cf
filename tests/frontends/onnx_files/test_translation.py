"""Float ONNX models become graphs that compute what onnxruntime does, and int8 files that LiteRT
agrees with."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs the extra 'onnx'")
pytest.importorskip("onnxruntime", reason="needs the extra 'dev'")

from penstock.design.quantization import quantize_source
from penstock.frontends.tflite import write_model
from penstock.ir import interpreter
from tests.frontends.onnx_files.models import (
    channels_first,
    graph_outputs,
    onnxruntime_outputs,
    read,
)
from tests.frontends.onnx_files.networks import NETWORKS, sample_for
from tests.litert import LiteRT, random_inputs


@pytest.mark.parametrize("name", NETWORKS)
def test_the_graph_computes_what_onnxruntime_computes(name: str, tmp_path: Path) -> None:
    model = NETWORKS[name]()
    source, generator = read(model, tmp_path), np.random.default_rng(0)
    for _ in range(3):
        sample = sample_for(model, generator)
        expected = onnxruntime_outputs(model, sample)
        for ours, theirs in zip(graph_outputs(source, sample), expected, strict=True):
            np.testing.assert_allclose(channels_first(ours), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_int8_graph_is_what_litert_computes(name: str, tmp_path: Path) -> None:
    model = NETWORKS[name]()
    source, generator = read(model, tmp_path), np.random.default_rng(0)
    samples = np.concatenate([sample_for(model, generator) for _ in range(20)])
    np.save(tmp_path / "samples.npy", samples)
    made = quantize_source(source, tmp_path / "samples.npy")
    assert made.agreement.signal_to_noise_db > 18
    oracle = LiteRT(write_model(made.graph))
    for seed in range(3):
        inputs = random_inputs(made.graph, seed)
        expected = oracle.run(inputs)
        for ours, theirs in zip(interpreter.run(made.graph, inputs), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_images_have_their_channels_last_however_the_file_has_them(tmp_path: Path) -> None:
    shapes = {}
    for name in ("mobilenet", "channels last", "sensor"):
        source = read(NETWORKS[name](), tmp_path)
        (tensor,) = source.graph.inputs
        shapes[name] = source.graph.tensors[tensor].shape, source.order(tensor)
    assert shapes == {
        "mobilenet": ((1, 16, 16, 3), (0, 2, 3, 1)),
        "channels last": ((1, 12, 10, 3), (0, 1, 2, 3)),
        "sensor": ((1, 10), (0, 1)),
    }


def test_turning_back_and_forth_moves_nothing(tmp_path: Path) -> None:
    kinds = [o.kind for o in read(NETWORKS["channels last"](), tmp_path).graph.operators]
    assert "TRANSPOSE" not in kinds
