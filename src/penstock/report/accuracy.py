"""What ``penstock accuracy`` found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class AccuracyResult:
    """How often the largest output is the right one.

    Attributes:
        model: file name.
        board: for which the C was generated; it ran on this computer.
        classes: names, in the order of outputs.
        confusion: ``[true class, given class]``, samples.
    """

    model: str
    board: str
    classes: tuple[str, ...]
    confusion: npt.NDArray[np.int64]

    @property
    def samples(self) -> int:
        """How many there were."""
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        """How many of them got their own class."""
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        """Their share."""
        return self.correct / self.samples

    @property
    def deviation(self) -> float:
        """Standard deviation of that share over test sets of this size."""
        return float(np.sqrt(self.accuracy * (1 - self.accuracy) / self.samples))

    def to_json(self) -> dict[str, Any]:
        """Return the ``penstock.accuracy/1`` form."""
        return {
            "schema": "penstock.accuracy/1",
            "model": self.model,
            "board": self.board,
            "samples": self.samples,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "classes": list(self.classes),
            "confusion": self.confusion.tolist(),
        }


def count_answers(
    true: npt.NDArray[np.int64], given: Sequence[int], class_count: int
) -> npt.NDArray[np.int64]:
    """Return how often each class was given for each true one, ``[true, given]``."""
    confusion = np.zeros((class_count, class_count), np.int64)
    np.add.at(confusion, (true, np.asarray(given, np.int64)), 1)
    return confusion
