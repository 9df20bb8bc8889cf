"""``penstock simulate``: what the program prints, what it cost, how it ended."""

import json
import re
from pathlib import Path

import pytest

from penstock.boards import load_board
from penstock.cli.entry import run_command_line
from penstock.simulate.image import read_image
from penstock.toolchain import find_target_compiler
from tests.simulate.images import FLASH, flat_bytes, link_cases

BOARD = "stm32f746g-disco"


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    board = load_board(BOARD)
    return link_cases(board, find_target_compiler(board.core), tmp_path_factory.mktemp("cli"))


def simulate(firmware: Path, *arguments: str) -> int:
    return run_command_line(["simulate", str(firmware), "--board", BOARD, *arguments])


def test_output_cost_and_exit_status_are_shown(
    firmware: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(firmware) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("started\nfinished\ncases.elf on virtual stm32f746g-disco, from reset")
    assert "Simulated: " in shown
    assert "at 216 MHz" in shown
    assert "functions, callees not included" in shown
    assert "\nSanitizers were off: " in shown
    assert "counted" in shown
    assert shown.endswith("exit status 7\n")


def test_json_carries_everything(
    firmware: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "result.json"
    assert simulate(firmware, "--from", "counted", "--to", "counted_end", "--json", str(path)) == 0
    shown = capsys.readouterr().out
    assert "exit status" not in shown
    assert re.search(r", \d[\d.]* [µn]s at 216 MHz", shown)
    assert re.search(r"^Energy: \d[\d.]* nJ \(", shown, re.MULTILINE)
    result = json.loads(path.read_text())
    assert result["schema"] == "penstock.simulate/1"
    assert (result["truth"], result["format"], result["board"]) == ("simulate", "elf", BOARD)
    assert result["counted"] == "from counted to counted_end"
    assert result["instructions"] == 23
    assert result["cycles"] >= 11
    assert result["latency_ms"] == pytest.approx(result["cycles"] / 216e3)
    assert sum(result["stalls"].values()) <= result["cycles"]
    assert result["traffic_bytes"]["flash"]["fetched"] > 0
    assert result["caches"] == {"instruction": False, "data": False}
    assert (result["exit_status"], result["return_value"]) == (None, None)
    assert result["stdout"] == "started\n"
    assert result["functions"] == [{"name": "counted", "instructions": 23}]


def test_json_on_standard_output_is_alone(
    firmware: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(firmware, "--json", "-") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["stdout"], result["exit_status"]) == ("started\nfinished\n", 7)


def test_calls_on_the_command_line(
    firmware: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "inbox.bin").write_bytes(bytes(16))
    calls = ["--call", "done,state", "--call", "arguments(1, 2, state, 0x4)"]
    load = ["--load", f"{tmp_path / 'inbox.bin'}@inbox"]
    assert simulate(firmware, *calls, *load, "--caches", "off", "--stack", "0x20004000") == 0
    shown = capsys.readouterr().out
    assert "call 3 of 3: arguments(1, 2, state, 0x4)" in shown
    assert "returned " in shown


def test_caches_that_were_off_are_named(firmware: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hint = "The instruction and data caches were off at the end"
    assert simulate(firmware) == 0
    assert hint in capsys.readouterr().out
    assert simulate(firmware, "--caches", "on") == 0
    assert "off at the end" not in capsys.readouterr().out


def test_made_up_answers_are_admitted(firmware: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(firmware, "--call", "waits_for_clocks", "--peripherals", "ignore") == 0
    assert "of the program's reads of registers that it polled" in capsys.readouterr().out


def test_raw_binaries_need_a_base(
    firmware: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cases.bin"
    path.write_bytes(flat_bytes(read_image(firmware).firmware.segments))
    assert simulate(path) == 2
    assert "--base ADDRESS" in capsys.readouterr().err
    assert simulate(path, "--base", f"{FLASH:#x}", "--vectors", f"{FLASH:#x}") == 0
    assert "exit status 7" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--base", "here"], "--base is 'here', not a number from 0 to 0xffffffff"),
        (["--stack", "0x100000000"], "--stack is '0x100000000', not a number"),
        (["--call", "nobody"], "--call nobody: cases.elf has no symbol 'nobody'"),
        (["--call", "writes_nowhere"], "wrote 4 bytes at 0x30000000"),
        (["--timeout-instructions", "200"], "and was not done"),
        (["--pass", "0"], "--pass"),
    ],
)
def test_wrong_programs_and_options_have_status_2(
    firmware: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert simulate(firmware, *arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "help:" in captured.err
    assert "bug of Penstock" not in captured.err


def test_what_was_printed_before_a_fault_is_shown(
    firmware: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(firmware, "--from", "sleeps") == 2
    captured = capsys.readouterr()
    assert captured.out == "started\nfinished\n"
    assert "before it came to --from sleeps" in captured.err
