"""A network learns from another one: Hinton et al. 2015, and where both look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from penstock.errors import InputError

_IMAGE_RANK = 4
Values = Mapping[str, Tensor]


@runtime_checkable
class Watchable(Protocol):
    """A network whose inner values can be seen."""

    def watch(self, value: Tensor, names: Sequence[str]) -> tuple[Tensor, Values]:
        """Return the output, and the values of tensors by name."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Distillation:
    """A teacher's part in the loss.

    ``L = (1 - share) L_true + share temperature² KL(teacher || network)``, with the scores of both
    divided by the temperature; and ``feature_weight`` times the squared distance of the attention
    maps of each pair of features (Zagoruyko and Komodakis 2017, equation 2, with squares).

    Attributes:
        teacher: any module that takes what the network takes and gives unnormalized scores.
        share: of the teacher in the loss, from 0 to 1.
        temperature: what scores are divided by.
        features: tensors of the network, each with the teacher's that it is to be like; both
            networks are then `Watchable`.
        feature_weight: of their distance.
    """

    teacher: nn.Module
    share: float = 0.7
    temperature: float = 4.0
    features: tuple[tuple[str, str], ...] = ()
    feature_weight: float = 100.0

    def forward(self, network: nn.Module, inputs: Tensor) -> tuple[Tensor, Values]:
        """Return a network's outputs, and its values that features are of."""
        return _watch(network, inputs, [own for own, _ in self.features])

    def add_to(self, loss: Tensor, outputs: Tensor, seen: Values, inputs: Tensor) -> Tensor:
        """Return the loss with the teacher's part."""
        with torch.no_grad():
            scores, known = _watch(self.teacher, inputs, [name for _, name in self.features])
        target = nn.functional.log_softmax(scores.detach() / self.temperature, dim=1)
        own = nn.functional.log_softmax(outputs / self.temperature, dim=1)
        divergence = nn.functional.kl_div(own, target, reduction="batchmean", log_target=True)
        whole = (1 - self.share) * loss + self.share * self.temperature**2 * divergence
        for name, other in self.features:
            whole = whole + self.feature_weight * attention_distance(
                seen[name], known[other].detach()
            )
        return whole


def _watch(network: nn.Module, inputs: Tensor, names: Sequence[str]) -> tuple[Tensor, Values]:
    if not names:
        return network(inputs), {}
    if not isinstance(network, Watchable):
        raise InputError(
            f"features of {type(network).__name__} cannot be seen",
            help="give it as a model file, or learn from its scores alone",
        )
    return network.watch(inputs, names)


def attention_distance(value: Tensor, other: Tensor) -> Tensor:
    """Return how differently two networks look at images ``[N, C, H, W]``, mean over positions.

    Where a network looks is the sum of squares over channels, as a vector of length 1; the second
    one's is resized to the first one's height and width.

    Raises:
        InputError: the values are no images.
    """
    if value.ndim != _IMAGE_RANK or other.ndim != _IMAGE_RANK:
        raise InputError(
            f"features have {value.ndim} and {other.ndim} dimensions, images have {_IMAGE_RANK}",
            help="name outputs of convolutions",
        )
    maps = [(each**2).sum(dim=1, keepdim=True) for each in (value, other)]
    if maps[1].shape[2:] != maps[0].shape[2:]:
        maps[1] = nn.functional.interpolate(
            maps[1], maps[0].shape[2:], mode="bilinear", align_corners=False, antialias=True
        )
    first, second = (nn.functional.normalize(each.flatten(1), dim=1) for each in maps)
    return ((first - second) ** 2).mean()
