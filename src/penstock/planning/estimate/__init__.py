"""Time of a planned network without running it: a cost model fitted to the virtual boards."""

from penstock.planning.estimate.estimate import (
    ERROR_MEDIAN,
    ERROR_WORST,
    Estimate,
    OperatorEstimate,
    estimate_plan,
    estimate_program,
)

__all__ = [
    "ERROR_MEDIAN",
    "ERROR_WORST",
    "Estimate",
    "OperatorEstimate",
    "estimate_plan",
    "estimate_program",
]
