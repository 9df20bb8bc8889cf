"""The validator finds every way of breaking a plan."""

import dataclasses
from collections.abc import Mapping

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from penstock.boards import load_board
from penstock.errors import GraphError
from penstock.kernels.kernel_graph import KernelGraph
from penstock.planning import ExecutionPlan, plan_execution, validate_plan
from tests.planning.programs import call, program, programs


def _graph() -> KernelGraph:
    return program(
        {"a": 64, "b": 64, "c": 64, "d": 64, "flat": 64, "memory": 8, "more": 8},
        [
            call(["a"], ["b"], scratch_bytes=32, constants=["w"]),
            call(["b"], ["c"], in_place=[("b", "c")]),
            call(["flat", "memory", "more"], ["d", "memory"]),
        ],
        ["a"],
        ["d"],
        aliases={"flat": "c"},
        variables=["memory", "more"],
        constants={"w": 20},
    )


def _moved(plan: ExecutionPlan, offsets: Mapping[str, int]) -> ExecutionPlan:
    arena = dataclasses.replace(
        plan.arena, offset_bytes={**plan.arena.offset_bytes, **offsets}, size_bytes=1024
    )
    return dataclasses.replace(plan, arena=arena)


SPREAD = {"a": 0, "b": 128, "c": 128, "flat": 128, "d": 256}


@pytest.fixture
def plan() -> ExecutionPlan:
    """A plan with room between its tensors: the arena ends at 1024, scratch starts at 512."""
    spread = _moved(plan_execution(_graph(), None), SPREAD)
    arena = dataclasses.replace(spread.arena, scratch_offset_bytes={0: 512})
    spread = dataclasses.replace(spread, arena=arena)
    validate_plan(spread)
    return spread


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ({"b": 8, "c": 8, "flat": 8}, "not a multiple of 16"),
        ({"d": 1008}, "beyond its block"),
        ({"d": -16}, "not a multiple of 16"),
        ({"b": 32, "c": 32, "flat": 32}, "overwrites its input 'a'"),
        ({"c": 144, "flat": 144}, "overwrites its input 'b'"),
        ({"d": 176}, "overwrites its input 'flat'"),
        ({"flat": 512}, "have two addresses"),
        ({"b": 480, "c": 480, "flat": 480}, "scratch of step 0 .* overlaps tensor 'b'"),
        ({"a": 496}, "scratch of step 0 .* overlaps tensor 'a'"),
    ],
)
def test_moved_tensors_are_noticed(
    plan: ExecutionPlan, offsets: Mapping[str, int], message: str
) -> None:
    with pytest.raises(GraphError, match=message):
        validate_plan(_moved(plan, offsets))


def test_scratch_destroys_what_waits_for_a_later_step() -> None:
    """Scratch may lie where nothing of its own step does, and still be in the way."""
    graph = program(
        {"a": 16, "kept": 16, "b": 16, "end": 16},
        [
            call(["a"], ["kept"]),
            call(["a"], ["b"], scratch_bytes=16),
            call(["kept", "b"], ["end"]),
        ],
        ["a"],
        ["end"],
    )
    good = _moved(plan_execution(graph, None), {"a": 0, "kept": 16, "b": 32, "end": 48})
    validate_plan(_replace_arena(good, scratch_offset_bytes={1: 64}))
    with pytest.raises(GraphError, match=r"step 2 .* needs tensor 'kept', .* overwritten"):
        validate_plan(_replace_arena(good, scratch_offset_bytes={1: 16}))


def _replace_arena(plan: ExecutionPlan, **changes: object) -> ExecutionPlan:
    return dataclasses.replace(plan, arena=dataclasses.replace(plan.arena, **changes))


def test_missing_scratch_is_noticed(plan: ExecutionPlan) -> None:
    with pytest.raises(GraphError, match="needs scratch and has none"):
        validate_plan(_replace_arena(plan, scratch_offset_bytes={}))


def test_a_missing_address_is_noticed(plan: ExecutionPlan) -> None:
    offsets = {name: offset for name, offset in SPREAD.items() if name != "d"}
    with pytest.raises(GraphError, match="tensor 'd' has no address"):
        validate_plan(_replace_arena(plan, offset_bytes=offsets))


def test_a_bound_above_the_size_is_noticed(plan: ExecutionPlan) -> None:
    with pytest.raises(GraphError, match="smaller than the lower bound"):
        validate_plan(_replace_arena(plan, lower_bound_bytes=2048))


def test_a_missing_constant_is_noticed(plan: ExecutionPlan) -> None:
    graph = dataclasses.replace(plan.program, constants={})
    with pytest.raises(GraphError, match="needs constant 'w': there is none"):
        validate_plan(dataclasses.replace(plan, program=graph))


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ({"memory": 0, "more": 0}, "overlap"),
        ({"memory": 0}, "exactly the variable tensors"),
        ({"memory": 0, "more": 4}, "not a multiple of 16"),
        ({"memory": 0, "more": 32}, "beyond its block"),
    ],
)
def test_broken_state_is_noticed(
    plan: ExecutionPlan, offsets: Mapping[str, int], message: str
) -> None:
    with pytest.raises(GraphError, match=message):
        validate_plan(dataclasses.replace(plan, state_offset_bytes=offsets))


