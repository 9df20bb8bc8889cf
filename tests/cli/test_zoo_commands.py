"""``penstock zoo``: the networks that come along, and the training of a small one."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")
pytest.importorskip("torch_pruning", reason="needs the extra 'design'")

from penstock import api  # noqa: E402
from penstock.cli.checkpoints import sole_use  # noqa: E402
from penstock.design.data import Samples  # noqa: E402
from penstock.design.learning.options import Optimizer, TrainingOptions  # noqa: E402
from penstock.design.learning.tasks import Classification, Reconstruction  # noqa: E402
from penstock.design.networks import Autoencoder  # noqa: E402
from penstock.design.zoo import carried  # noqa: E402
from penstock.design.zoo.carried import carried_networks  # noqa: E402
from penstock.design.zoo.catalogue import ZOO, ZooNetwork  # noqa: E402
from penstock.ir.dtype import DType  # noqa: E402
from penstock.ir.macs import graph_macs  # noqa: E402
from penstock.quantize.affine import dequantize_array, quantize_array  # noqa: E402
from penstock.units import format_bytes  # noqa: E402
from tests.cli.compressing import SlowClock, litert_accuracy, network, penstock, save  # noqa: E402
from tests.design.test_training import samples  # noqa: E402
from tests.litert import LiteRT  # noqa: E402

torch.set_num_threads(1)

FILES = Path(carried.__file__).parent / "files"
TINY = ZooNetwork(
    about="images of three kinds",
    data="mnist",
    shape=(8, 8, 1),
    task=Classification(),
    make=network,
    training=TrainingOptions(epochs=2, batch_size=16, learning_rate=0.05),
)
STRANGE = ZooNetwork(
    about="an autoencoder of one kind",
    data="mnist",
    shape=(8, 8, 1),
    task=Reconstruction(normal=0),
    make=lambda: Autoencoder((64, 16, 4)),
    training=TrainingOptions(
        epochs=9, batch_size=16, learning_rate=0.005, optimizer=Optimizer.ADAM
    ),
)
ALONE = api.ZooTraining(threads=1)


def write_data(folder: Path, training: Samples, test: Samples) -> None:
    (folder / "data").mkdir()
    np.savez(
        folder / "data" / "mnist-small.npz",
        x_train=training.values,
        y_train=training.labels,
        x_test=test.values,
        y_test=test.labels,
    )


@pytest.fixture(scope="module", autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of data, teachers, and a zoo that has small networks besides."""
    folder = tmp_path_factory.mktemp("shared")
    write_data(folder, samples(160), samples(60, seed=1))
    save(network(), folder / "three.pt2", 1, 8, 8)
    save(network(classes=5), folder / "five.pt2", 1, 8, 8)
    (folder / "int8.tflite").write_bytes(carried_networks()["spoken-digits"].content())
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENSTOCK_SHARED", str(folder))
        known = {**ZOO, "tiny": TINY, "strange": STRANGE}
        patched.setattr("penstock.design.zoo.catalogue.ZOO", known)
        yield folder


@pytest.fixture(scope="module")
def expected(shared: Path) -> bytes:
    """The file that the recipe gives."""
    return api.train_zoo("tiny", ALONE).content


def test_the_list_says_what_is_carried(capsys: pytest.CaptureFixture[str]) -> None:
    assert penstock("zoo") == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    networks = carried_networks()
    for line, known in zip(lines[1:], networks.values(), strict=False):
        size = format_bytes((FILES / f"{known.name}.tflite").stat().st_size)
        scores = [f"{100 * score:.2f} %" for score in (known.float_score, known.score)]
        cells = re.split(r" {2,}", line.strip())
        assert cells == [known.name, known.data, size, *scores, known.measure]
        assert f"  {known.name}: {known.about}\n" in printed
    assert [api.zoo_network(name) for name in networks] == api.zoo()


