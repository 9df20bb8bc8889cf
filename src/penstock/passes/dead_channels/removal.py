"""Which channels a graph can do without."""

from collections.abc import Mapping

import numpy as np

from penstock.ir.graph import Graph
from penstock.ir.operators import Operator
from penstock.passes.dead_channels.constants import (
    BoolArray,
    ConstantChannels,
    Facts,
    uniform_inputs,
)
from penstock.passes.dead_channels.ties import (
    QUANTIZED,
    IntArray,
    Mixing,
    channel_ties,
    is_mixing,
)
from penstock.passes.dead_channels.weighted import bias_range, bias_values, centered_filters

Ties = list[tuple[str, str, IntArray]]
"""Triples (source, result, tie): channel ``i`` of result stands or falls with ``tie[i]``."""


def removable_channels(graph: Graph, facts: Facts) -> dict[str, BoolArray]:
    """Return flags of the channels that can go, for each computed tensor that has any.

    A channel can go when every mixing operator that reads it either has no weights for it or can
    take a constant into its bias, and when the channels tied to it can go as well. At least one
    channel of each tensor stays.
    """
    removable = {
        name: np.full(tensor.shape[-1:], _may_shrink(graph, name), np.bool_)
        for name, tensor in graph.tensors.items()
    }
    ties: Ties = []
    for operator in graph.operators:
        _restrict(graph, operator, facts, removable, ties)
    _settle(removable, ties)
    while whole := [name for name, flags in removable.items() if flags.all() and flags.size]:
        removable[whole[0]][0] = False
        _settle(removable, ties)
    return {name: flags for name, flags in removable.items() if flags.any()}


def _may_shrink(graph: Graph, name: str) -> bool:
    tensor = graph.tensors[name]
    is_edge = name in graph.inputs or name in graph.outputs
    return not (is_edge or tensor.is_constant or tensor.is_variable or not tensor.shape) and (
        tensor.dtype in QUANTIZED
    )


def _restrict(
    graph: Graph,
    operator: Operator,
    facts: Facts,
    removable: dict[str, BoolArray],
    ties: Ties,
) -> None:
    """Clear the flags of channels that ``operator`` needs, and note what it ties."""
    tied = channel_ties(graph, operator)
    if tied is not None:
        for name in operator.inputs:
            if graph.tensors[name].is_constant:
                continue
            if name in tied:
                ties.append((name, operator.outputs[0], tied[name]))
            else:
                removable[name][...] = False
    elif is_mixing(operator, graph):
        removable[operator.input] &= _dispensable(graph, operator, facts[operator.input])
    else:
        for name in (*operator.inputs, *operator.outputs):
            removable[name][...] = False


def _dispensable(graph: Graph, operator: Mixing, fact: ConstantChannels) -> BoolArray:
    """Return the input channels that ``operator`` can do without."""
    weights = centered_filters(graph, operator)
    channels = len(fact.known)
    unread: BoolArray = (weights == 0).all(axis=(0, 1)).reshape(-1, channels).all(axis=0)
    if not _has_headroom(graph, operator, weights):
        return unread
    return unread | uniform_inputs(graph, operator, fact)


def _has_headroom(graph: Graph, operator: Mixing, weights: IntArray) -> bool:
    """Return whether no partial sum can overflow, in whatever order it is formed.

    A bias that has taken up constants meets partial sums that the original never formed.
    """
    data = graph.tensors[operator.input]
    low, high = data.dtype.range
    largest = max(data.zero_point - low, high - data.zero_point)
    reach = np.abs(weights).sum(axis=(1, 2))
    worst = np.abs(bias_values(graph, operator)) + reach * largest
    # Outputs without weights take nothing up.
    return bool((worst[reach > 0] <= bias_range(graph, operator)[1]).all())


def _settle(removable: Mapping[str, BoolArray], ties: Ties) -> None:
    """Clear flags until tied channels agree: the largest consistent choice."""
    changed = True
    while changed:
        changed = False
        for source, result, tie in ties:
            before = int(removable[source].sum()) + int(removable[result].sum())
            removable[result] &= removable[source][tie]
            needed = np.zeros(len(removable[source]), np.bool_)
            needed[tie[~removable[result]]] = True
            removable[source] &= ~needed
            after = int(removable[source].sum()) + int(removable[result].sum())
            changed |= after != before
