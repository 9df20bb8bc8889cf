"""Drop operators whose results nobody reads."""

from dataclasses import dataclass
from typing import ClassVar

from penstock.ir.graph import Graph
from penstock.ir.operators import Operator


@dataclass(frozen=True, slots=True)
class EliminateDeadCode:
    """Drops operators that neither an output nor a variable tensor depends on.

    An operator that updates a variable tensor (SVDF) stays, because later inferences see it.
    Graph inputs stay even when nothing reads them.
    """

    name: ClassVar[str] = "eliminate_dead_code"

    def apply(self, graph: Graph) -> Graph:
        """Return the graph without dead operators and tensors."""
        needed = set(graph.outputs)
        kept: list[Operator] = []
        for operator in reversed(graph.operators):
            if needed.isdisjoint(operator.outputs) and not _updates_state(graph, operator):
                continue
            needed.update(operator.inputs)
            kept.append(operator)
        return graph.with_changes(operators=reversed(kept))


def _updates_state(graph: Graph, operator: Operator) -> bool:
    return any(graph.tensors[name].is_variable for name in operator.inputs)
