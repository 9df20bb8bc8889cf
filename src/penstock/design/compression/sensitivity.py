"""How much each layer minds 4 bits, and which ones get them.

The measure is how far the network's answers move when that layer alone is rounded: the mean
divergence of its class probabilities, in nats (Dong et al. 2019, "HAWQ", orders layers likewise, by
curvature).
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from penstock.design.compression.results import LayerSensitivity
from penstock.design.compression.setting import Setting
from penstock.design.trainable import TrainableGraph
from penstock.design.trainable.rounding import RoundedFilters
from penstock.errors import InputError
from penstock.ir.graph import Graph
from penstock.quantize.affine import FILTER_MAXIMUM, INT4_FILTER_MAXIMUM

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
            name = operator.output
            found.append(LayerSensitivity(name, operator.kind, kept.numel(), divergence))
            setting.progress("rounding layer by layer", (position + 1) / len(network.weighted))
    return found


def _divergence(network: nn.Module, batches: Sequence[Tensor], answers: Sequence[Tensor]) -> float:
    total = 0.0
    for batch, answer in zip(batches, answers, strict=True):
        target, found = (nn.functional.log_softmax(v, dim=1) for v in (answer, network(batch)))
        total += float(nn.functional.kl_div(found, target, reduction="sum", log_target=True))
    return total / sum(map(len, batches))


def choose_maxima(
    layers: Sequence[LayerSensitivity], fits: Callable[[Mapping[str, int]], bool]
) -> Mapping[str, int]:
    """Return how many steps the largest weight of each layer becomes, such that the network fits.

    Layers get 4 bits in the order of what that costs for each byte that it saves; as few of them as
    will do.

    Args:
        layers: with what 4 bits do to them.
        fits: whether a network with these maxima is small and fast enough.

    Raises:
        InputError: 4 bits everywhere are not enough.
    """
    order = sorted(layers, key=lambda layer: max(layer.divergence, 0.0) / layer.weights)
    low, high = 0, len(order)
    if not fits(_maxima(order, high)):
        raise InputError(
            "even with 4 bits in all layers the network does not fit",
            help="ask for less, or prune it besides",
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
