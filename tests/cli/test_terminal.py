"""What people read: tables that fit and say what they show, pipes without escape codes."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from penstock.cli import console
from penstock.cli.entry import run_command_line
from penstock.cli.tables import arena_bound
from penstock.frontends.tflite.writer import write_model
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import FullyConnected
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor

EXAMPLES = Path(__file__).parents[2] / "examples"
MODEL = EXAMPLES / "cifar10.tflite"
CAT = EXAMPLES / "cat.jpg"
BOARD = "stm32f746g-disco"


def penstock(*arguments: str | Path) -> int:
    return run_command_line([str(argument) for argument in arguments])


def run_process(*arguments: str | Path, stderr: int = subprocess.PIPE) -> "Finished":
    command = [sys.executable, "-m", "penstock", *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, check=False)


Finished = subprocess.CompletedProcess[bytes]


@pytest.mark.parametrize("width", [80, 100, 200])
def test_board_table_fits_and_keeps_sizes_whole(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console.stdout, "width", width)
    assert penstock("boards") == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= width
    assert not any(line.endswith(("1", "2", "4", "8", ".0")) for line in lines), "size, then unit"
    assert not any(line.split()[:1] in (["KiB,"], ["MiB,"], ["KiB"], ["MiB"]) for line in lines)


@pytest.mark.parametrize("verb", ["inspect", "run"])
def test_tables_of_the_example_fit_80_columns(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console.stdout, "width", 80)
    options = ("--board", BOARD, "--input", CAT) if verb == "run" else ()
    assert penstock(verb, MODEL, *options) == 0
    lines = capsys.readouterr().out.splitlines()
    rules = [line.rstrip() for line in lines if line.startswith("───")]
    assert rules
    assert max(map(len, rules)) <= 80
    assert not any("…" in line for line in lines), "nothing is cut"


def test_run_says_what_each_table_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert penstock("run", MODEL, "--board", BOARD) == 0
    printed = capsys.readouterr().out
    assert "(i8 1×10): the 5 largest of 10 values\n" in printed
    assert "\n10 of 34 operators, sorted by cycles:\n" in printed
    table = printed.split("sorted by cycles:\n")[1].split("stack:")[0]
    assert "24 others" in table
    total = table.splitlines()[-1].split()
    assert total[:2] == ["all", "operators"]
    assert total[2:4] == ["7.3", "M"], "MACs of all operators"
    shares = [float(line.split()[-2]) for line in table.splitlines() if line.rstrip().endswith("%")]
    assert sum(shares[:-1]) == pytest.approx(shares[-1], abs=1.0)


def test_the_host_has_no_limit_to_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert penstock("run", MODEL, "--board", "host") == 0
    table = capsys.readouterr().out.split("Where the bytes live\n")[1]
    assert table.splitlines()[0].split() == ["memory", "used", "by"]


def model_with_dead_channels(path: Path) -> Path:
    """Write two layers; half of what is between them is always zero."""

    def quantized(name: str, shape: tuple[int, ...], dtype: DType, data: object = None) -> Tensor:
        scale = 0.25 if dtype is DType.INT32 else 0.5
        return Tensor(name, shape, dtype, QuantizationParameters.per_tensor(scale, 0), data)

    alive = np.ones((8, 8), np.int8)
    alive[4:] = 0
    tensors = [
        quantized("x", (1, 8), DType.INT8),
        quantized("w1", (8, 8), DType.INT8, alive),
        quantized("b1", (8,), DType.INT32, np.zeros(8, np.int32)),
        quantized("h", (1, 8), DType.INT8),
        quantized("w2", (2, 8), DType.INT8, np.ones((2, 8), np.int8)),
        quantized("b2", (2,), DType.INT32, np.zeros(2, np.int32)),
        quantized("y", (1, 2), DType.INT8),
    ]
    operators = [
        FullyConnected(input="x", filters="w1", bias="b1", output="h"),
        FullyConnected(input="h", filters="w2", bias="b2", output="y"),
    ]
    path.write_bytes(write_model(Graph.build("dead", tensors, operators, ["x"], ["y"])))
    return path


def test_inspect_shows_what_the_passes_save(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = model_with_dead_channels(tmp_path / "dead.tflite")
    assert penstock("inspect", model, "--json", tmp_path / "x.json") == 0
    found = json.loads((tmp_path / "x.json").read_text())
    assert found["file"]["macs"] == found["macs"] == 8 * 8 + 8 * 2
    assert found["file"]["weights_bytes"] == 8 * 8 + 4 * 8 + 8 * 2 + 4 * 2
    assert found["after_passes"]["macs"] == 4 * 8 + 4 * 2
    assert found["after_passes"]["weights_bytes"] == found["weights_bytes"]
    printed = capsys.readouterr().out
    file, after = (
        next(line for line in printed.splitlines() if line.startswith(start))
        for start in ("in the file", "after passes")
    )
    assert file.split()[3:5] == ["2", "80"]
    assert after.split()[2:4] == ["2", "40"]
    assert "dead.tflite: 2 operators as in the file" in printed
    assert "no plan can be smaller" in printed
    assert "constants" not in printed


def test_inspect_lists_the_optimized_operators(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = model_with_dead_channels(tmp_path / "dead.tflite")
    assert penstock("inspect", model, "--optimized", "--json", tmp_path / "x.json") == 0
    found = json.loads((tmp_path / "x.json").read_text())
    assert found["optimized"] is True
    assert sum(row["macs"] for row in found["operators"]) == found["macs"] == 40
    assert "2 operators after the passes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("size_bytes", "bound", "said"),
    [
        (64, 64, "no plan can be smaller"),
        (96, 64, "no plan can be smaller than 64 B"),
    ],
)
def test_the_bound_is_said_in_words(size_bytes: int, bound: int, said: str) -> None:
    assert arena_bound(size_bytes, bound) == said


def test_names_with_brackets_are_printed_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "[red]net.tflite"
    model.write_bytes(MODEL.read_bytes())
    out = tmp_path / "[bold]out"
    assert penstock("compile", model, "--board", "host", "-o", out, "--no-check") == 0
    assert penstock("run", out, "--input", CAT) == 0
    assert penstock("inspect", model) == 0
    printed = capsys.readouterr().out
    assert f"{model.name} compiled for host: {out}\n" in printed
    assert f"{model.name} on this computer" in printed
    assert f"{model.name}: 34 operators" in printed


def test_pipes_get_neither_escape_codes_nor_progress() -> None:
    finished = run_process("run", MODEL, "--board", "host")
    assert finished.returncode == 0
    assert b"\x1b" not in finished.stdout
    assert finished.stderr == b""


def test_progress_on_a_terminal_never_reaches_standard_output(tmp_path: Path) -> None:
    reader, writer = pty.openpty()
    finished = run_process("run", MODEL, "--board", "host", "--json", "-", stderr=writer)
    os.close(writer)
    assert b"compiling" in os.read(reader, 1 << 16)
    os.close(reader)
    assert json.loads(finished.stdout)["schema"] == "penstock.run/1"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "penstock", "inspect", str(MODEL)]
    finished = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (finished.returncode, finished.stderr) == (0, b"")


@pytest.mark.parametrize("arguments", [("--help",), ("boards",), ("inspect", MODEL, "--text")])
def test_a_full_disk_behind_standard_output_is_explained(arguments: tuple[str | Path]) -> None:
    command = [sys.executable, "-m", "penstock", *map(str, arguments)]
    with Path("/dev/full").open("wb") as full:
        finished = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert finished.returncode == 2
    assert finished.stderr.startswith(b"error: cannot write the output: the disk is full\nhelp: ")


def test_no_verb_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert penstock() == 0
    shown = capsys.readouterr().out
    assert penstock("--help") == 0
    assert capsys.readouterr().out == shown
    assert "penstock inspect MODEL.tflite  " in shown
    assert penstock("--version") == 0
    assert capsys.readouterr().out.startswith("penstock 0")
