"""Overlays of random networks in random memories: right, or a word about what is missing."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.errors import CapacityError, UnsupportedError
from penstock.ir.graph import Graph
from penstock.ir.operators import Padding2D
from penstock.kernels.kernel_graph import KernelGraph
from penstock.planning import ExecutionPlan, validate_plan
from penstock.planning.overlays.parts import Space
from penstock.planning.overlays.plan import overlay
from tests.kernels.cases import CASES
from tests.litert import random_inputs
from tests.planning.overlays.execution import check_execution
from tests.planning.overlays.networks import SAME, ChainBuilder, chains, lower
from tests.planning.overlays.plans import WISHES, Wish, plan_overlays, space_for
from tests.strategies import SEEDS, networks

INFERENCES = 2
"""A run must leave nothing behind that the next one takes for its own."""


def check_graph(graph: Graph, wish: Wish, seed: int, *, optimized: bool = False) -> bool:
    """Plan, validate and run; returns whether there was room enough."""
    program = lower(graph, "model", optimized=optimized)
    try:
        plan = plan_overlays(program, wish)
    except CapacityError as error:
        check_message(error, program, space_for(program, wish))
        return False
    validate_plan(plan)
    check_plan(plan, graph, seed)
    return True


def check_plan(plan: ExecutionPlan, graph: Graph, seed: int) -> None:
    inputs = [random_inputs(graph, seed + n) for n in range(INFERENCES)]
    check_execution(plan, inputs, seed=seed)


def check_message(error: CapacityError, program: KernelGraph, space: Space) -> None:
    assert error.help
    if re.search(rf"more than {space.channel_count} copies have to run at once", error.what):
        return
    if f"does not fit fast memory with its smallest tiles: {space.name} offers" in error.what:
        return  # more channels are needed too
    who = r"(?:step \d+ \(ps_\w+\)|\w+, which has no step,)"
    figures = re.search(rf"^{who} needs (\d+) B.* (\d+) B more .* offers (\d+) B$", error.what)
    assert figures is not None, error.what
    need, lacking, offered = map(int, figures.groups())
    assert offered == space.capacity_bytes
    assert lacking == need - offered > 0
    overlay(program, replace(space, capacity_bytes=need))  # it would do


AMPLE = Wish(8.0)
GRAPHS = st.one_of(chains(), chains(), networks())
EVERY = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=150, derandomize=True, database=None, **EVERY)
@given(GRAPHS, WISHES, SEEDS, st.booleans())
def test_tiles_and_copies_compute_what_the_network_does(
    graph: Graph, wish: Wish, seed: int, optimized: bool
) -> None:
    check_graph(graph, wish, seed, optimized=optimized)


@pytest.mark.fuzz
@pytest.mark.parametrize("chunk", range(4))
def test_tiles_and_copies_compute_what_the_network_does_for_long(chunk: int) -> None:
    @settings(max_examples=200, database=None, **EVERY)
    @given(GRAPHS, WISHES, SEEDS, st.booleans())
    def check(graph: Graph, wish: Wish, seed: int, optimized: bool) -> None:
        check_graph(graph, wish, seed, optimized=optimized)

    check()


@pytest.mark.parametrize("name", CASES)
def test_every_operator_works_on_tiles(name: str) -> None:
    fitting: list[bool] = []

    @settings(max_examples=40, derandomize=True, database=None, **EVERY)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        graph = CASES[name](data.draw)
        try:
            wish = data.draw(st.one_of(st.just(AMPLE), WISHES))
            fitting.append(check_graph(graph, wish, data.draw(SEEDS)))
        except UnsupportedError:
            return

    check()
    assert any(fitting)


def tightest_plan(graph: Graph) -> ExecutionPlan:
    """Return the plan with the least memory that is enough, of a few."""
    program = lower(graph, "model")
    for share in range(2, 200, 3):
        try:
            plan = plan_overlays(program, Wish(share / 100))
        except CapacityError:
            continue
        validate_plan(plan)
        return plan
    raise AssertionError("no memory is enough")


def rows_in_padding() -> Graph:
    """The first and the last rows of output see nothing of the input."""
    network = ChainBuilder(1)
    source = network.conv(network.image(12, 9, 6), padding=Padding2D(3, 3, 0, 0))
    return network.build([source])


def gaps_between_rows() -> Graph:
    """The first tap is on padding, and the next one is not on the first row."""
    network = ChainBuilder(2)
    source = network.image(13, 8, 5)
    source = network.conv(source, 7, (1, 1), (2, 2), SAME)
    return network.build([network.conv(source, 0, (3, 3), (1, 1), Padding2D(1, 2, 2, 2), (2, 2))])


def whole_constant_operand() -> Graph:
    """Each run of elements needs its own part of a constant."""
    network = ChainBuilder(3)
    return network.build([network.scaled(network.image(16, 16, 8))])


def dilated_bands() -> Graph:
    network = ChainBuilder(4)
    source = network.image(20, 11, 4)
    source = network.conv(source, 12, (3, 3), (2, 1), Padding2D(1, 0, 1, 1), (2, 1))
    return network.build([network.conv(source, 6, (2, 3), (1, 2), Padding2D(2, 2, 0, 0))])


@pytest.mark.parametrize(
    "make", [rows_in_padding, gaps_between_rows, whole_constant_operand, dilated_bands]
)
def test_bands_of_rows_at_the_edges(make: Callable[[], Graph]) -> None:
    graph = make()
    plan = tightest_plan(graph)
    assert plan.overlays is not None
    assert plan.overlays.far_bytes
    assert len(plan.overlays.tiles) > len(plan.program.calls)
    check_plan(plan, graph, 1)


def test_a_program_without_calls_has_no_tiles() -> None:
    network = ChainBuilder(5)
    source = network.image(2, 3, 4)
    graph = network.build([network.reshape(source, (6, 4))])
    plan = tightest_plan(graph)
    assert plan.overlays is not None
    assert (plan.overlays.tiles, plan.overlays.copies) == ((), ())
    assert plan.locate(graph.inputs[0]) == plan.locate(graph.outputs[0])


def rows_of_padding_in_a_chain(seed: int) -> Graph:
    """Of the second operator's output, the first and last rows see nothing of the first one's."""
    network = ChainBuilder(seed)
    hidden = network.conv(network.image(5, 8, 9))
    padded = network.conv(hidden, padding=SAME)
    return network.build([network.conv(padded)])


@pytest.mark.parametrize("seed", [0, 2, 4, 7])
def test_a_chain_begins_with_rows_of_padding(seed: int) -> None:
    graph = rows_of_padding_in_a_chain(seed)
    program = lower(graph, "model")
    whole = space_for(program, Wish(1.0)).capacity_bytes
    chained = 0
    for capacity in range(640, 1120, 16):
        try:
            plan = plan_overlays(program, Wish((capacity + 1) / whole))
        except CapacityError:
            continue
        validate_plan(plan)
        check_plan(plan, graph, capacity)
        assert plan.overlays is not None
        chained += any(len(stage) > 1 for stage in plan.overlays.stages)
    assert chained
