"""``penstock inspect --board`` and ``penstock bench ops``."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from penstock.bench.kernel_shapes import KERNEL_SHAPES
from penstock.cli import console, kernel_tables
from penstock.cli.entry import run_command_line
from penstock.kernels.catalogue import CATALOGUE
from penstock.kernels.kernel_set import is_mve_kernel
from penstock.planning.estimate import accuracy
from penstock.planning.estimate.coefficients import load_coefficients, parse_coefficients
from penstock.simulate.timing_records import Cause
from penstock.units import format_bytes, format_joules

MODEL = Path(__file__).parents[2] / "examples" / "cifar10.tflite"
BOARD = "stm32f746g-disco"


def penstock(*arguments: str | Path) -> int:
    return run_command_line([str(argument) for argument in arguments])


def test_inspect_estimates_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = tmp_path / "x.json"
    assert penstock("inspect", MODEL, "--board", BOARD, "--optimized", "--json", result) == 0
    printed = capsys.readouterr().out
    assert re.search(rf"^Estimate for {BOARD}: [\d.]+ ms at 216 MHz, ", printed, re.MULTILINE)
    assert "the arena in sram1; DMA brings what kernels work on, tile by tile" in " ".join(
        printed.split()
    )
    stated = r"Nothing was run: of \d+ such estimates, overlays and the arena in internal RAM"
    assert re.search(stated + r", half were within \d\.\d % of a simulation", printed)
    assert "%, on this board; `penstock run --board` simulates." in printed
    assert "est. cycles of one operator may be further off than those of the network" in printed
    found = json.loads(result.read_text())
    estimate = found["estimate"]
    assert (estimate["truth"], estimate["board"]) == ("estimate", BOARD)
    assert estimate["latency_ms"] == pytest.approx(estimate["cycles"] / 216e3)
    assert (estimate["weights_kind"], estimate["arena_kind"]) == ("overlays", "internal RAM")
    assert estimate["overlays"] is True
    assert 0 <= estimate["dma_wait_cycles"] < estimate["cycles"] / 1000
    assert (estimate["compared_on"], estimate["is_board_compared"]) == ([BOARD], True)
    assert 0 < estimate["error_median"] < estimate["error_worst"] < 0.15
    assert estimate["compared"] >= 5
    steps = sum(row["estimated_cycles"] or 0 for row in found["operators"])
    assert 0.99 * estimate["cycles"] < steps < estimate["cycles"]


def test_an_estimate_for_another_board_names_those_that_were_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = Path("src/penstock/boards/data/stm32f746g-disco.toml").read_text()
    mine = tmp_path / "mine.toml"
    mine.write_text(text.replace(f'name = "{BOARD}"', 'name = "mine"', 1))
    assert penstock("inspect", MODEL, "--board", mine) == 0
    printed = capsys.readouterr().out
    assert "of a simulation and all within" in printed
    assert f"nucleo-h743zi, {BOARD}, which" in printed
    assert "which have the same core, but never this board" in printed


def test_an_estimate_like_none_that_was_compared_has_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accuracy, "load_accuracy", lambda: ())
    result = tmp_path / "x.json"
    assert penstock("inspect", MODEL, "--board", BOARD, "--json", result) == 0
    homes = "overlays and the arena in internal RAM"
    stated = f"no estimate for this core with {homes} was ever compared with a simulation"
    assert f"Nothing was run: {stated}; " in capsys.readouterr().out
    estimate = json.loads(result.read_text())["estimate"]
    assert (estimate["error_median"], estimate["error_worst"]) == (None, None)
    assert (estimate["compared"], estimate["compared_on"]) == (0, [])


def test_rows_of_the_file_have_the_cycles_of_what_is_left_of_them(tmp_path: Path) -> None:
    results = []
    for name, options in (("file", ()), ("passes", ("--optimized",))):
        result = tmp_path / f"{name}.json"
        assert penstock("inspect", MODEL, "--board", BOARD, "--json", result, *options) == 0
        results.append(json.loads(result.read_text()))
    as_in_file, after_passes = ({row["kind"]: 0 for row in found["operators"]} for found in results)
    for rows, found in zip((as_in_file, after_passes), results, strict=True):
        for row in found["operators"]:
            rows[row["kind"]] += row["estimated_cycles"] or 0
    assert as_in_file["CONV_2D"] == after_passes["CONV_2D"] > 0


def test_without_a_board_nothing_is_estimated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert penstock("inspect", MODEL, "--json", tmp_path / "x.json") == 0
    assert "stimate" not in capsys.readouterr().out
    assert json.loads((tmp_path / "x.json").read_text())["estimate"] is None


def test_a_model_too_large_for_the_board_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = Path("src/penstock/boards/data/nucleo-f446re.toml")
    small = (Path(__file__).parents[2] / board).read_text().replace("0x8_0000", "0x1_0000")
    small = re.sub(r"size_bytes = \d\d[\d_]+", "size_bytes = 16_384", small)
    (tmp_path / "small.toml").write_text(small)
    assert penstock("inspect", MODEL, "--board", tmp_path / "small.toml") == 0
    printed = capsys.readouterr().out
    assert "it cannot be compiled: " in printed
    assert "Estimate" not in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect", MODEL, "--board", "nucleo"], "there is no board 'nucleo'"),
        (["bench", "ops"], "--board is missing"),
        (["bench", "ops", "--board", "nucleo"], "there is no board 'nucleo'"),
        (["bench", "ops", "--board", BOARD, "--fit", "no/f.toml"], "there is no folder 'no'"),
        (["bench", "ops", "--board", BOARD, "--fit", "a", "--json", "b"], "exclude each other"),
    ],
)
def test_wrong_use_is_refused(
    arguments: list[str | Path], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert penstock(*arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("option", [(), ("--fit", "new.toml")])
def test_kernels_are_not_timed_where_a_memory_has_no_time(
    option: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = Path("src/penstock/boards/data/nucleo-f446re.toml").read_text()
    start = text.index("[memory.timing]")
    mine = tmp_path / "mine.toml"
    mine.write_text(text[:start] + text[text.index("[[memory]]", start) :])
    monkeypatch.chdir(tmp_path)
    assert penstock("bench", "ops", "--board", mine, *option) == 2
    said = capsys.readouterr().err
    assert "does not say how long accesses to memory 'sram' take" in said
    assert "[memory.timing]" in said
    assert not (tmp_path / "new.toml").exists()


WORST_SINGLE = 0.33
"""Of single operators on this board; docs/estimate.md holds each board's worst."""


