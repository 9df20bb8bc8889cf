"""What each pass does to small graphs, as text forms that a person has looked at."""

from pathlib import Path

import pytest

from penstock.ir.interpreter import run
from penstock.ir.text import format_graph
from penstock.ir.verify import verify
from tests.golden import check_golden
from tests.passes.cases import CASES
from tests.strategies import arrays_for

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", CASES)
def test_result_is_the_golden_one(name):
    graph_pass, graph = CASES[name]
    verify(graph)
    before, after = (format_graph(g) for g in (graph, graph_pass.apply(graph)))
    text = f"// before\n{before}\n// after {graph_pass.name}\n" + (
        "// unchanged\n" if after == before else after
    )
    check_golden(GOLDEN / f"{name}.txt", text)


@pytest.mark.parametrize("name", CASES)
def test_outputs_are_the_same(name):
    graph_pass, graph = CASES[name]
    result = graph_pass.apply(graph)
    verify(result)
    for seed in range(6):
        inputs = arrays_for(graph, seed)
        for ours, theirs in zip(run(graph, inputs), run(result, inputs), strict=True):
            assert ours.tobytes() == theirs.tobytes()


def test_no_golden_file_is_left_over():
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == sorted(CASES)
