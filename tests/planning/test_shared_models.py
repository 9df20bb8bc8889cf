"""Plans of real networks: as small as can be, and right in an arena full of poison."""

from pathlib import Path

import numpy as np
import pytest

from penstock.frontends.tflite import load_model
from penstock.ir.interpreter import run
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning import plan_execution, validate_plan
from tests.planning.replay import run_plan

MODELS = (
    "coral/split_concat.tflite",
    "mlperf_tiny/pretrainedResnet_quant.tflite",
    "mlperf_tiny/vww_96_int8.tflite",
    "tflm/micro_speech_quantized.tflite",
)


@pytest.mark.shared
@pytest.mark.parametrize("model", MODELS)
def test_a_real_plan_is_optimal_and_right(shared_dir: Path, model: str) -> None:
    graph = run_passes(load_model(shared_dir / "models" / model))
    plan = plan_execution(select_kernels(graph), None)
    validate_plan(plan)
    assert plan.arena.size_bytes == plan.arena.lower_bound_bytes
    random = np.random.default_rng(0)
    inputs = [
        random.integers(*tensor.dtype.range, tensor.shape, tensor.dtype.numpy.type, endpoint=True)
        for tensor in (graph.tensors[name] for name in graph.inputs)
    ]
    for found, expected in zip(run_plan(plan, inputs), run(graph, inputs), strict=True):
        assert np.array_equal(found, expected)
