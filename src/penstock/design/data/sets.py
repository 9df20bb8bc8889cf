"""Samples with their classes, to train and to test with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penstock.errors import InputError

Values = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
_HELD_BACK = 0.1
_SAMPLES_MIN = 2


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples and the class of each.

    Attributes:
        values: ``[N, …]``, images ``[N, H, W, C]``: uint8 pixels, or float32 as a network has them.
        labels: ``[N]``, positions in the list of classes.
    """

    values: Values
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, positions: npt.NDArray[np.int64]) -> "Samples":
        """Return the samples at these positions, in their order."""
        return Samples(self.values[positions], self.labels[positions])


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """What a network is trained and tested with.

    Attributes:
        name: for people.
        training: samples to learn from.
        test: samples that nothing was learnt from.
        classes: names, in the order of a network's outputs.
    """

    name: str
    training: Samples
    test: Samples
    classes: tuple[str, ...]

    @property
    def has_pixels(self) -> bool:
        """Whether samples are pixels, of 0 to 255."""
        return self.training.values.dtype == np.uint8

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.training.values.shape[1:])


def hold_back(samples: Samples, seed: int) -> tuple[Samples, Samples]:
    """Return most of the samples, and the tenth that is kept for testing, drawn by the seed.

    Raises:
        InputError: there are too few to do that.
    """
    if len(samples) < _SAMPLES_MIN:
        raise InputError(
            f"there are {len(samples)} samples, at least {_SAMPLES_MIN} are needed",
            help="one part is for training, the other for testing",
        )
    order = np.random.default_rng(seed).permutation(len(samples)).astype(np.int64)
    kept = max(1, round(_HELD_BACK * len(samples)))
    return samples.take(np.sort(order[kept:])), samples.take(np.sort(order[:kept]))


def expect_samples(data: DataSet, shape: Sequence[int]) -> DataSet:
    """Return data whose samples are of one kind and have a shape, with finite values.

    Raises:
        InputError: they are or have not.
    """
    kinds = [samples.values.dtype.name for samples in (data.training, data.test)]
    if kinds[0] != kinds[1]:
        raise InputError(
            f"{data.name}: samples for training are {kinds[0]}, those for testing {kinds[1]}",
            help="save both alike: uint8 is taken for pixels, which are scaled, other values stay",
        )
    for samples in (data.training, data.test):
        values = samples.values
        if values.shape[1:] != tuple(shape):
            raise InputError(
                f"{data.name}: samples are {list(values.shape[1:])}, the network takes "
                f"{list(shape)}",
                help="save samples as the network takes them, images as [N, H, W, C]",
            )
        expect_finite(data.name, values)
    return data


def expect_finite(name: str, values: npt.NDArray[np.generic]) -> None:
    """Check that samples are numbers.

    Raises:
        InputError: some are infinite or NaN.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InputError(
            f"{name}: some values are infinite or no number", help="look at the samples"
        )


def numbered(count: int) -> tuple[str, ...]:
    """Return what classes are called that have no names."""
    return tuple(map(str, range(count)))


def expect_outputs(data: DataSet, outputs: int) -> None:
    """Check that a network has an output for each class.

    Raises:
        InputError: it has more or fewer.
    """
    if len(data.classes) != outputs:
        raise InputError(
            f"{data.name} has {len(data.classes)} classes ({_listed(data.classes)}), the network "
            f"has {outputs} outputs",
            help="give the data that the network is for, one folder for each class; a .npz without "
            "samples of the last ones names all in an array 'classes'",
        )


def _listed(classes: Sequence[str]) -> str:
    shown = ", ".join(classes[:10])
    return shown if len(classes) <= 10 else f"{shown}, …"
