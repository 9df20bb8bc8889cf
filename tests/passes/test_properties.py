"""Every pass keeps every output byte, leaves a valid graph, and is idempotent."""

import pytest
from hypothesis import given, settings

from penstock.ir.interpreter import run
from penstock.ir.macs import graph_macs
from penstock.ir.verify import verify
from penstock.passes import STANDARD, run_passes
from tests.strategies import arrays_for, networks

PASSES = list(dict.fromkeys(STANDARD))


def signature(graph):
    edges = (*graph.inputs, *graph.outputs)
    return [(n, graph.tensors[n].shape, graph.tensors[n].quantization) for n in edges]


def assert_same_outputs(before, after):
    for seed in range(3):
        inputs = arrays_for(before, seed)
        pairs = zip(run(before, inputs), run(after, inputs), strict=True)
        assert all(ours.tobytes() == theirs.tobytes() for ours, theirs in pairs)


def describe(graph):
    tensors = [
        (t.name, t.shape, t.dtype, t.quantization, t.is_constant and t.data.tobytes())
        for t in graph.tensors.values()
    ]
    return tensors, graph.operators, graph.inputs, graph.outputs


@pytest.mark.parametrize("graph_pass", PASSES, ids=lambda p: p.name)
@settings(deadline=None, max_examples=120)
@given(network=networks())
def test_a_pass_changes_no_output(graph_pass, network):
    verify(network)
    once = graph_pass.apply(network)
    verify(once)
    assert signature(once) == signature(network)
    assert_same_outputs(network, once)
    assert describe(graph_pass.apply(once)) == describe(once)


@settings(deadline=None, max_examples=250)
@given(network=networks())
def test_the_pipeline_changes_no_output(network):
    seen = []
    result = run_passes(network, on_pass=lambda name, graph: (seen.append(name), verify(graph)))
    assert seen == [graph_pass.name for graph_pass in STANDARD]
    assert signature(result) == signature(network)
    assert graph_macs(result) <= graph_macs(network)
    assert_same_outputs(network, result)


@pytest.mark.fuzz
@settings(deadline=None, max_examples=1500)
@given(network=networks(max_layers=12))
def test_the_pipeline_changes_no_output_of_many_networks(network):
    assert_same_outputs(network, run_passes(network, on_pass=lambda _, graph: verify(graph)))
