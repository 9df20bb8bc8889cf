"""How often activations take which values, and the ranges that follow: all, most, or the best."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from penstock.quantize.affine import choose_activation_parameters
from penstock.quantize.observers import ValueRange

BINS_MAX = 2048
_PERCENTILE = 0.9999
_CLIPS = np.linspace(0.3, 1.0, 36)
"""Shares of an end that the search for the least error tries."""

Reals = npt.NDArray[np.floating]


class RangeRule(Enum):
    """Which part of what was seen a quantization covers; the value is its name for users."""

    ALL = "minmax"  # the smallest to the largest value
    MOST = "percentile"  # all but one in ten thousand, half of them at each end
    BEST = "mse"  # what makes the mean squared error least, rounding and clipping together


@dataclass
class Histogram:
    """Counts of values in bins whose width is a power of two, so that bins can be joined.

    Attributes:
        low: smallest value seen.
        high: largest.
        exponent: bins are 2^exponent wide.
        first: number of the first bin: it begins at ``first · 2^exponent``.
        counts: of each bin.
    """

    low: float
    high: float
    exponent: int
    first: int
    counts: npt.NDArray[np.int64]

    @property
    def centres(self) -> npt.NDArray[np.float64]:
        """The middle of each bin, within what was seen."""
        middles = np.ldexp(self.first + np.arange(len(self.counts)) + 0.5, self.exponent)
        return np.asarray(np.clip(middles, self.low, self.high), np.float64)


class HistogramObserver:
    """Collects a histogram of each tensor over any number of batches."""

    def __init__(self) -> None:
        self._histograms: dict[str, Histogram] = {}

    def observe(self, tensor: str, values: Reals) -> None:
        """Take one batch of a tensor's values into account; an empty batch changes nothing."""
        if values.size == 0:
            return
        seen = _count(values.astype(np.float64).ravel())
        known = self._histograms.get(tensor)
        self._histograms[tensor] = seen if known is None else _join(known, seen)

    def ranges(self, rule: RangeRule) -> Mapping[str, ValueRange]:
        """Return the range of each tensor observed so far."""
        choose = _RULES[rule]
        return {name: choose(histogram) for name, histogram in self._histograms.items()}


def _count(values: npt.NDArray[np.float64]) -> Histogram:
    low, high = float(values.min()), float(values.max())
    extent = max(high - low, abs(high) * 2.0**-20, 2.0**-100)
    exponent = int(np.ceil(np.log2(extent / (BINS_MAX / 2))))
    bins = np.floor(np.ldexp(values, -exponent)).astype(np.int64)
    first = int(bins.min())
    return Histogram(low, high, exponent, first, np.bincount(bins - first))


def _join(one: Histogram, other: Histogram) -> Histogram:
    exponent = max(one.exponent, other.exponent)
    while True:
        parts = [_coarser(part, exponent) for part in (one, other)]
        first = min(part.first for part in parts)
        end = max(part.first + len(part.counts) for part in parts)
        if end - first <= BINS_MAX:
            break
        exponent += 1
    counts = np.zeros(end - first, np.int64)
    for part in parts:
        counts[part.first - first : part.first - first + len(part.counts)] += part.counts
    low, high = min(one.low, other.low), max(one.high, other.high)
    return Histogram(low, high, exponent, first, counts)


def _coarser(histogram: Histogram, exponent: int) -> Histogram:
    shift = exponent - histogram.exponent
    bins = (histogram.first + np.arange(len(histogram.counts))) >> min(shift, 62)
    first = int(bins[0])
    counts = np.bincount(bins - first, weights=histogram.counts).astype(np.int64)
    return Histogram(histogram.low, histogram.high, exponent, first, counts)


def _all(histogram: Histogram) -> ValueRange:
    return ValueRange(histogram.low, histogram.high)


def _most(histogram: Histogram) -> ValueRange:
    below = np.cumsum(histogram.counts) / histogram.counts.sum()
    tail = (1 - _PERCENTILE) / 2
    centres = histogram.centres
    low = centres[int(np.searchsorted(below, tail, side="right"))]
    high = centres[int(np.searchsorted(below, 1 - tail, side="left"))]
    # A tail of less than one value is none.
    is_cut = histogram.counts.sum() * tail >= 1
    return ValueRange(float(low), float(high)) if is_cut else _all(histogram)


def _best(histogram: Histogram) -> ValueRange:
    """Search both ends, each from all to a third of itself; 0 is always covered."""
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    centres, weights = histogram.centres, histogram.counts / histogram.counts.sum()
    lows = low * _CLIPS if low < 0 else np.array([0.0])
    highs = high * _CLIPS if high > 0 else np.array([0.0])
    errors = {(a, b): _error(centres, weights, float(a), float(b)) for a in lows for b in highs}
    best = min(errors, key=lambda ends: (errors[ends], ends[0] - ends[1]))
    return ValueRange(float(best[0]), float(best[1]))


def _error(
    centres: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], low: float, high: float
) -> float:
    """Return the mean squared error of values that are rounded and clipped to int8."""
    parameters = choose_activation_parameters(low, high)
    scale, zero_point = parameters.scale[0], parameters.zero_point[0]
    steps = np.clip(np.rint(centres / scale) + zero_point, -128, 127)
    return float(np.sum(weights * ((steps - zero_point) * scale - centres) ** 2))


_RULES: Mapping[RangeRule, Callable[[Histogram], ValueRange]] = {
    RangeRule.ALL: _all,
    RangeRule.MOST: _most,
    RangeRule.BEST: _best,
}
