"""Time of a planned network without running it: a cost model fitted to the virtual boards."""

from penstock.planning.estimate.accuracy import Homes, StatedError
from penstock.planning.estimate.estimate import (
    Estimate,
    OperatorEstimate,
    estimate_plan,
    estimate_program,
)

__all__ = [
    "Estimate",
    "Homes",
    "OperatorEstimate",
    "StatedError",
    "estimate_plan",
    "estimate_program",
]
