"""The pipeline on the shared models: the same outputs, byte for byte, with less to do."""

import csv

import numpy as np
import pytest

from penstock.errors import UnsupportedError
from penstock.frontends.tflite import load_model, write_model
from penstock.ir.interpreter import run
from penstock.ir.macs import graph_macs
from penstock.ir.operators import Conv2D
from penstock.ir.verify import verify
from penstock.passes import run_passes
from tests.frontends.test_writer import run_litert

INTERPRETED_MACS_MAX = 110_000_000


def extreme_inputs(graph):
    """Yield inputs that drive sums to their limits, then random ones."""
    (tensor,) = (graph.tensors[name] for name in graph.inputs)
    low, high = tensor.dtype.range
    for value in (low, high, tensor.zero_point):
        yield np.full(tensor.shape, value, tensor.dtype.numpy)
    generator = np.random.default_rng(0)
    for _ in range(5):
        yield generator.choice([low, high], tensor.shape).astype(tensor.dtype.numpy)
    yield np.indices(tensor.shape).sum(axis=0).astype(tensor.dtype.numpy)
    for _ in range(12):
        drawn = generator.integers(low, high, tensor.shape, endpoint=True)
        yield drawn.astype(tensor.dtype.numpy)


@pytest.mark.shared
def test_person_detection_loses_half_its_work_and_no_byte(shared_dir):
    path = shared_dir / "models" / "mlperf_tiny" / "vww_96_int8.tflite"
    graph = load_model(path)
    result = run_passes(graph)
    assert graph_macs(graph) == 7_489_664
    assert graph_macs(result) == 3_733_073
    rewritten = write_model(result)
    for count, array in enumerate(extreme_inputs(graph)):
        (expected,) = run_litert(path.read_bytes(), [array])
        assert run(result, [array])[0].tobytes() == expected.tobytes()
        assert run_litert(rewritten, [array])[0].tobytes() == expected.tobytes()
        if count < 3:
            assert run(graph, [array])[0].tobytes() == expected.tobytes()


def random_inputs(graph):
    generator = np.random.default_rng(1)
    for name in graph.inputs:
        tensor = graph.tensors[name]
        if tensor.dtype.is_integer:
            low, high = tensor.dtype.range
            drawn = generator.integers(low, high, tensor.shape, endpoint=True)
        else:
            drawn = generator.normal(size=tensor.shape)
        yield drawn.astype(tensor.dtype.numpy)


def loadable_models(shared_dir):
    folder = shared_dir / "models"
    with (folder / "MANIFEST.csv").open() as manifest:
        for row in csv.DictReader(manifest):
            try:
                yield row, load_model(folder / row["file"])
            except UnsupportedError:
                continue


@pytest.mark.models
def test_every_model_keeps_its_outputs(shared_dir):
    compared = 0
    for row, graph in loadable_models(shared_dir):
        result = run_passes(graph, on_pass=lambda _, changed: verify(changed))
        assert graph_macs(result) <= graph_macs(graph), row["file"]
        if graph_macs(graph) > INTERPRETED_MACS_MAX:
            continue
        inputs = list(random_inputs(graph))
        for before, after in zip(run(graph, inputs), run(result, inputs), strict=True):
            assert before.tobytes() == after.tobytes(), row["file"]
        compared += 1
    assert compared > 200


@pytest.mark.shared
def test_the_manifest_counts_the_same_operations(shared_dir):
    """The manifest's figures were made by other code, which leaves SVDF out."""
    counted = {
        row["file"]: (graph_macs(graph), int(row["macs"]))
        for row, graph in loadable_models(shared_dir)
    }
    assert len(counted) > 200
    different = [name for name, (ours, theirs) in counted.items() if ours != theirs]
    assert different == ["tflm/keyword_scrambled_8bit.tflite"]


@pytest.mark.models
def test_no_padding_is_left_before_a_convolution(shared_dir):
    """A PAD of zeros is what exporters write for strides of 2; all of it must fold."""
    checked = 0
    for row, graph in loadable_models(shared_dir):
        kinds = {op.outputs[0]: op.kind for op in run_passes(graph).operators}
        readers = [op for op in run_passes(graph).operators if isinstance(op, Conv2D)]
        assert all(kinds.get(op.input) != "PAD" for op in readers), row["file"]
        checked += len(readers)
    assert checked > 300
