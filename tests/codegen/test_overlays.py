"""The C of overlays computes what the graph means, with copies as late as they may be."""

import ctypes
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from penstock.codegen import emit_project
from penstock.codegen.project_files import write_project
from penstock.codegen.project_layout import find_sources
from penstock.errors import CapacityError
from penstock.ir.graph import Graph
from penstock.ir.interpreter import initial_state, run
from penstock.planning import ExecutionPlan
from penstock.planning.overlays.program import OverlayProgram
from penstock.simulate.verification import arrays_agree, verify_steps
from penstock.toolchain import HostModel, process
from tests.codegen.overlaid_hosts import DMA, HOSTILE, MEMCPY, build_host
from tests.litert import random_inputs
from tests.planning.overlays.faults.copies import removed_wait
from tests.planning.overlays.networks import ChainBuilder, branches, chains, lower, mobile_blocks
from tests.planning.overlays.plans import WISHES, Wish, plan_overlays
from tests.strategies import networks

INFERENCES = 2
MANY_INFERENCES = 8
"""Enough for a few wrong bytes early on to be seen in the outputs."""
QUICK, LONG = 24, 60


def draw_plans(count: int, seed: int) -> list[tuple[Graph, ExecutionPlan]]:
    """Return so many random plans, or fewer where they do not fit the memories drawn for them."""
    found: list[tuple[Graph, ExecutionPlan]] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=2 * count,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(chains(), chains(), networks()), WISHES)
    def collect(graph: Graph, wish: Wish) -> None:
        if len(found) < count:
            try:
                found.append((graph, plan_overlays(lower(graph, f"m{len(found)}"), wish)))
            except CapacityError:
                return

    collect()
    assert len(found) > count // 3
    return found


def check_models(
    plans: Sequence[tuple[Graph, ExecutionPlan]], folder: Path, double: Path = HOSTILE
) -> None:
    library = build_host([plan for _, plan in plans], folder, double)
    for graph, plan in plans:
        with HostModel(library, plan.program.graph.name) as machine:
            check_machine(graph, plan, machine)


def check_machine(graph: Graph, plan: ExecutionPlan, machine: HostModel) -> None:
    """Run a sequence of inferences, then one step by step."""
    state = initial_state(graph)
    for seed in range(INFERENCES):
        inputs = random_inputs(graph, seed)
        wanted = run(graph, inputs, state=state)
        assert all(map(arrays_agree, machine.run(inputs), wanted))
    machine.init()
    verify_steps(plan, machine, random_inputs(graph, INFERENCES))


@pytest.mark.parametrize("double", [HOSTILE, MEMCPY], ids=["hostile", "memcpy"])
def test_networks_in_random_memories(tmp_path: Path, double: Path) -> None:
    check_models(draw_plans(QUICK, 0), tmp_path, double)


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", range(1, 7))
def test_networks_in_random_memories_for_long(tmp_path: Path, seed: int) -> None:
    check_models(draw_plans(LONG, seed), tmp_path)


def are_right(graph: Graph, plans: Mapping[str, ExecutionPlan], folder: Path) -> dict[str, bool]:
    """Run plans of a graph apart, by the name of each; an abort is wrong."""
    library = build_host(list(plans.values()), folder)
    state = initial_state(graph)
    inputs = [random_inputs(graph, seed) for seed in range(MANY_INFERENCES)]
    outputs = [run(graph, values, state=state) for values in inputs]
    cases = {f"input_{n}": np.stack(values) for n, values in enumerate(zip(*inputs, strict=True))}
    cases |= {f"output_{n}": np.stack(v) for n, v in enumerate(zip(*outputs, strict=True))}
    np.savez(folder / "cases.npz", **cases)
    command = [sys.executable, "-m", "tests.codegen.run_apart", str(library)]
    done = subprocess.run(
        [*command, str(folder / "cases.npz"), *plans],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("make", [mobile_blocks, branches])
def test_without_a_wait_the_result_is_wrong(tmp_path: Path, make: Callable[[], Graph]) -> None:
    """The double for the DMA controller finds what the validator finds."""
    graph = make()
    right = plan_overlays(lower(graph, "model"), Wish(0.4))
    assert right.overlays is not None
    plans = {"right": named(right, graph, "right")}
    found = {"right": True}
    for _, overlays in removed_wait(right, right.overlays, random.Random(1)):
        assert isinstance(overlays, OverlayProgram)
        name = f"wrong{len(plans)}"
        plans[name] = named(replace(right, overlays=overlays), graph, name)
        found[name] = False
    assert len(found) >= 10
    assert are_right(graph, plans, tmp_path) == found


def named(plan: ExecutionPlan, graph: Graph, name: str) -> ExecutionPlan:
    return replace(plan, program=lower(graph, name))


RECORDED = Path(__file__).parents[1] / "kernels" / "recorded_dma.c"


def test_a_copy_that_fails_is_told_by_its_run_alone(tmp_path: Path) -> None:
    plan = plan_overlays(lower(mobile_blocks(), "model"), Wish(0.4))
    library = ctypes.CDLL(str(build_host([plan], tmp_path, RECORDED)))
    failing = ctypes.c_uint32.in_dll(library, "recorded_failing")
    dma_error, count = 3, len(plan.program.calls)
    assert library.model_init() == 0
    failing.value = 1
    assert library.model_run() == dma_error
    failing.value = 0
    assert library.model_run_range(count, count) == 0
    assert library.model_run() == 0
    failing.value = 1
    assert library.model_run_range(0, 0) == 0


SANITIZED_MAIN = """
#include <string.h>
#include "model.h"
int main(void) {
  if (model_init() != PS_OK) return 1;
  for (uint32_t fill = 0; fill < 4; ++fill) {
    for (uint32_t n = 0; n < MODEL_INPUT_COUNT; ++n) {
      memset(model_input(n)->data, (int)(fill * 85u), model_input(n)->size_bytes);
    }
    if (fill < 2) {
      if (model_run() != PS_OK) return 1;
    } else {
      for (uint32_t step = 0; step < MODEL_OPERATOR_COUNT; ++step) {
        if (model_run_range(step, step + 1) != PS_OK) return 1;
      }
    }
  }
  return 0;
}
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc on PATH")
@pytest.mark.parametrize("make", [mobile_blocks, branches])
def test_sanitizers_find_nothing(tmp_path: Path, make: Callable[[], Graph]) -> None:
    plan = plan_overlays(lower(make(), "model"), Wish(0.4, 32, 8, 0.1, 0.5))
    write_project(emit_project(plan), tmp_path / "model")
    (tmp_path / "main.c").write_text(SANITIZED_MAIN)
    gcc = shutil.which("gcc")
    assert gcc is not None
    sources = [tmp_path / "main.c", HOSTILE, *find_sources(tmp_path / "model", "model").model]
    flags = ["-std=c99", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = [gcc, *flags, f"-I{tmp_path / 'model'}", f"-I{DMA}", *map(str, sources)]
    process.run_tool([*command, "-o", str(tmp_path / "program")], {}, purpose="sanitizing")
    process.run_tool([str(tmp_path / "program")], {}, purpose="running with sanitizers")


def test_a_model_without_operators_copies_nothing(tmp_path: Path) -> None:
    network = ChainBuilder(1)
    source = network.image(2, 3, 4)
    graph = network.build([network.reshape(source, (6, 4))])
    check_models([(graph, plan_overlays(lower(graph, "model"), Wish(2.0)))], tmp_path)
