"""The estimate of a model's time on a board, as people and JSON readers see it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from penstock.planning.estimate import Estimate
from penstock.planning.execution_plan import ExecutionPlan
from penstock.report.filters import EncodedFilters, encoded_filters, filters_to_json
from penstock.report.results import Truth


@dataclass(frozen=True, slots=True)
class EstimateResult:
    """What a model is expected to take; an estimate, never measured or simulated.

    Attributes:
        board: name of the board.
        weights_in: memory that the plan puts the weights in.
        arena_in: the same of the activations.
        clock_hz: of the core.
        cycles: of one inference with cold caches.
        latency_ms: the same as time.
        error_median: half of the estimates compared with simulations were at least so near,
            relative; None where none like this one was compared.
        error_worst: all of them were at least so near.
        compared: how many that are: of the same core, with weights and arena in such memories.
        compared_on: boards that they are for.
        is_board_compared: whether that is this board.
        weights_kind: of memory, which the comparisons have in common.
        arena_kind: the same of the activations.
        compiler: whose machine code was fitted.
        overlays: whether DMA brings weights, and what does not fit the arena, tile by tile.
        dma_wait_cycles: of ``cycles``, waiting for it; None without overlays.
        weights_bytes: all constants, as they are stored.
        filters: what of them is stored in fewer bytes than int8 takes.
        operator_cycles: by position among the operators listed; those that run no code are left
            out.
    """

    board: str
    weights_in: str
    arena_in: str
    clock_hz: int
    cycles: int
    latency_ms: float
    error_median: float | None
    error_worst: float | None
    compared: int
    compared_on: tuple[str, ...]
    is_board_compared: bool
    weights_kind: str
    arena_kind: str
    compiler: str
    overlays: bool
    dma_wait_cycles: int | None
    weights_bytes: int
    filters: tuple[EncodedFilters, ...]
    operator_cycles: Mapping[int, int]

    def to_json(self) -> dict[str, Any]:
        """Return the fields with the kind of truth that they are."""
        fields = asdict(self)
        del fields["operator_cycles"]
        fields["filters"] = filters_to_json(self.filters)
        return {"truth": Truth.ESTIMATE.value, **fields}


def summarize_estimate(
    estimate: Estimate, plan: ExecutionPlan, *, by_source: bool
) -> EstimateResult:
    """Return an estimate for people.

    Args:
        estimate: of the plan.
        plan: for a board.
        by_source: whether operators are numbered as in the model file, or as after the passes.
    """
    assert plan.placement is not None
    cycles: dict[int, float] = {}
    for call, step in zip(plan.program.calls, estimate.operators, strict=True):
        source = plan.program.graph.operators[call.operator].source
        position = source if by_source else call.operator
        if position is not None:
            cycles[position] = cycles.get(position, 0.0) + step.cycles
    return EstimateResult(
        board=plan.board,
        weights_in=plan.placement.weights,
        arena_in=plan.placement.arena,
        clock_hz=estimate.clock_hz,
        cycles=estimate.cycles,
        latency_ms=1e3 * estimate.seconds,
        error_median=estimate.error.median,
        error_worst=estimate.error.worst,
        compared=estimate.error.count,
        compared_on=estimate.error.boards,
        is_board_compared=estimate.error.is_board_compared,
        weights_kind=estimate.error.homes.weights,
        arena_kind=estimate.error.homes.arena,
        compiler=estimate.compiler,
        overlays=plan.overlays is not None,
        dma_wait_cycles=estimate.dma_wait_cycles,
        weights_bytes=plan.weights_bytes,
        filters=encoded_filters(plan.program),
        operator_cycles={position: round(value) for position, value in cycles.items()},
    )
