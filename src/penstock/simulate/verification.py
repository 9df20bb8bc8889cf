"""Running a generated program step by step against the interpreter."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from penstock.errors import VerificationError
from penstock.ir.fixed_point import IntArray
from penstock.ir.graph import Graph
from penstock.ir.interpreter import run, trace
from penstock.ir.tensor import Array, Tensor
from penstock.planning.execution_plan import ExecutionPlan
from penstock.progress import Progress, silent

FLOAT_TAIL_ULP = 2
"""Largest difference of float32 results, in units in the last place: exp and log may differ."""


class Machine(Protocol):
    """Whatever runs generated code: the host's shared library, or a virtual board."""

    def write_inputs(self, inputs: Sequence[Array], /) -> None:
        """Fill the model's inputs."""

    def run_range(self, first: int, last: int, /) -> None:
        """Run the steps ``first`` to ``last - 1``."""

    def read_outputs(self) -> Sequence[Array | bytes]:
        """Return copies of the model's outputs; a board knows them as bytes."""

    def read_block(self, block: str, offset_bytes: int, size_bytes: int, /) -> bytes:
        """Return bytes of one of the model's blocks: ``arena``, ``state`` and others."""


def verify_steps(
    plan: ExecutionPlan,
    machine: Machine,
    inputs: Sequence[Array],
    *,
    progress: Progress = silent,
) -> None:
    """Run one inference, comparing what each step wrote with the interpreter's tensors.

    The machine must be freshly initialized, so that its state is that of a first inference.

    Raises:
        VerificationError: naming the first step whose bytes differ, and where.
    """
    program = plan.program
    expected = trace(program.graph, list(inputs))
    # A concatenation is written in parts, a call for each; it is whole after the last one.
    last_write = {name: step for step, call in enumerate(program.calls) for name in call.writes}
    machine.write_inputs(inputs)
    for step, call in enumerate(program.calls):
        machine.run_range(step, step + 1)
        for name in call.writes:
            tensor = program.graph.tensors[name]
            if not tensor.is_variable and last_write[name] == step and plan.holds(name):
                found = _read_tensor(plan, machine, tensor)
                _compare(found, expected, tensor, _describe_step(plan, step))
        progress("comparing operator by operator", (step + 1) / len(program.calls))


def expected_outputs(original: Graph, inputs: Sequence[Array]) -> dict[str, Array]:
    """Return the interpreter's outputs, by name, of a graph as it was before any pass."""
    return dict(zip(original.outputs, run(original, list(inputs)), strict=True))


def verify_outputs(original: Graph, machine: Machine, expected: Mapping[str, Array]) -> None:
    """Compare a machine's outputs with what `expected_outputs` returned for the same inputs.

    Raises:
        VerificationError: naming the first output that differs.
    """
    for name, found in zip(original.outputs, machine.read_outputs(), strict=True):
        tensor = original.tensors[name]
        _compare(as_array(found, tensor), expected, tensor, "the program, passes included,")


def _read_tensor(plan: ExecutionPlan, machine: Machine, tensor: Tensor) -> Array:
    block, offset_bytes = plan.locate(tensor.name)
    return as_array(machine.read_block(block.value, offset_bytes, tensor.size_bytes), tensor)


def as_array(content: Array | bytes, tensor: Tensor) -> Array:
    """Return a tensor's bytes as an array of its shape and type; an array as it is."""
    if isinstance(content, bytes):
        return np.frombuffer(content, tensor.dtype.numpy).reshape(tensor.shape)
    return content


def _describe_step(plan: ExecutionPlan, step: int) -> str:
    operator = plan.program.graph.operators[plan.program.calls[step].operator]
    origin = "" if operator.source is None else f", operator {operator.source} of the model file"
    return f"step {step} ({operator.kind}{origin})"


def _compare(found: Array, expected: Mapping[str, Array], tensor: Tensor, step: str) -> None:
    wanted = expected[tensor.name]
    if not arrays_agree(found, wanted):
        position = int(np.flatnonzero(found.reshape(-1) != wanted.reshape(-1))[0])
        index = [int(part) for part in np.unravel_index(position, found.shape)]
        raise VerificationError(
            f"{step} wrote {found.reshape(-1)[position]} to {tensor.name!r}{index}, "
            f"the interpreter {wanted.reshape(-1)[position]}; "
            f"{int(np.count_nonzero(found != wanted))} of {found.size} elements differ"
        )


def arrays_agree(found: Array, wanted: Array) -> bool:
    """Return whether two tensors are equal: to the byte, float32 to `FLOAT_TAIL_ULP`."""
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return False
    if found.dtype != np.float32:
        return found.tobytes() == wanted.tobytes()
    return bool(np.all(ulp_distance(found, wanted) <= FLOAT_TAIL_ULP))


def ulp_distance(left: Array, right: Array) -> IntArray:
    """Return how many float32 values lie between two arrays, element by element; NaN equals NaN."""
    distance = np.abs(_ordered(left) - _ordered(right))
    both_nan = (left != left) & (right != right)
    return np.where(both_nan, 0, distance)


def _ordered(values: Array) -> IntArray:
    bits = np.ascontiguousarray(values, np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
