"""Cycles of a planned network on a board, without running anything: the analytic model.

The planner and the search ask it thousands of times. It is fitted to the virtual board
(`coefficients`), and its figures are estimates, never to be mixed with simulated ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from penstock.boards.board import Board
from penstock.boards.paths import is_tightly_coupled
from penstock.kernels.kernel_graph import KernelCall, KernelGraph
from penstock.planning.estimate.accesses import Access, Role, Sweep
from penstock.planning.estimate.accuracy import StatedError, stated_error
from penstock.planning.estimate.coefficients import (
    HARNESS,
    CoreCoefficients,
    KernelCoefficients,
    load_coefficients,
)
from penstock.planning.estimate.features import call_features
from penstock.planning.estimate.loop_accesses import call_accesses
from penstock.planning.estimate.memory import fetch_cycles, wait_cycles
from penstock.planning.estimate.residue import Residue
from penstock.planning.estimate.weighted import Features
from penstock.planning.execution_plan import Placement

_HARNESS_ACCESS = Access(Role.CODE, 1, (Sweep(3, 16, 64, None),), 1, element_bytes=4)


@dataclass(frozen=True, slots=True)
class OperatorEstimate:
    """What one step is expected to take.

    Attributes:
        kernel: C name.
        cycles: of the core.
        wait_cycles: among them, waiting for memories.
    """

    kernel: str
    cycles: float
    wait_cycles: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a network is expected to take on a board, with cold caches.

    Attributes:
        cycles: of the core.
        operators: by step.
        clock_hz: of the core.
        compiler: whose machine code the coefficients were fitted to.
        error: how far such estimates were from simulations.
        dma_wait_cycles: waiting for copies; None without overlays.
    """

    cycles: int
    operators: tuple[OperatorEstimate, ...]
    clock_hz: int
    compiler: str
    error: StatedError
    dma_wait_cycles: int | None = None

    @property
    def seconds(self) -> float:
        """How long that is."""
        return self.cycles / self.clock_hz


def estimate_program(program: KernelGraph, placement: Placement, board: Board) -> Estimate:
    """Return what a program is expected to take.

    Args:
        program: kernel calls.
        placement: where code, weights and arena are.
        board: whose core and memories.

    Raises:
        UnsupportedError: nobody has fitted the core, or a kernel on it.
    """
    core = load_coefficients(board.core.name)
    operators = []
    known: set[str] = set()
    residue = Residue()
    for call in program.calls:
        is_first = call.kernel.name not in known
        known.add(call.kernel.name)
        accesses = call_accesses(program, call)
        waits = wait_cycles(accesses, placement, board, residue)
        if is_first:
            waits += fetch_cycles(core.kernel(call.kernel.name).fetch_bytes, board)
        operators.append(_estimate_call(program, call, placement, board, core, waits))
    harness = harness_cycles(core, len(operators), placement, board)
    return Estimate(
        cycles=round(harness + sum(operator.cycles for operator in operators)),
        operators=tuple(operators),
        clock_hz=board.clock_hz,
        compiler=core.compiler,
        error=stated_error(placement, board),
    )


def _estimate_call(
    program: KernelGraph,
    call: KernelCall,
    placement: Placement,
    board: Board,
    core: CoreCoefficients,
    waits: float,
) -> OperatorEstimate:
    cycles, waits = call_cycles(
        core.kernel(call.kernel.name),
        call_features(program, call),
        waits,
        shares_memory=placement.weights == placement.arena and bool(call.constants),
        buffers_stores=_buffers_stores(placement, board),
    )
    return OperatorEstimate(call.kernel.name, cycles, waits)


def call_cycles(
    costs: KernelCoefficients,
    features: Features,
    waits: float,
    *,
    shares_memory: bool,
    buffers_stores: bool,
) -> tuple[float, float]:
    """Return the cycles of a call, and those among them that it waits for memories.

    Args:
        costs: of its kernel.
        features: how often the kernel's parts run.
        waits: cycles that it waits for data.
        shares_memory: whether its weights lie in the memory of its inputs.
        buffers_stores: whether stores go to memory that answers at once.
    """
    own = _weigh(costs.cycles, features)
    if shares_memory:
        own -= _weigh(costs.switches, features)
    if buffers_stores:
        waits += _weigh(costs.stores, features)
    return own + waits, waits


def harness_cycles(core: CoreCoefficients, steps: int, placement: Placement, board: Board) -> float:
    """Return the cycles of the loop over the steps, and of what surrounds it."""
    costs = core.kernel(HARNESS)
    waits = wait_cycles((_HARNESS_ACCESS,), placement, board, Residue())
    waits += fetch_cycles(costs.fetch_bytes, board)
    return waits + _weigh(costs.cycles, {"call": 1, "any_step": int(steps > 0), "step": steps})


def _weigh(costs: Mapping[str, float], features: Features) -> float:
    return sum(cost * features.get(name, 0) for name, cost in costs.items())


def _buffers_stores(placement: Placement, board: Board) -> bool:
    """Return whether stores go to memory that answers at once, which then sets their pace."""
    return board.data_cache is not None or is_tightly_coupled(board.region(placement.arena))
