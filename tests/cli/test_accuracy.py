"""``penstock accuracy``: the deployed C over labelled data."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from penstock import api
from penstock.cli.entry import run_command_line
from penstock.errors import InputError
from penstock.frontends.tflite import load_model
from penstock.ir import interpreter

EXAMPLE = Path(__file__).parents[2] / "examples" / "cifar10.tflite"
CLASSES = (EXAMPLE.parent / "labels.txt").read_text().splitlines()
COUNT = 24


def penstock(*arguments: str | Path) -> int:
    return run_command_line([str(argument) for argument in arguments])


def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (COUNT, 32, 32, 3), np.uint8)


def answers() -> list[int]:
    """What the interpreter gives."""
    graph = load_model(EXAMPLE)
    inputs = (pixels().astype(np.int16) - 128).astype(np.int8)
    return [int(np.argmax(interpreter.run(graph, [one[np.newaxis]])[0])) for one in inputs]


@pytest.fixture(scope="module")
def labels() -> list[int]:
    """Right for two of three samples."""
    return [(a + (n % 3 == 0)) % len(CLASSES) for n, a in enumerate(answers())]


@pytest.mark.parametrize("kind", ["pixels", "int8", "real"])
def test_arrays_are_counted(
    tmp_path: Path, kind: str, labels: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    samples = {
        "pixels": pixels(),
        "int8": (pixels().astype(np.int16) - 128).astype(np.int8),
        "real": pixels().astype(np.float32) / 255,
    }[kind]
    np.savez(tmp_path / "test.npz", x=samples, y=labels)
    result = tmp_path / "a.json"
    command = ("accuracy", EXAMPLE, "--data", tmp_path / "test.npz", "--json", result)
    assert penstock(*command) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("cifar10.tflite: 66.67 % of 24 samples right (16; ")
    found = json.loads(result.read_text())
    confusion = np.array(found.pop("confusion"))
    assert found == {
        "schema": "penstock.accuracy/1",
        "model": "cifar10.tflite",
        "board": "host",
        "samples": COUNT,
        "correct": 16,
        "accuracy": 16 / 24,
        "classes": [str(n) for n in range(10)],
    }
    expected = np.zeros((10, 10), int)
    for true, given in zip(labels, answers(), strict=True):
        expected[true, given] += 1
    np.testing.assert_array_equal(confusion, expected)


def test_arrays_may_name_classes(
    tmp_path: Path, labels: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Among --labels they are looked up: the file may have them in another order, and fewer."""
    names = [f"kind {n}" for n in range(10)]
    turned = [9 - label for label in labels]
    (tmp_path / "labels.txt").write_text("\n".join(names))
    given = ("--labels", tmp_path / "labels.txt")
    present = sorted(set(labels))
    fewer = {"y": [present.index(n) for n in labels], "classes": [names[n] for n in present]}
    cases: dict[str, tuple[dict[str, list[Any]], tuple[object, ...]]] = {
        "alone": ({"y": labels, "classes": names}, ()),
        "with labels": ({"y": labels, "classes": names}, given),
        "in another order": ({"y": turned, "classes": names[::-1]}, given),
        "fewer": (fewer, given),
        "none": ({"y": labels}, given),
    }
    for name, (arrays, options) in cases.items():
        np.savez(tmp_path / "test.npz", x=pixels(), **arrays)
        command = ("accuracy", EXAMPLE, "--data", tmp_path / "test.npz", *options)
        assert penstock(*command, "--json", tmp_path / "a.json") == 0, name
        found = json.loads((tmp_path / "a.json").read_text())
        assert (found["classes"], found["correct"]) == (names, 16), name
    capsys.readouterr()


def test_numbers_are_names_where_they_are_among_the_labels(
    tmp_path: Path, labels: list[int]
) -> None:
    """Folders may be called 0 to 9, and the model's outputs be in another order."""
    for part in ("train", "test"):
        for name in range(10):
            (tmp_path / "t" / part / str(name)).mkdir(parents=True)
            black = Image.fromarray(np.zeros((32, 32, 3), np.uint8))
            black.save(tmp_path / "t" / "train" / str(name) / "0.png")
    for number, (one, label) in enumerate(zip(pixels(), labels, strict=True)):
        Image.fromarray(one).save(tmp_path / "t" / "test" / str(9 - label) / f"{number}.png")
    shutil.make_archive(str(tmp_path / "t"), "zip", tmp_path / "t")
    turned = [str(9 - n) for n in range(10)]
    assert api.accuracy(EXAMPLE, data=tmp_path / "t.zip", classes=turned).correct == 16
    other = api.accuracy(EXAMPLE, data=tmp_path / "t.zip", classes=CLASSES)
    assert other.correct == api.accuracy(EXAMPLE, data=tmp_path / "t.zip").correct


def test_names_of_classes_that_do_not_fit_are_explained(
    tmp_path: Path, labels: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"kind {n}" for n in range(10)]
    (tmp_path / "labels.txt").write_text("\n".join(["unicorn", *names[1:]]))
    cases: dict[str, tuple[Any, tuple[object, ...]]] = {
        "there are 9 names in classes, the model has 10 outputs": (names[:9], ()),
        "1 classes of t.npz are none of the labels, the first is 'kind 0'": (
            names,
            ("--labels", tmp_path / "labels.txt"),
        ),
        "labels of t.npz are to be integers from 0 to 1": (
            names[1:3],
            ("--labels", tmp_path / "labels.txt"),
        ),
        "t.npz: classes holds Python objects": (np.array(names, object), ()),
    }
    for message, (classes, options) in cases.items():
        np.savez(tmp_path / "t.npz", x=pixels(), y=labels, classes=classes)
        assert penstock("accuracy", EXAMPLE, "--data", tmp_path / "t.npz", *options) == 2
        assert message in capsys.readouterr().err


