"""Sums of fully connected layers become the outputs that doubles make of them."""

import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.ir.interpreter.requantization import round_half_away
from penstock.kernels.selection import real_scaling

FACTORS = st.builds(math.ldexp, st.floats(0.5, 1, exclude_max=True), st.integers(-15, -1))
BOUNDS = st.integers(1, 1 << 24)
ZERO_POINTS = st.integers(-128, 127)


def expected(sums: np.ndarray, factor: float, zero_point: int) -> np.ndarray:
    return np.clip(round_half_away(sums * factor) + zero_point, -128, 127)


def outputs(row: tuple[int, int, int, int], products: np.ndarray) -> list[int]:
    """What the kernels compute, in integers that never overflow."""
    multiplier, shift, lower, upper = row
    start = (upper << 32) + lower % (1 << 32)
    scaled = [int(p) * multiplier + start for p in products]
    assert all(-(1 << 63) <= value < 1 << 63 for value in scaled)
    return [min(max(value >> 32 >> shift, -128), 127) for value in scaled]


def sums_of_interest(factor: float, zero_point: int, bound: int) -> np.ndarray:
    """Sums around those where the output changes, and the largest ones."""
    levels = np.arange(-128, 128) - zero_point + 0.5
    near = np.rint(levels / factor)[:, None] + np.arange(-2, 3)
    all_sums = np.concatenate([near.ravel(), [-bound, bound, -bound // 2, 0, bound // 3]])
    return np.unique(all_sums[np.abs(all_sums) <= bound]).astype(np.int64)


def has_ties(factor: float, sums: np.ndarray) -> bool:
    """Whether products are so near to halves that doubles round some of them up, some down."""
    return bool(np.sum(np.abs(np.abs(sums * factor) % 1 - 0.5) < 1e-9) > 1)


def test_what_doubles_round_both_ways_is_refused() -> None:
    """0.35 is a little less in binary: 70 times that rounds to 24.5, 90 times that not to 31.5."""
    sums = np.array([70, 90])
    assert (sums * 0.35 == [24.5, 31.5]).tolist() == [True, False]
    assert has_ties(0.35, sums)
    assert real_scaling._row(0, 0.35, 90, 0) is None


@given(FACTORS, BOUNDS, ZERO_POINTS, st.integers(-(1 << 24), 1 << 24))
def test_every_sum_becomes_what_doubles_make_of_it(
    factor: float, bound: int, zero_point: int, bias: int
) -> None:
    row = real_scaling._row(bias, factor, bound, zero_point)
    sums = sums_of_interest(factor, zero_point, bound)
    if row is None:
        assert has_ties(factor, sums)
        return
    assert outputs(row, sums - bias) == expected(sums, factor, zero_point).tolist()


@given(
    st.builds(math.ldexp, st.floats(0.5, 1, exclude_max=True), st.integers(-22, -16)),
    st.integers(1, 1 << 29),
    ZERO_POINTS,
)
def test_small_factors_are_exact_or_refused(factor: float, bound: int, zero_point: int) -> None:
    row = real_scaling._row(0, factor, bound, zero_point)
    if row is not None:
        sums = sums_of_interest(factor, zero_point, bound)
        assert outputs(row, sums) == expected(sums, factor, zero_point).tolist()


@pytest.mark.parametrize("factor", [0.5, 0.75, 1.0, 3.0, 0.99 * 2.0**-23, 2.0**-30])
def test_factors_outside_the_range_are_refused(factor: float) -> None:
    assert real_scaling._row(0, factor, 1000, 0) is None


def test_without_room_for_a_line_a_factor_is_refused() -> None:
    """Thresholds as no factor has them: each is a little late, or a little early."""
    crooked = real_scaling._least_sums(0.001, np.arange(-127, 128), 1 << 20)
    assert crooked is not None
    crooked[::2] += 3
    with mock.patch.object(real_scaling, "_least_sums", return_value=crooked):
        assert real_scaling._row(0, 0.001, 1 << 20, 0) is None


@pytest.mark.parametrize("zero_point", [-128, 127])
def test_outputs_that_are_all_at_a_limit(zero_point: int) -> None:
    row = real_scaling._row(5, 0.25, 1, zero_point)
    assert row is not None
    sums = np.array([-1, 0, 1])
    assert outputs(row, sums - 5) == expected(sums, 0.25, zero_point).tolist()
