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


def calibrate(
    graph: Graph, samples: Iterable[npt.NDArray[np.float32]], rule: RangeRule
) -> Observations:
    """Run a float32 graph with one input over samples and look at every tensor.

    Raises:
        InputError: a value is infinite or no number.
    """
    values, means = HistogramObserver(), ChannelMeanObserver()
    for sample in samples:
        # What overflows is seen below, and said with the tensor that it befalls.
        with np.errstate(all="ignore"):
            computed = interpreter.trace(graph, [sample])
        for name, array in computed.items():
            seen = np.asarray(array, np.float32)
            _expect_finite(name, seen)
            values.observe(name, seen)
            means.observe(name, seen)
    return Observations(values.ranges(rule), means.means)


def _expect_finite(tensor: str, seen: npt.NDArray[np.float32]) -> None:
    if not np.isfinite(seen).all():
        raise InputError(
            f"{tensor}: a calibration sample makes values that are infinite or no number",
            help="look for a sample out of range, or weights that have diverged",
        )
