"""Coefficients of the estimate, fitted to what the virtual board measured."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from penstock.bench.least_squares import fit_non_negative
from penstock.bench.measure import Measured, MeasuredNetwork
from penstock.boards.board import Board
from penstock.boards.costs import TICKS_PER_CYCLE
from penstock.planning.estimate.coefficients import HARNESS, CoreCoefficients, KernelCoefficients
from penstock.planning.estimate.memory import fetch_cost
from penstock.simulate.pipeline import PairRule, load_core
from penstock.simulate.timing_records import Cause

_DIGITS = 4


def fit_coefficients(
    networks: Iterable[MeasuredNetwork], board: Board, compiler: str, version: str
) -> CoreCoefficients:
    """Return what each kernel's parts cost on the core of a board.

    Args:
        networks: measured on the board.
        board: where they ran.
        compiler: that made the machine code, for people.
        version: of Penstock.
    """
    measured = list(networks)
    by_kernel: dict[str, list[Measured]] = {HARNESS: [_harness(network) for network in measured]}
    for network in measured:
        for call in network.calls:
            by_kernel.setdefault(call.kernel, []).append(call)
    kernels = {name: _fit_kernel(calls, board) for name, calls in sorted(by_kernel.items())}
    return CoreCoefficients(
        core=board.core.name,
        board=board.name,
        compiler=compiler,
        version=version,
        kernels=kernels,
    )


def _harness(network: MeasuredNetwork) -> Measured:
    steps = len(network.calls)
    features = {"call": 1, "any_step": int(steps > 0), "step": steps}
    return Measured(
        kernel=HARNESS,
        features=features,
        cycles=network.harness_cycles,
        stalls=network.harness_stalls,
        is_first=True,
        has_weights=False,
    )


def _fit_kernel(calls: Sequence[Measured], board: Board) -> KernelCoefficients:
    cycles = _fit(calls, _own_cycles)
    switches: Mapping[str, float] = {}
    if load_core(board.core.name).memory.pair_rule is PairRule.SAME_MEMORY:
        switches = _fit([call for call in calls if call.has_weights], _lost_overlap)
    stores = _fit(calls, lambda call: call.stalls[Cause.STORE_BUFFER.label])
    predicted = [
        sum(cost * call.features.get(name, 0) for name, cost in cycles.items()) for call in calls
    ]
    errors = [
        abs(guess / max(_own_cycles(call), 1) - 1)
        for guess, call in zip(predicted, calls, strict=True)
    ]
    line_bytes, line_ticks = fetch_cost(board)
    first = [call.stalls[Cause.FETCH.label] for call in calls if call.is_first]
    lines = min(first) * TICKS_PER_CYCLE / line_ticks if line_ticks else 0.0
    return KernelCoefficients(
        cycles=cycles,
        switches=switches,
        stores=stores,
        fetch_bytes=round(lines * line_bytes),
        cases=len(calls),
        error_median=round(float(np.median(errors)), _DIGITS),
        error_worst=round(max(errors), _DIGITS),
    )


def _own_cycles(call: Measured) -> int:
    """Return what a call takes beside waiting for memories."""
    return call.cycles - sum(call.stalls[cause.label] for cause in Cause if cause.is_of_memory)


def _lost_overlap(call: Measured) -> int:
    """Return what its loads lose by going from one memory to another."""
    return call.stalls[Cause.ALIGNMENT.label]


def _fit(calls: Sequence[Measured], wanted: Callable[[Measured], int]) -> Mapping[str, float]:
    """Fit costs of features so that relative errors are small, short and long calls alike."""
    if not calls:
        return {}
    names = sorted({name for call in calls for name in call.features})
    weights = 1 / np.array([max(_own_cycles(call), 1) for call in calls], float)
    counts = np.array([[call.features.get(name, 0) for name in names] for call in calls], float)
    matrix = counts * weights[:, None]
    sizes = np.linalg.norm(matrix, axis=0)
    goal = np.array([wanted(call) for call in calls], float) * weights
    costs = fit_non_negative(matrix / sizes, goal) / sizes
    rounded = {name: round(float(cost), _DIGITS) for name, cost in zip(names, costs, strict=True)}
    return {name: cost for name, cost in rounded.items() if cost}
