"""``penstock compare``."""

import json
from pathlib import Path
from typing import Any

import pytest

from penstock import api
from penstock.cli.entry import run_command_line
from penstock.frontends.tflite import write_model
from penstock.simulate import verification
from penstock.units import format_seconds
from tests.frontends.writer_cases import CASES

BOARD = "nucleo-h743zi"
MODEL = Path(__file__).parents[2] / "examples" / "cifar10.tflite"


OVERLAID = ("overlays", "roomy")


def penstock(*arguments: str | Path) -> int:
    return run_command_line([str(argument) for argument in arguments])


def test_rules_of_placement_stand_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "x.json"
    board = "stm32f469i-disco"
    assert penstock("compare", MODEL, "--board", board, "--json", result) == 0
    printed = capsys.readouterr().out
    assert f"on virtual {board}, simulated; every output is the interpreter's" in printed
    found = json.loads(result.read_text())
    assert (found["schema"], found["board"]) == ("penstock.compare/1", board)
    runs = found["variants"]
    assert list(runs) == ["internal", "external", "placement", "overlays", "roomy", "ideal"]
    cycles = {name: run["cycles"] for name, run in runs.items()}
    assert cycles["ideal"] < cycles["placement"] == cycles["internal"] < cycles["external"] / 2
    assert cycles["ideal"] < cycles["overlays"] < 1.05 * cycles["ideal"]
    assert cycles["ideal"] < cycles["roomy"] < 1.05 * cycles["ideal"]
    whole = [run["instructions"] for name, run in runs.items() if name not in OVERLAID]
    assert set(whole) == {runs["ideal"]["instructions"]}
    assert all(run["verified"] is True for run in runs.values())
    assert runs["internal"]["traffic_bytes"]["sdram"]["read"] == 0
    assert runs["external"]["traffic_bytes"]["sdram"]["read"] > runs["external"]["macs"]
    assert set(runs["external"]["memory_bytes"]["sdram"]["contents"]) == {"weights", "arena"}
    waiting = ("fetch", "internal", "external", "store_buffer", "dma_wait")
    assert sum(runs["ideal"]["stalls"][cause] for cause in waiting) == 0
    assert set(found["reasons"].values()) == {""}
    for name, count in cycles.items():
        assert format_seconds(count / 180e6) in printed, name


def test_a_rule_that_cannot_be_kept_has_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "x.json"
    assert penstock("compare", MODEL, "--board", "nucleo-l4r5zi", "--json", result) == 0
    found = json.loads(result.read_text())
    assert found["variants"]["external"] is None
    reason = "board 'nucleo-l4r5zi' has no external memory that can be written"
    assert found["reasons"]["external"] == reason
    assert f"external: not possible: {reason}" in capsys.readouterr().out


def test_some_rules_may_be_chosen(tmp_path: Path) -> None:
    result = tmp_path / "x.json"
    chosen = ["--variant", "overlays", "--variant", "placement", "--no-overlays"]
    assert penstock("compare", MODEL, "--board", BOARD, *chosen, "--json", result) == 0
    assert list(json.loads(result.read_text())["variants"]) == ["placement"]


def test_this_computer_has_nothing_to_compare(capsys: pytest.CaptureFixture[str]) -> None:
    assert penstock("compare", MODEL, "--board", "host") == 2
    assert "'host' is this computer, not a virtual board" in capsys.readouterr().err


def test_one_interpretation_serves_all_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpret, interpreted = verification.run, []

    def count(*arguments: Any) -> Any:
        interpreted.append(arguments)
        return interpret(*arguments)

    monkeypatch.setattr(verification, "run", count)
    (tmp_path / "small.tflite").write_bytes(write_model(CASES["tanh_i8"]))
    result = api.compare(tmp_path / "small.tflite", board="stm32f469i-disco")
    assert [variant.run.verified for variant in result.variants.values()] == [True] * len(
        api.Variant
    )
    assert len(interpreted) == 1


def test_all_of_a_memory_may_be_reserved(tmp_path: Path) -> None:
    result = tmp_path / "x.json"
    reserved = ["--reserve", "sram4=64K", "--variant", "overlays", "--json", str(result)]
    assert penstock("compare", MODEL, "--board", BOARD, *reserved) == 0
    memory = json.loads(result.read_text())["variants"]["overlays"]["memory_bytes"]
    assert "sram4" not in memory


def test_nothing_to_compare_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["compare", str(MODEL), "--board", BOARD, "--variant", "overlays", "--no-overlays"]
    assert run_command_line(command) == 2
    assert "--no-overlays leaves nothing of --variant overlays" in capsys.readouterr().err