def test_the_list_as_json_says_how_large_the_files_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert penstock("zoo", "--json", "-") == 0
    found = json.loads(capsys.readouterr().out)
    sizes = {network["name"]: network["file_bytes"] for network in found["networks"]}
    assert sizes == {name: (FILES / f"{name}.tflite").stat().st_size for name in carried_networks()}


def test_suffixes_may_be_in_large_letters(tmp_path: Path) -> None:
    assert penstock("zoo", "get", "spoken-digits", "-o", tmp_path / "NET.TFLITE") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["NET.TFLITE"]


@pytest.mark.parametrize("name", carried_networks())
def test_the_file_that_is_got_is_the_one_carried(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "net.tflite"
    output.write_bytes(b"what was there")
    assert penstock("zoo", "get", name, "-o", output) == 0
    assert output.read_bytes() == (FILES / f"{name}.tflite").read_bytes()
    assert capsys.readouterr().out == f"{name}: {output}\n"


PLACES = {
    "no/o.tflite": "there is no folder 'no'",
    "folder": "is a folder, not a file",
    "-": "is no file: only --json prints",
    "x" * 243 + ".tflite": "cannot write 'xxx",
}


@pytest.mark.parametrize("place", PLACES)
def test_places_that_cannot_be_written_are_refused(
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert penstock("zoo", "get", "spoken-digits", "-o", place) == 2
    printed = capsys.readouterr()
    assert PLACES[place] in printed.err and "help: " in printed.err and not printed.out
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


@pytest.mark.parametrize("verb", ["get", "train"])
def test_an_unknown_name_is_refused_with_those_that_are_known(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert penstock("zoo", verb, "nothing", "-o", tmp_path / "o.tflite") == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert "the zoo has no 'nothing' help: it has cifar10-large, " in printed
    assert all(name in printed for name in carried_networks())
    assert not list(tmp_path.iterdir())


def test_a_trained_network_is_what_its_result_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the float network is what `penstock compress` begins with, and makes the same of."""
    model, floats, result = (tmp_path / name for name in ("o.tflite", "o.pt2", "o.json"))
    command = ("zoo", "train", "tiny", "-o", model, "--float", floats, "--json", result)
    assert penstock(*command, "--epochs", "5", "--seed", "7", "--threads", "1") == 0
    printed = capsys.readouterr()
    found = json.loads(result.read_text())
    assert found["score"] == litert_accuracy(model) > 0.7
    assert 0.7 < found["float_score"] <= 1
    asked = replace(TINY, training=replace(TINY.training, epochs=5, seed=7))
    assert found["recipe"] == asked.recipe
    assert (found["recipe"]["train"]["epochs"], found["recipe"]["train"]["seed"]) == (5, 7)
    said = {
        "schema": "penstock.zoo/1",
        "name": "tiny",
        "about": "images of three kinds",
        "data": "mnist",
        "test_samples": 60,
        "measure": "accuracy",
        "file": str(model),
        "file_bytes": model.stat().st_size,
    }
    assert {key: found[key] for key in said} == said
    assert found["totals"]["macs"] == graph_macs(api.load_model(model))
    assert found["seconds"] > 0
    assert found["computer"]["threads"] == found["computer"]["processes"] == 1
    epochs = re.findall(r"train: epoch (\d), loss \d", printed.err)
    assert epochs == ["1", "2", "3", "4", "5"]
    assert printed.out.startswith(f"tiny trained in {found['seconds'] / 60:.1f} min: {model}, ")
    assert f"{100 * found['float_score']:.2f} % in real numbers, " in printed.out
    assert f"{100 * found['score']:.2f} % of the C" in printed.out
    assert sorted(tmp_path.iterdir()) == sorted([model, floats, result])

    again, stages = tmp_path / "again.tflite", tmp_path / "again.json"
    options = ("--data", "mnist", "--epochs", "0", "--threads", "1", "--json", stages)
    assert penstock("compress", floats, *options, "-o", again) == 0
    scores = [stage["score"] for stage in json.loads(stages.read_text())["stages"]]
    assert scores == [found["float_score"], found["score"]]


def expected_area(give_back: Callable[[np.ndarray], np.ndarray]) -> float:
    """The share of pairs, of a normal and an unusual test sample, that come out in order."""
    test = samples(60, seed=1)
    reals = (test.values / np.float32(255)).astype(np.float32).reshape(60, 64)
    errors = np.array([np.square(give_back(real) - real).mean() for real in reals])
    is_normal = test.labels == 0
    order = np.sign(errors[~is_normal, np.newaxis] - errors[is_normal])
    return float(np.mean((1 + order) / 2))


def test_an_autoencoder_is_scored_by_what_it_gives_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In LiteRT and in torch; and JSON on standard output stands alone."""
    model, floats = tmp_path / "o.tflite", tmp_path / "o.pt2"
    command = ("zoo", "train", "strange", "--threads", "1", "-o", model, "--float", floats)
    assert penstock(*command, "--json", "-") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["measure"] == "area under the ROC curve"
    assert found["recipe"] == STRANGE.recipe
    graph, oracle = api.load_model(model), LiteRT(model)
    source, result = (graph.tensors[n].quantization for n in (*graph.inputs, *graph.outputs))
    assert source is not None and result is not None

    def of_litert(real: np.ndarray) -> np.ndarray:
        steps = quantize_array(real.reshape(1, 8, 8, 1), source, DType.INT8)
        return dequantize_array(oracle.run([steps])[0], result)

    program = torch.export.load(floats).module()

    def of_torch(real: np.ndarray) -> np.ndarray:
        return np.asarray(program(torch.from_numpy(real).reshape(1, 1, 8, 8)).detach())

    assert found["score"] == pytest.approx(expected_area(of_litert), abs=0.005)
    assert found["float_score"] == pytest.approx(expected_area(of_torch), abs=0.005)


def test_the_seed_decides_the_bytes(expected: bytes) -> None:
    torch.rand(3)
    assert api.train_zoo("tiny", ALONE).content == expected
    assert api.train_zoo("tiny", replace(ALONE, seed=2)).content != expected


def test_an_interrupted_training_goes_on(
    expected: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was done is not done again, but its time counts; and no byte differs."""
    model, result, work = tmp_path / "o.tflite", tmp_path / "o.json", tmp_path / "work"
    command = ("zoo", "train", "tiny", "--threads", "1", "--work", work, "-o", model)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("penstock.cli.zoo.show_epoch", stop)
        patched.setattr("penstock.design.learning.engine.time", SlowClock())
        assert penstock(*command, "--json", result) == 130
    assert "nothing was left half-written" in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["work"]
    assert penstock(*command, "--json", result) == 0
    assert re.findall(r"epoch (\d), ", capsys.readouterr().err) == ["2"]
    assert model.read_bytes() == expected
    assert json.loads(result.read_text())["seconds"] > 60
    assert penstock(*command) == 0
    assert "epoch" not in capsys.readouterr().err
    assert model.read_bytes() == expected


def test_another_training_keeps_out_of_its_checkpoints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "work"
    with sole_use(work):
        command = ("zoo", "train", "tiny", "-o", tmp_path / "o.tflite", "--work", work)
        assert penstock(*command) == 2
    assert "another run keeps its checkpoints in" in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_of_the_processes_of_torchrun_only_the_first_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", "1")
    results = ("-o", tmp_path / "o.tflite", "--float", tmp_path / "o.pt2", "--json", "-")
    assert penstock("zoo", "train", "tiny", "--epochs", "1", "--threads", "1", *results) == 0
    assert not capsys.readouterr().out and not list(tmp_path.iterdir())


def test_a_teacher_changes_what_is_learned(shared: Path, expected: bytes) -> None:
    teacher = str(shared / "three.pt2")
    made = api.train_zoo("tiny", replace(ALONE, teacher=teacher))
    assert made.result.recipe["distill"]["teacher"] == teacher
    assert made.result.recipe["train"] == TINY.recipe["train"]
    assert made.content != expected


BAD = {
    "other classes": (
        ("tiny", "--distill", "five.pt2"),
        "the teacher five.pt2 has outputs [1, 5], tiny has [1, 3]",
    ),
    "no teacher": (("tiny", "--distill", "no.pt2"), "there is no model 'no.pt2'"),
    "int8 teacher": (
        ("tiny", "--distill", "int8.tflite"),
        "the network 'int8' is quantized already",
    ),
    "nothing to compare": (
        ("strange", "--distill", "three.pt2"),
        "and strange is an autoencoder, which has none help: train it without a teacher: leave",
    ),
    "itself": (
        ("tiny", "--distill", "self"),
        "tiny is trained from nothing, so it cannot learn from 'self' help: name a model file",
    ),
    "an unknown name, in a folder to be made": (
        ("nothing", "--work", "new/deep/dir"),
        "the zoo has no 'nothing'",
    ),
    "another format": (
        ("tiny", "--distill", "three.pt2", "-o", "three.pt2"),
        "--output 'three.pt2' must end in .tflite help: name it 'three.tflite'",
    ),
    "overwritten by the float network": (
        ("tiny", "--distill", "three.pt2", "--float", "./three.pt2"),
        "is the teacher, which would be overwritten",
    ),
    "two results in one file": (
        ("tiny", "--float", "o.pt2", "--json", "o.pt2"),
        "is the file of --float, which would be overwritten",
    ),
    "no data": (("cifar10-small",), "there is no cifar10*.zip in "),
    "other images": (("mnist-anomaly",), "samples are [8, 8, 1], the network takes [28, 28, 1]"),
    "no epoch": (
        ("tiny", "--epochs", "0"),
        "0 is not in the range x>=1 help: `penstock zoo train --help` shows",
    ),
    "no folder": (("tiny", "--float", "no/o.pt2"), "there is no folder 'no'"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_trained_is_refused_before_any_training(
    name: str,
    shared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(shared)
    arguments, message = BAD[name]
    before = {path: path.is_file() and path.read_bytes() for path in shared.rglob("*")}
    assert penstock("zoo", "train", "-o", tmp_path / "o.tflite", *arguments) == 2
    printed = capsys.readouterr()
    assert message in re.sub(r"\s+", " ", printed.err)
    assert "epoch " not in printed.err and not printed.out
    assert not list(tmp_path.iterdir())
    after = {path: path.is_file() and path.read_bytes() for path in shared.rglob("*")}
    assert after == before


UNFIT: dict[str, tuple[str, int, Callable[[np.ndarray], np.ndarray], str]] = {
    "more classes": ("tiny", 160, lambda y: y + 1, "mnist has 4 classes (0, 1, 2, 3), the network"),
    "fewer classes": (
        "tiny",
        160,
        lambda y: y % 2,
        "mnist has 2 classes (0, 1), the network has 3",
    ),
    "few": ("tiny", 15, lambda y: y, "mnist has 15 samples to learn from, a batch of the step"),
    "nothing normal": (
        "strange",
        160,
        lambda y: y * 0 + 1,
        "of the 160 training samples of mnist, 0",
    ),
    "nothing unusual": ("strange", 160, lambda y: y * 0, "of the 60 test samples of mnist, 60"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_data_for_something_else_are_refused_before_any_training(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trained, count, relabelled, message = UNFIT[name]
    parts = [samples(count), samples(60, seed=1)]
    write_data(tmp_path, *(replace(part, labels=relabelled(part.labels)) for part in parts))
    monkeypatch.setenv("PENSTOCK_SHARED", str(tmp_path))
    assert penstock("zoo", "train", trained, "-o", tmp_path / "o.tflite") == 2
    printed = capsys.readouterr()
    assert message in re.sub(r"\s+", " ", printed.err) and "help: " in printed.err
    assert "epoch " not in printed.err and not printed.out
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
