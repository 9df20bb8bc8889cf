"""Every operator against LiteRT, byte for byte, on random shapes and quantizations."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.frontends.tflite import write_model
from penstock.ir.graph import Graph
from penstock.ir.interpreter import initial_state, run
from penstock.ir.verify import verify
from tests.interpreter import elementwise_cases, movement_cases, weighted_cases
from tests.litert import LiteRT, compare_outputs, random_inputs

CASES = weighted_cases.CASES | elementwise_cases.CASES | movement_cases.CASES
RUNS = 4  # per graph; operators with memory take them as steps


def check_graph(graph: Graph, seed: int) -> None:
    verify(graph)
    oracle, state = LiteRT(write_model(graph)), initial_state(graph)
    for step in range(RUNS):
        inputs = random_inputs(graph, seed + step)
        comparison = compare_outputs(run(graph, inputs, state=state), oracle.run(inputs))
        assert comparison.agrees, comparison


def check_operator(case: Callable[[Any], Graph], examples: int, *, derandomize: bool) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=derandomize,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        check_graph(case(data.draw), data.draw(st.integers(0, 1000), label="input seed"))

    check()


@pytest.mark.parametrize("name", CASES)
def test_operator_is_bit_exact(name: str) -> None:
    check_operator(CASES[name], 80, derandomize=True)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", CASES)
def test_operator_is_bit_exact_on_many_examples(name: str) -> None:
    check_operator(CASES[name], 2000, derandomize=False)
