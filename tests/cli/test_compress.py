"""``penstock compress``, from a trained network and labelled data to a file and figures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")
pytest.importorskip("torch_pruning", reason="needs the extra 'design'")

from torch import nn  # noqa: E402

from penstock import api  # noqa: E402
from penstock.design.compression.recipe import (  # noqa: E402
    QuantizeStep,
    Recipe,
)
from penstock.design.data import DataSet, Samples  # noqa: E402
from penstock.design.learning.engine import Training, train  # noqa: E402
from penstock.design.learning.options import Augmentation, Optimizer, TrainingOptions  # noqa: E402
from penstock.design.learning.tasks import (  # noqa: E402
    Reconstruction,
    training_data,
)
from penstock.design.networks import Autoencoder  # noqa: E402
from penstock.errors import InputError  # noqa: E402
from penstock.ir.macs import graph_macs  # noqa: E402
from tests.design.test_training import samples  # noqa: E402

torch.set_num_threads(1)

from tests.cli.compressing import OPTIONS, litert_accuracy, network, penstock, save  # noqa: E402

BOARD = "stm32f746g-disco"


def test_everything_at_once(
    among_trained_files: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, result = tmp_path / "small.tflite", tmp_path / "small.json"
    command = ("compress", "net.pt2", "--data", "data.npz", "-o", model, "--threads", "1")
    steps = ("--prune", "0.4", "--sparsify", "0.5", "--distill", "self", "--board", BOARD)
    how = ("--epochs", "3", "--batch", "40")
    assert penstock(*command, *steps, *how, "--json", result) == 0
    captured = capsys.readouterr()
    found = json.loads(result.read_text())
    stages = found["stages"]
    assert {found["recipe"][step]["batch_size"] for step in ("prune", "sparsify", "quantize")} == {
        40
    }
    names = [
        "as given",
        "prune channels",
        "sparsify filters",
        "quantize to int8, trained",
    ]
    assert [stage["stage"] for stage in stages] == names
    assert [stage["is_deployed"] for stage in stages] == [False, False, False, True]
    assert stages[-1]["score"] == litert_accuracy(model) > 0.7
    assert stages[0]["score"] > 0.95 and stages[1]["macs"] <= 0.6 * stages[0]["macs"]
    written = api.load_model(model)
    assert graph_macs(written) == stages[-1]["macs"] == stages[1]["macs"]
    assert stages[-1]["zeros"] > 0.4 > stages[0]["zeros"]
    assert all(stage["cost"]["latency"] > 0 and stage["seconds"] > 0 for stage in stages)
    assert stages[-1]["cost"]["weight_bytes"] < stages[0]["cost"]["weight_bytes"]
    assert found["file_bytes"] == model.stat().st_size and found["file"] == str(model)
    expected = {
        "schema": "penstock.compress/1",
        "model": "net.pt2",
        "data": "data.npz",
        "test_samples": 60,
        "measure": "accuracy",
        "board": BOARD,
        "latency": None,
        "keeps_latency": None,
    }
    assert {name: found[name] for name in expected} == expected
    lines = captured.out.splitlines()
    assert lines[0].startswith("net.pt2 compressed: ") and lines[0].endswith(" KiB")
    for stage, line in zip(stages, lines[2:6], strict=True):
        assert line.startswith(stage["stage"]) and f"{100 * stage['score']:.2f} %" in line
        assert f"{1000 * stage['cost']['latency']:.2f} ms" in line
    assert "the last line that of the C that is deployed" in captured.out
    assert captured.err.count("epoch 3, loss ") == 2  # rounding takes a third of it
    assert "quantize: epoch 1, loss " in captured.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.json", "small.tflite"]
    assert penstock("accuracy", model, "--data", tmp_path / "small.json") == 2


def test_a_latency_prunes_as_far_as_it_demands(
    among_trained_files: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("compress", "net.pt2", "--data", "data.npz", "--board", BOARD, "--threads", "1")
    for limit, name in ((1000, "quantize to int8, trained"), (180, "prune channels")):
        result = tmp_path / "r.json"
        options = ("--latency", f"{limit}us", "--epochs", "1", "-o", tmp_path / "o.tflite")
        assert penstock(*command, *options, "--json", result) == 0
        found = json.loads(result.read_text())
        assert found["stages"][1]["stage"] == name
        assert found["latency"] == limit * 1e-6 and found["keeps_latency"] is True
        assert found["stages"][-1]["cost"]["latency"] <= limit * 1e-6
    assert "epoch 2" not in capsys.readouterr().err  # --epochs holds for this pruning, too
    assert penstock(*command, "--latency", "1us", "-o", tmp_path / "p.tflite") == 2
    refused = capsys.readouterr().err
    assert "the network takes too much: an estimate of " in refused
    assert "allowed are 1 µs" in refused
    assert not (tmp_path / "p.tflite").exists()


def test_json_on_standard_output_stands_alone(
    among_trained_files: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("compress", "net.pt2", "--data", "data.npz", "--epochs", "0", "--json", "-")
    assert penstock(*command, "-o", tmp_path / "o.tflite", "--work", tmp_path / "kept") == 0
    found = json.loads(capsys.readouterr().out)
    assert [stage["stage"] for stage in found["stages"]] == ["as given", "quantize to int8"]
    assert found["stages"][1]["score"] == litert_accuracy(tmp_path / "o.tflite")


def test_weights_of_four_bits_are_measured_as_such(
    among_trained_files: None, tmp_path: Path
) -> None:
    result = tmp_path / "r.json"
    command = ("compress", "net.pt2", "--data", "data.npz", "--epochs", "1", "--threads", "1")
    options = ("-o", tmp_path / "o.tflite", "--json", result)
    assert penstock(*command, "--quantize", "int4", *options) == 0
    found = json.loads(result.read_text())["stages"][-1]
    assert found["stage"] == "quantize to int4, trained"
    assert found["score"] == litert_accuracy(tmp_path / "o.tflite") > 0.7
    graph = api.load_model(tmp_path / "o.tflite")
    largest = [
        int(np.abs(tensor.data.astype(int)).max())
        for tensor in graph.tensors.values()
        if tensor.data is not None and tensor.data.ndim > 1
    ]
    assert largest == [127, 7, 7]


def test_weights_of_mixed_bits_are_as_small_as_asked(
    among_trained_files: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a compile stores them that is asked for small ones, whatever the board finds faster."""
    result = tmp_path / "r.json"
    command = ("compress", "net.pt2", "--data", "data.npz", "--epochs", "0", "--board", BOARD)
    options = ("-o", tmp_path / "o.tflite", "--json", result)
    assert penstock(*command, *options) == 0
    whole = json.loads(result.read_text())["smallest_bytes"]
    mixed = (*command, "--quantize", "mixed", *options)
    assert penstock(*mixed, "--size", str(whole - 1)) == 0
    found = json.loads(result.read_text())
    assert found["stages"][-1]["stage"] == "quantize to mixed"
    assert found["smallest_bytes"] < whole
    assert "`penstock compile --weights small`" in capsys.readouterr().out
    small = ("--board", BOARD, "--weights", "small", "--json", tmp_path / "c.json")
    assert penstock("compile", tmp_path / "o.tflite", *small, "-o", tmp_path / "c") == 0
    compiled = json.loads((tmp_path / "c.json").read_text())
    assert compiled["weights_bytes"] == found["smallest_bytes"]
    assert penstock(*mixed, "--latency", "1us") == 2
    assert "the network takes too much: an estimate of" in capsys.readouterr().err
    assert penstock(*mixed, "--size", "1") == 2
    assert "4 bits in every layer that can have them (2)" in capsys.readouterr().err


