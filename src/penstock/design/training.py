"""Training of a classifier by stochastic gradient descent, repeatable from a seed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from penstock.design.datasets import ImageArray, LabelledImages

RealArray = npt.NDArray[np.float32]

INFERENCE_BATCH = 500  # images
CROP_MARGIN = 4  # pixels around a 32×32 image: He et al. 2015, section 4.2


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train.

    Attributes:
        epochs: passes over the training images.
        batch_size: images per step.
        learning_rate_peak: peak of the one-cycle schedule (Smith 2018).
        weight_decay: applied to filters only, not to biases and normalization.
        label_smoothing: probability spread evenly over all classes.
        seed: of initial weights, order of images and augmentation.
    """

    epochs: int = 20
    batch_size: int = 128
    learning_rate_peak: float = 0.2
    weight_decay: float = 2e-4
    label_smoothing: float = 0.05
    seed: int = 1


@dataclass(frozen=True, slots=True)
class EpochResult:
    """Averages over the augmented training images of one epoch, while the weights still changed."""

    epoch: int
    loss: float
    accuracy: float


def train(
    network: nn.Module,
    data: LabelledImages,
    options: TrainingOptions,
    report: Callable[[EpochResult], None],
) -> None:
    """Train the network in place; ``report`` is called after each epoch."""
    generator = torch.Generator().manual_seed(options.seed)
    optimizer = torch.optim.SGD(
        _parameter_groups(network, options.weight_decay),
        lr=options.learning_rate_peak,
        momentum=0.9,
        nesterov=True,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=options.learning_rate_peak,
        total_steps=options.epochs * (len(data.labels) // options.batch_size),
        pct_start=0.2,
        cycle_momentum=False,
    )
    criterion = nn.CrossEntropyLoss(label_smoothing=options.label_smoothing)
    network.to(memory_format=torch.channels_last)
    network.train()
    for epoch in range(1, options.epochs + 1):
        losses, hits = [], []
        for images, labels in _shuffled_batches(data, options.batch_size, generator):
            scores = network(to_network_input(augment(images, generator)))
            loss = criterion(scores, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            hits.append((scores.argmax(dim=1) == labels).float().mean().item())
        report(EpochResult(epoch, float(np.mean(losses)), float(np.mean(hits))))


def _shuffled_batches(
    data: LabelledImages, batch_size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield full batches of images and labels in random order; what does not fill one is left."""
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    order = torch.randperm(len(labels), generator=generator)
    for chosen in order[: len(labels) // batch_size * batch_size].split(batch_size):
        yield images[chosen], labels[chosen]


def _parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each image by up to `CROP_MARGIN` pixels and mirror half of them.

    Images are ``[N, H, W, 3]`` of any type; what comes in from outside is black.
    """
    count, height, width, _ = images.shape
    padded = nn.functional.pad(images, (0, 0, *[CROP_MARGIN] * 4))
    shifts = torch.randint(0, 2 * CROP_MARGIN + 1, (2, count, 1), generator=generator)
    rows = shifts[0] + torch.arange(height)
    columns = shifts[1] + torch.arange(width)
    mirrored = torch.rand((count, 1), generator=generator) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    batch = torch.arange(count)[:, None, None]
    return padded[batch, rows[:, :, None], columns[:, None, :]]


def to_network_input(images: Tensor) -> Tensor:
    """Return 8-bit images ``[N, H, W, 3]`` as reals in [0, 1], ``[N, 3, H, W]`` (channels last)."""
    return images.permute(0, 3, 1, 2).float() / 255.0


def predict(network: nn.Module, images: ImageArray) -> RealArray:
    """Return the scores ``[N, classes]`` of 8-bit images ``[N, H, W, 3]``, in inference mode."""
    network.eval()
    with torch.inference_mode():
        batches = torch.from_numpy(images).split(INFERENCE_BATCH)
        scores = torch.cat([network(to_network_input(batch)) for batch in batches])
    return np.asarray(scores.numpy(), np.float32)


def accuracy(scores: npt.NDArray[np.generic], labels: npt.NDArray[np.int64]) -> float:
    """Return the fraction of rows of ``scores`` whose largest entry is at ``labels``."""
    return float(np.mean(scores.argmax(axis=1) == labels))
