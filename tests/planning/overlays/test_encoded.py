"""Overlays of filters that take fewer bytes than int8: tiles of any length."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.errors import CapacityError, GraphError
from penstock.ir.graph import Graph
from penstock.kernels.kernel_graph import KernelCall, KernelGraph
from penstock.kernels.kernel_set import Encoding, KernelSet, kernel_encoding
from penstock.kernels.selection import select_kernels
from penstock.planning import validate_plan
from tests.kernels.encoded_cases import LOOKS
from tests.planning.overlays.networks import ChainBuilder, chains
from tests.planning.overlays.plans import WISHES, Wish, plan_overlays
from tests.planning.overlays.test_random import check_plan
from tests.strategies import SEEDS


def encodable(graph: Graph, encoding: Encoding, seed: int) -> Graph:
    """Return a graph with other filters, which fit an encoding."""
    random, looks = np.random.default_rng(seed), LOOKS[encoding]
    changed = {}
    for tensor in graph.tensors.values():
        if tensor.data is None or tensor.data.dtype != np.int8:
            continue
        kept = random.random(tensor.shape) < float(random.choice(looks.densities))
        data = np.where(kept, np.clip(tensor.data, looks.low, looks.high), 0)
        changed[tensor.name] = tensor.with_data(data.astype(np.int8))
    return graph.with_changes(tensors=changed)


def wide_layers(seed: int = 3) -> Graph:
    """Return a network whose filters are far larger than its tensors."""
    network = ChainBuilder(seed)
    source = network.conv(network.conv(network.image(4, 5, 90), 40), 90, (3, 3))
    flat = network.reshape(source, (1, int(np.prod(network.shape(source)))))
    return network.build([network.dense(network.dense(flat, 90), 37)])


def lowered(graph: Graph, encoding: Encoding, kernels: KernelSet) -> KernelGraph:
    return select_kernels(replace(graph, name="model"), kernels, encodings=encoding)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    chains(), WISHES, SEEDS, st.sampled_from(list(Encoding)),
    st.sampled_from([KernelSet.REFERENCE, KernelSet.DSP_SINGLE]),
)  # fmt: skip
def test_random_networks_compute_what_the_interpreter_does(
    graph: Graph, wish: Wish, seed: int, encoding: Encoding, kernels: KernelSet
) -> None:
    graph = encodable(graph, encoding, seed)
    try:
        plan = plan_overlays(lowered(graph, encoding, kernels), wish)
    except CapacityError:
        return
    validate_plan(plan)
    check_plan(plan, plan.program.graph, seed)


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("kernels", [KernelSet.REFERENCE, KernelSet.DSP_SINGLE])
def test_filters_come_in_several_tiles(kernels: KernelSet, encoding: Encoding) -> None:
    program = lowered(encodable(wide_layers(), encoding, 1), encoding, kernels)
    assert all(kernel_encoding(call.kernel.name) is encoding for call in program.calls)
    plan = plan_overlays(program, Wish(0.4))
    assert plan.overlays is not None
    parted = {tile.step for tile in plan.overlays.tiles if tile.filters is not None}
    assert len(parted) >= 2
    validate_plan(plan)
    check_plan(plan, plan.program.graph, 1)


def _shifted(call: KernelCall) -> KernelCall:
    """Return a call whose channels are said to begin a byte later, but for the first."""
    first, *others, last = call.filter_starts or (0, 0)
    return replace(call, filter_starts=(first, *(start + 1 for start in others), last))


def test_tiles_that_begin_elsewhere_are_found() -> None:
    graph = encodable(wide_layers(), Encoding.SPARSE, 1)
    program = lowered(graph, Encoding.SPARSE, KernelSet.REFERENCE)
    calls = tuple(_shifted(call) if call.filter_starts else call for call in program.calls)
    wrong = KernelGraph(program.graph, calls, program.constants, program.aliases)
    validate_plan(plan_overlays(program, Wish(0.3)))
    with pytest.raises(GraphError, match=r"is not there|leaves its block"):
        validate_plan(plan_overlays(wrong, Wish(0.3)))
