"""Refuses models that ask for more than any microcontroller has, before work is spent on them."""

import math

import tflite

from penstock.errors import UnsupportedError
from penstock.ir.graph import Graph
from penstock.ir.limits import (
    ACTIVATION_BYTES_MAX,
    ELEMENTS_MAX,
    OPERATORS_MAX,
    REFERENCES_MAX,
    WORK_MAX,
)
from penstock.ir.macs import operator_work
from penstock.ir.operators import Operator, Padding2D
from penstock.units import format_bytes


def expect_reasonable_counts(subgraph: tflite.SubGraph) -> None:
    """Check how many operators and operands there are, before any is read.

    Raises:
        UnsupportedError: more than `OPERATORS_MAX` or `REFERENCES_MAX`.
    """
    count = subgraph.OperatorsLength()
    if count > OPERATORS_MAX:
        raise UnsupportedError(
            f"the model has {count} operators, the limit is {OPERATORS_MAX}",
            help="check that it is the right file: networks for microcontrollers have hundreds",
        )
    references = subgraph.InputsLength() + subgraph.OutputsLength()
    for index in range(count):
        operator = subgraph.Operators(index)
        references += operator.InputsLength() + operator.OutputsLength()
    if references > REFERENCES_MAX:
        raise UnsupportedError(
            f"the model and its {count} operators have {references} inputs and outputs, the limit "
            f"is {REFERENCES_MAX}",
            help="join or split fewer tensors at once",
        )


def expect_reasonable_sizes(graph: Graph) -> None:
    """Check what the tensors need together, and the padding of each window.

    Raises:
        UnsupportedError: more than `ACTIVATION_BYTES_MAX`, or `ELEMENTS_MAX` with padding.
    """
    total = sum(tensor.size_bytes for tensor in graph.tensors.values() if not tensor.is_constant)
    if total > ACTIVATION_BYTES_MAX:
        raise UnsupportedError(
            f"the model's activations have {format_bytes(total)} together, the limit is "
            f"{format_bytes(ACTIVATION_BYTES_MAX)}",
            help="give the model a smaller input",
        )
    for operator in graph.operators:
        _expect_reasonable_padding(graph, operator)


def expect_reasonable_work(graph: Graph) -> None:
    """Check what one inference costs; the graph's shapes must be right.

    Raises:
        UnsupportedError: more than `WORK_MAX`.
    """
    work = [operator_work(graph, operator) for operator in graph.operators]
    if sum(work) > WORK_MAX:
        largest = graph.operators[work.index(max(work))]
        raise UnsupportedError(
            f"the model has {sum(work)} multiply-accumulates, the limit is {WORK_MAX}; most of "
            f"them has operator {largest.source} ({largest.kind}): {max(work)}",
            help="give the model a smaller input: a microcontroller would need minutes",
        )


def _expect_reasonable_padding(graph: Graph, operator: Operator) -> None:
    """Check the padded image of an operator with a window: a far dilation pads far."""
    padding = getattr(operator, "padding", None)
    if not isinstance(padding, Padding2D):
        return
    for name in (operator.inputs[0], operator.outputs[0]):
        shape = graph.tensors[name].shape
        if len(shape) != 4:
            continue
        height = shape[1] + padding.top + padding.bottom
        width = shape[2] + padding.left + padding.right
        padded = (shape[0], height, width, shape[3])
        if math.prod(padded) > ELEMENTS_MAX:
            raise UnsupportedError(
                f"operator {operator.source} ({operator.kind}), tensor {name!r}: with its padding "
                f"it would be {list(padded)}, {math.prod(padded)} elements; the limit is "
                f"{ELEMENTS_MAX}",
                help="check filter size and dilation",
            )
