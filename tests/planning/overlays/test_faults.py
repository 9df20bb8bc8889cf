"""The validator finds what is wrong with overlays: each fault that is planted is found or harmless.

A fault that the validator does not find must do no harm: the program computes the same bytes in
every tensor, whole and step by step, with copies that arrive early, late and in pieces.
"""

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from penstock.boards import load_board
from penstock.errors import GraphError
from penstock.frontends.tflite import load_model
from penstock.ir.graph import Graph
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning import ExecutionPlan, validate_plan
from penstock.planning.overlaid import plan_overlaid
from penstock.planning.overlays.program import Block
from penstock.planning.validate_overlays import validate_overlays
from tests.litert import random_inputs
from tests.planning.overlays.execution import WrongBytesError, check_execution
from tests.planning.overlays.faults import PLANTERS, Fault, plant_all
from tests.planning.overlays.networks import SAME, ChainBuilder, branches, lower, mobile_blocks
from tests.planning.overlays.plans import Wish, plan_overlays

GRAPHS = {"mobile": mobile_blocks, "branches": branches}
WISHES = {
    "tensors far away": Wish(0.4),
    "two memories": Wish(0.35, 32, 4, 0.1, 0.5),
    "constants far away": Wish(0.6, 16, 8, 0.2, 0.0),
    "room for all": Wish(1.2, 16, 3),
}
PLANS = [(graph, wish) for graph in GRAPHS for wish in WISHES]
HARMFUL_SHARE_MIN = 0.8
"""Of all faults planted here, those that are found: others change nothing that matters."""


@cache
def planned(graph: str, wish: str) -> tuple[Graph, ExecutionPlan]:
    made = GRAPHS[graph]()
    plan = plan_overlays(lower(made, "model"), WISHES[wish])
    validate_plan(plan)
    return made, plan


def is_found(fault: Fault) -> bool:
    try:
        validate_plan(fault.plan)
    except GraphError as error:
        assert str(error)
        return True
    return False


def is_harmless(fault: Fault, graph: Graph) -> bool:
    inputs = [random_inputs(graph, seed) for seed in (1, 2)]
    try:
        check_execution(fault.plan, inputs, seed=3)
    except WrongBytesError:
        return False
    return True


def check_faults(graph: Graph, plan: ExecutionPlan, seed: int, most_of_a_kind: int) -> Counter[str]:
    """Plant faults; returns how many of each kind were found, and how many there were in all."""
    counts: Counter[str] = Counter()
    for fault in plant_all(plan, seed, most_of_a_kind):
        counts["planted"] += 1
        if is_found(fault):
            counts["found"] += 1
            counts[fault.kind] += 1
        else:
            assert fault.is_runnable, f"{fault.kind}: {fault.what}"
            assert is_harmless(fault, graph), f"{fault.kind}: {fault.what}"
    return counts


@pytest.mark.parametrize(("graph", "wish"), PLANS)
def test_planted_faults_are_found_or_harmless(graph: str, wish: str) -> None:
    made, plan = planned(graph, wish)
    counts = check_faults(made, plan, seed=1, most_of_a_kind=5)
    assert counts["planted"] >= 100
    assert counts["found"] >= HARMFUL_SHARE_MIN * counts["planted"]


def test_every_kind_of_fault_is_found_somewhere() -> None:
    kinds: set[str] = set()
    for graph, wish in PLANS:
        _, plan = planned(graph, wish)
        kinds |= {fault.kind for fault in plant_all(plan, 1, 3) if is_found(fault)}
    assert kinds == {planter.__name__ for planter in PLANTERS}


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("graph", "wish"), PLANS)
def test_planted_faults_are_found_or_harmless_for_long(graph: str, wish: str, seed: int) -> None:
    made = GRAPHS[graph](seed)
    plan = plan_overlays(lower(made, "model"), WISHES[wish])
    check_faults(made, plan, seed, most_of_a_kind=30)


def uneven() -> Graph:
    """Rows whose bytes are a multiple of nothing."""
    network = ChainBuilder(6)
    source = network.conv(network.image(21, 5, 3), 7, (3, 3), (1, 1), SAME)
    source = network.conv(source, 5, (3, 3), (1, 1), SAME)
    return network.build([network.conv(network.sum(source, network.conv(source, 5)), 3)])


@pytest.mark.parametrize(("alignment_bytes", "shares"), [(16, True), (32, False)])
def test_slots_begin_with_cache_lines(alignment_bytes: int, shares: bool) -> None:
    found = [
        shares_lines(plan_overlays(lower(uneven(), "model"), Wish(share / 100, alignment_bytes)))
        for share in range(75, 150, 5)
    ]
    assert any(found) is shares


def shares_lines(plan: ExecutionPlan) -> bool:
    assert plan.overlays is not None
    cached = replace(plan.overlays, cached=frozenset({Block.ARENA, Block.FAR}))
    validate_overlays(plan, cached)
    try:
        validate_overlays(plan, cached, line_bytes=32)
    except GraphError as error:
        return "within a cache line of 32 bytes" in str(error)
    return False


BOARD, EXAMPLE = "stm32f746g-disco", Path(__file__).parents[3] / "examples" / "cifar10.tflite"


@pytest.mark.parametrize("block", [Block.ARENA, Block.FAR_PACKS])
def test_what_a_data_cache_holds_is_planned_for(block: Block) -> None:
    board = load_board(BOARD)
    plan = plan_overlaid(select_kernels(run_passes(load_model(EXAMPLE))), board)
    validate_plan(plan, board)
    assert plan.overlays is not None
    wrong = replace(plan.overlays, cached=plan.overlays.cached ^ {block})
    if block is Block.FAR_PACKS:
        assert plan.placement is not None
        placed = replace(plan.placement, far_weights="sdram", far_weights_image="qspi")
        plan, wrong = replace(plan, placement=placed), plan.overlays
    with pytest.raises(GraphError, match=f"wrong about caching {block.value}"):
        validate_plan(replace(plan, overlays=wrong), board)
