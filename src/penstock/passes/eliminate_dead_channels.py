"""Channels that are constant, or that nobody reads, are not computed."""

from dataclasses import dataclass
from typing import ClassVar

from penstock.ir.graph import Graph
from penstock.passes.dead_channels.constants import constant_channels
from penstock.passes.dead_channels.dropping import drop_channels
from penstock.passes.dead_channels.removal import removable_channels


@dataclass(frozen=True, slots=True)
class EliminateDeadChannels:
    """Drops channels without which the outputs are the same, byte for byte.

    A channel whose filters are all zero has one value everywhere: its bias, requantized and
    clamped. So has what follows from constant channels only. Whoever sums over a constant channel
    gets ``(value − zero point) · Σ weights`` from it, which moves into the bias, provided that
    this is the same at every position: there is no padding, or the value is the zero point, as
    padded elements are. A channel for which all readers have zero weights needs no value at all.
    Pruned networks are full of both.

    Dropping channels can leave others unread, so the pass repeats until nothing changes.
    """

    name: ClassVar[str] = "eliminate_dead_channels"

    def apply(self, graph: Graph) -> Graph:
        """Return the graph without dead channels."""
        while True:
            facts = constant_channels(graph)
            removable = removable_channels(graph, facts)
            if not removable:
                return graph
            graph = drop_channels(graph, facts, removable)
