"""Integer arithmetic of requantization, exactly as TensorFlow Lite's reference kernels do it.

A real multiplier is held as ``multiplier · 2^(shift − 31)`` with a 31-bit multiplier
(Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", 2018, section 2.2). Functions take and return arrays and work element by element.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Multiplier:
    """A real factor as ``multiplier · 2^(shift − 31)``.

    Attributes:
        multiplier: 0, or within [2^30, 2^31).
        shift: left shift when positive, right shift when negative; within [−31, 30].
    """

    multiplier: int
    shift: int


def quantize_multiplier(real: float) -> Multiplier:
    """Return the nearest 31-bit multiplier of a real factor ≥ 0.

    Factors below 2^-32 become 0 and factors of 2^30 and above saturate, as in TensorFlow Lite.
    """
    if real == 0.0:
        return Multiplier(0, 0)
    fraction, shift = math.frexp(real)
    # Ties away from zero, like std::round: Python's round() goes to even.
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return Multiplier(0, 0)
    if shift > 30:
        return Multiplier(INT32_MAX, 30)
    return Multiplier(multiplier, shift)


def saturating_rounding_doubling_high_mul(a: npt.ArrayLike, b: npt.ArrayLike) -> IntArray:
    """Return ``a · b / 2^31`` of int32 values rounded to nearest, ties up, saturated.

    Source: gemmlowp fixedpoint.h, SaturatingRoundingDoublingHighMul. It adds a nudge of the
    product's sign and truncates towards zero, which is the same as this floor for both signs.
    """
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.asarray(np.minimum((product + (1 << 30)) >> 31, INT32_MAX))


def rounding_divide_by_power_of_two(value: npt.ArrayLike, exponent: npt.ArrayLike) -> IntArray:
    """Return ``value / 2^exponent`` rounded to nearest, ties away from zero; exponent in [0, 31].

    Source: gemmlowp fixedpoint.h, RoundingDivideByPOT.
    """
    number, power = np.asarray(value, np.int64), np.asarray(exponent, np.int64)
    half = (np.int64(1) << power) >> 1
    return np.asarray((number + half - ((number < 0) & (power > 0))) >> power)


def multiply_by_quantized_multiplier(
    value: npt.ArrayLike, multiplier: npt.ArrayLike, shift: npt.ArrayLike
) -> IntArray:
    """Return int32 ``value`` times the factor, rounded twice as the reference kernels do.

    The left shift wraps to 32 bits like the C code's would.
    """
    shifts = np.asarray(shift, np.int64)
    left = wrap_int32(np.asarray(value, np.int64) << np.maximum(shifts, 0))
    high = saturating_rounding_doubling_high_mul(left, multiplier)
    return rounding_divide_by_power_of_two(high, np.maximum(-shifts, 0))


def wrap_int32(value: npt.ArrayLike) -> IntArray:
    """Return values reduced to int32 range as two's complement arithmetic does."""
    return ((np.asarray(value, np.int64) + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
