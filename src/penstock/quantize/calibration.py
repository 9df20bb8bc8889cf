"""What a float network's values are over real data: the ranges that quantization needs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penstock.errors import InputError
from penstock.ir import interpreter
from penstock.ir.graph import Graph
from penstock.quantize.histograms import HistogramObserver, RangeRule
from penstock.quantize.observers import ChannelMeanObserver, ValueRange


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """What was seen of each input and computed tensor, by name.

    Attributes:
        ranges: that a rule chose.
        means: of each channel.
    """

    ranges: Mapping[str, ValueRange]
    means: Mapping[str, npt.NDArray[np.float64]]


class Observer:
    """Looks at the values of tensors, whoever computes them."""

    def __init__(self) -> None:
        self._values, self._means = HistogramObserver(), ChannelMeanObserver()

    def observe(self, tensor: str, seen: npt.NDArray[np.float32]) -> None:
        """Take values of a tensor into account, in the graph's order.

        Raises:
            InputError: one is infinite or no number.
        """
        _expect_finite(tensor, seen)
        self._values.observe(tensor, seen)
        self._means.observe(tensor, seen)

    def observations(self, rule: RangeRule) -> Observations:
        """Return what was seen, with the ranges that a rule chooses."""
        return Observations(self._values.ranges(rule), self._means.means)


def calibrate(
    graph: Graph, samples: Iterable[npt.NDArray[np.float32]], rule: RangeRule
) -> Observations:
    """Run a float32 graph with one input over samples and look at every tensor.

    Raises:
        InputError: a value is infinite or no number.
    """
    observer = Observer()
    for sample in samples:
        # What overflows is seen below, and said with the tensor that it befalls.
        with np.errstate(all="ignore"):
            computed = interpreter.trace(graph, [sample])
        for name, array in computed.items():
            observer.observe(name, np.asarray(array, np.float32))
    return observer.observations(rule)


def _expect_finite(tensor: str, seen: npt.NDArray[np.float32]) -> None:
    if not np.isfinite(seen).all():
        raise InputError(
            f"{tensor}: a calibration sample makes values that are infinite or no number",
            help="look for a sample out of range, or weights that have diverged",
        )
