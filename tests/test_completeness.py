"""Every operator is known to every stage and to the tests of the writer; so is every stall."""

import re
from importlib import resources

import pytest

from penstock.cli import run_tables
from penstock.frontends.tflite import file_elementwise, file_movement, file_products
from penstock.ir import element_types, shapes
from penstock.ir import operators as ops
from penstock.ir.interpreter import execution
from penstock.kernels.selection import select
from penstock.simulate.timing_records import Cause
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


OWN_CAUSES = {"load_use", "branch", "alignment"}
"""Waits that a kernel has wherever its data are, so that they belong to its own cycles."""


def test_every_cause_of_stalls_is_known_wherever_stalls_are_told_apart() -> None:
    causes = {cause.label for cause in Cause}
    assert set(run_tables._CAUSES) == causes
    of_memory = {cause.label for cause in Cause if cause.is_of_memory}
    assert len(of_memory) + len(OWN_CAUSES) == len(causes)
    assert of_memory | OWN_CAUSES == causes
    header = resources.files("penstock.simulate") / "native" / "timing.h"
    native = dict(re.findall(r"PS_CAUSE_(\w+) = (\d+)", header.read_text("utf-8")))
    assert native.pop("COUNT") == str(len(Cause))
    assert native == {cause.name: str(cause.value) for cause in Cause}
