"""Structured pruning: whole filters go, and with them the channels that they make.

Which channels belong together is for Torch-Pruning to find out (Fang et al. 2023, "DepGraph").
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, gcd, lcm
from typing import Any

import torch
import torch_pruning as pruning
from torch import Tensor, nn

from penstock.design.compression.budgets import Budget
from penstock.design.compression.choices import Criterion
from penstock.design.trainable.layout import to_torch_order
from penstock.design.trainable.network import TrainableGraph
from penstock.errors import InputError
from penstock.ir import operators as ops
from penstock.ir.graph import Graph

CHANNEL_MULTIPLE = 4
"""Kernels work on four channels at a time."""
_RATIO_MAX = 0.85
"""Of all channels, and of those of each group."""
_RATIO_STEPS = 9
Loss = Callable[[nn.Module, Any], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Channels that go together: those of a layer, and what is bound to them.

    Attributes:
        layer: its key.
        importance: of each channel of a part.
        parts: of a grouped convolution, each of which loses the same channels; 1 of others.
    """

    layer: str
    importance: Tensor
    parts: int


def prune_channels(
    network: TrainableGraph,
    fits: Budget[Graph],
    criterion: Criterion,
    accumulate: Callable[[nn.Module], None],
) -> TrainableGraph:
    """Return a network with so few channels that it fits.

    The smallest share that will do is taken. Channels of all groups are compared; each group keeps
    a few, and a multiple of `CHANNEL_MULTIPLE`, or all that it has.

    Args:
        network: with normalization; it stays as it is.
        fits: what the graph may take.
        criterion: which channels go first.
        accumulate: adds gradients of the loss to a network's parameters; called for `TAYLOR`.

    Raises:
        InputError: even the largest share does not fit.
    """
    groups = _ranked(network, criterion, accumulate)
    low, high = 0.0, _RATIO_MAX
    best = _pruned(network, groups, high)
    if not fits(smallest := best.to_graph()):
        raise InputError(
            f"even without {100 * _RATIO_MAX:.0f} % of the channels that the criterion "
            f"{criterion.value} can compare, the network takes too much: {fits.excess(smallest)}",
            help="allow more, take another criterion, or a smaller network",
        )
    for _ in range(_RATIO_STEPS):
        middle = (low + high) / 2
        candidate = _pruned(network, groups, middle)
        if fits(candidate.to_graph()):
            high, best = middle, candidate
        else:
            low = middle
    return best


def _ranked(
    network: TrainableGraph, criterion: Criterion, accumulate: Callable[[nn.Module], None]
) -> Sequence[_Group]:
    """Return all groups whose channels may go and can be compared."""
    judged = copy.deepcopy(network)
    if criterion is Criterion.TAYLOR:
        judged.zero_grad()
        accumulate(judged)
    importance = _importance(criterion)
    keys = {layer: key for key, layer in judged.layers.items()}
    groups = []
    for group in _dependencies(judged).get_all_groups(_fixed_layers(judged), _LAYERS):
        found = importance(group)
        if found is not None:
            parts = lcm(*(_parts(each.dep.target.module) for each in group))
            of_part = found.detach().reshape(parts, -1).mean(dim=0)
            groups.append(_Group(keys[group[0].dep.target.module], of_part, parts))
    return groups


_LAYERS = (nn.Conv2d, nn.Linear)


def _parts(layer: nn.Module) -> int:
    """Return of how many parts a grouped convolution is; a depthwise one follows its input."""
    if not isinstance(layer, nn.Conv2d) or layer.groups == layer.out_channels:
        return 1
    return int(layer.groups)


def _dependencies(network: TrainableGraph) -> Any:
    """Return what knows which channels of a network belong together."""
    network.eval()
    example = torch.zeros(network.graph.tensors[network.graph.inputs[0]].shape)
    return pruning.DependencyGraph().build_dependency(network, to_torch_order(example))


def _pruned(network: TrainableGraph, groups: Sequence[_Group], ratio: float) -> TrainableGraph:
    """Return a network without a share of its channels."""
    changed = copy.deepcopy(network)
    dependencies = _dependencies(changed)
    for group, going in zip(groups, _going(groups, ratio), strict=True):
        if going:
            layer = changed.layers[group.layer]
            take_away = dependencies.get_pruner_of_module(layer).prune_out_channels
            dependencies.get_pruning_group(layer, take_away, going).prune()
    return changed


def _going(groups: Sequence[_Group], ratio: float) -> list[list[int]]:
    """Return the channels of each group that go: those that matter least of all groups."""
    if not groups:
        return []
    everything = torch.cat([group.importance for group in groups]).sort().values
    threshold = everything[max(ceil(ratio * len(everything)) - 1, 0)]
    going = []
    for group in groups:
        count = len(group.importance)
        multiple = CHANNEL_MULTIPLE // gcd(CHANNEL_MULTIPLE, group.parts)
        wanted = max(int((group.importance > threshold).sum()), ceil((1 - _RATIO_MAX) * count))
        kept = min(ceil(wanted / multiple) * multiple, count)
        chosen = group.importance.argsort(stable=True)[: count - kept].tolist()
        going.append([part * count + n for part in range(group.parts) for n in chosen])
    return going


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
        elif not _leaves_channels(operator) or _spreads_channels(graph, operator):
            ends.update(operator.inputs)
    for each in network.weighted:
        if _is_uneven(network.layer(each)):
            ends |= {each.input, each.output}
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


def _is_uneven(layer: nn.Module) -> bool:
    """Return whether a convolution has one channel a part on one side, and several on the other."""
    if not isinstance(layer, nn.Conv2d) or layer.in_channels == layer.out_channels:
        return False
    return bool(1 < layer.groups == min(layer.in_channels, layer.out_channels))


def _has_positions(graph: Graph, name: str) -> bool:
    shape = graph.tensors[name].shape
    return len(shape) == 4 and shape[1:3] != (1, 1)


def _spreads_channels(graph: Graph, operator: ops.Operator) -> bool:
    """Return whether an operator computes with a constant of channels, or one channel for all."""
    if not isinstance(operator, ops.Add | ops.Sub | ops.Mul | ops.Maximum | ops.Minimum):
        return False
    operands = [graph.tensors[name] for name in operator.inputs]
    depths = {tensor.shape[-1] for tensor in operands if not tensor.is_constant}
    return len(depths) > 1 or any(
        tensor.is_constant and tensor.shape[-1:] != (1,) for tensor in operands
    )


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
