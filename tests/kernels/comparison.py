"""C kernels against the interpreter on one graph."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.errors import UnsupportedError
from penstock.ir.graph import Graph
from penstock.ir.interpreter import initial_state, trace
from penstock.ir.operators import LogSoftmax
from penstock.ir.tensor import Array
from penstock.kernels.kernel_graph import KernelCall, KernelGraph
from penstock.kernels.kernel_set import Encoding, KernelSet
from penstock.kernels.selection import select_kernels
from penstock.kernels.selection.winograd import LARGE, SMALL
from tests.kernels.driver import GUARD_BYTES, Program
from tests.litert import ULP_TOLERANCE, random_inputs, ulp_distance

STEPS = 3  # runs of one program; operators with memory take them as steps


CANCELLED = ULP_TOLERANCE * float(np.finfo(np.float32).eps)
"""What is left of the logarithm of a sum near 1, whose last places differ."""


def assert_same(
    expected: Mapping[str, Array], found: Mapping[str, Array], absolute: float = 0.0
) -> None:
    assert expected.keys() == found.keys()
    for name, want in expected.items():
        have = found[name]
        if want.dtype == np.float32:
            is_far = ulp_distance(want, have) > ULP_TOLERANCE
            assert not (is_far & (np.abs(want - have) > absolute)).any(), name
        else:
            np.testing.assert_array_equal(have, want, err_msg=name)


def check_graph(
    graph: Graph,
    seed: int,
    guard_bytes: int = GUARD_BYTES,
    kernels: KernelSet = KernelSet.REFERENCE,
    encoding: Encoding | None = None,
) -> None:
    """Compare every tensor of several runs; then each call that may compute in place.

    Convolutions by Winograd are compared with both sizes of tiles.
    """
    selected = select_kernels(graph, kernels, encodings=encoding)
    check_program(selected, seed, guard_bytes)
    if any(call.kernel.name == LARGE.kernel for call in selected.calls):
        check_program(select_kernels(graph, kernels, winograd=(SMALL.tile,)), seed, guard_bytes)


def check_program(selected: KernelGraph, seed: int, guard_bytes: int = GUARD_BYTES) -> None:
    """Compare every tensor of several runs; then each call that may compute in place."""
    graph, program = selected.graph, Program(selected, guard_bytes)
    state = initial_state(graph)
    absolute = CANCELLED if any(isinstance(o, LogSoftmax) for o in graph.operators) else 0.0
    for step in range(STEPS):
        inputs = dict(zip(graph.inputs, random_inputs(graph, seed + step), strict=True))
        expected = trace(graph, inputs, state=state)
        assert_same(expected, program.trace(inputs), absolute)
    for call in program.program.calls:
        check_in_place(program, call, inputs)


def check_in_place(program: Program, call: KernelCall, inputs: Mapping[str, Array]) -> None:
    """Compute again with the output in the memory of an input, for each pair that may share."""
    for source, target in call.in_place:
        expected = program.trace(inputs)[target]
        own = program.memory[target]
        program.memory[target] = program.memory[source]
        program.execute(call)
        found = program.memory[target].bytes[: expected.nbytes].copy()
        program.memory[target] = own
        actual = found.view(expected.dtype).reshape(expected.shape)
        np.testing.assert_array_equal(actual, expected, err_msg=f"{source} -> {target}")


def check_case(
    case: Callable[[Any], Graph],
    examples: int,
    *,
    derandomize: bool = True,
    guard_bytes: int = GUARD_BYTES,
    kernels: KernelSet = KernelSet.REFERENCE,
) -> None:
    """Check random graphs of a case; at least half of them must be supported."""
    supported = []

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=derandomize,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        graph = case(data.draw)
        try:
            check_graph(graph, data.draw(st.integers(0, 1000), label="seed"), guard_bytes, kernels)
            supported.append(True)
        except UnsupportedError:
            supported.append(False)

    check()
    assert sum(supported) * 2 >= len(supported), "most graphs of this case are refused"
