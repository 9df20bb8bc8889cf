"""The comparison with the interpreter notices one wrong bit: at any step, in any element."""

from collections.abc import Sequence

import numpy as np
import pytest

from penstock.errors import VerificationError
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.interpreter import trace
from penstock.ir.operators import Activation
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Array, Tensor
from penstock.kernels.selection import select_kernels
from penstock.planning import ExecutionPlan, plan_execution
from penstock.simulate.verification import (
    arrays_agree,
    expected_outputs,
    verify_outputs,
    verify_steps,
)

QUANTIZATION = QuantizationParameters.per_tensor(0.5, -3)
INPUT = np.array([[-100, 0, 100]], np.int8)
STEPS = {"a": 0, "joined": 2, "y": 3, "mean": 4}
"""The step after which each tensor is whole; a concatenation is written in two."""


def small_model() -> Graph:
    """A model whose first result has three elements and whose last one has a single one."""
    shapes = {"x": (1, 3), "a": (1, 3), "joined": (1, 6), "y": (1, 6), "mean": (1, 1)}
    return Graph.build(
        "small",
        [Tensor(name, shape, DType.INT8, QUANTIZATION) for name, shape in shapes.items()],
        [
            ops.Relu(input="x", output="a", activation=Activation.RELU, source=7),
            ops.Concatenation(operands=("a", "x"), output="joined", axis=1),
            ops.LeakyRelu(input="joined", output="y", alpha=0.5),
            ops.Mean(input="y", output="mean", axes=(1,), keep_dims=True),
        ],
        ["x"],
        ["y", "mean"],
    )


class FakeMachine:
    """A machine that computes what the interpreter does, but for one bit."""

    def __init__(self, plan: ExecutionPlan, wrong: str = "", position: int = 0) -> None:
        self._plan = plan
        self._values: dict[str, Array] = {}
        self._arena = bytearray(plan.arena.size_bytes)
        self._wrong, self._position = wrong, position

    def write_inputs(self, inputs: Sequence[Array], /) -> None:
        values = trace(self._plan.program.graph, list(inputs))
        self._values = {name: value.copy() for name, value in values.items()}
        if self._wrong:
            self._values[self._wrong].view(np.uint8).reshape(-1)[self._position] ^= 1

    def run_range(self, first: int, last: int, /) -> None:
        for call in self._plan.program.calls[first:last]:
            for name in call.writes:
                start = self._plan.arena.offset_bytes[name]
                content = self._values[name].tobytes()
                self._arena[start : start + len(content)] = content

    def read_outputs(self) -> Sequence[Array | bytes]:
        return [self._values[name].tobytes() for name in self._plan.program.graph.outputs]

    def read_block(self, block: str, offset_bytes: int, size_bytes: int, /) -> bytes:
        assert block == "arena"
        return bytes(self._arena[offset_bytes : offset_bytes + size_bytes])


@pytest.fixture(scope="module")
def plan() -> ExecutionPlan:
    found = plan_execution(select_kernels(small_model()), None)
    last = {name: step for step, call in enumerate(found.program.calls) for name in call.writes}
    assert last == STEPS
    return found


def test_a_right_machine_passes(plan: ExecutionPlan) -> None:
    machine, told = FakeMachine(plan), list[float | None]()
    verify_steps(plan, machine, [INPUT], progress=lambda _, fraction: told.append(fraction))
    verify_outputs(plan.program.graph, machine, expected_outputs(plan.program.graph, [INPUT]))
    assert told == [0.2, 0.4, 0.6, 0.8, 1.0]


ELEMENTS = [
    (name, position)
    for name in STEPS
    for position in range(small_model().tensors[name].element_count)
]


@pytest.mark.parametrize(("name", "position"), ELEMENTS)
def test_one_wrong_bit_is_found_at_its_step(plan: ExecutionPlan, name: str, position: int) -> None:
    machine, told = FakeMachine(plan, name, position), list[float | None]()
    with pytest.raises(VerificationError) as caught:
        verify_steps(plan, machine, [INPUT], progress=lambda _, fraction: told.append(fraction))
    text = str(caught.value)
    assert text.startswith(f"step {STEPS[name]} (")
    assert f" to '{name}'[0, {position}], the interpreter " in text
    assert f"1 of {plan.program.graph.tensors[name].element_count} elements differ" in text
    assert told == [(step + 1) / 5 for step in range(STEPS[name])]


def test_the_operator_of_the_model_file_is_named(plan: ExecutionPlan) -> None:
    with pytest.raises(VerificationError, match=r"^step 0 \(RELU, operator 7 of the model file\)"):
        verify_steps(plan, FakeMachine(plan, "a", 2), [INPUT])


@pytest.mark.parametrize(("name", "position"), [e for e in ELEMENTS if e[0] in ("y", "mean")])
def test_one_wrong_bit_of_an_output_is_found(plan: ExecutionPlan, name: str, position: int) -> None:
    machine = FakeMachine(plan, name, position)
    machine.write_inputs([INPUT])
    expected = expected_outputs(plan.program.graph, [INPUT])
    with pytest.raises(VerificationError, match=rf"passes included, wrote .* to '{name}'\[0, "):
        verify_outputs(plan.program.graph, machine, expected)


def test_floats_may_differ_in_their_last_bits_alone() -> None:
    value = np.array([1.5, -0.25], np.float32)
    near = (value.view(np.int32) + 2).view(np.float32)
    far = (value.view(np.int32) + np.array([0, 3], np.int32)).view(np.float32)
    assert arrays_agree(near, value)
    assert not arrays_agree(far, value)
    assert not arrays_agree(value.astype(np.float64), value)
    assert not arrays_agree(value.reshape(2, 1), value)
