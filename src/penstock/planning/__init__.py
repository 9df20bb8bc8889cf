"""Planning: where every byte of a kernel program lives, and for how long."""

from penstock.planning.execution_plan import ALIGNMENT_BYTES, Arena, ExecutionPlan, Placement
from penstock.planning.overlaid import plan_model, plan_on_board
from penstock.planning.plan import plan_arena, plan_execution
from penstock.planning.text import format_plan
from penstock.planning.validate import validate_plan

__all__ = [
    "ALIGNMENT_BYTES",
    "Arena",
    "ExecutionPlan",
    "Placement",
    "format_plan",
    "plan_arena",
    "plan_execution",
    "plan_model",
    "plan_on_board",
    "validate_plan",
]
