"""ONNX files on the command line."""

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs the extra 'onnx'")

from penstock.cli.entry import run_command_line  # noqa: E402
from tests.frontends.onnx_files.networks import mobilenet  # noqa: E402


def penstock(*arguments: str | Path) -> int:
    return run_command_line([str(argument) for argument in arguments])


def test_a_float_file_is_inspected_refused_quantized_and_compiled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data = tmp_path / "net.onnx", tmp_path / "x.npy"
    onnx.save(mobilenet(), model)
    generator = np.random.default_rng(0)
    np.save(data, generator.normal(size=(8, 3, 16, 16)).astype(np.float32))
    assert penstock("inspect", model) == 0
    assert "it cannot be compiled: net.onnx: operator 0 (CONV_2D)" in capsys.readouterr().out
    compiled = ("compile", model, "--board", "host", "-o", tmp_path / "c")
    assert penstock(*compiled) == 2
    assert "--calibrate DATA" in capsys.readouterr().err
    assert penstock(*compiled, "--calibrate", data) == 0
    printed = capsys.readouterr().out
    assert "quantized to int8 on the way: calibrated on 8 samples" in printed
    assert "checked: the generated C gives the interpreter's bytes" in printed
    assert penstock("quantize", model, "--data", data, "-o", tmp_path / "q.tflite") == 0
    assert (tmp_path / "q.tflite").read_bytes() == (tmp_path / "c" / "model.tflite").read_bytes()
    assert penstock("run", tmp_path / "c", "--board", "host", "--verify") == 0
