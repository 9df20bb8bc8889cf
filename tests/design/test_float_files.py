"""Float32 .tflite files become int8: by `penstock quantize`, or on the way to something else."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penstock import api
from penstock.cli.entry import run_command_line
from penstock.design.opened_model import open_model
from penstock.design.quantization import quantize_source
from penstock.errors import InputError, UnsupportedError
from penstock.frontends.source_models import SourceModel
from penstock.frontends.tflite import write_model
from penstock.ir import interpreter
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Add, Dequantize, LogSoftmax, Quantize
from penstock.ir.quantization import QuantizationParameters
from tests.float_networks import small_float_graph
from tests.litert import LiteRT, random_inputs


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a float network and samples for it."""
    (tmp_path / "net.tflite").write_bytes(write_model(small_float_graph(0)))
    samples = np.random.default_rng(0).uniform(size=(12, 6, 6, 3)).astype(np.float32)
    np.save(tmp_path / "samples.npy", samples)
    return tmp_path


def penstock(*arguments: str | Path) -> int:
    return run_command_line([str(argument) for argument in arguments])


def test_a_float_file_becomes_an_int8_one_that_litert_agrees_with(files: Path) -> None:
    made = api.quantize(files / "net.tflite", data=files / "samples.npy")
    assert made.result.agreement.signal_to_noise_db > 25
    (files / "q.tflite").write_bytes(made.content)
    graph, oracle = api.load_model(files / "q.tflite"), LiteRT(made.content)
    for seed in range(5):
        inputs = random_inputs(graph, seed)
        for ours, theirs in zip(interpreter.run(graph, inputs), oracle.run(inputs), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_compiling_with_data_quantizes_on_the_way_and_says_so(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("compile", files / "net.tflite", "--board", "host", "-o", files / "c")
    assert penstock(*command) == 2
    refused = capsys.readouterr().err
    assert "net.tflite: operator 0 (CONV_2D), which writes 'conv', computes in FLOAT32" in refused
    assert "--calibrate DATA" in refused and "penstock quantize net.tflite --data" in refused
    assert not (files / "c").exists()
    calibrated = (*command, "--calibrate", files / "samples.npy", "--json", files / "c.json")
    assert penstock(*calibrated) == 0
    printed = capsys.readouterr().out
    assert "float32, quantized to int8 on the way: calibrated on 12 samples" in printed
    found = json.loads((files / "c.json").read_text())["calibrated"]
    assert found["samples"] == 12 and found["agreement"]["signal_to_noise_db"] > 25
    # The project holds what was quantized, and needs no data any more.
    quantized = api.quantize(files / "net.tflite", data=files / "samples.npy")
    assert (files / "c" / "model.tflite").read_bytes() == quantized.content
    assert penstock("run", files / "c", "--board", "host", "--verify") == 0
    capsys.readouterr()
    assert penstock("run", files / "c", "--calibrate", files / "samples.npy") == 2
    assert "there is nothing to calibrate" in capsys.readouterr().err


def test_inspecting_a_float_file_shows_it_as_it_is_or_quantized(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = files / "net.tflite"
    assert penstock("inspect", model) == 0
    shown = capsys.readouterr().out
    assert "f32" in shown and "it cannot be compiled: net.tflite: operator 0" in shown
    board = ("--board", "stm32f746g-disco")
    assert penstock("inspect", model, *board, "--calibrate", files / "samples.npy") == 0
    shown = capsys.readouterr().out
    assert "f32" not in shown and "Estimate" in shown


def test_comparing_and_counting_take_float_files_too(files: Path) -> None:
    calibration = api.Calibration(files / "samples.npy")
    variants = [api.Variant.IDEAL]
    found = api.compare(
        files / "net.tflite", board="stm32f746g-disco", variants=variants, calibration=calibration
    )
    assert found.variants["ideal"].run is not None
    run = api.run(
        files / "net.tflite",
        board="host",
        options=api.CompileOptions(check=False, calibration=calibration),
    )
    assert run.result.calibrated is not None and run.result.calibrated.samples == 12


def broken(change: Callable[[Graph], Graph]) -> Callable[[Path], object]:
    model = SourceModel(change(small_float_graph(0)))
    return lambda data: quantize_source(model, data)


def with_nan(graph: Graph) -> Graph:
    filters = graph.tensors["conv.filters"]
    data = np.array(filters.data)
    data[0, 1] = np.nan
    return graph.with_changes(tensors={filters.name: replace(filters, data=data)})


def with_log_softmax(graph: Graph) -> Graph:
    last = LogSoftmax(input="classify", output="probabilities")
    return graph.with_changes(operators=[*graph.operators[:-1], last])


def with_two_inputs(graph: Graph) -> Graph:
    other = replace(graph.tensors["conv"], name="other")
    total = Add(left="conv", right="other", output="sum")
    kept = [operator for operator in graph.operators if operator.outputs != ("sum",)]
    at = next(n for n, operator in enumerate(kept) if "sum" in operator.inputs)
    changed = graph.with_changes(
        tensors={"other": other}, operators=[*kept[:at], total, *kept[at:]]
    )
    return replace(changed, inputs=("image", "other"), tensors={**changed.tensors, "other": other})


def with_an_integer_part(graph: Graph) -> Graph:
    """Let the image go through int8 and back."""
    scale = QuantizationParameters.per_tensor(0.01, -128)
    int8 = replace(graph.tensors["image"], dtype=DType.INT8, quantization=scale)
    there = Quantize(input="image", output="rounded")
    back = Dequantize(input="rounded", output="again")
    first, *others = graph.operators
    return graph.with_changes(
        tensors={
            "rounded": replace(int8, name="rounded"),
            "again": replace(graph.tensors["image"], name="again"),
        },
        operators=[there, back, first.rename({"image": "again"}), *others],
    )


REFUSED = {
    "weights that are no numbers": (with_nan, InputError, "'conv.filters' have 9 of 216 values"),
    "an operator without a rule": (with_log_softmax, UnsupportedError, "LOG_SOFTMAX, which writes"),
    "integers here and there": (
        with_an_integer_part,
        UnsupportedError,
        "quantized in part: tensor 'rounded' has a scale",
    ),
    "two inputs": (with_two_inputs, InputError, "the network has 2 inputs"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_quantized_is_refused_before_samples_are_read(name: str) -> None:
    change, kind, reason = REFUSED[name]
    with pytest.raises(kind, match=reason) as refused:
        broken(change)(Path("nowhere"))
    assert refused.value.help


def test_channels_of_almost_nothing_make_files_that_can_be_read(files: Path) -> None:
    """As training with weight decay leaves them: 1e-20, the bias too."""
    graph = small_float_graph(0)
    tiny = {}
    for name, axis in (("conv.filters", 0), ("conv.bias", 0), ("depthwise.bias", 0)):
        data = np.array(graph.tensors[name].data)
        np.moveaxis(data, axis, 0)[2] *= 1e-20
        tiny[name] = replace(graph.tensors[name], data=data)
    (files / "net.tflite").write_bytes(write_model(graph.with_changes(tensors=tiny)))
    made = api.quantize(files / "net.tflite", data=files / "samples.npy")
    assert made.result.agreement.signal_to_noise_db > 25


def test_what_is_quantized_already_is_refused(files: Path) -> None:
    data = files / "samples.npy"
    graph = quantize_source(SourceModel(small_float_graph(0)), data).graph
    with pytest.raises(InputError, match="the network 'small' is quantized already"):
        quantize_source(SourceModel(graph), data)
    (files / "q.tflite").write_bytes(write_model(graph))
    with pytest.raises(InputError, match=r"q.tflite is quantized already: .* nothing to calibrate"):
        open_model(files / "q.tflite", api.Calibration(data))


def test_scaling_without_data_is_refused(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert penstock("inspect", files / "net.tflite", "--mean", "0.5") == 2
    assert "add --calibrate DATA" in capsys.readouterr().err
