"""Batch normalization put back behind folded convolutions, such that nothing changes at first."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from penstock.design.trainable.network import TrainableGraph, key
from penstock.ir import operators as ops


def add_normalization(network: TrainableGraph, batches: Iterable[Tensor]) -> None:
    """Put batch normalization behind each convolution.

    Training a network whose normalization has gone into the weights is slow and fragile. What was
    folded is unfolded with statistics of data: means and variances of each channel are measured,
    and normalization starts as what undoes itself.

    Args:
        network: with folded weights; changed in place.
        batches: samples ``[N, …]``, some hundred in all.
    """
    outputs = [
        operator.output
        for operator in network.weighted
        if isinstance(operator, ops.Conv2D | ops.DepthwiseConv2D)
    ]
    sums = _channel_sums(network, batches)
    for name in outputs:
        count, total, squares = sums[key(name)]
        mean = total / count
        variance = (squares / count - mean**2).clamp(min=0)
        layer = network.layers[key(name)]
        assert isinstance(layer, nn.Conv2d)
        normalization = nn.BatchNorm2d(layer.out_channels)
        with torch.no_grad():
            assert layer.bias is not None
            assert normalization.running_mean is not None
            assert normalization.running_var is not None
            normalization.running_mean.copy_(mean - layer.bias)
            normalization.running_var.copy_(variance)
            normalization.weight.copy_(torch.sqrt(variance + normalization.eps))
            normalization.bias.copy_(mean)
        layer.bias = None
        network.normalizations[key(name)] = normalization


def _channel_sums(
    network: TrainableGraph, batches: Iterable[Tensor]
) -> dict[str, tuple[int, Tensor, Tensor]]:
    """Return for each convolution how many values a channel had, their sum and that of squares."""
    sums: dict[str, tuple[int, Tensor, Tensor]] = {}

    def watch(name: str) -> None:
        def note(_layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
            value = output.double()
            count, total, squares = sums.get(name, (0, torch.zeros(()), torch.zeros(())))
            dims = (0, 2, 3)
            sums[name] = (
                count + value.numel() // value.shape[1],
                total + value.sum(dims),
                squares + (value**2).sum(dims),
            )

        handles.append(network.layers[name].register_forward_hook(note))

    handles: list[torch.utils.hooks.RemovableHandle] = []
    for name, layer in network.layers.items():
        if isinstance(layer, nn.Conv2d):
            watch(name)
    network.eval()
    with torch.no_grad():
        for batch in batches:
            network(batch)
    for handle in handles:
        handle.remove()
    return sums
