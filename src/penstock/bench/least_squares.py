"""Least squares without negative coefficients, by an active set: cost is never negative.

Source: C. L. Lawson and R. J. Hanson, Solving Least Squares Problems, 1974, chapter 23.
"""

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

_TOLERANCE = 1e-10
_ROUNDS_PER_COLUMN = 10


def fit_non_negative(matrix: Vector, wanted: Vector) -> Vector:
    """Return x ≥ 0 that minimizes |matrix · x − wanted|.

    Args:
        matrix: ``[m, n]``.
        wanted: ``[m]``.
    """
    count = matrix.shape[1]
    found, free = np.zeros(count), np.zeros(count, bool)
    tolerance = _TOLERANCE * float(np.abs(matrix).sum())
    for _ in range(_ROUNDS_PER_COLUMN * count):
        slope = matrix.T @ (wanted - matrix @ found)
        slope[free] = -np.inf
        if free.all() or slope.max() <= tolerance:
            break
        free[int(slope.argmax())] = True
        found, free = _descend(matrix, wanted, found, free)
    return found


def _descend(
    matrix: Vector, wanted: Vector, found: Vector, free: npt.NDArray[np.bool_]
) -> tuple[Vector, npt.NDArray[np.bool_]]:
    """Move to the best point of the free columns, fixing at 0 what would become negative."""
    free = free.copy()
    while free.any():
        best = np.zeros_like(found)
        best[free] = np.linalg.lstsq(matrix[:, free], wanted, rcond=None)[0]
        if best[free].min() > 0:
            return best, free
        blocking = free & (best <= 0)
        step = float(np.min(found[blocking] / (found[blocking] - best[blocking])))
        found = found + step * (best - found)
        free &= found > _TOLERANCE
        found = np.where(free, found, 0.0)
    return np.zeros_like(found), free
