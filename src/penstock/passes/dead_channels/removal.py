"""Which channels a graph can do without."""

from collections.abc import Iterable, Mapping

import numpy as np

from penstock.ir.graph import Graph
from penstock.ir.operators import Operator
from penstock.ir.tensor import Tensor
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

Tie = tuple[str, str, IntArray]
"""(source, result, tie): channel ``i`` of result stands or falls with ``tie[i]`` of source."""
Ties = list[Tie]


def removable_channels(graph: Graph, facts: Facts) -> dict[str, BoolArray]:
    """Return flags of the channels that can go, for each computed tensor that has any.

    A channel can go when every mixing operator that reads it either has no weights for it or can
    take a constant into its bias, and when the channels tied to it can go as well. At least one
    channel of each tensor stays.
    """
    edges = {*graph.inputs, *graph.outputs}
    removable = {
        name: np.full(tensor.shape[-1:], name not in edges and _may_shrink(tensor), np.bool_)
        for name, tensor in graph.tensors.items()
    }
    ties: Ties = []
    for operator in graph.operators:
        _restrict(graph, operator, facts, removable, ties)
    by_tensor = _ties_by_tensor(ties)
    _settle(removable, ties, by_tensor)
    for name, flags in removable.items():
        if flags.all() and flags.size:
            flags[0] = False
            _settle(removable, by_tensor.get(name, ()), by_tensor)
    return {name: flags for name, flags in removable.items() if flags.any()}


def _may_shrink(tensor: Tensor) -> bool:
    is_fixed = tensor.is_constant or tensor.is_variable or not tensor.shape
    return not is_fixed and tensor.dtype in QUANTIZED


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


def _ties_by_tensor(ties: Ties) -> dict[str, Ties]:
    found: dict[str, Ties] = {}
    for tie in ties:
        for name in {tie[0], tie[1]}:
            found.setdefault(name, []).append(tie)
    return found


def _settle(
    removable: Mapping[str, BoolArray], changed: Iterable[Tie], by_tensor: Mapping[str, Ties]
) -> None:
    """Clear flags until tied channels agree: the largest consistent choice.

    Args:
        removable: the flags.
        changed: ties that may disagree, in any order.
        by_tensor: all ties, by either of their tensors.
    """
    # A dictionary holds each once; ties are told apart by identity.
    waiting = {id(tie): tie for tie in changed}
    while waiting:
        _, (source, result, channels) = waiting.popitem()
        before = {name: int(removable[name].sum()) for name in (source, result)}
        removable[result][...] &= removable[source][channels]
        needed = np.zeros(len(removable[source]), np.bool_)
        needed[channels[~removable[result]]] = True
        removable[source][...] &= ~needed
        for name, count in before.items():
            if int(removable[name].sum()) != count:
                waiting.update((id(tie), tie) for tie in by_tensor[name])
