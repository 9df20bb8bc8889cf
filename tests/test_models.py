"""Every shared model, end to end: LiteRT, the interpreter and the generated C give the same bytes.

The test also writes the table in docs/models.md (``make docs``), and fails when the committed table
says something else.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from penstock import pipeline
from penstock.codegen.project_files import write_project
from penstock.codegen.project_layout import find_sources
from penstock.errors import UnsupportedError
from penstock.ir.interpreter import initial_state
from penstock.ir.interpreter import run as interpret
from penstock.ir.macs import graph_macs
from penstock.simulate.verification import arrays_agree
from penstock.toolchain import HostModel, compile_shared_library
from tests.conftest import find_shared_dir
from tests.litert import LITERT_TWINS, TFLM_MODELS, LiteRT, Oracle, TFLiteMicro, random_inputs

SEEDS = (0, 1, 2)
INFERENCES_WITH_STATE = 4
"""A model with memory is run so often in a row for each seed."""

DOCS_PAGE = Path(__file__).parents[1] / "docs" / "models.md"

FLOAT_MODELS = frozenset(
    {
        "mlperf_tiny/ad01_fp32.tflite",
        "mlperf_tiny/kws_ref_model_float32.tflite",
        "mlperf_tiny/pretrainedResnet.tflite",
        "mlperf_tiny/vww_96_float.tflite",
        "tflm/hello_world_float.tflite",
    }
)
"""Refused with advice: Penstock deploys quantized models."""


@dataclass(frozen=True)
class Agreement:
    """How many seeds gave the same bytes; floats the same to 2 ulp."""

    interpreter: int
    host: int


def model_names() -> list[str]:
    """Return all models of the shared collection; empty where it is missing."""
    shared = find_shared_dir()
    if shared is None:
        return []
    with (shared / "models" / "MANIFEST.csv").open(newline="") as stream:
        return [row["file"] for row in csv.DictReader(stream)]


SUPPORTED = [name for name in model_names() if name not in FLOAT_MODELS]


def test_the_collection_is_here(shared_dir: Path) -> None:
    assert len(SUPPORTED) == 230
    assert set(model_names()) >= FLOAT_MODELS


@pytest.mark.models
@pytest.mark.shared
@pytest.mark.parametrize("name", SUPPORTED)
def test_model(
    name: str,
    shared_dir: Path,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    update_docs: bool,
) -> None:
    path = shared_dir / "models" / name
    lowered = pipeline.lower(path, pipeline.HOST)
    agreement = count_agreement(lowered, path, tmp_path)
    row = table_row(name, lowered, agreement)
    record_property("models.md", row)
    assert agreement == Agreement(len(SEEDS), len(SEEDS))
    if not update_docs:
        assert row in DOCS_PAGE.read_text().splitlines(), "docs/models.md is stale: `make docs`"


def count_agreement(lowered: pipeline.Lowered, path: Path, folder: Path) -> Agreement:
    """Run all seeds three ways; each seed starts from a fresh state."""
    graph = lowered.original
    has_state = any(tensor.is_variable for tensor in graph.tensors.values())
    inferences = INFERENCES_WITH_STATE if has_state else 1
    write_project(lowered.files, folder / "project")
    sources = find_sources(folder / "project", graph.name)
    library = compile_shared_library(
        sources.model, folder / "model.so", sources.include_directories
    )
    interpreter = host = 0
    with HostModel(library, graph.name) as machine:
        for seed in SEEDS:
            sequence = [random_inputs(graph, seed + 1000 * n) for n in range(inferences)]
            oracle = open_oracle(path)
            wanted = [oracle.run(inputs) for inputs in sequence]
            state = initial_state(graph)
            interpreted = [interpret(graph, inputs, state=state) for inputs in sequence]
            machine.init()
            executed = [machine.run(inputs) for inputs in sequence]
            interpreter += all(map(same, interpreted, wanted))
            host += all(map(same, executed, wanted))
    return Agreement(interpreter, host)


def open_oracle(path: Path) -> Oracle:
    """Return a fresh oracle for a model file."""
    if path.name in TFLM_MODELS:
        return TFLiteMicro(path)
    return LiteRT(path.with_name(LITERT_TWINS.get(path.name, path.name)))


def same(found: list[np.ndarray], wanted: list[np.ndarray]) -> bool:
    """Return whether all outputs are equal: to the byte, float32 to 2 ulp."""
    return all(arrays_agree(left, right) for left, right in zip(found, wanted, strict=True))


def table_row(name: str, lowered: pipeline.Lowered, agreement: Agreement) -> str:
    """Return a line of docs/models.md."""
    before, after = graph_macs(lowered.original), graph_macs(lowered.plan.program.graph)
    arena = lowered.plan.arena
    cells = (
        f"`{name}`" + (" [^tflm]" if Path(name).name in TFLM_MODELS else ""),
        str(len(lowered.original.operators)),
        f"{before:,}",
        f"{after:,}" if after != before else "same",
        f"{lowered.plan.weights_bytes:,}",
        f"{arena.size_bytes:,}",
        "optimal"
        if arena.size_bytes == arena.lower_bound_bytes
        else f"{arena.lower_bound_bytes:,}",
        f"{agreement.interpreter}/{len(SEEDS)}",
        f"{agreement.host}/{len(SEEDS)}",
    )
    return "| " + " | ".join(cells) + " |"


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted(FLOAT_MODELS))
def test_float_models_are_refused_with_advice(name: str, shared_dir: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"FLOAT32|float activations") as refused:
        pipeline.lower(shared_dir / "models" / name, pipeline.HOST)
    assert "quantize" in refused.value.help.lower()