def test_modules_in_memory_are_compressed_with_data_in_memory(
    trained_files: Path, trained: nn.Module
) -> None:
    training, test = samples(160), samples(60, seed=1)
    reals = DataSet(
        "images",
        Samples((training.values / np.float32(255)).astype(np.float32), training.labels),
        Samples((test.values / np.float32(255)).astype(np.float32), test.labels),
        ("a", "b", "c"),
    )
    recipe = Recipe(data="", quantize=QuantizeStep(training=None))
    made = api.compress(trained, recipe, data=reals)
    assert made.result.model == "Sequential" and made.result.data == "images"
    assert made.result.stages[-1].score > 0.9
    shifted = replace(QuantizeStep(), training=replace(OPTIONS, augmentation=Augmentation.SHIFT))
    vectors = DataSet(
        "vectors", *[Samples(np.zeros((99, 4), np.float32), np.arange(99) % 3)] * 2, ("a", "b", "c")
    )
    dense = nn.Sequential(nn.Linear(4, 3))
    with pytest.raises(
        InputError, match=r"vectors has samples \[4\], and only images can be varied"
    ):
        api.compress(dense, Recipe(data="", quantize=shifted), data=vectors)
    wide = Samples(np.zeros((160, 8, 9, 1), np.float32), training.labels)
    with pytest.raises(InputError, match=r"samples are \[8, 9, 1\], the network takes \[8, 8, 1\]"):
        api.compress(trained_files / "net.pt2", recipe, data=replace(reals, training=wide))


