"""Multiply-accumulate operations: the usual measure of an operator's arithmetic."""

import math

from penstock.ir import operators as ops
from penstock.ir.graph import Graph
from penstock.ir.operators import Operator


def operator_macs(graph: Graph, operator: Operator) -> int:
    """Return the multiply-accumulates of one operator; 0 for all but products with weights.

    Padded elements count as if they were read: the figure is a property of the shapes.
    """
    if isinstance(operator, ops.Conv2D):
        filters = graph.tensors[operator.filters].shape
        return graph.tensors[operator.output].element_count * math.prod(filters[1:])
    if isinstance(operator, ops.DepthwiseConv2D):
        filters = graph.tensors[operator.filters].shape
        return graph.tensors[operator.output].element_count * filters[1] * filters[2]
    if isinstance(operator, ops.TransposeConv2D):
        filters = graph.tensors[operator.filters].shape
        return graph.tensors[operator.input].element_count * math.prod(filters[:3])
    if isinstance(operator, ops.FullyConnected):
        filters = graph.tensors[operator.filters].shape
        return graph.tensors[operator.output].element_count * filters[1]
    if isinstance(operator, ops.Svdf):
        return _svdf_macs(graph, operator)
    return 0


def _svdf_macs(graph: Graph, operator: ops.Svdf) -> int:
    batches = graph.tensors[operator.input].shape[0]
    feature = graph.tensors[operator.feature_weights].element_count
    time = graph.tensors[operator.time_weights].element_count
    return batches * (feature + time)


def operator_work(graph: Graph, operator: Operator) -> int:
    """Return the multiply-accumulates of one operator, or the elements that its windows meet."""
    if isinstance(operator, ops.AveragePool2D | ops.MaxPool2D):
        return graph.tensors[operator.output].element_count * math.prod(operator.filter)
    return operator_macs(graph, operator)


def graph_macs(graph: Graph) -> int:
    """Return the multiply-accumulates of one inference."""
    return sum(operator_macs(graph, operator) for operator in graph.operators)
