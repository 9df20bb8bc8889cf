"""``penstock quantize``."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from penstock import api  # noqa: E402
from penstock.cli.entry import run_command_line  # noqa: E402
from tests.frontends.pytorch.modules import MobileNet, with_random_norms  # noqa: E402


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program and samples for it."""
    folder = tmp_path_factory.mktemp("trained")
    torch.manual_seed(0)
    module = with_random_norms(MobileNet())
    program = torch.export.export(module, (torch.randn(1, 3, 16, 16),))
    torch.export.save(program, folder / "net.pt2")
    samples = np.random.default_rng(0).normal(size=(12, 3, 16, 16))
    np.save(folder / "samples.npy", samples.astype(np.float32))
    return folder


def penstock(*arguments: str | Path) -> int:
    return run_command_line([str(argument) for argument in arguments])


def test_a_trained_network_becomes_a_model_file(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, result = tmp_path / "q.tflite", tmp_path / "q.json"
    data = files / "samples.npy"
    command = ("quantize", files / "net.pt2", "--data", data, "-o", model)
    assert penstock(*command, "--json", result, "--samples", "5") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("net.pt2 quantized to int8: ")
    assert "calibrated on 5 samples" in printed and "this is no accuracy" in printed
    found = json.loads(result.read_text())
    inspected = api.inspect(model)
    assert found["schema"] == "penstock.quantize/1"
    assert found["operators"] == len(inspected.graph.operators)
    assert found["weights_bytes"] == inspected.file.weights_bytes < found["float_bytes"]
    assert found["agreement"]["samples"] == found["calibrated_on"] == 5
    assert found["agreement"]["signal_to_noise_db"] > 20
    again = api.quantize(
        files / "net.pt2", data=data, options=api.CalibrationOptions(samples_max=5)
    )
    assert again.content == model.read_bytes()
    assert penstock("compile", model, "--board", "host", "-o", tmp_path / "c") == 0


def test_of_two_parts_the_one_to_learn_from_is_taken(files: Path, tmp_path: Path) -> None:
    """From a folder, and from a .zip file of it."""
    tree = tmp_path / "tree"
    for part, count in (("train", 4), ("test", 3)):
        for number in range(count):
            path = tree / part / f"class{number % 2}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), (40 * number, 90, 200)).save(path)
    shutil.make_archive(str(tmp_path / "data"), "zip", tree)
    parts = [tree, tmp_path / "data.zip", tree / "train"]
    made = [api.quantize(files / "net.pt2", data=data) for data in parts]
    assert [each.result.calibrated_on for each in made] == [4, 4, 4]
    assert len({each.content for each in made}) == 1


BAD = {
    "an empty model file": (("x.tflite",), "x.tflite: this is no TensorFlow Lite model"),
    "weights alone": (("x.pth",), "is by its name no model file: those are .tflite, .onnx, .pt2"),
    "no model": (("nowhere.pt2",), "there is no model 'nowhere.pt2'"),
    "no data": (("net.pt2", "--data", "nowhere"), "there is nothing at"),
    "words": (("net.pt2", "--mean", "1,two"), "is no number, nor numbers with commas"),
    "scaled arrays": (("net.pt2", "--mean", "0.5"), "deviation are of pixels, and these arrays"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_use_is_explained_and_writes_nothing(
    files: Path,
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments, reason = BAD[name]
    for name in ("x.tflite", "x.pth"):
        (files / name).touch()
    monkeypatch.chdir(files)
    output = tmp_path / "q.tflite"
    command = ("quantize", "--data", "samples.npy", "-o", output, *arguments)
    assert penstock(*command) == 2
    assert reason in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize("verb", ["quantize", "build"])
def test_help_keeps_its_lines(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert penstock(verb, "--help") == 0
    printed = capsys.readouterr().out
    assert "\\b" not in printed
    assert "\n    program = torch.export.export" in printed or "\n    mbv3  " in printed


def test_images_become_what_training_made_of_them(files: Path, tmp_path: Path) -> None:
    """Whichever way they come, and the input covers all pixels, not only those of the samples."""
    generator = np.random.default_rng(1)
    pixels = generator.integers(60, 190, (8, 16, 16, 3), np.uint8)
    for number, image in enumerate(pixels):
        folder = tmp_path / "images" / str(number % 10)
        folder.mkdir(parents=True)
        Image.fromarray(image).save(folder / "a.png")
    scaling = api.PixelScaling((0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
    options = api.CalibrationOptions(scaling)
    made = api.quantize(files / "net.pt2", data=tmp_path / "images", options=options)
    (tmp_path / "q.tflite").write_bytes(made.content)
    source = api.load_model(tmp_path / "q.tflite").tensors["x"]
    assert source.scale * (-128 - source.zero_point) == pytest.approx(-0.6 / 0.25, abs=0.02)
    assert source.scale * (127 - source.zero_point) == pytest.approx(0.6 / 0.2, abs=0.02)
    real = ((pixels / 255 - scaling.mean) / scaling.deviation).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=real, y=np.arange(8))
    names = [str(n) for n in range(10)]
    (tmp_path / "images" / "8").mkdir()
    found = [
        api.accuracy(tmp_path / "q.tflite", data=data, classes=names, scaling=given).confusion
        for data, given in ((tmp_path / "images", scaling), (tmp_path / "x.npz", None))
    ]
    np.testing.assert_array_equal(found[0], found[1])
