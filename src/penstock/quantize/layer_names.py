"""Weighted operators keep the names of their own modules, whatever became part of them."""

from collections.abc import Mapping
from dataclasses import replace

from penstock.ir.graph import Graph
from penstock.ir.operators import Operator
from penstock.quantize.affine import Weighted


def keep_layer_names(before: Graph, after: Graph) -> Graph:
    """Return a graph in which layers are called as before others became part of them.

    Where a normalization or an activation was folded into a weighted operator, its result has the
    name of that operator's, not of what was folded. Outputs of the graph keep their names.

    Args:
        before: the graph as it was.
        after: the same with operators folded into those before them, which write what these did.
    """
    producers = {name: operator for operator in before.operators for name in operator.outputs}
    names: dict[str, str] = {}
    taken = set(after.tensors)
    for operator in after.operators:
        if not isinstance(operator, Weighted) or operator.output in after.outputs:
            continue
        name = _own_name(operator, producers)
        if name not in taken:
            names[operator.output] = name
            taken.add(name)
    tensors = {
        names.get(old, old): replace(tensor, name=names.get(old, old))
        for old, tensor in after.tensors.items()
    }
    renamed = tuple(operator.rename(names) for operator in after.operators)
    return replace(after, tensors=tensors, operators=renamed)


def _own_name(operator: Weighted, producers: Mapping[str, Operator]) -> str:
    """Return the result of the first operator that became one, going back from the last."""
    name = operator.output
    while operator.input not in producers[name].inputs:
        name = next(source for source in producers[name].inputs if source in producers)
    return name
