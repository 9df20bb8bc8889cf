"""Data sets of PyTorch, as arrays."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from penstock.design.data.sets import DataSet, Samples
from penstock.errors import InputError


class SizedSamples(Protocol):
    """What a `torch.utils.data.Dataset` with a length is."""

    def __len__(self) -> int:
        """Return how many samples there are."""
        ...

    def __getitem__(self, index: int, /) -> tuple[object, object]:
        """Return a sample, and the position of its class."""
        ...


def from_datasets(
    training: SizedSamples, test: SizedSamples, classes: Sequence[str], name: str = "data"
) -> DataSet:
    """Return labelled data from two data sets of PyTorch, or anything like them.

    Args:
        training: samples to learn from: tensors or arrays, images ``[C, H, W]``, as the network
            takes them; what they vary themselves is seen as it was the first time.
        test: samples to test with.
        classes: names, in the order of the network's outputs.
        name: for people.

    Raises:
        InputError: there are no samples, or a label is no class.
    """
    parts = [_read(part, len(classes), name) for part in (training, test)]
    return DataSet(name, parts[0], parts[1], tuple(classes))


def _read(samples: SizedSamples, classes: int, name: str) -> Samples:
    if not len(samples):
        raise InputError(f"{name} has a part without samples", help="give some")
    pairs = [samples[n] for n in range(len(samples))]
    values = np.stack([np.asarray(value, np.float32) for value, _ in pairs])
    labels = np.array([int(label) for _, label in pairs], np.int64)  # type: ignore[call-overload]
    if labels.min() < 0 or labels.max() >= classes:
        raise InputError(
            f"{name} has labels from {labels.min()} to {labels.max()}, there are {classes} classes",
            help="label by the position among the network's outputs",
        )
    if values.ndim == 4:
        values = values.transpose(0, 2, 3, 1)
    return Samples(np.ascontiguousarray(values), labels)
