"""Constants of fully connected layers: they make of sums what the reference makes in doubles."""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from penstock.ir.integer_parameters import fully_connected_scales
from penstock.ir.interpreter.requantization import round_half_away
from penstock.ir.operators import FullyConnected
from penstock.kernels.selection.dsp import SHIFT_MAX, channel_sums
from penstock.kernels.selection.site import Site

_LEVELS = range(-127, 128)
"""Outputs that int8 can tell from the next lower one."""
_WORD_BITS, _MULTIPLIER_BITS = 32, 31
_NEIGHBOURS = 8

Row = tuple[int, int, int, int]
_Integers = npt.NDArray[np.int64]


def split_real(factor: float) -> tuple[int, int]:
    """Return m in [2^52, 2^53) and e with factor = m · 2^e."""
    fraction, exponent = math.frexp(factor)
    return int(fraction * 2**53), exponent - 53


def real_scaling(
    site: Site, operator: FullyConnected, filters: _Integers
) -> npt.NDArray[np.int32] | None:
    """Return how sums become outputs, ``[channels, 4]``; None where 31 bits cannot say it.

    A row is a multiplier, a shift and the halves of a start, lower first: an output is
    ``((sum · multiplier + start) >> 32) >> shift`` before it is limited to int8.
    """
    sums = channel_sums(site, operator, filters)
    if sums is None:
        return None
    factors = fully_connected_scales(site.graph, operator)
    zero_point = site.tensor(operator.output).zero_point
    rows = []
    for bias, factor, bound in zip(sums[0], factors, sums[1], strict=True):
        row = _row(int(bias), factor, int(bound), zero_point)
        if row is None:
            return None
        rows.append(row)
    return np.array(rows, np.int32)


@lru_cache(maxsize=1 << 14)  # a graph is lowered several times, to compare kernels
def _row(bias: int, factor: float, bound: int, zero_point: int) -> Row | None:
    shift = max(-math.frexp(factor)[1] - 1, 0)
    if factor >= 1 / 2 or shift >= SHIFT_MAX:
        return None
    levels = np.array(_LEVELS, np.int64)
    least = _least_sums(factor, levels - zero_point, bound)
    if least is None:
        return None
    found = _find_line(factor, shift, levels << (_WORD_BITS + shift), least, bound)
    if found is None:
        return None
    multiplier, start = found
    start += bias * multiplier
    lower = (start + (1 << 31)) % (1 << 32) - (1 << 31)
    upper = start >> 32
    return multiplier, shift, lower, upper


def _least_sums(factor: float, values: _Integers, bound: int) -> _Integers | None:
    """Return the least sums that the reference makes at least these values of.

    Products of doubles only grow with the sum. What no sum within the bound reaches is put beyond
    it. None where doubles put one elsewhere than next to where exact arithmetic does.
    """
    mantissa, exponent = split_real(factor)
    halves = [(2 * int(value) - 1) << (-exponent - 1) for value in values]
    # Halves are rounded away from zero: up to the positive ones, down to the others.
    exact = [-(-h // mantissa) if h > 0 else h // mantissa + 1 for h in halves]
    nearest = np.array([min(max(at, -bound), bound + 1) for at in exact], np.int64)
    candidates = nearest[:, None] + np.arange(-2, 3)
    reached = round_half_away(candidates * factor) >= values[:, None]
    reached[:, -1] |= nearest + 2 > bound
    is_known = ~reached[:, 0] | (nearest - 2 <= -bound)
    if not np.all(is_known & reached[:, -1]):
        return None
    first = np.argmax(reached, axis=1)
    least: _Integers = np.clip(nearest - 2 + first, -bound, bound + 1)
    return least


def _find_line(
    factor: float, shift: int, heights: _Integers, least: _Integers, bound: int
) -> tuple[int, int] | None:
    """Return multiplier and start of a line that reaches each height at its least sum, not before.

    It is the multiplier next to the factor that leaves the start the most room.
    """
    nearest = round(math.ldexp(factor, _WORD_BITS + shift))
    offsets = np.arange(-_NEIGHBOURS, _NEIGHBOURS + 1)
    multipliers = (nearest + offsets).astype(np.int64)[:, None]
    is_reached, is_begun = least <= bound, least > -bound
    room = np.iinfo(np.int64)
    lowest = np.where(is_reached, heights - least * multipliers, room.min).max(axis=1)
    highest = np.where(is_begun, heights - (least - 1) * multipliers - 1, room.max).min(axis=1)
    rooms = [(int(low), int(high)) for low, high in zip(lowest, highest, strict=True)]
    fitting = [n for n in range(len(rooms)) if multipliers[n, 0] < 1 << _MULTIPLIER_BITS]
    best = max(fitting, key=lambda n: rooms[n][1] - rooms[n][0])
    low, high = rooms[best]
    multiplier = int(multipliers[best, 0])
    if low > high:
        return None
    if room.min in (low, high) or room.max in (low, high):  # all outputs are at a limit of int8
        return multiplier, high if low == room.min else low
    return multiplier, (low + high) // 2
