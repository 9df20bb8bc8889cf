"""Histograms of activations, and the ranges that follow from them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from penstock.quantize.affine import choose_activation_parameters
from penstock.quantize.histograms import BINS_MAX, HistogramObserver, RangeRule
from penstock.quantize.observers import MinMaxObserver

BATCHES = st.lists(
    arrays(
        np.float32,
        st.integers(0, 60),
        elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False),
    ),
    min_size=1,
    max_size=5,
)


def squared_error(values: np.ndarray, low: float, high: float) -> float:
    parameters = choose_activation_parameters(low, high)
    scale, zero = parameters.scale[0], parameters.zero_point[0]
    steps = np.clip(np.rint(values / scale) + zero, -128, 127)
    return float(np.mean(((steps - zero) * scale - values) ** 2))


@given(BATCHES)
def test_whole_ranges_are_those_of_the_plain_observer(batches: list[np.ndarray]) -> None:
    histograms, plain = HistogramObserver(), MinMaxObserver()
    for batch in batches:
        histograms.observe("a", batch)
        plain.observe("a", batch)
    assert histograms.ranges(RangeRule.ALL) == plain.ranges


@given(BATCHES)
def test_no_value_is_lost_and_bins_stay_few(batches: list[np.ndarray]) -> None:
    observer = HistogramObserver()
    for batch in batches:
        observer.observe("a", batch)
    everything = np.concatenate(batches).astype(np.float64)
    if not everything.size:
        return
    histogram = observer._histograms["a"]
    assert histogram.counts.sum() == everything.size
    assert len(histogram.counts) <= BINS_MAX + 1
    found = np.repeat(histogram.centres, histogram.counts)
    width = 2.0**histogram.exponent
    assert np.abs(found - np.sort(everything)).max() <= width


@given(BATCHES)
@settings(deadline=None)
def test_narrower_ranges_lie_within_the_whole(batches: list[np.ndarray]) -> None:
    observer = HistogramObserver()
    for batch in batches:
        observer.observe("a", batch)
    for rule in (RangeRule.MOST, RangeRule.BEST):
        for name, chosen in observer.ranges(rule).items():
            whole = observer.ranges(RangeRule.ALL)[name]
            assert min(whole.low, 0) <= chosen.low <= chosen.high <= max(whole.high, 0)


def test_outliers_are_left_out() -> None:
    values = np.random.default_rng(0).normal(size=200_000)
    values[7], values[8] = 1000.0, -400.0
    observer = HistogramObserver()
    for batch in np.split(values, 10):
        observer.observe("a", batch)
    most, best = (observer.ranges(rule)["a"] for rule in (RangeRule.MOST, RangeRule.BEST))
    exact = np.quantile(values, [0.00005, 0.99995])
    assert [most.low, most.high] == pytest.approx(exact, abs=2.0)
    assert best.high < 1000.0 and best.low > -400.0


@pytest.mark.parametrize("shape", ["normal", "rectified", "uniform", "heavy"])
def test_the_best_range_is_about_the_best_of_all(shape: str) -> None:
    """Of those whose ends are from 0.3 to all of the whole range's, each tried."""
    generator = np.random.default_rng(1)
    values = generator.normal(size=50_000)
    if shape == "rectified":
        values = np.maximum(values, 0)
    elif shape == "uniform":
        values = generator.uniform(-2, 3, size=50_000)
    elif shape == "heavy":
        values = generator.laplace(size=50_000)
    observer = HistogramObserver()
    observer.observe("a", values)
    best, whole = (observer.ranges(rule)["a"] for rule in (RangeRule.BEST, RangeRule.ALL))
    shares = np.linspace(0.3, 1, 15)
    tried = [squared_error(values, whole.low * a, whole.high * b) for a in shares for b in shares]
    error = squared_error(values, best.low, best.high)
    assert error <= 1.05 * min(tried)
    if shape == "uniform":  # nothing is far out: nothing is cut
        assert (best.low, best.high) == pytest.approx((whole.low, whole.high), rel=0.03)
