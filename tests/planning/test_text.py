"""Plans as text and as a picture say where every byte is."""

from dataclasses import replace
from pathlib import Path

from penstock.boards import load_board
from penstock.frontends.tflite import read_model
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning import format_plan, plan_execution, plan_model
from penstock.planning.drawing import draw_arena
from penstock.planning.options import PlanOptions
from tests.planning.programs import call, program

MODEL = Path(__file__).parents[2] / "examples" / "cifar10.tflite"


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


def test_a_plan_with_overlays_says_what_is_copied_where_and_when() -> None:
    calls = select_kernels(run_passes(read_model(MODEL.read_bytes(), "cifar10")))
    reserve = (("dtcm", 52 * 1024), ("sram1", 204 * 1024), ("flash", 960 * 1024))
    plan = plan_model(
        calls, load_board("stm32f746g-disco"), PlanOptions(fusion=False, reserve=reserve)
    )
    overlays = plan.overlays
    assert overlays is not None
    text = format_plan(plan)
    lines = text.splitlines()
    assert f"far      {overlays.far_bytes} B ({overlays.far_bytes / 1024:.1f} KiB)" in lines
    tiles, copies = len(overlays.tiles), len(overlays.copies)
    assert f"overlays {tiles} tiles, {copies} copies on {overlays.channel_count} channels" in lines
    regions = dict(line.rsplit(None, 1) for line in lines if line.endswith((" sdram", " qspi")))
    assert regions == {
        "far weights": "sdram",
        "far weights' image": "qspi",
        "far": "sdram",
    }
    assert "tight               dtcm" in lines
    [first] = [line for line in lines if line.startswith("   0  ")]
    rows = {tile.rows for tile in overlays.tiles if tile.step == 0}
    assert f"  {overlays.step_tiles[1]}  " in first
    assert f" {len(rows)} x 1 " in first
    paragraphs = text.split("\n\n")
    [slots] = [part for part in paragraphs if part.startswith("slot ")]
    assert len(slots.splitlines()) == copies + 2
    directions = {line.split()[3] for line in slots.splitlines()[2:]}
    assert directions == {"from", "to"}
    [packs] = [part for part in paragraphs if part.startswith("packs ")]
    assert len(packs.splitlines()) == len(overlays.packs) + 2
    for name in overlays.far_offset_bytes:
        assert any(line.startswith("far ") and line.endswith(f" {name}") for line in lines)


def test_the_picture_has_no_slots_of_other_memory() -> None:
    calls = select_kernels(run_passes(read_model(MODEL.read_bytes(), "cifar10")))
    board = load_board("stm32f746g-disco")
    drawn = {t: draw_arena(plan_model(calls, board, PlanOptions(tight=t))) for t in (True, False)}
    assert "=" not in drawn[True]
    assert "=" in drawn[False]


def test_a_plan_that_could_not_have_overlays_says_why() -> None:
    graph = program({"a": 16, "b": 16}, [call(["a"], ["b"])], ["a"], ["b"])
    plan = replace(plan_execution(graph, None), without_overlays="no room")
    assert "overlays none: no room" in format_plan(plan).splitlines()
