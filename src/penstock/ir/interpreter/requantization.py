"""From accumulators to quantized outputs, channel by channel, fast and in bounded memory."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from penstock.ir.fixed_point import (
    IntArray,
    Multiplier,
    multiply_by_quantized_multiplier,
    rounding_divide_by_power_of_two,
)
from penstock.ir.tensor import Array

_CHUNK_ELEMENTS = 1 << 17  # int64 temporaries stay within the processor's cache


def clamp(value: npt.ArrayLike, limits: tuple[int, int], dtype: np.dtype[np.generic]) -> Array:
    """Return integers limited to a smallest and a largest value, as elements of ``dtype``."""
    return np.asarray(np.clip(np.asarray(value, np.int64), *limits)).astype(dtype)


def round_half_away(value: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return the nearest integers, ties away from zero, as C's ``round``; in the same type."""
    magnitude = np.abs(value)
    whole = np.floor(magnitude)
    # Adding 0.5 before the floor would round 0.49999997 to 1.
    return np.asarray(np.copysign(whole + (magnitude - whole >= 0.5), value))


def scale_int32(value: npt.ArrayLike, factor: Multiplier) -> IntArray:
    """Return int32 values times one factor, rounded as the reference kernels do."""
    return multiply_by_quantized_multiplier(value, factor.multiplier, factor.shift)


def scale_int64(value: npt.ArrayLike, multiplier: npt.ArrayLike, shift: npt.ArrayLike) -> IntArray:
    """Return int64 accumulators times a factor whose multiplier is rounded to 15 bits.

    Source: tflite/kernels/internal/common.cc, MultiplyByQuantizedMultiplier for int64.
    """
    wide = np.asarray(multiplier, np.int64)
    reduced = np.where(wide < 0x7FFF0000, (wide + (1 << 15)) >> 16, 0x7FFF)
    right_shift = 15 - np.asarray(shift, np.int64)
    product = np.asarray(value, np.int64) * reduced
    return np.asarray((product + (np.int64(1) << (right_shift - 1))) >> right_shift)


def requantize_channels(
    accumulators: Array,
    factors: Sequence[Multiplier],
    zero_point: int,
    limits: tuple[int, int],
    dtype: np.dtype[np.generic],
    *,
    wide: bool,
) -> Array:
    """Return ``accumulator · factor + zero_point`` clamped to limits, factors by last dimension.

    Args:
        accumulators: integers, channels last; int32 range unless ``wide``.
        factors: one for each channel.
        zero_point: of the output.
        limits: smallest and largest output.
        dtype: of the output.
        wide: accumulators are int64 and scaled by `scale_int64` (int16 activations).
    """
    channels = len(factors)
    multipliers = np.array([factor.multiplier for factor in factors], np.int64)
    shifts = np.array([factor.shift for factor in factors], np.int64)
    rows = accumulators.reshape(-1, channels)
    output = np.empty(rows.shape, dtype)
    step = max(1, _CHUNK_ELEMENTS // channels)
    scale: Callable[..., IntArray] = scale_int64 if wide else _scale_function(shifts)
    for first in range(0, len(rows), step):
        chunk = scale(rows[first : first + step].astype(np.int64), multipliers, shifts)
        chunk += zero_point
        output[first : first + step] = np.clip(chunk, *limits, out=chunk)
    return output.reshape(accumulators.shape)


def _scale_function(shifts: IntArray) -> Callable[[IntArray, IntArray, IntArray], IntArray]:
    return _scale_right if (shifts <= 0).all() else multiply_by_quantized_multiplier


def _scale_right(value: IntArray, multipliers: IntArray, shifts: IntArray) -> IntArray:
    """Scale int32 values in place by factors below 1: `multiply_by_quantized_multiplier`."""
    value *= multipliers
    value += 1 << 30
    value >>= 31
    return rounding_divide_by_power_of_two(value, -shifts)