@pytest.mark.board
def test_kernels_are_timed_in_each_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.stdout, "width", 80)
    result = tmp_path / "x.json"
    assert penstock("bench", "ops", "--board", BOARD, "--json", result) == 0
    printed = capsys.readouterr().out
    assert "weights in qspi, activations in sdram" in printed
    found = json.loads(result.read_text())
    assert (found["schema"], found["truth"]) == ("penstock.bench-ops/2", "simulate")
    each: dict[tuple[str, str], int] = {}
    for row in found["operators"]:
        place = row["weights_in"], row["arena_in"]
        each[place] = each.get(place, 0) + row["cycles"]
        assert row["truth"] == {"cycles": "simulate", "estimated_cycles": "estimate"}
        assert abs(row["estimated_cycles"] / row["cycles"] - 1) < WORST_SINGLE, row
    assert each["flash", "dtcm"] < each["flash", "sdram"] < each["qspi", "sdram"]
    assert each["flash", "dtcm"] < each["qspi", "dtcm"] < each["qspi", "sdram"]
    _check_costs(found["kernels"], printed)


def _check_costs(rows: list[dict[str, Any]], printed: str) -> None:
    """Check that every shape was measured, and that the first table shows it whole."""
    assert len(rows) == sum(map(len, KERNEL_SHAPES.values()))
    place = "Kernels of int8, weights in flash, activations in dtcm\n"
    lines = printed.split(place)[1].splitlines()
    assert re.split(r"\s{2,}", lines[0].strip()) == [
        "kernel, output by filters",
        *("cycles", "each", "stalls", "mostly", "energy", "code"),
    ]
    assert "…" not in printed
    for row in rows:
        assert row["truth"] == "simulate"
        assert 0 < sum(row["stalls"].values()) < row["cycles"]
        assert row["cycles_each"] == row["cycles"] / (row["macs"] or row["elements"])
        assert row["energy_mj"]["low"] < row["energy_mj"]["value"] < row["energy_mj"]["high"]
        (line,) = (text for text in lines if text.startswith(f" {row['shape']}  "))
        cells = re.split(r"\s{2,}", line.strip())
        stalled = 100 * sum(row["stalls"].values()) / row["cycles"]
        energy = format_joules(row["energy_mj"]["value"] / 1e3)
        assert cells[2:4] == [f"{row['cycles_each']:.2f}", f"{stalled:.0f} %"]
        assert energy in line
        heading = next(text for text in lines if text.startswith(f"{row['kernel'][3:]}  "))
        assert heading.rstrip().endswith(f"  {format_bytes(row['code_bytes'])}")


def test_every_cause_of_a_stall_has_a_word_in_the_table() -> None:
    assert list(kernel_tables._CAUSES) == [cause.label for cause in Cause]


@pytest.mark.board
def test_a_fit_gives_the_costs_of_the_package(tmp_path: Path) -> None:
    result = tmp_path / "cortex-m7.toml"
    assert penstock("bench", "ops", "--board", BOARD, "--fit", result) == 0
    fitted, known = parse_coefficients(result.read_text(), "new"), load_coefficients("cortex-m7")
    assert set(fitted.kernels) >= {name for name in CATALOGUE if not is_mve_kernel(name)}
    if fitted.compiler != known.compiler:
        return
    for name, kernel in known.kernels.items():
        again = fitted.kernels[name]
        assert (again.cases, again.fetch_bytes) == (kernel.cases, kernel.fetch_bytes), name
        assert again.error_worst == pytest.approx(kernel.error_worst, abs=0.01), name
