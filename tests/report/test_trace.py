"""Traces: well-formed, in order, nested, and adding up to the result."""

import json
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from penstock import api
from penstock.boards import Board, load_board
from penstock.cli.entry import run_command_line
from penstock.planning.options import PlanOptions
from penstock.report.energy import Energy
from penstock.report.results import OperatorResult, RunResult, Truth
from penstock.report.trace import render_trace, trace_document
from penstock.simulate.dma import Transfer
from penstock.simulate.timeline import Slice, Span, Timeline
from penstock.simulate.timing import Traffic

MODEL = Path(__file__).parents[2] / "examples" / "cifar10.tflite"
BOARD = "stm32f746g-disco"
CORE = (1, 1)

Event = dict[str, Any]


def track(event: Event) -> tuple[int, int]:
    return event["pid"], event["tid"]


def closed_slices(events: list[Event]) -> list[tuple[Event, float, int]]:
    """Check order and nesting; return each slice with its end and depth."""
    found = []
    moving = sorted((e for e in events if e["ph"] in "BE"), key=track)
    for _, group in groupby(moving, key=track):
        now, open_slices = 0.0, []
        for event in group:
            assert event["ts"] >= now
            now = event["ts"]
            if event["ph"] == "B":
                open_slices.append(event)
            else:
                begin = open_slices.pop()
                found.append((begin, now, len(open_slices)))
        assert not open_slices
    return found


@pytest.fixture(scope="module")
def outcome() -> api.RunOutcome:
    options = api.CompileOptions(PlanOptions("qspi", "sdram", overlays=False), check=False)
    return api.run(MODEL, board=BOARD, options=options)


def test_a_trace_adds_up_to_the_result(outcome: api.RunOutcome) -> None:
    assert outcome.trace is not None
    document = json.loads(render_trace(outcome.trace))
    time = outcome.result.time
    assert time is not None
    core = [part for part in closed_slices(document["traceEvents"]) if track(part[0]) == CORE]
    assert sum(begin["args"]["cycles"] for begin, _, _ in core) == time.cycles
    assert max(end for _, end, _ in core) == pytest.approx(time.latency_ms * 1e3, abs=0.01)
    operators = [begin for begin, _, _ in core if "step" in begin["args"]]
    assert [begin["args"]["step"] for begin in operators] == [
        row.index for row in outcome.result.operators
    ]
    for begin, row in zip(operators, outcome.result.operators, strict=True):
        assert begin["name"] == f"{row.kind} {row.index}"
        assert begin["args"]["macs"] == row.macs
        assert begin["args"]["cycles"] == pytest.approx(row.cycles, abs=1)
    for name, moved in time.to_json()["traffic_bytes"].items():
        for way, size_bytes in moved.items():
            listed = (begin["args"]["bytes"].get(name, {}) for begin, _, _ in core)
            assert sum(sizes.get(way, 0) for sizes in listed) == size_bytes
    assert document["otherData"]["cycles"] == time.cycles
    assert document["otherData"]["is_complete"] is True


def test_the_area_under_a_memorys_rate_is_its_bytes(outcome: api.RunOutcome) -> None:
    assert outcome.trace is not None
    assert outcome.result.time is not None
    counters = [e for e in outcome.trace["traceEvents"] if e["ph"] == "C" and e["name"] == "qspi"]
    times = [event["ts"] for event in counters]
    assert times == sorted(times)
    assert set(counters[-1]["args"].values()) == {0.0}
    area = sum(
        before["args"]["read"] * (after["ts"] - before["ts"])
        for before, after in pairwise(counters)
    )
    assert area == pytest.approx(outcome.result.time.traffic["qspi"].read_bytes, rel=1e-3)


def test_the_same_run_gives_the_same_trace(outcome: api.RunOutcome, tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    arguments = ["run", str(MODEL), "--board", BOARD, "--trace", str(file)]
    placement = ["--weights-in", "qspi", "--arena-in", "sdram", "--no-overlays"]
    assert run_command_line([*arguments, *placement]) == 0
    assert outcome.trace is not None
    assert file.read_text() == render_trace(outcome.trace)
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]