def test_undeclared_in_place_is_noticed(plan: ExecutionPlan) -> None:
    calls = [dataclasses.replace(item, in_place=()) for item in plan.program.calls]
    graph = dataclasses.replace(plan.program, calls=tuple(calls))
    with pytest.raises(GraphError, match="overwrites its input 'b' by output 'c'"):
        validate_plan(dataclasses.replace(plan, program=graph))


def _two_readers(offsets: Mapping[str, int]) -> ExecutionPlan:
    graph = program(
        {"a": 16, "b": 16, "c": 16},
        [call(["a"], ["b"], in_place=[("a", "b")]), call(["a", "b"], ["c"])],
        ["a"],
        ["c"],
    )
    return _moved(plan_execution(graph, None), offsets)


def test_a_value_destroyed_before_its_last_reader_is_noticed() -> None:
    validate_plan(_two_readers({"a": 0, "b": 16, "c": 32}))
    with pytest.raises(GraphError, match=r"step 1 .* needs tensor 'a', which has been overwritten"):
        validate_plan(_two_readers({"a": 0, "b": 0, "c": 32}))


def test_an_output_destroyed_before_the_end_is_noticed() -> None:
    graph = program(
        {"a": 16, "early": 16, "late": 16, "last": 16},
        [call(["a"], ["early"]), call(["a"], ["late"]), call(["late"], ["last"])],
        ["a"],
        ["early", "last"],
    )
    good = _moved(plan_execution(graph, None), {"a": 0, "early": 16, "late": 32, "last": 48})
    validate_plan(good)
    with pytest.raises(GraphError, match="the user, after the last step, needs tensor 'early'"):
        validate_plan(_moved(good, {"last": 16}))


def test_inputs_on_top_of_each_other_are_noticed() -> None:
    graph = program({"a": 16, "b": 16, "c": 16}, [call(["a", "b"], ["c"])], ["a", "b"], ["c"])
    good = _moved(plan_execution(graph, None), {"a": 0, "b": 16, "c": 32})
    validate_plan(good)
    with pytest.raises(GraphError, match="needs tensor 'a', which has been overwritten"):
        validate_plan(_moved(good, {"b": 0}))


def test_a_tensor_written_in_parts_must_survive_between_them() -> None:
    graph = program(
        {"a": 16, "b": 16, "joined": 32, "other": 16, "end": 16},
        [
            call(["a"], ["joined"]),
            call(["a"], ["other"]),
            call(["b"], ["joined"]),
            call(["joined", "other"], ["end"]),
        ],
        ["a", "b"],
        ["end"],
    )
    offsets = {"a": 0, "b": 16, "joined": 32, "other": 64, "end": 0}
    good = _moved(plan_execution(graph, None), offsets)
    validate_plan(good)
    with pytest.raises(GraphError, match=r"writes a further part of it, needs .* overwritten"):
        validate_plan(_moved(good, {"other": 48}))


def test_wrong_regions_are_noticed() -> None:
    board = load_board("stm32f746g-disco")
    good = plan_execution(_graph(), board)
    validate_plan(good, board)
    assert good.placement is not None
    for changes, message in (
        ({"arena": "flash"}, "arena is placed in 'flash', which is read-only"),
        ({"stack": "qspi"}, "stack is placed in 'qspi', which is read-only"),
        ({"weights": "moon"}, "weights is placed in 'moon', which the board does not have"),
    ):
        placement = dataclasses.replace(good.placement, **changes)
        with pytest.raises(GraphError, match=message):
            validate_plan(dataclasses.replace(good, placement=placement), board)
    with pytest.raises(GraphError, match="plan is for board 'host'"):
        validate_plan(plan_execution(_graph(), None), board)


def test_a_region_that_is_too_small_is_noticed() -> None:
    board = load_board("stm32f746g-disco")
    good = plan_execution(_graph(), board)
    full = _replace_arena(good, size_bytes=board.region("dtcm").size_bytes + 16)
    with pytest.raises(GraphError, match="region 'dtcm' offers 65536 bytes and gets"):
        validate_plan(full, board)


@given(programs(), st.data())
@settings(max_examples=200, deadline=None)
def test_swapping_live_tensors_is_noticed(graph: KernelGraph, data: st.DataObject) -> None:
    """A tensor moved onto the bytes of an output that is not its alias destroys or is destroyed."""
    good = plan_execution(graph, None)
    names = [n for n in good.arena.offset_bytes if graph.graph.tensors[n].size_bytes]
    output = graph.graph.outputs[0]
    others = [n for n in names if n in graph.calls[-1].writes and n not in graph.aliases.values()]
    assume(others and graph.graph.tensors[output].size_bytes)
    victim = data.draw(st.sampled_from(others))
    assume(victim != output and output not in graph.calls[-1].writes)
    with pytest.raises(GraphError):
        validate_plan(_moved(good, {victim: good.arena.offset_bytes[output]}))
