"""Integers of four bits, two to a byte: the first in the lower half."""

import numpy as np
import numpy.typing as npt

from penstock.ir.tensor import Array

NIBBLE_RANGE = (-8, 7)


def fits_nibbles(values: Array) -> bool:
    """Return whether all values have four bits."""
    low, high = NIBBLE_RANGE
    wide = values.astype(np.int64)
    return bool(((wide >= low) & (wide <= high)).all())


def pack_nibbles(values: Array) -> npt.NDArray[np.uint8]:
    """Return values that `fits_nibbles`, in order, as bytes; the last half may be empty."""
    halves = np.zeros(values.size + values.size % 2, np.uint8)
    halves[: values.size] = values.reshape(-1).astype(np.int8).view(np.uint8) & 0x0F
    return np.asarray(halves[0::2] | halves[1::2] << 4, np.uint8)


def unpack_nibbles(packed: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.int8]:
    """Return the first ``count`` values of such bytes."""
    halves = np.stack([packed & 0x0F, packed >> 4], axis=-1).reshape(-1)[:count]
    return np.asarray(((halves ^ 8).astype(np.int8) - 8), np.int8)