@pytest.mark.parametrize("is_complete", [True, False])
def test_the_terminal_says_where_a_trace_is_cut(
    outcome: api.RunOutcome,
    is_complete: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert outcome.trace is not None
    rest = {**outcome.trace["otherData"], "is_complete": is_complete}
    cut = replace(outcome, trace={**outcome.trace, "otherData": rest})
    monkeypatch.setattr(api, "run", lambda *_, **__: cut)
    file = tmp_path / "t.json"
    assert run_command_line(["run", str(MODEL), "--board", BOARD, "--trace", str(file)]) == 0
    assert file.exists()
    assert ("t.json' is cut: more happened" in capsys.readouterr().err) != is_complete


def test_this_computer_has_no_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "t.json"
    assert run_command_line(["run", str(MODEL), "--board", "host", "--trace", str(file)]) == 2
    assert "--trace needs the time of a virtual board" in capsys.readouterr().err
    assert not file.exists()


def test_a_trace_and_another_result_are_two_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "t.json")
    assert run_command_line(["run", str(MODEL), "--board", BOARD, "--trace", file, "--json", file])
    assert "--trace" in capsys.readouterr().err


def stretch(started: float, ended: float, operator: int | None) -> Slice:
    traffic = {"sdram": Traffic(0, 3200, 0), "dtcm": Traffic(0, 0, 0)}
    return Slice(started, ended, operator, {"dma_wait": 100.0, "fetch": 0.5}, traffic)


def synthetic() -> tuple[RunResult, Board, Timeline]:
    """Two operators, the first twice; a sleep to its very end; two channels."""
    slices = (
        stretch(0, 100.25, None),
        stretch(100.25, 500.5, 0),
        stretch(500.5, 600, 1),
        stretch(600, 700, 0),
    )
    transfers = (
        Transfer("dma2", 0, 0x9000_0000, 0xC000_0000, 400, 0, 150.0, 350.0),
        Transfer("dma2", 1, 0xC000_0000, 0x2000_0000, 100, 1, 120.0, 620.0),
        Transfer("dma2", 0, 0x9000_0190, 0xC000_0190, 400, 0, 350.0, 500.5),
    )
    sleeps = (Span(200, 350), Span(400, 500.5), Span(650, 700))
    operators = [
        OperatorResult(i, i, "ADD", "ps_add_s8", f"t{i}", (1,), 0, 9, 500 - 400 * i, {})
        for i in range(2)
    ]
    result = RunResult(
        model="m.tflite",
        board=BOARD,
        truth=Truth.SIMULATE,
        verified=None,
        macs=0,
        instructions=9,
        time=None,
        energy=Energy(None, {}, "none"),
        stack_bytes=None,
        memory={},
        operators=operators,
        outputs=[],
        input_origin="",
        compiler="",
        run_seconds=0.0,
    )
    return result, load_board(BOARD), Timeline(slices, sleeps, transfers, False)


def test_sleep_nests_in_operators_and_channels_have_tracks() -> None:
    document = trace_document(*synthetic())
    events = document["traceEvents"]
    slices = closed_slices(events)
    core = [(b["name"], depth) for b, _, depth in slices if track(b) == CORE]
    assert core == [
        ("outside operators", 0),
        ("asleep", 1),
        ("asleep", 1),
        ("ADD 0", 0),
        ("ADD 1", 0),
        ("asleep", 1),
        ("ADD 0", 0),
    ]
    names = {track(e): e["args"]["name"] for e in events if e.get("name") == "thread_name"}
    assert names == {CORE: "cortex-m7", (1, 2): "dma2 channel 0", (1, 3): "dma2 channel 1"}
    dma = (begin for begin, _, _ in slices if begin["cat"] == "dma")
    moved = [(track(begin), begin["name"], begin["args"]["bytes"]) for begin in dma]
    assert moved == [
        ((1, 2), "qspi → sdram", 400),
        ((1, 2), "qspi → sdram", 400),
        ((1, 3), "sdram → dtcm", 100),
    ]
    assert document["otherData"]["is_complete"] is False


def test_memories_that_nobody_uses_have_no_counter() -> None:
    events = trace_document(*synthetic())["traceEvents"]
    counters = [event for event in events if event["ph"] == "C"]
    assert {event["name"] for event in counters} == {"sdram"}
    rate = 3200 / (400.25 / 216e6) / 1e6
    assert counters[1]["args"]["written"] == pytest.approx(rate, abs=1e-3)
    assert counters[1]["args"]["read"] == 0