def test_data_sets_with_a_name_give_their_test_samples(
    tmp_path: Path,
    labels: list[int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a .npz file, and of a set's name, as `penstock compress` takes them; scaled or spread."""
    (tmp_path / "data").mkdir()
    parts = {"x_train": pixels()[:2], "y_train": [0, 9], "x_test": pixels(), "y_test": labels}
    np.savez(tmp_path / "data" / "mnist.npz", **parts)
    monkeypatch.setenv("PENSTOCK_SHARED", str(tmp_path))
    scaled = ("--mean", "0", "--deviation", "1")
    for data, more in (
        (tmp_path / "data" / "mnist.npz", ()),
        ("mnist", ()),
        ("mnist", scaled),
    ):
        assert penstock("accuracy", EXAMPLE, "--data", data, *more) == 0
        assert "66.67 % of 24 samples right (16; " in capsys.readouterr().out
    assert penstock("accuracy", EXAMPLE, "--data", "spoken-digits") == 2
    assert "there is no free_spoken_digit*.zip" in " ".join(capsys.readouterr().err.split())


def test_folders_are_classes_and_boards_give_the_same(tmp_path: Path, labels: list[int]) -> None:
    for number, (image, label) in enumerate(zip(pixels(), labels, strict=True)):
        folder = tmp_path / CLASSES[label] / "deeper"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number}.png")
    found = [
        api.accuracy(EXAMPLE, data=tmp_path, classes=CLASSES, board=board)
        for board in ("host", "stm32f746g-disco")
    ]
    assert found[0].classes == tuple(CLASSES) and found[0].correct == 16
    np.testing.assert_array_equal(found[0].confusion, found[1].confusion)
    assert found[0].deviation == pytest.approx(np.sqrt(2 / 9 / COUNT))


def test_of_two_parts_the_one_to_test_with_is_taken(tmp_path: Path, labels: list[int]) -> None:
    """From a folder, and from a .zip file of it."""
    tree = tmp_path / "tree"
    for part, count in (("train", 3), ("test", COUNT)):
        for name in CLASSES:
            (tree / part / name).mkdir(parents=True)
            Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tree / "train" / name / "0.png")
        for number, (image, label) in enumerate(zip(pixels()[:count], labels, strict=False)):
            Image.fromarray(image).save(tree / part / CLASSES[label] / f"{number + 1}.png")
    shutil.make_archive(str(tmp_path / "data"), "zip", tree)
    for data in (tree, tmp_path / "data.zip"):
        found = api.accuracy(EXAMPLE, data=data, classes=CLASSES)
        assert (found.correct, found.samples) == (16, COUNT)
        with pytest.raises(InputError, match="'airplane'"):
            api.accuracy(EXAMPLE, data=data, classes=["plane", *CLASSES[1:]])
        backwards = api.accuracy(EXAMPLE, data=data, classes=CLASSES[::-1])
        expected = found.confusion[::-1]  # the model's outputs are what they were
        np.testing.assert_array_equal(backwards.confusion, expected)


def save(path: Path, **arrays: np.ndarray) -> None:
    np.savez(path, **arrays)  # type: ignore[arg-type]


def test_data_that_do_not_fit_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, few = pixels(), np.zeros(COUNT, int)
    cases = {
        "is no .npz file with arrays x and y": {"a": good},
        "as many labels as samples": {"x": good, "y": few[:-1]},
        "images as": {"x": good.transpose(0, 3, 1, 2), "y": few},
        "integers from 0 to 9": {"x": good, "y": few + 10},
        "some values are infinite or no number": {"x": good + np.float32(np.inf), "y": few},
        "samples are int64, the model takes int8": {"x": good.astype(np.int64), "y": few},
    }
    for reason, arrays in cases.items():
        save(tmp_path / "t.npz", **arrays)
        assert penstock("accuracy", EXAMPLE, "--data", tmp_path / "t.npz") == 2
        assert reason in capsys.readouterr().err
    save(tmp_path / "t.npz", x=good, y=few)
    assert penstock("accuracy", EXAMPLE, "--data", tmp_path / "t.npz", "--mean", "0.5") == 2
    assert "are of pixels, and these arrays hold no" in capsys.readouterr().err
    (tmp_path / "cat").mkdir()
    assert penstock("accuracy", EXAMPLE, "--data", tmp_path) == 2
    assert "there are 1 folders, the model has 10 outputs" in capsys.readouterr().err
    names = ("--labels", EXAMPLE.parent / "labels.txt")
    assert penstock("accuracy", EXAMPLE, "--data", tmp_path, *names) == 2
    assert "hold no images" in capsys.readouterr().err
    (tmp_path / "unicorn").mkdir()
    assert penstock("accuracy", EXAMPLE, "--data", tmp_path, *names) == 2
    assert "'unicorn'" in capsys.readouterr().err
    (tmp_path / "t.csv").touch()
    assert penstock("accuracy", EXAMPLE, "--data", tmp_path / "t.csv") == 2
    assert "neither a folder of classes nor a .zip or .npz file" in capsys.readouterr().err
