"""Every shared model with overlays: planned for two boards, and as C with copies that come late."""

from dataclasses import replace
from pathlib import Path

import pytest

from penstock.boards import load_board
from penstock.frontends.tflite import load_model
from penstock.ir.interpreter import initial_state, run
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning import validate_plan
from penstock.planning.overlaid import plan_overlaid
from penstock.simulate.verification import arrays_agree
from penstock.toolchain import HostModel
from tests.codegen.overlaid_hosts import build_host
from tests.litert import random_inputs
from tests.test_models import SUPPORTED

BOARDS = ("stm32f469i-disco", "stm32f746g-disco")
INFERENCES_WITH_STATE = 3


@pytest.mark.models
@pytest.mark.shared
@pytest.mark.parametrize("name", SUPPORTED)
def test_overlays_of_model(name: str, shared_dir: Path, tmp_path: Path) -> None:
    graph = run_passes(load_model(shared_dir / "models" / name))
    plans = []
    for number, board in enumerate(map(load_board, BOARDS)):
        plan = plan_overlaid(select_kernels(replace(graph, name=f"model{number}")), board)
        validate_plan(plan, board)
        plans.append(plan)
    has_state = any(tensor.is_variable for tensor in graph.tensors.values())
    sequence = [
        random_inputs(graph, seed) for seed in range(INFERENCES_WITH_STATE if has_state else 1)
    ]
    state = initial_state(graph)
    wanted = [run(graph, inputs, state=state) for inputs in sequence]
    library = build_host(plans, tmp_path)
    for plan in plans:
        with HostModel(library, plan.program.graph.name) as machine:
            for inputs, expected in zip(sequence, wanted, strict=True):
                found = machine.run(inputs)
                assert all(map(arrays_agree, found, expected)), plan.board
