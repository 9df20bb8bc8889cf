"""Time of a planned network without running it: a cost model fitted to the virtual boards."""

from penstock.planning.estimate.accuracy import Homes, StatedError
from penstock.planning.estimate.estimate import Estimate, OperatorEstimate, estimate_program
from penstock.planning.estimate.plans import estimate_plan
from penstock.planning.estimate.timeline import OverlayTimeline, StepTime, estimate_overlaid

__all__ = [
    "Estimate",
    "Homes",
    "OperatorEstimate",
    "OverlayTimeline",
    "StatedError",
    "StepTime",
    "estimate_overlaid",
    "estimate_plan",
    "estimate_program",
]
