"""Kernels of whole models against the interpreter, tensor by tensor, without generated code."""

from pathlib import Path

import pytest

from penstock.errors import UnsupportedError
from penstock.frontends.tflite import load_model
from penstock.ir.interpreter import initial_state, trace
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from tests.conftest import find_shared_dir
from tests.kernels.comparison import assert_same
from tests.kernels.driver import Program
from tests.litert import random_inputs

QUICK = [
    "mlperf_tiny/kws_ref_model.tflite",
    "mlperf_tiny/ad01_int8.tflite",
    "tflm/keyword_scrambled_8bit.tflite",
    "coral/split_concat.tflite",
]


FLOAT_MODELS = {
    "ad01_fp32.tflite",
    "hello_world_float.tflite",
    "kws_ref_model_float32.tflite",
    "pretrainedResnet.tflite",
    "vww_96_float.tflite",
}


def _model_names() -> list[str]:
    shared = find_shared_dir()
    if shared is None:
        return []
    root = shared / "models"
    return sorted(str(path.relative_to(root)) for path in root.rglob("*.tflite"))


def check_model(path: Path) -> None:
    if path.name in FLOAT_MODELS:
        with pytest.raises(UnsupportedError):
            select_kernels(run_passes(load_model(path)))
        return
    graph = run_passes(load_model(path))
    program = Program(select_kernels(graph))
    state = initial_state(graph)
    for seed in range(2):
        inputs = dict(zip(graph.inputs, random_inputs(graph, seed), strict=True))
        assert_same(trace(graph, inputs, state=state), program.trace(inputs))


@pytest.mark.shared
@pytest.mark.parametrize("name", QUICK)
def test_kernels_compute_what_the_interpreter_does(shared_dir: Path, name: str) -> None:
    check_model(shared_dir / "models" / name)


@pytest.mark.shared
@pytest.mark.models
@pytest.mark.parametrize("name", _model_names())
def test_kernels_compute_what_the_interpreter_does_on_every_model(
    shared_dir: Path, name: str
) -> None:
    check_model(shared_dir / "models" / name)
