"""Rewrites of a graph that keep every output byte and leave less to do; none knows a board."""

from collections.abc import Callable, Sequence

from penstock.ir.graph import Graph
from penstock.passes.eliminate_dead_channels import EliminateDeadChannels
from penstock.passes.eliminate_dead_code import EliminateDeadCode
from penstock.passes.eliminate_identities import EliminateIdentities
from penstock.passes.fold_constants import FoldConstants
from penstock.passes.fold_padding import FoldPadding
from penstock.passes.fuse_activations import FuseActivations
from penstock.passes.graph_pass import Pass

STANDARD: tuple[Pass, ...] = (
    # First: it makes all shapes static, which every other pass may then rely on.
    FoldConstants(),
    # Before fusing: a reader whose result nobody wants must not count as a second reader.
    EliminateDeadCode(),
    # Before folding and fusing: an identity between two operators hides that they are neighbors.
    EliminateIdentities(),
    # Before dead channels: a PAD of its own would stop their constants from passing.
    FoldPadding(),
    # Before dead channels as well: a clamp decides which constant a channel without weights has.
    FuseActivations(),
    EliminateDeadChannels(),
    # Last: PADs, RESHAPEs and weights that the passes above left unread.
    EliminateDeadCode(),
)
"""The pipeline between front end and kernel selection."""


def run_passes(
    graph: Graph,
    *,
    passes: Sequence[Pass] = STANDARD,
    on_pass: Callable[[str, Graph], None] | None = None,
) -> Graph:
    """Return the graph after ``passes``, in order; outputs are the same, byte for byte.

    Args:
        graph: as the front end made it.
        passes: what to run.
        on_pass: called after each pass with its name and result, for dumps.

    Raises:
        UnsupportedError: a shape depends on values that are known at run time only.
    """
    for graph_pass in passes:
        graph = graph_pass.apply(graph)
        if on_pass is not None:
            on_pass(graph_pass.name, graph)
    return graph


__all__ = [
    "STANDARD",
    "EliminateDeadChannels",
    "EliminateDeadCode",
    "EliminateIdentities",
    "FoldConstants",
    "FoldPadding",
    "FuseActivations",
    "Pass",
    "run_passes",
]
