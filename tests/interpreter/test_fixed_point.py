"""Vectorized fixed-point arithmetic against its definition in exact Python integers."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.ir.fixed_point import (
    INT32_MAX,
    INT32_MIN,
    Multiplier,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_mul,
    wrap_int32,
)
from penstock.ir.interpreter.requantization import requantize_channels, scale_int64

INT32 = st.one_of(st.integers(INT32_MIN, INT32_MAX), st.sampled_from([INT32_MIN, INT32_MAX, -1, 0]))
MULTIPLIERS = st.integers(1 << 30, INT32_MAX)


def truncate(value: Fraction) -> int:
    return math.trunc(value)


def high_mul(a: int, b: int) -> int:
    """As gemmlowp writes it: a nudge of the product's sign, then division towards zero."""
    nudge = 1 << 30 if a * b >= 0 else 1 - (1 << 30)
    return min(truncate(Fraction(a * b + nudge, 1 << 31)), INT32_MAX)


def divide(value: int, exponent: int) -> int:
    """Nearest, ties away from zero."""
    quotient = Fraction(abs(value), 1 << exponent)
    return math.copysign(1, value) * math.floor(quotient + Fraction(1, 2)) if value else 0


@given(INT32, INT32)
def test_high_mul(a: int, b: int) -> None:
    assert saturating_rounding_doubling_high_mul(a, b) == high_mul(a, b)


@given(INT32, st.integers(0, 31))
def test_rounding_division(value: int, exponent: int) -> None:
    assert rounding_divide_by_power_of_two(value, exponent) == divide(value, exponent)


@given(INT32, MULTIPLIERS, st.integers(-31, 30))
def test_product_is_rounded_twice(value: int, multiplier: int, shift: int) -> None:
    raised = int(wrap_int32(value << max(shift, 0)))
    expected = divide(high_mul(raised, multiplier), max(-shift, 0))
    assert multiply_by_quantized_multiplier(value, multiplier, shift) == expected


@given(st.integers(-(1 << 46), 1 << 46), MULTIPLIERS, st.integers(-31, 7))
def test_wide_product_has_a_multiplier_of_15_bits(value: int, multiplier: int, shift: int) -> None:
    reduced = min((multiplier + (1 << 15)) >> 16, 0x7FFF)
    exact = Fraction(value * reduced, 1) / Fraction(2) ** (15 - shift)
    assert scale_int64(value, multiplier, shift) == math.floor(exact + Fraction(1, 2))


@given(st.floats(1e-12, 2.0**29))
def test_multiplier_is_the_nearest(real: float) -> None:
    found = quantize_multiplier(real)
    if found.multiplier == 0:
        assert real < 2.0**-31
        return
    assert (1 << 30) <= found.multiplier <= INT32_MAX
    error = abs(Fraction(found.multiplier) * Fraction(2) ** (found.shift - 31) - Fraction(real))
    assert error <= Fraction(2) ** (found.shift - 32)


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (0.0, Multiplier(0, 0)),
        (1.0, Multiplier(1 << 30, 1)),
        (0.5, Multiplier(1 << 30, 0)),
        (2.0**-40, Multiplier(0, 0)),
        (2.0**31, Multiplier(INT32_MAX, 30)),
        (1.0 - 2.0**-40, Multiplier(1 << 30, 1)),
    ],
)
def test_multipliers_at_the_ends(real: float, expected: Multiplier) -> None:
    assert quantize_multiplier(real) == expected


@settings(deadline=None)
@given(st.data())
def test_channels_are_requantized_as_single_values_are(data: st.DataObject) -> None:
    channels, wide = data.draw(st.integers(1, 5)), data.draw(st.booleans())
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    shifts = st.integers(-20, 0) if data.draw(st.booleans()) else st.integers(-20, 5)
    factors = [Multiplier(data.draw(MULTIPLIERS), data.draw(shifts)) for _ in range(channels)]
    values = rng.integers(-(1 << 20), 1 << 20, (7, channels))
    found = requantize_channels(values, factors, 3, (-100, 90), np.dtype(np.int8), wide=wide)
    scale = scale_int64 if wide else multiply_by_quantized_multiplier
    expected = [
        [
            min(max(int(scale(value, factor.multiplier, factor.shift)) + 3, -100), 90)
            for value, factor in zip(row, factors, strict=True)
        ]
        for row in values
    ]
    assert found.tolist() == expected
