"""``penstock build``."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from penstock import api
from penstock.cli.entry import run_command_line
from penstock.frontends.tflite import load_model
from penstock.ir import operators as ops

BUILD = ("build", "mbv3", "--width", "0.25", "--resolution", "32", "--classes", "10", "--seed", "3")
OPTIONS = api.NetworkOptions(name="mbv3", width=0.25, resolution=32, classes=10, seed=3)


def penstock(*arguments: str | Path) -> int:
    return run_command_line([str(argument) for argument in arguments])


def test_what_is_built_is_written_and_summed_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, result = tmp_path / "net.tflite", tmp_path / "net.json"
    model.write_text("replaced")
    assert penstock(*BUILD, "-o", model, "--json", result) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(
        "mbv3, width 0.25, for 32×32 images and 10 classes, with random weights: "
    )
    assert "59 operators" in printed
    assert model.read_bytes() == api.build(OPTIONS).content
    found = json.loads(result.read_text())
    inspected = api.inspect(model)
    assert found == {
        "schema": "penstock.build/1",
        "network": "mbv3",
        "width": 0.25,
        "resolution": 32,
        "classes": 10,
        "seed": 3,
        "zeros": 0.0,
        "bits": 8,
        "operators": 59,
        "macs": inspected.file.macs,
        "parameters": inspected.file.parameters,
        "weights_bytes": inspected.file.weights_bytes,
        "arena_bytes": inspected.arena_bytes,
        "arena_bytes_lower_bound": inspected.arena_bytes_lower_bound,
        "file": str(model),
        "file_bytes": model.stat().st_size,
    }


def test_filters_may_be_zeros_and_of_four_bits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "net.tflite"
    assert penstock(*BUILD, "--zeros", "0.75", "--bits", "4", "-o", model) == 0
    assert "with random weights of 4 bits, 75% of them 0: " in capsys.readouterr().out
    graph = load_model(model)
    for operator in graph.operators:
        if isinstance(operator, ops.Conv2D | ops.FullyConnected):
            data = graph.tensors[operator.filters].data
            assert data is not None
            assert data.min() >= -8
            assert data.max() <= 7
            if data.size == len(data) * data.shape[-1] > 1000:
                assert 0.7 < np.mean(data == 0) < 0.85


def test_the_generated_c_gives_the_bytes_of_the_interpreter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "net.tflite"
    assert penstock(*BUILD, "-o", model, "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["file"] == str(model)
    assert penstock("run", model, "--board", "host", "--verify") == 0
    assert "verified: every operator gave the interpreter's bytes" in capsys.readouterr().out


def test_torch_is_not_needed(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"  # so that its import fails
        "from penstock.cli.entry import run_command_line\n"
        "sys.exit(run_command_line(sys.argv[1:]))"
    )
    arguments = [*BUILD, "-o", str(tmp_path / "net.tflite")]
    assert subprocess.run([sys.executable, "-c", program, *arguments], check=False).returncode == 0
