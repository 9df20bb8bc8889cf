"""Every operator is known to every stage, and to the tests of the writer."""

import pytest

from penstock.frontends.tflite import file_elementwise, file_movement, file_products
from penstock.ir import element_types, shapes
from penstock.ir import operators as ops
from penstock.ir.interpreter import execution
from penstock.kernels.selection import select
from tests.frontends.writer_cases import CASES

EVALUATED_APART = {ops.Split, ops.Svdf}
"""More than one output, or a state."""

WRITTEN = file_products.WRITERS | file_elementwise.WRITERS | file_movement.WRITERS

FOLDED = {ops.Shape}
"""Gone before kernels are selected: shapes are static."""


@pytest.mark.parametrize("operator", ops.OPERATORS.values(), ids=lambda cls: cls.kind)
def test_every_stage_knows_every_operator(operator: type[ops.Operator]) -> None:
    assert operator in shapes._RULES
    assert operator in element_types._RULES
    assert operator in WRITTEN
    assert operator in execution._EVALUATORS or operator in EVALUATED_APART
    assert operator in select._LOWERINGS or operator in FOLDED


def test_no_stage_knows_an_operator_that_is_gone() -> None:
    known = set(ops.OPERATORS.values())
    for table in (shapes._RULES, element_types._RULES, WRITTEN, execution._EVALUATORS):
        assert set(table) <= known
    assert set(select._LOWERINGS) | FOLDED == known


def test_files_with_every_operator_go_there_and_back() -> None:
    made = {type(operator) for graph in CASES.values() for operator in graph.operators}
    assert made == set(ops.OPERATORS.values())
