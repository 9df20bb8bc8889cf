"""What ``penstock compress`` refuses before it trains anything."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")
pytest.importorskip("torch_pruning", reason="needs the extra 'design'")


torch.set_num_threads(1)

from penstock.cli.checkpoints import sole_use  # noqa: E402
from tests.cli.compressing import penstock  # noqa: E402

BAD = {
    "another teacher": (
        ("--distill", "five.pt2"),
        "the teacher five.pt2 has outputs [1, 5], net.pt2 has [1, 3]",
    ),
    "no teacher": (("--distill", "no.pt2"), "cannot read 'no.pt2': there is no such file"),
    "weights that diverged": (("nan.pt2",), "have 9 of 72 values that are infinite or no number"),
    "more classes": (
        ("five.pt2",),
        "data.npz has 3 classes (0, 1, 2), the network has 5 outputs",
    ),
    "another shape": (
        ("--data", "wide.npz"),
        "wide.npz: samples are [8, 9, 1], the network takes [8, 8, 1]",
    ),
    "no data": (("--data", "no.npz"), "there is no file 'no.npz'"),
    "few data": (("--data", "few.npz"), "few.npz has 90 samples to learn from, a batch of the"),
    "scaled reals": (
        ("--data", "real.npz", "--mean", "0.5"),
        "mean and deviation are of pixels, and these arrays hold no",
    ),
    "two means": (("--mean", "0.5,0.5"), "2 numbers were given for the pixels of 1 channels"),
    "no deviation": (("--deviation", "0"), "the deviation of pixels must be above 0"),
    "no board": (("--board", "weir"), "there is no board 'weir'"),
    "no clock": (
        ("--board", "mps3-an547", "--latency", "1ms"),
        "nobody has modelled how long instructions take on core 'cortex-m55'",
    ),
    "no folder": (("-o", "no/o.tflite"), "there is no folder 'no'"),
    "itself": (("--json", "net.pt2"), "is the model, which would be overwritten"),
    "another format": (
        ("-o", "o.pt2"),
        "--output 'o.pt2' must end in .tflite help: name it 'o.tflite'",
    ),
    "no name": (
        ("-o", ".tflite"),
        "--output '.tflite' is a suffix without a name help: put a name in front of it: "
        "'net.tflite'",
    ),
    "a model that is int8": (("int8.tflite",), "the network 'int8' is quantized already"),
    "no model": (("x.tflite",), "x.tflite: this is no TensorFlow Lite model: bytes 4 to 8 must"),
    "batches of no training": (
        ("--epochs", "0", "--batch", "64"),
        "--batch was given, and nothing is trained help: leave it out, or --epochs 0",
    ),
    "varied for no training": (
        ("--epochs", "0", "--augment", "mirror"),
        "--augment was given, and nothing is trained",
    ),
    "no share": (("--sparsify", "nan"), "'--sparsify': nan is no number"),
    "no channels": (("--criterion", "l1"), "--criterion was given, and no channels are pruned"),
    "no data, in a folder to be made": (
        ("--data", "no.npz", "--work", "new/deep/dir"),
        "there is no file 'no.npz'",
    ),
}


RECIPE = """
data = "data.npz"
[train]
epochs = 1
[distill]
features = [[{pair}]]
[quantize]
"""


@pytest.mark.parametrize("pair", ['"2", "0"', '"0", "2"', '"8", "0"'])
def test_features_that_no_network_computes_are_refused_before_any_training(
    pair: str, among_trained_files: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither activations, which are in the layers before them, nor scores."""
    recipe, output = tmp_path / "r.toml", tmp_path / "o.tflite"
    recipe.write_text(RECIPE.format(pair=pair))
    assert penstock("compress", "net.pt2", "--recipe", recipe, "-o", output) == 2
    printed = " ".join(capsys.readouterr().err.split())
    name = pair.replace('"0"', "").strip(', "')
    assert f"the feature {name!r} is no image that" in printed and "as given" not in printed
    assert "help: it computes 0, 3" in printed


def test_the_recipe_is_not_overwritten(
    among_trained_files: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, output = tmp_path / "r.toml", tmp_path / "o.tflite"
    recipe.write_text('data = "data.npz"\n[quantize]\nepochs = 0\n')
    command = ("compress", "net.pt2", "--recipe", recipe, "-o", output, "--json", recipe)
    assert penstock(*command) == 2
    assert "is the recipe, which would be overwritten" in " ".join(capsys.readouterr().err.split())
    assert recipe.read_text().startswith("data") and list(tmp_path.iterdir()) == [recipe]


@pytest.fixture(scope="module")
def bad_files(trained_files: Path) -> Path:
    labels = np.arange(160) % 3
    np.savez(trained_files / "wide.npz", x=np.zeros((160, 8, 9, 1), np.uint8), y=labels)
    np.savez(trained_files / "few.npz", x=np.zeros((100, 8, 8, 1), np.uint8), y=labels[:100])
    np.savez(trained_files / "real.npz", x=np.zeros((160, 8, 8, 1), np.float32), y=labels)
    (trained_files / "x.tflite").write_bytes(b"TFL3")
    example = Path(__file__).parents[2] / "examples" / "cifar10.tflite"
    (trained_files / "int8.tflite").write_bytes(example.read_bytes())
    return trained_files


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_compressed_is_refused_before_any_training(
    name: str,
    bad_files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(bad_files)
    options, message = BAD[name]
    output = tmp_path / "o.tflite"
    model = () if options[0].endswith((".pt2", ".tflite")) else ("net.pt2",)
    before = sorted(path.name for path in bad_files.iterdir())
    assert penstock("compress", *model, "--data", "data.npz", "-o", output, *options) == 2
    printed = capsys.readouterr()
    assert message in re.sub(r"\s+", " ", printed.err) and "help: " in printed.err
    assert "epoch " not in printed.err and "as given:" not in printed.err and not printed.out
    assert not list(tmp_path.iterdir())
    assert sorted(path.name for path in bad_files.iterdir()) == before


def test_a_file_where_checkpoints_would_be_is_refused(
    among_trained_files: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("compress", "net.pt2", "--data", "data.npz", "--epochs", "0")
    output, taken = tmp_path / "o.tflite", tmp_path / "o.tflite.work"
    taken.touch()
    assert penstock(*command, "-o", output) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"error: --work, by default {str(taken)!r}: {str(taken)!r} is not a folder" in said
    assert penstock(*command, "-o", output, "--work", taken) == 2
    assert f"error: --work {str(taken)!r}: {str(taken)!r} is not" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [taken]


def test_checkpoints_of_another_run_are_left_alone(
    among_trained_files: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work, output = tmp_path / "o.tflite.work", tmp_path / "o.tflite"
    with sole_use(work):
        assert penstock("compress", "net.pt2", "--data", "data.npz", "-o", output) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert f"another run keeps its checkpoints in {str(work)!r} help: wait for it" in said
        assert [path.name for path in tmp_path.rglob("*")] == ["o.tflite.work", ".lock"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_places_that_cannot_be_written_are_refused_before_any_training(
    among_trained_files: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shut").mkdir(mode=0o500)
    command = ("compress", "net.pt2", "--data", "data.npz")
    assert penstock(*command, "-o", tmp_path / "shut" / "o.tflite") == 2
    assert penstock(*command, "-o", tmp_path / "o.tflite", "--work", tmp_path / "shut") == 2
    assert capsys.readouterr().err.count("no permission in folder") == 2
