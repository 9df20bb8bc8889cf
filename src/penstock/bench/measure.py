"""Networks built for a board, run there once, and counted operator by operator."""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from penstock.bench.cases import dsp_networks, fitting_networks
from penstock.bench.dsp_cases import winograd_tiles
from penstock.boards.board import Board, MemoryKind
from penstock.codegen.project_files import ProjectManifest
from penstock.errors import CapacityError
from penstock.frontends.inputs import random_inputs
from penstock.ir.graph import Graph
from penstock.kernels.kernel_set import KernelSet, kernel_encoding, kernel_set
from penstock.kernels.selection import select_kernels
from penstock.machines import OpenMachine, execute, open_board
from penstock.pipeline import lower_plan, write_temporarily
from penstock.planning import ExecutionPlan, plan_execution
from penstock.planning.estimate.features import call_features
from penstock.progress import silent
from penstock.simulate.simulation import Simulation

INPUT_SEED = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """A call of a kernel on the virtual board.

    Attributes:
        kernel: its C name.
        features: how often its parts ran (`call_features`).
        cycles: of the core.
        stalls: cycles among them that the core waited, by cause.
        is_first: whether the program had not called the kernel before.
        has_weights: whether it reads constants.
    """

    kernel: str
    features: Mapping[str, int]
    cycles: int
    stalls: Mapping[str, int]
    is_first: bool
    has_weights: bool


@dataclass(frozen=True, slots=True)
class MeasuredNetwork:
    """A network on the virtual board.

    Attributes:
        name: of the network.
        calls: in order.
        harness_cycles: what is between the calls.
        harness_stalls: cycles among them that the core waited, by cause.
    """

    name: str
    calls: tuple[Measured, ...]
    harness_cycles: int
    harness_stalls: Mapping[str, int]


def plan_for_measuring(graph: Graph, board: Board, kernels: KernelSet) -> ExecutionPlan:
    """Plan a network with its arena in tightly coupled memory where there is room for it."""
    tiles, encoding = winograd_tiles(graph.name), kernel_encoding(graph.name)
    program = select_kernels(graph, kernels, winograd=tiles, encodings=encoding)
    tightly_coupled = [r.name for r in board.regions if r.kind is MemoryKind.TCM_DATA]
    for name in tightly_coupled:
        try:
            return plan_execution(program, board, arena_in=name)
        except CapacityError:
            continue
    return plan_execution(program, board)


@contextmanager
def load_network(graph: Graph, plan: ExecutionPlan, board: Board) -> Iterator[OpenMachine]:
    """Compile a planned network for a board, and have it there, initialized.

    Raises:
        PenstockError: it does not fit, or a tool is missing.
    """
    manifest = ProjectManifest(graph.name, graph.name, plan.board)
    lowered = lower_plan(graph, plan, board, manifest, b"")
    with ExitStack() as stack:
        yield open_board(lowered, board, write_temporarily(lowered, stack), stack)


def run_loaded(graph: Graph, opened: OpenMachine) -> Simulation:
    """Run a loaded network once on random inputs, caches cold."""
    _, simulation = execute(opened.machine, random_inputs(graph, INPUT_SEED), silent)
    assert simulation is not None
    return simulation


def run_network(graph: Graph, plan: ExecutionPlan, board: Board) -> Simulation:
    """Compile a planned network for a board and run it there once; raises as `load_network`."""
    with load_network(graph, plan, board) as opened:
        return run_loaded(graph, opened)


def measure_network(graph: Graph, board: Board, kernels: KernelSet) -> MeasuredNetwork:
    """Return what each call of a network takes; raises as `run_network`."""
    plan = plan_for_measuring(graph, board, kernels)
    simulation = run_network(graph, plan, board)
    assert simulation.time is not None
    calls: list[Measured] = []
    for step, call in enumerate(plan.program.calls):
        time = simulation.operator_times[step]
        calls.append(
            Measured(
                kernel=call.kernel.name,
                features=call_features(plan.program, call),
                cycles=time.cycles,
                stalls=time.stalls,
                is_first=all(earlier.kernel != call.kernel.name for earlier in calls),
                has_weights=bool(call.constants),
            )
        )
    return MeasuredNetwork(
        name=graph.name,
        calls=tuple(calls),
        harness_cycles=simulation.time.cycles - sum(call.cycles for call in calls),
        harness_stalls={
            cause: cycles - sum(call.stalls[cause] for call in calls)
            for cause, cycles in simulation.time.stalls.items()
        },
    )


def process_count() -> int:
    """Return how many networks are built and run at once: one on each processor."""
    return os.cpu_count() or 1


def measure_all(board: Board, on_progress: Callable[[int, int], None]) -> list[MeasuredNetwork]:
    """Measure all networks of `fitting_networks` in several processes.

    Those for the DSP extension run on cores that have it; the others with kernels in plain C.

    Args:
        board: where.
        on_progress: told how many are done, and of how many.

    Raises:
        PenstockError: a tool is missing.
    """
    plain, fast = KernelSet.REFERENCE, kernel_set(board.core.name)
    jobs = [(name, plain) for name in fitting_networks()]
    if fast is not plain:
        jobs += [(name, fast) for name in dsp_networks()]
    found = []
    with ProcessPoolExecutor(process_count()) as pool:
        futures = [pool.submit(_measure_named, name, board, kernels) for name, kernels in jobs]
        for done, future in enumerate(futures, 1):
            found.append(future.result())
            on_progress(done, len(jobs))
    return found


def _measure_named(name: str, board: Board, kernels: KernelSet) -> MeasuredNetwork:
    networks = fitting_networks() if kernels is KernelSet.REFERENCE else dsp_networks()
    return measure_network(networks[name], board, kernels)
