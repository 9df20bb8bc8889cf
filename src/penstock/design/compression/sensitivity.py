"""How much each layer minds 4 bits, and which ones get them.

The measure is how far the network's answers move when that layer alone is rounded: the mean
divergence of its class probabilities, in nats (Dong et al. 2019, "HAWQ", orders layers likewise, by
curvature).
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from penstock.design.compression.budgets import Budget
from penstock.design.compression.results import LayerSensitivity
from penstock.design.compression.setting import Setting
from penstock.design.trainable import TrainableGraph
from penstock.design.trainable.rounding import RoundedFilters
from penstock.errors import InputError
from penstock.ir.graph import Graph
from penstock.ir.operators import DepthwiseConv2D
from penstock.quantize.affine import FILTER_MAXIMUM, INT4_FILTER_MAXIMUM, Weighted

SAMPLES = 500


def measure_sensitivity(graph: Graph, setting: Setting) -> list[LayerSensitivity]:
    """Return what rounding the filters of each weighted operator to 4 bits does, in order."""
    network = TrainableGraph(graph).eval()
    batches = list(setting.some_inputs(SAMPLES))
    found: list[LayerSensitivity] = []
    with torch.no_grad():
        answers = [network(batch) for batch in batches]
        for position, operator in enumerate(network.weighted):
            layer = network.layer(operator)
            kept = layer.weight.clone()
            rounded = RoundedFilters(kept, INT4_FILTER_MAXIMUM, keeps_zeros=False)
            layer.weight.copy_(rounded(kept))
            divergence = _divergence(network, batches, answers)
            layer.weight.copy_(kept)
            saved = saved_by_int4(operator, layer)
            found.append(
                LayerSensitivity(operator.output, operator.kind, kept.numel(), saved, divergence)
            )
            setting.progress("rounding layer by layer", (position + 1) / len(network.weighted))
    return found


def saved_by_int4(operator: Weighted, layer: nn.Conv2d | nn.Linear) -> int:
    """Return the bytes that a layer's filters take less in 4 bits than in 8.

    There are kernels for convolutions in one group, and for fully connected layers.
    """
    is_grouped = isinstance(layer, nn.Conv2d) and layer.groups != 1
    if is_grouped or isinstance(operator, DepthwiseConv2D):
        return 0
    channels, *rest = layer.weight.shape
    return int(channels * (math.prod(rest) // 2))


def _divergence(network: nn.Module, batches: Sequence[Tensor], answers: Sequence[Tensor]) -> float:
    total = 0.0
    for batch, answer in zip(batches, answers, strict=True):
        target, found = (nn.functional.log_softmax(v, dim=1) for v in (answer, network(batch)))
        total += float(nn.functional.kl_div(found, target, reduction="sum", log_target=True))
    return total / sum(map(len, batches))


def choose_maxima(
    layers: Sequence[LayerSensitivity], fits: Budget[Mapping[str, int]]
) -> Mapping[str, int]:
    """Return how many steps the largest weight of each layer becomes, such that the network fits.

    Layers get 4 bits in the order of what that costs for each byte that it saves; as few of them as
    will do, and none that saves nothing.

    Args:
        layers: with what 4 bits do to them.
        fits: what a network with these maxima may take.

    Raises:
        InputError: 4 bits everywhere are not enough.
    """
    saving = [layer for layer in layers if layer.saved_bytes > 0]
    order = sorted(saving, key=lambda layer: max(layer.divergence, 0.0) / layer.saved_bytes)
    order += [layer for layer in layers if layer.saved_bytes <= 0]
    low, high = 0, len(saving)
    if not fits(smallest := _maxima(order, high)):
        raise InputError(
            f"even with 4 bits in every layer that can have them ({high}) the network takes too "
            f"much: {fits.excess(smallest)}",
            help="allow more, or prune it besides",
        )
    while low < high:
        middle = (low + high) // 2
        if fits(_maxima(order, middle)):
            high = middle
        else:
            low = middle + 1
    return _maxima(order, high)


def _maxima(order: Sequence[LayerSensitivity], count: int) -> dict[str, int]:
    return {
        layer.name: INT4_FILTER_MAXIMUM if n < count else FILTER_MAXIMUM
        for n, layer in enumerate(order)
    }
