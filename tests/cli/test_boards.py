"""``penstock boards NAME``: every number of a board with its source and confidence."""

import json
from pathlib import Path

import pytest

from penstock.boards import board_names, load_board
from penstock.cli.entry import run_command_line

BOARD = "stm32f746g-disco"


def lines_of(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("penstock.cli.console.stdout.width", 200)
    assert run_command_line(["boards", name]) == 0
    return capsys.readouterr().out


def row(printed: str, section: str, entry: str) -> list[str]:
    """Return the words of an entry's row within a section."""
    after = printed.partition(f"\n{section} ")[2].splitlines()
    return next(line for line in after if line.startswith(f"  {entry} ")).split()


def test_numbers_come_with_their_unit_confidence_source_and_remark(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = lines_of(BOARD, capsys, monkeypatch)
    assert "STM32F746NGH6, cortex-m7 with -mfpu=fpv5-sp-d16 at 216 MHz" in printed
    assert row(printed, "memory sdram", "base")[1:3] == ["0xc0000000", "primary"]
    assert row(printed, "memory sdram", "size")[1:3] == ["8.0", "MiB"]
    assert row(printed, "memory sdram timing", "clock")[1:4] == ["108", "MHz", "secondary"]
    assert row(printed, "memory sdram timing", "cas")[1:4] == ["2", "clocks", "primary"]
    assert row(printed, "power", "run")[1:6] == ["327", "(242", "to", "515)", "mW"]
    *_, source, remark = row(printed, "dma dma2", "item")
    assert row(printed, "dma dma2", "item")[1:4] == ["7.4", "bus", "clocks"]
    assert row(printed, "dma dma2", "kind")[1:3] == ["stream", "secondary"]
    sources, _, remarks = printed.partition("\nSources\n")[2].partition("\nRemarks\n")
    fact = next(f for f in load_board(BOARD).facts if f.key == "item_cycles")
    assert f"\n{source:>2}  {fact.provenance.source}" in f"\n{sources}"
    assert f"\n{remark:>2}  fitted to: {fact.provenance.fitted_to}" in f"\n{remarks}"


def test_what_is_not_modelled_says_so_and_one_is_no_plural(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = lines_of("nucleo-l4r5zi", capsys, monkeypatch)
    assert "channel: not modelled, no driver" in printed
    assert row(printed, "memory sram1 timing", "fetch")[1:3] == ["1", "cycle"]


@pytest.mark.parametrize("name", board_names())
def test_every_board_shows_every_entry_and_source(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = lines_of(name, capsys, monkeypatch)
    board = load_board(name)
    rows = printed.partition("\nSources\n")[0].splitlines()
    confidences = [fact.provenance.confidence.value for fact in board.facts]
    shown = [word for line in rows for word in line.split() if word in set(confidences)]
    assert shown == confidences
    legend = next(line for line in rows if line.startswith(("primary: ", "secondary: ")))
    assert {word[:-1] for word in legend.split() if word.endswith(":")} == set(confidences)
    assert all(fact.provenance.source in printed for fact in board.facts)


def test_json_holds_every_entry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "board.json"
    assert run_command_line(["boards", BOARD, "--json", str(path)]) == 0
    assert "dma dma2" in capsys.readouterr().out
    document = json.loads(path.read_text())
    assert (document["schema"], document["name"]) == ("penstock.board/1", BOARD)
    board = load_board(BOARD)
    assert len(document["facts"]) == len(board.facts)
    facts = {(fact["table"], fact["key"]): fact for fact in document["facts"]}
    assert facts["memory sdram timing", "cas_clocks"] == {
        "table": "memory sdram timing",
        "key": "cas_clocks",
        "value": 2,
        "source": board.region("sdram").provenance.source,
        "confidence": "primary",
    }
    assert facts["power", "run_mw"]["value"] == {"value": 327, "low": 242, "high": 515}
    assert facts["dma dma2", "item_cycles"]["fitted_to"].startswith("QSPI to RAM")
    assert facts["dma dma2", "item_cycles"]["measured_on"] == ["STM32F746", "STM32F469"]


def test_json_alone_goes_to_the_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["boards", BOARD, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == BOARD


def test_a_board_of_ones_own_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.toml"
    data = Path(__file__).parents[2] / "src" / "penstock" / "boards" / "data"
    path.write_text((data / f"{BOARD}.toml").read_text().replace("108_000_000", "90_000_000"))
    printed = lines_of(str(path), capsys, monkeypatch)
    assert printed.startswith("mine: ")
    assert row(printed, "memory sdram timing", "clock")[1:3] == ["90", "MHz"]


def test_an_unknown_board_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["boards", "stm32f746"]) == 2
    assert f"did you mean '{BOARD}'?" in capsys.readouterr().err
