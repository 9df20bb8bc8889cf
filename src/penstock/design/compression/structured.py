"""Structured pruning: whole filters go, and with them the channels that they make.

Which channels belong together is for Torch-Pruning to find out (Fang et al. 2023, "DepGraph").
"""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch_pruning as pruning
from torch import Tensor, nn

from penstock.design.compression.choices import Criterion
from penstock.design.trainable.network import TrainableGraph
from penstock.errors import InputError
from penstock.ir import operators as ops
from penstock.ir.graph import Graph

CHANNEL_MULTIPLE = 4
"""Kernels work on four channels at a time."""
_RATIO_MAX = 0.85
_RATIO_STEPS = 9
Loss = Callable[[nn.Module, Any], Tensor]


def prune_channels(
    network: TrainableGraph,
    fits: Callable[[Graph], bool],
    criterion: Criterion,
    accumulate: Callable[[nn.Module], None],
) -> TrainableGraph:
    """Return a network with so few channels that it fits.

    The smallest share that will do is taken, the same of every group of channels or, for what
    matters less, more. Channels stay multiples of `CHANNEL_MULTIPLE`.

    Args:
        network: with normalization; it stays as it is.
        fits: whether a graph is small enough.
        criterion: which channels go first.
        accumulate: adds gradients of the loss to a network's parameters; called for `TAYLOR`.

    Raises:
        InputError: even the largest share does not fit.
    """
    low, high = 0.0, _RATIO_MAX
    best = _pruned(network, high, criterion, accumulate)
    if not fits(best.to_graph()):
        raise InputError(
            f"even without {100 * _RATIO_MAX:.0f} % of its channels the network does not fit",
            help="ask for less, or take a smaller network",
        )
    for _ in range(_RATIO_STEPS):
        middle = (low + high) / 2
        candidate = _pruned(network, middle, criterion, accumulate)
        if fits(candidate.to_graph()):
            high, best = middle, candidate
        else:
            low = middle
    return best


def _pruned(
    network: TrainableGraph,
    ratio: float,
    criterion: Criterion,
    accumulate: Callable[[nn.Module], None],
) -> TrainableGraph:
    changed = copy.deepcopy(network)
    if criterion is Criterion.TAYLOR:
        changed.zero_grad()
        accumulate(changed)
    changed.eval()
    source = changed.graph.tensors[changed.graph.inputs[0]].shape
    example = torch.zeros(source)
    if example.ndim == 4:
        example = example.permute(0, 3, 1, 2)
    pruner = pruning.pruner.BasePruner(
        changed,
        example,
        importance=_importance(criterion),
        global_pruning=True,
        pruning_ratio=ratio,
        max_pruning_ratio=_RATIO_MAX,
        ignored_layers=_fixed_layers(changed),
        round_to=CHANNEL_MULTIPLE,
    )
    pruner.step()
    changed.zero_grad(set_to_none=True)
    return changed


def _importance(criterion: Criterion) -> Any:
    match criterion:
        case Criterion.L1:
            return pruning.importance.GroupMagnitudeImportance(p=1)
        case Criterion.L2:
            return pruning.importance.GroupMagnitudeImportance(p=2)
        case Criterion.NORMALIZATION:
            return pruning.importance.BNScaleImportance()
        case Criterion.TAYLOR:
            return pruning.importance.GroupTaylorImportance()


def _fixed_layers(network: TrainableGraph) -> list[nn.Module]:
    """Return layers whose channels must stay: they are outputs, or change place in a reshape."""
    graph = network.graph
    ends = set(graph.outputs)
    for operator in graph.operators:
        is_moved = isinstance(operator, ops.Reshape | ops.Transpose)
        if is_moved and _has_positions(graph, operator.inputs[0]):
            ends.add(operator.inputs[0])
        elif not _leaves_channels(operator):
            ends.update(operator.inputs)
    weighted = {operator.output: operator for operator in network.weighted}
    producers = graph.producers()
    waiting, fixed = sorted(ends), []
    while waiting:
        name = waiting.pop()
        if name in weighted:
            fixed.append(network.layer(weighted[name]))
        elif name in producers:
            waiting.extend(graph.operators[producers[name]].inputs)
    return fixed


def _has_positions(graph: Graph, name: str) -> bool:
    shape = graph.tensors[name].shape
    return len(shape) == 4 and shape[1:3] != (1, 1)


def _leaves_channels(operator: ops.Operator) -> bool:
    match operator:
        case ops.Pad():
            return operator.paddings[-1] == (0, 0)
        case ops.Split():
            return operator.axis in (1, 2)
        case ops.StridedSlice() | ops.Pack():
            return False
        case _:
            return True


def gradients_of(loss: Loss, batches: Iterable[Any]) -> Callable[[nn.Module], None]:
    """Return what adds the gradients of a loss over batches to a network's parameters."""
    kept = list(batches)

    def accumulate(network: nn.Module) -> None:
        network.eval()
        for batch in kept:
            loss(network, batch).backward()

    return accumulate
