"""Rounding as int8 would, while a network is trained: straight-through estimation.

Source: Jacob et al. 2018, section 3; gradients pass where nothing is clipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from penstock.design.trainable.network import TrainableGraph, key
from penstock.ir.dtype import DType
from penstock.ir.quantization import QuantizationParameters
from penstock.quantize.affine import SMALLEST_SCALE

_LOW, _HIGH = DType.INT8.range


@dataclass(frozen=True, slots=True)
class _Steps:
    """Steps that values are rounded to: multiples of a scale, from one number to another."""

    scale: float
    low: int
    high: int


class _Round(torch.autograd.Function):
    """What `torch.fake_quantize_per_tensor_affine` computes, in a third of its time on a CPU.

    There, a network waits for memory: four passes in place and none over a mask are faster than
    one that is not vectorized. Gradients pass where a value was not clipped, up to half a step
    beyond the ends.
    """

    @staticmethod
    def forward(context: Any, value: Tensor, steps: _Steps) -> Tensor:
        """Return the nearest multiples; both round half to even."""
        context.save_for_backward(value)
        context.steps = steps
        rounded = value.mul(float(np.float32(1) / np.float32(steps.scale))).round_()
        return rounded.clamp_(steps.low, steps.high).mul_(steps.scale)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Return the gradient of the value; steps have none."""
        (value,) = context.saved_tensors
        steps = context.steps
        low, high = (steps.low - 0.5) * steps.scale, (steps.high + 0.5) * steps.scale
        return torch.ops.aten.hardtanh_backward(gradients[0], value, low, high), None


class RoundedActivation(nn.Module):
    """Rounds values to the steps of a tensor's quantization, which are part of its state."""

    def __init__(self, parameters: QuantizationParameters) -> None:
        super().__init__()
        scale = np.float32(parameters.scale[0])
        zero_point = parameters.zero_point[0]
        self.register_buffer("scale", torch.tensor(scale))
        self.register_buffer("zero_point", torch.tensor(zero_point, dtype=torch.int32))
        self._steps = _Steps(float(scale), _LOW - zero_point, _HIGH - zero_point)

    def forward(self, value: Tensor) -> Tensor:
        """Return the nearest values that int8 has."""
        rounded: Tensor = _Round.apply(value, self._steps)
        return rounded


class RoundedFilters(nn.Module):
    """Rounds a layer's weight to steps of its own for each output channel.

    Zeros stay zeros where ``keeps_zeros``: what pruning has taken does not come back.
    """

    kept: Tensor

    def __init__(self, weight: Tensor, maximum: int, *, keeps_zeros: bool) -> None:
        super().__init__()
        self.maximum = maximum
        kept = weight.detach() != 0 if keeps_zeros else torch.ones_like(weight, dtype=torch.bool)
        self.register_buffer("kept", kept)

    def forward(self, weight: Tensor) -> Tensor:
        """Return the nearest values of ``-maximum`` to ``maximum`` steps."""
        masked = weight * self.kept
        largest = masked.detach().abs().flatten(1).amax(dim=1)
        scale = (largest / self.maximum).clamp(min=SMALLEST_SCALE)
        zeros = torch.zeros_like(scale, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(
            masked, scale, zeros, 0, -self.maximum, self.maximum
        )


def add_rounding(
    network: TrainableGraph,
    activations: Mapping[str, QuantizationParameters],
    maxima: Mapping[str, int],
    *,
    keeps_zeros: bool,
) -> None:
    """Let a network compute with rounded values and weights from now on.

    Args:
        network: changed in place; normalization is in the weights.
        activations: quantization of each computed value and of the input, by tensor.
        maxima: largest step of the filters of each weighted operator, by its output.
        keeps_zeros: whether weights that are 0 stay so.
    """
    for name, parameters in activations.items():
        network.quantizers[key(name)] = RoundedActivation(parameters)
    for operator in network.weighted:
        layer = network.layer(operator)
        rounded = RoundedFilters(layer.weight, maxima[operator.output], keeps_zeros=keeps_zeros)
        parametrize.register_parametrization(layer, "weight", rounded)
