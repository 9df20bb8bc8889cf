"""The tables reproduce what is known about sequences of instructions."""

import pytest

from penstock.simulate.pipeline import decode_block, edge_cost, load_core, sequence_cycles
from tests.simulate.pipeline.assembly import assemble_all
from tests.simulate.pipeline.facts import FACTS, ONCE, Fact

ITERATIONS = 500


@pytest.fixture(scope="module")
def code() -> dict[str, bytes]:
    return assemble_all(fact.text for fact in (*FACTS, *ONCE))


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact.core}: {fact.source}")
def test_fact(fact: Fact, code: dict[str, bytes]) -> None:
    cycles = sequence_cycles(load_core(fact.core), code[fact.text], ITERATIONS)
    assert cycles == pytest.approx(fact.cycles, abs=0.05)


@pytest.mark.parametrize("fact", ONCE, ids=lambda fact: f"{fact.core}: {fact.source}")
def test_fact_about_one_pass(fact: Fact, code: dict[str, bytes]) -> None:
    block = decode_block(code[fact.text], 0)
    assert edge_cost(load_core(fact.core), None, block).cycles == fact.cycles
