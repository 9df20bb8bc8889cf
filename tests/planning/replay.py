"""What a plan means: the interpreter's operators, run in one arena full of poison.

A plan whose tensors destroy each other gives other results here than its graph does.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from penstock.ir.interpreter.execution import State, evaluate, initial_state
from penstock.ir.tensor import Array, Tensor
from penstock.kernels.kernel_graph import KernelCall
from penstock.planning.execution_plan import ExecutionPlan

_POISON = 0xA5


def run_plan(
    plan: ExecutionPlan, inputs: Sequence[Array], *, state: State | None = None
) -> list[Array]:
    """Return the outputs of one inference in the plan's arena.

    Every step poisons its scratch, and its outputs unless they are computed in place, before it
    reads its inputs.

    Args:
        plan: offsets and calls.
        inputs: one array for each graph input, in order.
        state: variable tensors, updated in place; None starts from fresh ones and forgets them.
    """
    replay = _Replay(plan, initial_state(plan.program.graph) if state is None else state)
    for name, value in zip(plan.program.graph.inputs, inputs, strict=True):
        replay.write(name, value)
    for step, call in enumerate(plan.program.calls):
        replay.step(step, call)
    return [replay.read(name) for name in plan.program.graph.outputs]


class _Replay:
    """The arena during one inference."""

    def __init__(self, plan: ExecutionPlan, state: State) -> None:
        self._plan = plan
        self._graph = plan.program.graph
        self._state = state
        self._arena: npt.NDArray[np.uint8] = np.full(plan.arena.size_bytes, _POISON, np.uint8)
        self._seen: dict[int, dict[str, Array]] = {}
        self._results: dict[int, dict[str, Array]] = {}

    def read(self, name: str) -> Array:
        """Return a copy of a tensor, wherever it is."""
        tensor = self._graph.tensors[name]
        if tensor.data is not None:
            return tensor.data
        if tensor.is_variable:
            return self._state[name].copy()
        return self._bytes(tensor).view(tensor.dtype.numpy).reshape(tensor.shape).copy()

    def write(self, name: str, value: Array) -> None:
        """Put a tensor where the plan says."""
        tensor = self._graph.tensors[name]
        if tensor.is_variable:
            self._state[name] = value
        else:
            self._bytes(tensor)[:] = np.frombuffer(value.tobytes(), np.uint8)

    def step(self, step: int, call: KernelCall) -> None:
        """Run one call; an operator that several calls share is evaluated once all is read."""
        operator = self._graph.operators[call.operator]
        self._poison(step, call)
        seen = self._seen.setdefault(call.operator, {})
        seen.update({name: self.read(name) for name in call.reads})
        seen.update({name: self.read(name) for name in operator.inputs if self._is_kept(name)})
        if call.operator not in self._results and seen.keys() >= set(operator.inputs):
            self._results[call.operator] = evaluate(self._graph, operator, seen)
        for name, value in self._results.get(call.operator, {}).items():
            if name in call.writes:
                self.write(name, value)

    def _is_kept(self, name: str) -> bool:
        """Return whether a tensor lives outside the arena."""
        return self._graph.tensors[name].is_constant or self._graph.tensors[name].is_variable

    def _poison(self, step: int, call: KernelCall) -> None:
        if call.scratch_bytes:
            start = self._plan.arena.scratch_offset_bytes[step]
            self._arena[start : start + call.scratch_bytes] = _POISON
        in_place = {output for _, output in call.in_place}
        for name in call.writes:
            tensor = self._graph.tensors[name]
            if not tensor.is_variable and name not in in_place:
                self._bytes(tensor)[:] = _POISON

    def _bytes(self, tensor: Tensor) -> npt.NDArray[np.uint8]:
        start = self._plan.arena.offset_bytes[tensor.name]
        return self._arena[start : start + tensor.size_bytes]
