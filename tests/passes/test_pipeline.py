"""The pipeline as a whole, and what it refuses."""

from dataclasses import replace

import pytest

from penstock.errors import UnsupportedError
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.tensor import Tensor
from penstock.passes import STANDARD, FoldConstants, run_passes
from tests.passes.building import Q, start
from tests.passes.cases import dynamic_reshape
from tests.passes.dead_channel_cases import constant_channel


def test_every_pass_is_reported_with_its_result():
    seen = []
    result = run_passes(constant_channel(), on_pass=lambda name, graph: seen.append((name, graph)))
    assert [name for name, _ in seen] == [graph_pass.name for graph_pass in STANDARD]
    assert seen[-1][1] is result


def test_chosen_passes_run_in_their_order():
    seen = []
    run_passes(
        dynamic_reshape(), passes=[FoldConstants()], on_pass=lambda name, _: seen.append(name)
    )
    assert seen == ["fold_constants"]


def test_passes_are_named_as_their_modules():
    for graph_pass in STANDARD:
        assert type(graph_pass).__module__ == f"penstock.passes.{graph_pass.name}"


def test_prologues_of_dynamic_shapes_disappear():
    result = run_passes(dynamic_reshape())
    assert [operator.kind for operator in result.operators] == ["RESHAPE"]
    assert sorted(result.tensors) == sorted([*result.inputs, *result.outputs])


def test_a_shape_that_depends_on_values_is_refused():
    network, x = start((1, 4))
    network.add(Tensor("wanted", (2,), DType.INT32))
    network.inputs.append("wanted")
    y = network.fresh((2, 2), Q)
    network.append(ops.Reshape(input=x, shape="wanted", output=y, source=7))
    with pytest.raises(
        UnsupportedError, match=r"operator 7 \(RESHAPE\).*'t2' is computed at run time.*'wanted'"
    ) as caught:
        run_passes(network.build([y]))
    assert "fixed input shapes" in caught.value.help


def test_a_shape_that_contradicts_the_file_is_refused():
    graph = dynamic_reshape()
    (*earlier, reshape) = graph.operators
    other = replace(graph.tensors[reshape.output], shape=(2, 6))
    graph = graph.with_changes(tensors={other.name: other}, operators=[*earlier, reshape])
    with pytest.raises(UnsupportedError, match=r"has shape \[2, 6\] .* works out as \[1, -1\]"):
        run_passes(graph)
