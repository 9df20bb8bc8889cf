"""The float32 exponential as C libraries compute it, in double precision.

``exp(x) = 2^(k/32) · e^r`` with k the nearest integer to ``32 x / ln 2``: a table of 32 doubles and
a cubic polynomial, without fused multiply-add. Its results are those of glibc's ``expf`` (from
2.28), which LiteRT calls: one that rounds correctly would differ once in some hundred thousand
values, and the running sum of a softmax would spread that to whole rows.

Source: Arm Optimized Routines, math/expf.c (MIT).
"""

from decimal import Decimal

import numpy as np
import numpy.typing as npt

TABLE_SIZE = 32
POWERS_OF_TWO = tuple(float(Decimal(2) ** (Decimal(i) / TABLE_SIZE)) for i in range(TABLE_SIZE))
"""2^(i/32), each the nearest double."""

STEPS_PER_UNIT = float.fromhex("0x1.71547652b82fep+0") * TABLE_SIZE
"""32 / ln 2."""

POLYNOMIAL = (
    float.fromhex("0x1.c6af84b912394p-5") / TABLE_SIZE**3,
    float.fromhex("0x1.ebfce50fac4f3p-3") / TABLE_SIZE**2,
    float.fromhex("0x1.62e42ff0c52d6p-1") / TABLE_SIZE,
)
"""Coefficients of r³, r² and r, where r is measured in steps; the constant is 1."""

_SMALLEST = -200.0  # far below where float32 results are 0


def exp_float32(value: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return exponentials; 0 below about −104, infinity above about 88.7."""
    limited = np.clip(value.astype(np.float64), _SMALLEST, -_SMALLEST)
    finite = np.nan_to_num(limited, nan=0.0)
    scaled = finite * STEPS_PER_UNIT
    steps = np.rint(scaled)
    rest = scaled - steps
    whole = steps.astype(np.int64)
    power = np.ldexp(np.array(POWERS_OF_TWO)[whole % TABLE_SIZE], whole // TABLE_SIZE)
    cubic, square, linear = POLYNOMIAL
    polynomial = (cubic * rest + square) * (rest * rest) + (linear * rest + 1.0)
    with np.errstate(over="ignore", under="ignore"):
        result = np.asarray(polynomial * power, np.float32)
    return np.where(np.isnan(value), value, result)
