"""Plans as text and as a picture say where every byte is."""

from penstock.boards import load_board
from penstock.planning import format_plan, plan_execution
from penstock.planning.drawing import draw_arena
from tests.planning.programs import call, program


def test_a_plan_reads_as_a_table() -> None:
    long_name = "first/" + "x" * 200 + "/last"
    graph = program(
        {"a": 64, long_name: 80, "b": 16, "memory": 8},
        [
            call(["a"], [long_name], scratch_bytes=20, constants=["w"]),
            call([long_name, "memory"], ["b", "memory"]),
        ],
        ["a"],
        ["b"],
        variables=["memory"],
        constants={"w": 20},
    )
    text = format_plan(plan_execution(graph, load_board("stm32f746g-disco")))
    lines = text.splitlines()
    assert lines[0] == "plan of program for stm32f746g-disco"
    assert lines[1] == "arena    176 B (176 B), which no plan can beat"
    assert "weights  32 B (32 B)" in lines
    assert "state    16 B (16 B)" in lines
    assert "arena, state  dtcm" in lines
    assert "weights       flash" in lines
    [step] = [line for line in lines if line.startswith("   0  ")]
    assert step.split()[:4] == ["0", "0", "CONCATENATION", "ps_copy_s8"]
    assert step.split()[-1].startswith("20@")
    [state] = [line for line in lines if line.startswith("state ") and line.endswith("memory")]
    assert state.split() == ["state", "0", "8", "always", "i8", "8", "memory"]
    assert any("[0, 2)" in line and "first/xxx" in line and "/last" in line for line in lines)
    assert max(map(len, lines)) < 150
    assert text.endswith("\n")
    assert "w         int8  20" in text


def test_a_plan_for_the_host_has_no_regions() -> None:
    graph = program({"a": 16, "b": 16}, [call(["a"], ["b"])], ["a"], ["b"])
    text = format_plan(plan_execution(graph, None))
    assert "for host" in text
    assert "region" not in text
    assert "state" not in text


def test_the_picture_shows_who_has_which_bytes_when() -> None:
    graph = program(
        {"a": 128, "b": 64, "c": 64},
        [call(["a"], ["b"]), call(["b"], ["c"], scratch_bytes=64)],
        ["a"],
        ["c"],
    )
    lines = draw_arena(plan_execution(graph, None)).splitlines()
    assert len(lines) == 17
    columns = ["".join(line.split("|")[1][step] for line in lines[:-1]) for step in (0, 1)]
    assert {mark: columns[0].count(mark) for mark in "ab"} in (
        {"a": 10, "b": 6},
        {"a": 11, "b": 5},
    )
    assert set(columns[1]) == {"b", "c", "#"}
    assert lines[-1].split() == ["bytes", "steps", "0", "to", "1"]
