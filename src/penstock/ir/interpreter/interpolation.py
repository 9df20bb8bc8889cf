"""Functions of int16 values by a table of 513 points and linear interpolation.

Source: tflite/kernels/internal/common.h, LUTPopulate and LUTLookup for int16.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from penstock.ir.fixed_point import IntArray
from penstock.ir.interpreter.requantization import round_half_away

_STEPS = 512
_STEP_BITS = 7

Doubles = npt.NDArray[np.floating]


def interpolation_table(
    function: Callable[[Doubles], Doubles], domain: tuple[float, float]
) -> IntArray:
    """Return the table of a function with values in [−1, 1] over a domain of 65535 steps.

    Inner points are moved by half of the interpolation's error in the middle of their step.
    """
    scale = (domain[1] - domain[0]) / 65535.0
    zero_point = 32767 if domain[1] == 0.0 else -32768
    first, last = scale * (-32768 - zero_point), scale * (32767 - zero_point)
    output_scale = 2.0 / 65535.0
    to_steps = 65536.0 / (output_scale * 32767 - output_scale * -32768)
    step = (last - first) / _STEPS
    starts = first + np.arange(_STEPS) * step
    value = function(starts) * to_steps
    middle = function(starts + step / 2) * to_steps
    following = function(first + (np.arange(_STEPS) + 1) * step) * to_steps
    interpolated = round_half_away((following + round_half_away(value)) / 2)
    bias = round_half_away((interpolated - round_half_away(middle)) / 2)
    end = round_half_away(function(np.array([last])) * to_steps)
    table = np.concatenate([round_half_away(value) - bias, end])
    return np.asarray(np.clip(table, -32768, 32767), np.int64)


def interpolate(value: IntArray, table: IntArray) -> IntArray:
    """Return the function of int16 values."""
    index = (_STEPS // 2) + (value >> _STEP_BITS)
    offset = value & ((1 << _STEP_BITS) - 1)
    base = table[index]
    slope = table[index + 1] - base
    return np.asarray(base + ((slope * offset + (1 << (_STEP_BITS - 1))) >> _STEP_BITS))
