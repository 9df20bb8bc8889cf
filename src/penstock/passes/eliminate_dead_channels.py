"""Channels that are constant, or that nobody reads, are not computed."""

import math
from dataclasses import dataclass
from typing import ClassVar

from penstock.ir.graph import Graph
from penstock.passes.dead_channels.constants import constant_channels
from penstock.passes.dead_channels.dropping import drop_channels
from penstock.passes.dead_channels.removal import removable_channels

_VISITS_MAX = 1 << 27
"""Limit of all rounds together: a few seconds, and dozens of rounds of a usual network."""
_OPERATOR_VISITS = 4096
_CHANNEL_VISITS = 8


@dataclass(frozen=True, slots=True)
class EliminateDeadChannels:
    """Drops channels without which the outputs are the same, byte for byte.

    A channel whose filters are all zero has one value everywhere: its bias, requantized and
    clamped. So has what follows from constant channels only. Whoever sums over a constant channel
    gets ``(value − zero point) · Σ weights`` from it, which moves into the bias, provided that
    this is the same at every position: there is no padding, or the value is the zero point, as
    padded elements are. A channel for which all readers have zero weights needs no value at all.
    Pruned networks are full of both.

    Dropping channels can leave others unread, so the pass repeats until nothing changes. It gives
    up early on graphs whose analysis would take minutes: those are no networks.
    """

    name: ClassVar[str] = "eliminate_dead_channels"

    def apply(self, graph: Graph) -> Graph:
        """Return the graph without dead channels."""
        for _ in range(_VISITS_MAX // max(1, _visits(graph))):
            facts = constant_channels(graph)
            removable = removable_channels(graph, facts)
            if not removable:
                break
            graph = drop_channels(graph, facts, removable)
        return graph


def _visits(graph: Graph) -> int:
    """Return what one round costs, in elements of weights looked at."""
    visits = _OPERATOR_VISITS * len(graph.operators)
    for operator in graph.operators:
        for name in (*operator.inputs, *operator.outputs):
            tensor = graph.tensors[name]
            visits += _CHANNEL_VISITS * math.prod(tensor.shape[-1:])
            visits += tensor.element_count if tensor.is_constant else 0
    return visits
