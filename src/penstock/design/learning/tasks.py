"""What networks are for: what their training makes small, and how good they are."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from penstock.design.data import DataSet

RealArray = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]


class Task(Protocol):
    """What a network is for."""

    @property
    def measure(self) -> str:
        """What `score` is of."""
        ...

    @property
    def is_classifier(self) -> bool:
        """Whether outputs are scores of classes, which others can learn from."""
        ...

    def loss(self, outputs: Tensor, inputs: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        """Return what training makes small."""
        ...

    def judge(self, outputs: RealArray, inputs: RealArray) -> RealArray:
        """Return a number for each of some samples ``[N, …]``: all that `score` needs of them."""
        ...

    def score(self, judged: RealArray, labels: Labels) -> float:
        """Return how good a network is, from 0 to 1, by the numbers of all samples ``[N]``."""
        ...


@dataclass(frozen=True, slots=True)
class Classification:
    """The largest output is to be the sample's class; there is one for each class."""

    measure = "accuracy"
    is_classifier = True

    def loss(self, outputs: Tensor, _inputs: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        """Return the cross entropy; outputs are unnormalized."""
        return nn.functional.cross_entropy(outputs.flatten(1), labels, label_smoothing=smoothing)

    def judge(self, outputs: RealArray, _inputs: RealArray) -> RealArray:
        """Return which output is the largest; of equal ones, the first."""
        return np.asarray(outputs.reshape(len(outputs), -1).argmax(axis=1), np.float64)

    def score(self, judged: RealArray, labels: Labels) -> float:
        """Return the fraction of samples whose largest output is that of their class."""
        return float(np.mean(judged == labels))


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """Outputs are to be the inputs, of normal samples alone: what comes out badly is unusual.

    Attributes:
        normal: class of the samples that are normal, the only ones to train with.
    """

    normal: int
    measure = "area under the ROC curve"
    is_classifier = False

    def loss(self, outputs: Tensor, inputs: Tensor, _labels: Tensor, _smoothing: float) -> Tensor:
        """Return the mean squared difference."""
        return nn.functional.mse_loss(outputs, inputs.reshape(outputs.shape))

    def judge(self, outputs: RealArray, inputs: RealArray) -> RealArray:
        """Return the mean squared differences."""
        count = len(outputs)
        difference = outputs.reshape(count, -1) - inputs.reshape(count, -1)
        return np.asarray(np.square(difference, dtype=np.float64).mean(axis=1), np.float64)

    def score(self, judged: RealArray, labels: Labels) -> float:
        """Return how likely an unusual sample comes out worse than a normal one."""
        return area_under_curve(judged, labels != self.normal)


def training_data(data: DataSet, task: Task) -> DataSet:
    """Return what a network may learn from: of an autoencoder, the normal samples alone."""
    if not isinstance(task, Reconstruction):
        return data
    normal = (data.training.labels == task.normal).nonzero()[0]
    return replace(data, training=data.training.take(normal))


def area_under_curve(values: RealArray, is_positive: npt.NDArray[np.bool_]) -> float:
    """Return how likely a positive sample has the larger value; equal values count one half.

    Source: Hanley and McNeil 1982 (the Wilcoxon statistic).
    """
    _, rank, counts = np.unique(values, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    positives, negatives = int(is_positive.sum()), int((~is_positive).sum())
    surplus = mean_rank[rank][is_positive].sum() - positives * (positives + 1) / 2
    return float(surplus / (positives * negatives))
