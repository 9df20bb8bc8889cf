"""Operators that share a constant get one each: training and rounding make them differ."""

from dataclasses import replace

from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.tensor import Tensor


def separate_constants(graph: Graph) -> Graph:
    """Return a graph that computes the same, no two of whose operators read one float32 constant.

    Layers that are used twice share their weights, and converters let equal biases be one tensor.
    The scale of a bias follows from what its operator reads, and what is trained or equalized is
    each operator's own. The first reader keeps the name.
    """
    tensors: dict[str, Tensor] = {}
    operators = list(graph.operators)
    taken: set[str] = set()
    for position, operator in enumerate(graph.operators):
        copies: dict[str, str] = {}
        for name in dict.fromkeys(operator.inputs):
            tensor = graph.tensors[name]
            if not tensor.is_constant or tensor.dtype is not DType.FLOAT32:
                continue
            if name in taken:
                copy = _free_name(f"{name}.{operator.outputs[0]}", graph, tensors)
                tensors[copy] = replace(tensor, name=copy)
                copies[name] = copy
            taken.add(name)
        if copies:
            operators[position] = operator.rename(copies)
    return graph.with_changes(tensors=tensors, operators=operators) if tensors else graph


def _free_name(wanted: str, graph: Graph, added: dict[str, Tensor]) -> str:
    name, number = wanted, 2
    while name in graph.tensors or name in added:
        name, number = f"{wanted}.{number}", number + 1
    return name
