"""What each kernel costs on shapes of int8: cycles, what it waits for, energy and code."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from penstock.bench.kernel_shapes import KERNEL_SHAPES
from penstock.bench.measure import load_network, process_count, run_loaded
from penstock.bench.throughput import TimedCall, describe_shape, first_placement
from penstock.bench.weighted_cases import Case, collect
from penstock.boards.board import Board
from penstock.errors import CapacityError
from penstock.ir.dtype import DType
from penstock.planning import ExecutionPlan, plan_execution
from penstock.planning.kernel_choice import fastest_program
from penstock.report.energy import Energy, spent_energy
from penstock.report.results import Truth
from penstock.simulate.code_sizes import source_code_bytes
from penstock.simulate.simulation import Simulation
from penstock.simulate.timing import CycleCounts, Traffic
from penstock.simulate.virtual_board import VirtualBoard


@dataclass(frozen=True)
class KernelCost(TimedCall):
    """An operator that a kernel computes, with its data in the fastest memories that there are.

    Attributes:
        stalls: cycles among them that the core waited, by cause.
        energy: of these cycles, and of the bytes of external memory that moved meanwhile.
        code_bytes: of the functions in the kernel's sources, as linked; other kernels may share
            some of them, and ``memcpy`` and the like are not among them.
    """

    stalls: Mapping[str, int]
    energy: Energy
    code_bytes: int

    @property
    def stalled(self) -> float:
        """Share of the cycles that the core waited."""
        return sum(self.stalls.values()) / self.cycles

    @property
    def main_cause(self) -> str | None:
        """What the core waited for most; None where it never did."""
        cause = max(self.stalls, key=lambda name: self.stalls[name], default=None)
        return cause if cause is not None and self.stalls[cause] else None

    def to_json(self) -> dict[str, Any]:
        """Return a row of ``kernels`` in ``penstock.bench-ops/2``."""
        return {
            "kernel": self.kernel,
            "shape": self.shape,
            "weights_in": self.weights_in,
            "arena_in": self.arena_in,
            "macs": self.macs,
            "elements": self.elements,
            "cycles": self.cycles,
            "cycles_each": self.cycles_each,
            "stalls": dict(self.stalls),
            **self.energy.to_json(),
            "code_bytes": self.code_bytes,
            "truth": Truth.SIMULATE.value,
        }


def measure_kernels(board: Board, on_progress: Callable[[int, int], None]) -> list[KernelCost]:
    """Run `KERNEL_SHAPES` in the fastest memories; a shape that these cannot hold is left out.

    Args:
        board: where.
        on_progress: told how many networks are done, and of how many.

    Raises:
        PenstockError: a tool is missing.
    """
    rows: list[KernelCost] = []
    with ProcessPoolExecutor(process_count()) as pool:
        futures = [pool.submit(_measure_named, board, name) for name in KERNEL_SHAPES]
        for done, future in enumerate(futures, 1):
            rows += future.result()
            on_progress(done, len(futures))
    return rows


def _measure_named(board: Board, name: str) -> list[KernelCost]:
    return measure_shapes(board, name, KERNEL_SHAPES[name])


def measure_shapes(board: Board, name: str, cases: Sequence[Case]) -> list[KernelCost]:
    """Run shapes in one network, or in several where memory does not hold them all at once.

    Args:
        board: where.
        name: of the network.
        cases: what adds the operators, one row each.

    Returns:
        Rows in the order of the cases, without those that have no room even alone.

    Raises:
        PenstockError: a tool is missing.
    """
    graph = collect(name, DType.INT8, *cases)
    program = fastest_program(graph, board.core.name)
    weights_in, arena_in = first_placement(board)
    try:
        plan = plan_execution(program, board, weights_in=weights_in, arena_in=arena_in)
    except CapacityError:
        if len(cases) == 1:
            return []
        half = len(cases) // 2
        parts = cases[:half], cases[half:]
        return [row for part in parts for row in measure_shapes(board, name, part)]
    with load_network(graph, plan, board) as opened:
        assert isinstance(opened.machine, VirtualBoard)  # QEMU counts no cycles
        code = source_code_bytes(opened.machine.firmware)
        return list(_rows(plan, board, run_loaded(graph, opened), code))


def _rows(
    plan: ExecutionPlan, board: Board, simulation: Simulation, code: Mapping[str, int]
) -> Iterator[KernelCost]:
    assert plan.placement is not None
    graph, calls = plan.program.graph, plan.program.calls
    # Some operators take several calls of a kernel, as a concatenation does.
    for operator, group in groupby(range(len(calls)), lambda step: calls[step].operator):
        steps = list(group)
        kernel = calls[steps[0]].kernel
        time = _total_time([simulation.operator_times[step] for step in steps])
        yield KernelCost(
            kernel=kernel.name,
            shape=describe_shape(graph, operator),
            weights_in=plan.placement.weights,
            arena_in=plan.placement.arena,
            macs=sum(calls[step].macs for step in steps),
            elements=graph.tensors[graph.operators[operator].outputs[0]].element_count,
            cycles=time.cycles,
            stalls=time.stalls,
            energy=spent_energy(board, time, steps_traffic(simulation, steps)),
            code_bytes=sum(code[source] for source in kernel.sources),
        )


def _total_time(times: Sequence[CycleCounts]) -> CycleCounts:
    stalls = {cause: sum(time.stalls[cause] for time in times) for cause in times[0].stalls}
    return CycleCounts(sum(time.cycles for time in times), stalls)


def steps_traffic(simulation: Simulation, steps: Collection[int | None]) -> dict[str, Traffic]:
    """Return the bytes that moved while certain steps ran, by memory.

    Args:
        simulation: with a timeline.
        steps: their indices; None is what ran between steps.
    """
    assert simulation.timeline is not None
    moved: dict[str, Traffic] = {}
    for piece in simulation.timeline.slices:
        if piece.operator in steps:
            for name, more in piece.traffic.items():
                moved[name] = _sum(moved.get(name, Traffic(0, 0, 0)), more)
    return moved


def _sum(left: Traffic, right: Traffic) -> Traffic:
    return Traffic(
        left.read_bytes + right.read_bytes,
        left.written_bytes + right.written_bytes,
        left.fetched_bytes + right.fetched_bytes,
    )