def test_scores_may_lie_in_an_image_of_one_position_and_not_of_several(trained_files: Path) -> None:
    module = nn.Sequential(*list(network())[:-2], nn.Conv2d(16, 3, 1))
    data = DataSet("images", samples(160), samples(60, seed=1), ("a", "b", "c"))
    recipe = Recipe(data="", quantize=QuantizeStep(training=OPTIONS))
    made = api.compress(module, recipe, data=data)
    assert made.result.stages[0].stage == "as given"
    assert 0.2 < made.result.stages[-1].score <= 1
    wide = nn.Sequential(*list(network())[:-3], nn.Conv2d(16, 3, 1))
    with pytest.raises(InputError, match=r"output is \[1, 4, 4, 3\], that of a classifier has one"):
        api.compress(wide, recipe, data=data)


def test_classes_in_another_order_are_doubted(
    among_trained_files: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with np.load("data.npz") as archive:
        arrays = dict(archive)
    for part in ("y_train", "y_test"):
        arrays[part] = (arrays[part] + 1) % 3
    np.savez(tmp_path / "turned.npz", **arrays)
    quick = ("--epochs", "0", "--threads", "1", "-o", tmp_path / "o.tflite")
    assert penstock("compress", "net.pt2", "--data", tmp_path / "turned.npz", *quick) == 0
    assert "hardly better at turned.npz than guessing among 3 classes" in capsys.readouterr().err
    assert penstock("compress", "net.pt2", "--data", "data.npz", *quick) == 0
    assert "guessing" not in capsys.readouterr().err


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that has learnt to give back images of class 1."""
    path = tmp_path_factory.mktemp("autoencoder") / "auto.pt2"
    torch.manual_seed(0)
    module = Autoencoder((64, 24, 12))
    data = training_data(
        DataSet("made up", samples(160), samples(60, seed=1), ("0", "1", "2")), Reconstruction(1)
    )
    options = TrainingOptions(
        epochs=60, batch_size=16, learning_rate=5e-3, optimizer=Optimizer.ADAM
    )
    train(module, Training("train", data.training, Reconstruction(1), options))
    save(module, path, 1, 8, 8)
    return path


def test_autoencoders_are_scored_by_what_they_tell_apart(
    among_trained_files: None, autoencoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, result = tmp_path / "r.toml", tmp_path / "r.json"
    recipe.write_text('data = "data.npz"\nnormal = 1\n[quantize]\nepochs = 1\nbatch_size = 16\n')
    command = ("compress", autoencoder, "-o", tmp_path / "o.tflite", "--json", result)
    assert penstock(*command, "--recipe", recipe) == 0
    found = json.loads(result.read_text())
    assert found["measure"] == "area under the ROC curve"
    assert all(stage["score"] > 0.8 for stage in found["stages"])
    recipe.write_text('data = "data.npz"\nnormal = 7\n[quantize]\nepochs = 0\n')
    assert penstock(*command, "--recipe", recipe) == 2
    assert "0 are of the normal class 7" in " ".join(capsys.readouterr().err.split())
    recipe.write_text('data = "data.npz"\nnormal = 1\n[quantize]\nepochs = 0\n')
    assert penstock("compress", "net.pt2", *command[2:], "--recipe", recipe) == 2
    assert "an autoencoder gives as many" in " ".join(capsys.readouterr().err.split())


def test_autoencoders_need_enough_normal_samples_and_others_to_test_with() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 64))
    test = samples(60, seed=1)
    data = DataSet("images", samples(160), test, ("a", "b", "c"))
    step = QuantizeStep(training=replace(OPTIONS, batch_size=55))
    recipe = Recipe(data="", normal=0, quantize=step)
    with pytest.raises(InputError, match="images has 54 samples to learn from, a batch of the ste"):
        api.compress(module, recipe, data=data)
    ordinary = test.take(np.flatnonzero(test.labels == 0))
    with pytest.raises(InputError, match="of the 20 test samples of images, 20 are of the normal"):
        api.compress(module, recipe, data=replace(data, test=ordinary))
