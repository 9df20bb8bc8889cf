"""``penstock sensitivity``, from a trained network and labelled data to a table and figures."""

import copy
import json
import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")
pytest.importorskip("torch_pruning", reason="needs the extra 'design'")

from torch import Tensor, nn  # noqa: E402

from penstock import api  # noqa: E402
from penstock.design.learning.engine import Training, train  # noqa: E402
from penstock.design.learning.options import TrainingOptions  # noqa: E402
from penstock.design.learning.tasks import Classification  # noqa: E402
from penstock.units import format_bytes, format_count  # noqa: E402
from tests.cli.compressing import network, penstock, save  # noqa: E402
from tests.design.test_training import samples  # noqa: E402

torch.set_num_threads(1)

LAYERS = {
    "0": ("DEPTHWISE_CONV_2D", 8 * 9, 0),  # of one input channel
    "3": ("CONV_2D", 16 * 8 * 9, 16 * 8 * 9 // 2),
    "8": ("FULLY_CONNECTED", 3 * 16, 3 * 16 // 2),
}
"""Of the network: what it consists of, its weights, and bytes that 4 bits save."""


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    module = network()
    options = TrainingOptions(epochs=3, batch_size=16, learning_rate=0.05)
    train(module, Training("train", samples(160), Classification(), options))
    return module


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, trained: nn.Module) -> Path:
    """A folder with networks, and with data that fit one of them."""
    folder = tmp_path_factory.mktemp("sensitivity")
    save(copy.deepcopy(trained), folder / "net.pt2", 1, 8, 8)
    save(network(classes=5), folder / "five.pt2", 1, 8, 8)
    save(nn.Sequential(nn.Conv2d(1, 3, 3)), folder / "image.pt2", 1, 8, 8)
    data, test = samples(160), samples(60, seed=1)
    np.savez(
        folder / "data.npz",
        x_train=data.values,
        y_train=data.labels,
        x_test=test.values,
        y_test=test.labels,
    )
    np.savez(folder / "wide.npz", x=np.zeros((30, 8, 9, 1), np.uint8), y=np.arange(30) % 3)
    (folder / "broken.npz").write_bytes((folder / "data.npz").read_bytes()[:500])
    return folder


@pytest.fixture
def here(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)


def rounded(weight: Tensor) -> Tensor:
    """Weights on 15 steps for each output channel: scales of normalization change nothing."""
    step = weight.abs().flatten(1).amax(dim=1).reshape(-1, *[1] * (weight.ndim - 1)) / 7
    return (weight / step).round() * step


def divergence(module: nn.Module, layer: str, images: Tensor) -> float:
    """How far probabilities move when one layer of a module is rounded."""
    changed = copy.deepcopy(module)
    changed[int(layer)].weight.data = rounded(changed[int(layer)].weight.data)
    with torch.no_grad():
        before, after = (
            torch.log_softmax(each.double().eval()(images), dim=1)
            for each in (copy.deepcopy(module), changed)
        )
    return float((before.exp() * (before - after)).sum(dim=1).mean())


@pytest.mark.parametrize(("mean", "deviation"), [(None, None), (0.4, 0.3)])
def test_every_layer_is_measured(
    mean: float | None,
    deviation: float | None,
    here: None,
    trained: nn.Module,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Over all training samples, as torch finds out by itself."""
    result = tmp_path / "r.json"
    scaling = () if mean is None else ("--mean", str(mean), "--deviation", str(deviation))
    command = ("sensitivity", "net.pt2", "--data", "data.npz", *scaling)
    assert penstock(*command, "--json", result) == 0
    table = capsys.readouterr().out
    found = json.loads(result.read_text())
    assert (found["schema"], found["model"]) == ("penstock.sensitivity/1", "net.pt2")
    real = (samples(160).values / 255 - (mean or 0)) / (deviation or 1)
    images = torch.from_numpy(real.transpose(0, 3, 1, 2).copy())
    assert [layer["name"] for layer in found["layers"]] == list(LAYERS)
    for layer in found["layers"]:
        known = (layer["kind"], layer["weights"], layer["saved_bytes"])
        assert known == LAYERS[layer["name"]]
        expected = divergence(trained, layer["name"], images)
        assert layer["divergence"] == pytest.approx(expected, rel=1e-2, abs=1e-6)
    assert max(layer["divergence"] for layer in found["layers"]) > 1e-4

    whole = sum(layer["divergence"] for layer in found["layers"])
    lines = table.splitlines()
    for layer, line in zip(found["layers"], lines[1:4], strict=True):
        saved = layer["saved_bytes"]
        assert re.split(r" {2,}", line.strip()) == [
            layer["name"],
            layer["kind"],
            format_count(layer["weights"]),
            format_bytes(saved) if saved else "–",
            f"{layer['divergence']:.3g}",
            f"{100 * layer['divergence'] / whole:.1f} %",
        ]
    assert lines[4].startswith("  how far class probabilities move")


def test_json_on_standard_output_stands_alone(
    here: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert penstock("sensitivity", "net.pt2", "--data", "data.npz", "--json", "-") == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads(
        json.dumps(api.sensitivity("net.pt2", api.Recipe(data="data.npz")).to_json())
    )


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing": ((), "--data is missing"),
    "no data": (("--data", "no.npz"), "there is no file 'no.npz'"),
    "no name": (("--data", "mnits"), "'mnits' is no folder, no .zip or .npz file, and no set's"),
    "broken data": (("--data", "broken.npz"), "'broken.npz' is no .npz file with the arrays"),
    "another shape": (
        ("--data", "wide.npz"),
        "wide.npz: samples are [8, 9, 1], the network takes [8, 8, 1]",
    ),
    "other classes": (
        ("five.pt2", "--data", "data.npz"),
        "data.npz has 3 classes (0, 1, 2), the network has 5 outputs",
    ),
    "no classes": (
        ("image.pt2", "--data", "data.npz"),
        "the network's output is [1, 6, 6, 3], that of a classifier has one number",
    ),
    "two means": (
        ("--data", "data.npz", "--mean", "0.5,0.5"),
        "2 numbers were given for the pixels of 1 channels",
    ),
    "overwritten": (
        ("--data", "data.npz", "--json", "net.pt2"),
        "--json 'net.pt2' is the model, which would be overwritten",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_measured_is_refused_with_one_message(
    name: str, files: Path, here: None, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, message = BAD[name]
    model = () if name in ("other classes", "no classes") else ("net.pt2",)
    before = {path: path.read_bytes() for path in files.iterdir()}
    assert penstock("sensitivity", *model, *arguments) == 2
    printed = capsys.readouterr()
    assert message in re.sub(r"\s+", " ", printed.err) and not printed.out
    assert printed.err.count("error: ") == printed.err.count("help: ") == 1
    assert {path: path.read_bytes() for path in files.iterdir()} == before
