"""Samples become what a network reads: shuffled, varied, scaled, in torch's order."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from penstock.design.data.sets import Samples, Values
from penstock.design.learning.options import Augmentation
from penstock.frontends.samples import PixelScaling

_PIXEL_MAXIMUM = 255.0
_IMAGE_RANK = 4
_SHIFT_SHARE = 8


def shuffled_batches(
    samples: Samples, batch_size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield full batches of values and labels in random order; what does not fill one is left."""
    values, labels = torch.from_numpy(samples.values), torch.from_numpy(samples.labels)
    order = torch.randperm(len(labels), generator=generator)
    for start in range(0, len(labels) - batch_size + 1, batch_size):
        chosen = order[start : start + batch_size]
        yield values[chosen], labels[chosen]


def augment(values: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Return images ``[N, H, W, C]`` varied each by itself; what comes in from outside is 0."""
    if augmentation is Augmentation.NONE:
        return values
    count, height, width, _ = values.shape
    margins = height // _SHIFT_SHARE, width // _SHIFT_SHARE
    padded = nn.functional.pad(values, (0, 0, margins[1], margins[1], margins[0], margins[0]))
    rows, columns = (
        torch.randint(0, 2 * margin + 1, (count, 1), generator=generator) + torch.arange(size)
        for margin, size in zip(margins, (height, width), strict=True)
    )
    if augmentation is not Augmentation.SHIFT:
        assert augmentation is Augmentation.MIRROR
        mirrored = torch.rand((count, 1), generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    batch = torch.arange(count)[:, None, None]
    return padded[batch, rows[:, :, None], columns[:, None, :]]


def to_network_input(values: Tensor, scaling: PixelScaling) -> Tensor:
    """Return samples as reals, images as ``[N, C, H, W]``; pixels are scaled, reals are kept."""
    reals = values
    if values.dtype == torch.uint8:
        mean, deviation = (torch.tensor(v) for v in (scaling.mean, scaling.deviation))
        reals = (values.float() / _PIXEL_MAXIMUM - mean) / deviation
    return reals.permute(0, 3, 1, 2) if values.ndim == _IMAGE_RANK else reals


def network_inputs(values: Values, batch_size: int, scaling: PixelScaling) -> Iterator[Tensor]:
    """Yield all samples in their order, as a network reads them."""
    for batch in torch.from_numpy(np.asarray(values)).split(batch_size):
        yield to_network_input(batch, scaling)
