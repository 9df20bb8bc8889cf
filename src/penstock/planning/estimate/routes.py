"""Which way each copy of a plan goes, and how long all of them take with nothing in their way."""

from dataclasses import dataclass, field

from penstock.boards.board import Board
from penstock.errors import InputError
from penstock.planning.estimate.copying import Route, find_route
from penstock.planning.execution_plan import ExecutionPlan, Placement
from penstock.planning.overlays.program import Copy

_ALIGNMENT_MAX = 32


@dataclass(frozen=True, slots=True)
class Routes:
    """Ways between the memories of a plan, each worked out once."""

    board: Board
    placement: Placement
    _known: dict[tuple[str, str, int], Route] = field(default_factory=dict)

    def of(self, copy: Copy) -> Route:
        """Return the way that a copy goes."""
        source = self.placement.region(copy.source.block)
        destination = self.placement.region(copy.destination.block)
        offset = copy.source.offset_bytes
        alignment = min(offset & -offset, _ALIGNMENT_MAX) if offset else _ALIGNMENT_MAX
        key = source, destination, alignment
        if key not in self._known:
            ends = self.board.region(source), self.board.region(destination)
            self._known[key] = find_route(*ends, alignment, self.board)
        return self._known[key]


def bandwidth_bound_cycles(plan: ExecutionPlan, board: Board) -> int | None:
    """Return the core's cycles that a plan's copies take one after the other, undisturbed.

    However little the core computes, a plan with these copies takes as long. 0 without overlays;
    None where the board does not say how long accesses to its memories take.

    Args:
        plan: with a region for each block.
        board: which it is for.
    """
    if plan.overlays is None or plan.placement is None:
        return 0
    routes = Routes(board, plan.placement)
    try:
        return round(sum(routes.of(copy).cycles(copy.size_bytes) for copy in plan.overlays.copies))
    except InputError:
        return None
