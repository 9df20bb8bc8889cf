"""A better plan than the greedy one, where there is one: what ``--effort full`` does."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from penstock.errors import CapacityError
from penstock.kernels.kernel_graph import KernelGraph
from penstock.planning.estimate.coefficients import load_coefficients
from penstock.planning.estimate.estimate import harness_cycles
from penstock.planning.estimate.timeline import OverlayTimeline, estimate_overlaid
from penstock.planning.execution_plan import ExecutionPlan, PlanSearch
from penstock.planning.lifetimes import Buffer, plan_buffers
from penstock.planning.overlaps import stretches
from penstock.planning.overlays.choices import Ground, Prices
from penstock.planning.overlays.partition import Partition
from penstock.planning.overlays.parts import Stage, stage_bytes
from penstock.planning.overlays.plan import SHARES, Overlaid, overlay_parted
from penstock.planning.overlays.solve import Choice, Problem, Resident, Solution, solve
from penstock.progress import Progress


def improve_plan(
    ground: Ground,
    overlaid: Overlaid,
    complete: Callable[[Overlaid], ExecutionPlan],
    progress: Progress,
) -> ExecutionPlan:
    """Return the plan of least estimated time: the greedy one, or what solving finds.

    Chains of fused calls stay as they are; besides, all calls are tried without any chain.

    Args:
        ground: what is planned for.
        overlaid: the greedy tiles and copies.
        complete: makes a plan of tiles and copies; raises CapacityError where memories lack room.
        progress: told what is going on.
    """
    greedy = complete(overlaid)
    timeline = estimate_overlaid(greedy, ground.board)
    prices = Prices(ground)
    attempts = [_Attempt(ground, prices, overlaid.parted, timeline)]
    if any(stage.bands for stage in overlaid.parted.stages):
        attempts.append(_Attempt(ground, prices, _without_chains(ground.program), timeline))
    best, best_cycles = greedy, timeline.cycles
    bounds: list[Solution] = []
    for attempt in attempts:
        for share in SHARES:
            solution = solve(attempt.problem(share), progress)
            if solution is None:
                break  # even less memory is too little
            if share == SHARES[0]:
                bounds.append(solution)
            plan = attempt.realize(solution, complete)
            if plan is None:
                continue
            cycles = estimate_overlaid(plan, ground.board).cycles
            if cycles < best_cycles:
                best, best_cycles = plan, cycles
            break
    harness = _harness(greedy, ground)
    least = min((bound.bound_cycles + harness for bound in bounds), default=best_cycles)
    search = PlanSearch(
        cycles=round(best_cycles),
        greedy_cycles=round(timeline.cycles),
        bound_cycles=round(min(least, best_cycles)),
        is_complete=bool(bounds) and all(bound.is_optimal for bound in bounds),
    )
    return replace(best, search=search)


def _harness(plan: ExecutionPlan, ground: Ground) -> float:
    assert plan.placement is not None
    core = load_coefficients(ground.board.core.name)
    return harness_cycles(core, len(ground.program.calls), plan.placement, ground.board)


def _without_chains(program: KernelGraph) -> Partition:
    stages = tuple(Stage(range(n, n + 1), ()) for n in range(len(program.calls)))
    return Partition(tuple(plan_buffers(program)), frozenset(), stages)


@dataclass(frozen=True, slots=True, eq=False)
class _Attempt:
    """Stages whose tilings are compared.

    Attributes:
        ground: what is planned for.
        prices: of single calls.
        parted: the stages; chains are taken as they are.
        timeline: of a plan with those chains.
    """

    ground: Ground
    prices: Prices
    parted: Partition
    timeline: OverlayTimeline

    def problem(self, share: float) -> Problem:
        """Return what is decided, with a share of fast memory."""
        space = self.ground.space
        return Problem(
            capacity_bytes=int((space.capacity_bytes + space.tight_bytes) * share),
            residents=tuple(
                Resident(
                    self._sizes(buffer),
                    may_be_far=self.ground.far is not None and buffer.scratch_step is None,
                )
                for buffer in self.parted.buffers
            ),
            choices=self._choices,
            least_cycles=self._least_cycles,
            stage_count=len(self.parted.stages),
        )

    def _sizes(self, buffer: Buffer) -> tuple[int, ...]:
        """Return the bytes of a buffer at each stage."""
        lives = [
            (first, end, self.ground.space.align(size)) for first, end, size in stretches(buffer)
        ]
        return tuple(
            max(
                (
                    size
                    for first, end, size in lives
                    if first < stage.steps.stop and end > stage.steps.start
                ),
                default=0,
            )
            for stage in self.parted.stages
        )

    def _choices(self, number: int, far: frozenset[int]) -> Sequence[Choice]:
        stage = self.parted.stages[number]
        names = self._names(far)
        if not stage.bands:
            return self.prices.choices(stage.steps.start, names)
        calls = [self.ground.program.calls[step] for step in stage.steps]
        touched = {name for call in calls for name in (*call.reads, *call.writes)}
        if names & touched != self.parted.far_tensors & touched:
            return ()
        return (self._chain(stage),)

    def _least_cycles(self, number: int) -> float:
        """Return what a stage takes at least: with any of the tensors that it touches far."""
        stage = self.parted.stages[number]
        if stage.bands:
            return self._chain(stage).cycles
        call = self.ground.program.calls[stage.steps.start]
        touched = {*call.reads, *call.writes}
        movable = [
            n
            for n, buffer in enumerate(self.parted.buffers)
            if self.ground.far is not None and not touched.isdisjoint(buffer.tensors)
        ]
        sets = (
            c for size in range(len(movable) + 1) for c in itertools.combinations(movable, size)
        )
        choices = (choice for far in sets for choice in self._choices(number, frozenset(far)))
        return min((choice.cycles for choice in choices), default=0.0)

    def _names(self, far: frozenset[int]) -> frozenset[str]:
        return frozenset(name for n in far for name in self.parted.buffers[n].tensors)

    def _chain(self, stage: Stage) -> Choice:
        """Return what a chain takes in the plan that it is of."""
        size = stage_bytes(self.ground.program, stage, self.ground.space)
        steps = [self.timeline.steps[step] for step in stage.steps]
        cycles = sum(step.cycles - step.stall_cycles for step in steps)
        tiles = sum(step.tiles for step in steps)
        return Choice(stage.parts[0], cycles, size, size, 0, size, 0, 0.0, cycles / tiles)

    def realize(
        self, solution: Solution, complete: Callable[[Overlaid], ExecutionPlan]
    ) -> ExecutionPlan | None:
        """Return the plan of a solution; None where gaps between buffers take too much."""
        stages = tuple(
            stage if stage.bands else Stage(stage.steps, (choice.part,))
            for stage, choice in zip(self.parted.stages, solution.chosen, strict=True)
        )
        parted = Partition(self.parted.buffers, solution.far, stages)
        space = self.ground.space
        try:
            overlaid = overlay_parted(self.ground.program, parted, space)
            if overlaid.arena.size_bytes > space.capacity_bytes:
                return None
            return complete(overlaid)
        except CapacityError:
            return None
