"""What is learnt about activations while real data flows through a network."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class ValueRange:
    """The smallest and largest real value that a tensor took."""

    low: float
    high: float

    def union(self, other: "ValueRange") -> "ValueRange":
        """Return the smallest range that holds both."""
        return ValueRange(min(self.low, other.low), max(self.high, other.high))


class MinMaxObserver:
    """Collects the range of each tensor over any number of batches."""

    def __init__(self) -> None:
        self._ranges: dict[str, ValueRange] = {}

    def observe(self, tensor: str, values: npt.NDArray[np.floating]) -> None:
        """Take one batch of a tensor's values into account; an empty batch changes nothing."""
        if values.size == 0:
            return
        seen = ValueRange(float(values.min()), float(values.max()))
        known = self._ranges.get(tensor)
        self._ranges[tensor] = seen if known is None else known.union(seen)

    @property
    def ranges(self) -> Mapping[str, ValueRange]:
        """The range of each tensor observed so far."""
        return dict(self._ranges)


class ChannelMeanObserver:
    """Collects the mean of each channel, the last dimension, of each tensor over all batches."""

    def __init__(self) -> None:
        self._sums: dict[str, npt.NDArray[np.float64]] = {}
        self._counts: dict[str, int] = {}

    def observe(self, tensor: str, values: npt.NDArray[np.floating]) -> None:
        """Take a batch ``[..., channels]`` of a tensor into account; an empty one adds nothing."""
        if values.size == 0:
            return
        rows = values.reshape(-1, values.shape[-1])
        sums = rows.sum(axis=0, dtype=np.float64)
        self._sums[tensor] = self._sums.get(tensor, 0.0) + sums
        self._counts[tensor] = self._counts.get(tensor, 0) + len(rows)

    @property
    def means(self) -> Mapping[str, npt.NDArray[np.float64]]:
        """The mean of each channel of each tensor observed so far."""
        return {name: total / self._counts[name] for name, total in self._sums.items()}
