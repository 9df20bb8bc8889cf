"""Unstructured pruning: the smallest weights become 0, one by one or in blocks of 2x2.

Sources: of the schedule Zhu and Gupta 2017, "To prune, or not to prune", equation 1; of the score
Lee et al. 2021, "Layer-adaptive sparsity for the magnitude-based pruning" (LAMP), equation 2.
"""

from collections.abc import Sequence
from math import ceil

import torch
from torch import Tensor, nn

from penstock.design.compression.choices import Pattern
from penstock.design.trainable.network import TrainableGraph
from penstock.ir import operators as ops
from penstock.quantize.affine import Weighted

_RAMP = 0.5
"""Share of the steps by whose end all zeros are there; the rest gets used to them."""
_CHOSEN_EVERY = 50
_BLOCK = 2


class WeightPruning:
    """Sets the smallest weights of a network to 0 while it is trained.

    Weights of all prunable layers are compared by the share of their square in those of their
    layer that are no smaller: what going would do to a layer that has lost all smaller ones. So
    layers with small weights are not emptied, and those with many lose more. Depthwise filters
    and those of the first layer stay: they are few, and each of them matters. The weights of a
    block count as if each had the mean of their squares, and the block as the mean of their shares.
    """

    def __init__(self, network: TrainableGraph, share: float, pattern: Pattern) -> None:
        """Watch a network; ``share`` is that of the zeros in the end, from 0 to below 1."""
        self._layers = [network.layer(operator) for operator in prunable(network)]
        self._share, self._pattern = share, pattern
        self._masks: list[Tensor] = []

    def after_step(self, step: int, done: int, total: int) -> None:
        """Choose what is 0 now and then, at last when the share is reached, and keep it so."""
        if step % _CHOSEN_EVERY == 0 or done == ceil(_RAMP * total):
            self._choose(self.share_at(done / total))
        with torch.no_grad():
            for layer, mask in zip(self._layers, self._masks, strict=True):
                layer.weight.mul_(mask)

    def share_at(self, done: float) -> float:
        """Return the share of zeros when a share of all steps is done."""
        return self._share * (1 - (1 - min(done / _RAMP, 1.0)) ** 3)

    def _choose(self, share: float) -> None:
        scores = [self._score(layer) for layer in self._layers]
        everything = torch.cat([score.flatten() for score in scores])
        count = round(share * everything.numel())
        if not count:
            self._masks = [torch.ones_like(layer.weight) for layer in self._layers]
            return
        threshold = torch.kthvalue(everything, count).values
        self._masks = [
            ((score > threshold) | (score == score.max())).to(layer.weight.dtype)
            for score, layer in zip(scores, self._layers, strict=True)
        ]

    def _score(self, layer: nn.Conv2d | nn.Linear) -> Tensor:
        squares = layer.weight.detach() ** 2
        if self._pattern is Pattern.SINGLE:
            return _shares(squares)
        return _block_means(_shares(_block_means(squares)))


def _shares(squares: Tensor) -> Tensor:
    """Return the share of each number in itself and those that are larger."""
    ordered, order = squares.flatten().double().sort()
    larger = ordered.flip(0).cumsum(0).flip(0)
    shares = torch.empty_like(ordered)
    shares[order] = ordered / larger.clamp(min=torch.finfo(ordered.dtype).tiny)
    return shares.reshape(squares.shape)


def _block_means(values: Tensor) -> Tensor:
    """Return for each weight the mean of its block; blocks at odd ends are smaller."""
    rows = values.flatten(2) if values.ndim == 4 else values[..., None]
    pooled = nn.functional.avg_pool2d(
        rows.permute(2, 0, 1)[:, None], _BLOCK, ceil_mode=True, count_include_pad=False
    )
    spread = pooled.repeat_interleave(_BLOCK, 2).repeat_interleave(_BLOCK, 3)
    cut = spread[:, 0, : rows.shape[0], : rows.shape[1]].permute(1, 2, 0)
    return cut.reshape(values.shape)


def prunable(network: TrainableGraph) -> Sequence[Weighted]:
    """Return the operators whose weights may become 0: all but the first and depthwise ones."""
    return [
        operator
        for operator in network.weighted[1:]
        if not isinstance(operator, ops.DepthwiseConv2D)
    ]
