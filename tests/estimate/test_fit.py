"""The fit finds costs that were planted."""

from collections.abc import Mapping
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from penstock.bench.fit import fit_coefficients
from penstock.bench.least_squares import fit_non_negative
from penstock.bench.measure import Measured, MeasuredNetwork
from penstock.boards import load_board
from penstock.simulate.timing_records import Cause

BOARD = load_board("stm32f746g-disco")
NO_STALLS = {cause.label: 0 for cause in Cause}
REAL = st.floats(-10, 10, width=32, allow_subnormal=False)
"""No smaller than what a double can still be divided by."""


@given(arrays(float, (7, 4), elements=REAL), arrays(float, 7, elements=REAL))
def test_no_step_from_the_solution_helps(matrix: np.ndarray, wanted: np.ndarray) -> None:
    found = fit_non_negative(matrix, wanted)
    assert (found >= 0).all()
    slope = matrix.T @ (wanted - matrix @ found)
    scale = 1e-6 * max(1.0, float(np.abs(matrix).sum() * np.abs(wanted).sum()))
    assert slope.max(initial=0) <= scale  # raising a coefficient makes it worse
    assert np.abs(slope * found).max(initial=0) <= scale * max(1.0, found.max(initial=0))


def test_what_would_be_negative_is_0() -> None:
    matrix = np.array([[1.0, 0.0], [1.0, 1.0]])
    assert fit_non_negative(matrix, np.array([2.0, 1.0])) == pytest.approx([1.5, 0.0])


def measured(features: Mapping[str, int], cycles: int, **stalls: int) -> Measured:
    return Measured(
        "ps_test", features, cycles, NO_STALLS | stalls, is_first=True, has_weights=True
    )


def test_costs_are_found_apart_from_waits_for_memories() -> None:
    calls = tuple(
        measured(
            {"call": 1, "step": steps},
            50 + 7 * steps + 30 + 11 * 4 + 2 * steps,
            internal=30,
            fetch=11 * 4,
            store_buffer=2 * steps,
            alignment=steps,
        )
        for steps in (1, 10, 200)
    )
    network = MeasuredNetwork("test", calls, 40 + 3 * len(calls), NO_STALLS)
    fitted = fit_coefficients([network], BOARD, "a compiler", "1.0")
    kernel = fitted.kernels["ps_test"]
    assert kernel.cycles == pytest.approx({"call": 50, "step": 7})
    assert kernel.stores == pytest.approx({"step": 2})
    assert kernel.fetch_bytes == 4 * 32  # four lines, of 11 cycles each
    assert (kernel.cases, kernel.error_worst) == (3, 0)
    assert (fitted.core, fitted.board, fitted.compiler) == (
        "cortex-m7",
        "stm32f746g-disco",
        "a compiler",
    )
    assert kernel.switches == {}  # the core overlaps loads of different memories


def test_loads_that_do_not_overlap_are_found_on_cores_that_care() -> None:
    calls = [
        measured({"call": 1, "step": steps}, 50 + 7 * steps, alignment=3 + steps)
        for steps in (1, 10, 200)
    ]
    calls.append(replace(calls[0], stalls=NO_STALLS | {"alignment": 1000}, has_weights=False))
    network = MeasuredNetwork("test", tuple(calls), 40, NO_STALLS)
    fitted = fit_coefficients([network], load_board("stm32f469i-disco"), "a compiler", "1.0")
    assert fitted.kernels["ps_test"].switches == pytest.approx({"call": 3, "step": 1})
