"""Plans of random programs are legal, in bounds, and run as if every tensor had its own memory."""

import dataclasses
import hashlib
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import GraphError, UnsupportedError
from penstock.ir.dtype import DType
from penstock.ir.tensor import Tensor
from penstock.kernels.kernel_graph import KernelGraph
from penstock.planning import ExecutionPlan, plan_arena, plan_execution, validate_plan
from penstock.planning.arena import lower_bound_bytes, pack_buffers
from penstock.planning.lifetimes import Buffer, Lifetime, Segment, plan_buffers, tensor_lifetimes
from tests.planning.programs import call, program, programs


def _contents(seed: str, size: int) -> bytes:
    """Bytes that depend on the seed, all of them."""
    block = hashlib.sha256(seed.encode()).digest()
    return (block * (size // len(block) + 1))[:size]


def _expected_outputs(graph: KernelGraph) -> list[bytes]:
    """Run the program with separate memory for every tensor."""
    tensors = graph.graph.tensors
    memory = {name: _contents(name, tensors[name].size_bytes) for name in tensors}
    for step, kernel_call in enumerate(graph.calls):
        seed = str(step) + repr([_read_alias(graph, memory, n) for n in kernel_call.reads])
        for name in kernel_call.writes:
            memory[name] = _contents(seed + name, tensors[name].size_bytes)
    return [_read_alias(graph, memory, name) for name in graph.graph.outputs]


def _read_alias(graph: KernelGraph, memory: dict[str, bytes], name: str) -> bytes:
    while name in graph.aliases:
        name = graph.aliases[name]
    return memory[name]


class _Memory:
    """The blocks of a plan; whatever a step may clobber, it clobbers before it reads."""

    def __init__(self, plan: ExecutionPlan) -> None:
        self.plan = plan
        self.arena = bytearray(b"\xa5" * plan.arena.size_bytes)
        self.state = bytearray(b"\x5a" * plan.state_bytes)

    def place(self, name: str) -> tuple[bytearray, slice]:
        size = self.plan.program.graph.tensors[name].size_bytes
        if name in self.plan.state_offset_bytes:
            start = self.plan.state_offset_bytes[name]
            return self.state, slice(start, start + size)
        start = self.plan.arena.offset_bytes[name]
        return self.arena, slice(start, start + size)

    def read(self, name: str) -> bytes:
        block, span = self.place(name)
        return bytes(block[span])

    def write(self, name: str, content: bytes) -> None:
        block, span = self.place(name)
        block[span] = content


def _planned_outputs(plan: ExecutionPlan) -> list[bytes]:
    memory, graph = _Memory(plan), plan.program.graph
    for name in (*graph.inputs, *plan.state_offset_bytes):
        memory.write(name, _contents(name, graph.tensors[name].size_bytes))
    for step, kernel_call in enumerate(plan.program.calls):
        if kernel_call.scratch_bytes:
            start = plan.arena.scratch_offset_bytes[step]
            size = kernel_call.scratch_bytes
            memory.arena[start : start + size] = b"\xee" * size
        in_place = {output for _, output in kernel_call.in_place}
        for name in kernel_call.writes:
            if name not in in_place and name not in plan.state_offset_bytes:
                memory.write(name, b"\xdd" * graph.tensors[name].size_bytes)
        seed = str(step) + repr([memory.read(name) for name in kernel_call.reads])
        for name in kernel_call.writes:
            memory.write(name, _contents(seed + name, graph.tensors[name].size_bytes))
    return [memory.read(name) for name in graph.outputs]


@given(programs())
@settings(max_examples=300, deadline=None)
def test_random_programs_run_in_their_arena_as_with_separate_memory(graph: KernelGraph) -> None:
    plan = plan_execution(graph, None)
    validate_plan(plan)
    assert plan.arena.lower_bound_bytes <= plan.arena.size_bytes
    assert _planned_outputs(plan) == _expected_outputs(graph)


@given(programs())
@settings(max_examples=60, deadline=None)
def test_every_search_option_can_be_switched_off(graph: KernelGraph) -> None:
    best = plan_arena(graph)
    for options in ({"in_place": False}, {"search": False}):
        plain = plan_arena(graph, **options)
        validate_plan(dataclasses.replace(plan_execution(graph, None), arena=plain))
        assert plain.lower_bound_bytes >= best.lower_bound_bytes
    assert plan_arena(graph, search=False).size_bytes >= best.size_bytes


@given(programs())
@settings(max_examples=30, deadline=None)
def test_the_same_program_is_planned_alike_twice(graph: KernelGraph) -> None:
    first, second = plan_arena(graph), plan_arena(graph)
    assert first == second


def _random_buffers(count: int, seed: int) -> Iterator[Buffer]:
    random = np.random.default_rng(seed)
    for _ in range(count):
        first = int(random.integers(0, 50))
        lifetime = Lifetime(first, first + int(random.integers(1, 8)))
        yield Buffer(("t",), (Segment(lifetime, 16 * int(random.integers(1, 100))),))


@given(st.integers(1, 40), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_packed_buffers_never_overlap_and_respect_the_bound(count: int, seed: int) -> None:
    buffers = list(_random_buffers(count, seed))
    packing = pack_buffers(buffers)
    assert packing.size_bytes >= lower_bound_bytes(buffers)
    for left in range(count):
        for right in range(left):
            if buffers[left].lifetime.overlaps(buffers[right].lifetime):
                low, high = packing.offsets[left], packing.offsets[right]
                assert (
                    low + buffers[left].size_bytes <= high
                    or high + buffers[right].size_bytes <= low
                )


def test_packing_stays_close_to_the_bound_on_dense_instances() -> None:
    ratios = []
    for seed in range(20):
        buffers = list(_random_buffers(120, seed))
        ratios.append(pack_buffers(buffers).size_bytes / lower_bound_bytes(buffers))
    assert max(ratios) < 1.15
    assert sum(ratios) / len(ratios) < 1.06


def _chain(in_place: bool) -> KernelGraph:
    pairs = [("b", "c")] if in_place else []
    return program(
        {"a": 64, "b": 96, "c": 96, "d": 16},
        [call(["a"], ["b"]), call(["b"], ["c"], in_place=pairs), call(["c"], ["d"])],
        ["a"],
        ["d"],
    )


def test_lifetimes_are_half_open() -> None:
    assert tensor_lifetimes(_chain(False)) == {
        "a": Lifetime(0, 1),
        "b": Lifetime(0, 2),
        "c": Lifetime(1, 3),
        "d": Lifetime(2, 3),
    }


def test_an_output_takes_the_place_of_an_input_that_dies() -> None:
    assert plan_arena(_chain(False)).size_bytes == 192
    merged = plan_arena(_chain(True))
    assert merged.size_bytes == merged.lower_bound_bytes == 160
    assert merged.offset_bytes["b"] == merged.offset_bytes["c"]


def test_an_input_that_is_read_later_is_not_overwritten() -> None:
    graph = program(
        {"a": 16, "b": 16, "c": 16},
        [call(["a"], ["b"], in_place=[("a", "b")]), call(["a", "b"], ["c"])],
        ["a"],
        ["c"],
    )
    arena = plan_arena(graph)
    assert arena.offset_bytes["a"] != arena.offset_bytes["b"]


def test_memory_read_in_two_orders_is_not_overwritten() -> None:
    """``other`` is the same memory as ``a``, but the kernel may read it element by element."""
    graph = program(
        {"a": 16, "other": 16, "b": 16},
        [call(["a", "other"], ["b"], in_place=[("a", "b")])],
        ["a"],
        ["b"],
        aliases={"other": "a"},
    )
    arena = plan_arena(graph)
    assert arena.offset_bytes["a"] == arena.offset_bytes["other"] != arena.offset_bytes["b"]


def test_a_chain_shrinks_with_its_tensors() -> None:
    """What an in-place chain no longer needs is free for others."""
    graph = program(
        {"a": 160, "b": 32, "c": 128, "d": 16},
        [
            call(["a"], ["b"], in_place=[("a", "b")]),
            call(["b"], ["c"]),
            call(["b", "c"], ["d"]),
        ],
        ["a"],
        ["d"],
    )
    arena = plan_arena(graph)
    assert arena.size_bytes == arena.lower_bound_bytes == 176


def test_outputs_live_to_the_end_and_scratch_during_its_step() -> None:
    graph = program(
        {"a": 16, "early": 16, "late": 16},
        [call(["a"], ["early"], scratch_bytes=33), call(["a"], ["late"])],
        ["a"],
        ["early", "late"],
    )
    arena = plan_arena(graph)
    assert set(arena.scratch_offset_bytes) == {0}
    assert arena.size_bytes == 16 + 16 + 48


def test_state_has_a_block_of_its_own() -> None:
    graph = program(
        {"a": 16, "memory": 20, "more": 4, "b": 16},
        [call(["a", "memory", "more"], ["b", "memory"])],
        ["a"],
        ["b"],
        variables=["memory", "more"],
    )
    plan = plan_execution(graph, None)
    assert dict(plan.state_offset_bytes) == {"memory": 0, "more": 32}
    assert plan.state_bytes == 48
    assert "memory" not in plan.arena.offset_bytes


def test_a_program_without_calls_returns_its_input() -> None:
    graph = program({"a": 16}, [], ["a"], ["a"])
    plan = plan_execution(graph, None)
    validate_plan(plan)
    assert plan.arena.size_bytes == 16


def test_a_read_before_the_write_is_our_fault() -> None:
    graph = program({"a": 16, "b": 16}, [call(["b"], ["b"])], ["a"], ["b"])
    with pytest.raises(GraphError, match="step 0 reads tensor 'b' before it is written"):
        plan_execution(graph, None)
    nothing = program({"a": 16, "b": 16}, [], ["a"], ["b"])
    with pytest.raises(GraphError, match="no step writes output 'b'"):
        plan_execution(nothing, None)


def test_a_constant_output_is_refused() -> None:
    graph = program({"a": 16, "b": 16}, [], ["a"], ["b"])
    constant = Tensor("b", (16,), DType.INT8, data=np.zeros(16, np.int8))
    tensors = {**graph.graph.tensors, "b": constant}
    changed = dataclasses.replace(graph, graph=dataclasses.replace(graph.graph, tensors=tensors))
    with pytest.raises(UnsupportedError, match="output 'b' is a constant"):
        plan_execution(changed, None)


def test_buffers_of_nothing_are_left_out() -> None:
    graph = program({"a": 0, "b": 16}, [call(["a"], ["b"])], ["a"], ["b"])
    assert [buffer.tensors for buffer in plan_buffers(graph)] == [("b",)]
    assert plan_arena(graph).offset_bytes["a"] == 0
