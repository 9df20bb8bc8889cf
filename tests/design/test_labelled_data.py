"""Labelled data to learn from: folders, archives and arrays of images and other samples."""

import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from penstock.design.data import DataSet, Samples, load_data_set
from penstock.design.data.sets import expect_outputs, hold_back
from penstock.errors import InputError

SHAPE = (6, 5, 3)
Files = Mapping[str, bytes]


def image(value: int, *, mode: str = "RGB", size: tuple[int, int] = (5, 6)) -> bytes:
    """A .png file of one colour; ``size`` is width and height."""
    content = BytesIO()
    colour = value if mode == "L" else (value, 255 - value, 7)
    Image.new(mode, size, colour).save(content, "png")
    return content.getvalue()


PARTS: Files = {
    "train/cat/a.png": image(1),
    "train/cat/deeper/b.png": image(2),
    "train/dog/a.PNG": image(3),
    "train/cat/notes.txt": b"no image",
    "test/dog/c.png": image(4),
    "test/cat/c.png": image(5),
    "README.md": b"",
}
WHOLE: Files = {f"{name}/{n}.png": image(n) for name in ("b", "a", "c") for n in range(20)}


def save_folder(path: Path, files: Files) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def save_zip(path: Path, files: Files) -> Path:
    archive = path.with_suffix(".ZIP")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, content in files.items():
            writer.writestr(name, content)
    return archive


SAVED: Mapping[str, Callable[[Path, Files], Path]] = {"folder": save_folder, "zip": save_zip}


@pytest.fixture(params=SAVED)
def save(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Files], str]:
    """Files become a folder, or an archive of one."""
    return lambda files: str(SAVED[request.param](tmp_path / "set", files))


def test_parts_are_taken_as_they_are(save: Callable[[Files], str]) -> None:
    data = load_data_set(save(PARTS), SHAPE)
    assert data.classes == ("cat", "dog")
    assert data.has_pixels and data.shape == SHAPE
    assert data.training.values[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert data.training.labels.tolist() == [0, 0, 1]
    assert data.test.values[:, 5, 4, 1].tolist() == [250, 251]
    assert data.test.labels.tolist() == [0, 1]


def test_a_tenth_is_held_back_where_there_is_one_part(save: Callable[[Files], str]) -> None:
    source = save(WHOLE)
    data = load_data_set(source, SHAPE, seed=3)
    assert data.classes == ("a", "b", "c")
    assert (len(data.training), len(data.test)) == (54, 6)
    everything = sorted(
        (int(label), int(value[0, 0, 0]))
        for part in (data.training, data.test)
        for value, label in zip(part.values, part.labels, strict=True)
    )
    assert everything == [(label, n) for label in range(3) for n in range(20)]
    same, other = (load_data_set(source, SHAPE, seed=seed) for seed in (3, 4))
    np.testing.assert_array_equal(same.test.values, data.test.values)
    assert not np.array_equal(other.test.values, data.test.values)


def test_images_are_cut_to_the_middle_resized_and_made_grey(tmp_path: Path) -> None:
    left = Image.new("RGB", (24, 12), (0, 0, 0))
    left.paste((90, 90, 90), (4, 0, 20, 12))
    content = BytesIO()
    left.save(content, "bmp")
    files = {"a/x.bmp": content.getvalue(), "b/x.png": image(200, mode="L", size=(9, 9))}
    data = load_data_set(str(save_folder(tmp_path, files)), (6, 6, 1))
    values = np.concatenate([data.training.values, data.test.values])
    assert sorted(np.unique(values).tolist()) == [90, 200]


@given(count=st.integers(2, 400), seed=st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_holding_back_parts_samples(count: int, seed: int) -> None:
    samples = Samples(np.arange(count, dtype=np.float32), np.arange(count))
    parts = hold_back(samples, seed)
    assert len(parts[1]) == max(1, round(count / 10))
    for part in parts:
        np.testing.assert_array_equal(part.values, part.labels)
        assert (np.diff(part.labels) > 0).all()
    np.testing.assert_array_equal(
        np.sort(np.concatenate([part.labels for part in parts])), np.arange(count)
    )


def arrays(count: int = 10) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        "x": generator.integers(0, 256, (count, *SHAPE)).astype(np.uint8),
        "y": np.arange(count, dtype=np.int32) % 3,
    }


def save_arrays(path: Path, **given_arrays: Any) -> str:
    np.savez(path, **given_arrays)
    return str(path)


def test_arrays_with_parts_are_taken_as_they_are(tmp_path: Path) -> None:
    first, second = arrays(7), arrays(4)
    parts = {f"{k}_train": v for k, v in first.items()} | {
        f"{k}_test": v for k, v in second.items()
    }
    data = load_data_set(save_arrays(tmp_path / "a.npz", **parts), SHAPE)
    assert data.classes == ("0", "1", "2") and data.name == "a.npz"
    np.testing.assert_array_equal(data.training.values, first["x"])
    np.testing.assert_array_equal(data.training.labels, first["y"])
    np.testing.assert_array_equal(data.test.values, second["x"])
    np.testing.assert_array_equal(data.test.labels, second["y"])


@pytest.mark.parametrize("kind", ["u1", "f2", "<f4", ">f4", "f8"])
def test_pixels_stay_pixels_and_reals_become_float32(tmp_path: Path, kind: str) -> None:
    given_arrays = arrays()
    given_arrays["x"] = given_arrays["x"].astype(kind)
    data = load_data_set(save_arrays(tmp_path / "a.npz", **given_arrays), SHAPE, seed=1)
    assert (len(data.training), len(data.test)) == (9, 1)
    assert data.has_pixels is (kind == "u1")
    assert data.training.values.dtype == (np.uint8 if kind == "u1" else np.float32)
    assert data.training.labels.dtype == np.int64


def test_a_lone_channel_may_be_left_out(tmp_path: Path) -> None:
    source = save_arrays(tmp_path / "a.npz", x=np.zeros((4, 28, 28), np.uint8), y=np.arange(4))
    assert load_data_set(source, (28, 28, 1)).shape == (28, 28, 1)
    source = save_arrays(tmp_path / "a.npz", x=np.zeros((4, 9), np.float32), y=np.arange(4))
    assert load_data_set(source, (9,)).shape == (9,)


def test_arrays_may_name_classes_of_which_they_have_no_samples(tmp_path: Path) -> None:
    source = save_arrays(tmp_path / "a.npz", **arrays(), classes=["cat", "dog", "eel", "fox"])
    data = load_data_set(source, SHAPE)
    assert data.classes == ("cat", "dog", "eel", "fox")
    assert set(data.training.labels) | set(data.test.labels) == {0, 1, 2}


def test_a_folder_may_be_called_as_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "a.npz"
    for name in ("cat", "dog"):
        for part in ("train", "test"):
            (folder / part / name).mkdir(parents=True)
            (folder / part / name / "x.png").write_bytes(image(1))
    assert load_data_set(str(folder), SHAPE).classes == ("cat", "dog")


BAD_ARRAYS: Mapping[str, tuple[dict[str, Any], str]] = {
    "no arrays": ({"a": np.zeros(3)}, "a.npz has the arrays a; wanted are x_train, y_train, x_te"),
    "half of them": ({"x_train": np.zeros((2, *SHAPE))}, "or x and y\n  help: write it with"),
    "names as objects": ({"classes": np.array(["a", "b"], object)}, "classes holds Python objects"),
    "names as bytes": ({"classes": np.array([b"a", b"b", b"c"])}, "classes is bytes8 [3], a name"),
    "no name": ({"classes": ["a", "", "c"]}, "'' is no name of a class\n  help: save classes="),
    "a name of lines": ({"classes": ["a", "b\nc", "d"]}, r"'b\nc' is no name of a class"),
    "a name in blanks": ({"classes": ["a", "a ", "c"]}, "'a ' is no name of a class"),
    "objects": ({"x": np.array([{}, {}]), "y": np.arange(2)}, "is no .npz file with the arrays"),
    "fewer labels": ({"y": np.arange(9)}, "[10, 6, 5, 3] samples have [9] labels\n  help: save as"),
    "one-hot labels": ({"y": np.eye(10)}, "labels are [10, 10], a position of a class each"),
    "numbers": ({"x": np.array(1.0), "y": np.array(1)}, "[] samples have [] labels"),
    "no samples": (
        {"x": np.zeros((0, *SHAPE)), "y": np.zeros(0, int)},
        "a part of it has 0 samples",
    ),
    "labels alone": ({"x": np.zeros((0, *SHAPE))}, "a part of it has 0 samples and 10 labels"),
    "one sample": (arrays(1), "there are 1 samples, at least 2 are needed"),
    "real labels": ({"y": np.arange(10.0)}, "labels are float64, positions of classes are wanted"),
    "names": ({"y": np.array(list("abcdefghij"))}, "labels are str"),
    "below 0": ({"y": np.arange(10) - 1}, "labels are from -1 to 8; allowed is 0 to 65535"),
    "identifiers": ({"y": np.arange(10) + 10**15}, "to 1000000000000009; allowed is 0 to 65535"),
    "beyond int64": ({"y": np.full(10, 2**63, np.uint64)}, "to 9223372036854775808; allowed is 0"),
    "integers": ({"x": np.zeros((10, *SHAPE), int)}, "samples are int64\n  help: save pixels as"),
    "fewer names": ({"classes": ["cat", "dog"]}, "labels are up to 2, and classes has 2 names"),
    "names twice": ({"classes": ["cat", "dog", "cat"]}, "classes has 3 names, and some are the"),
    "numbers as names": ({"classes": np.arange(3)}, "classes is int64 [3], a name for each class"),
    "a lone name": ({"classes": "cat"}, "classes is str96 [], a name for each class is wanted"),
    "another shape": (
        {"x": np.zeros((10, 3, 6, 5), np.uint8)},
        "samples are [3, 6, 5], the network takes [6, 5, 3]\n  help: save samples as the network",
    ),
    "no numbers": (
        {"x": np.full((10, *SHAPE), np.nan, np.float32)},
        "some values are infinite or no number",
    ),
    "too large": ({"x": np.full((10, *SHAPE), 1e300)}, "some values are infinite or no number"),
    "two kinds": (
        {f"{n}_train": v for n, v in arrays().items()}
        | {"x_test": np.zeros((10, *SHAPE), np.float32), "y_test": np.arange(10)},
        "samples for training are uint8, those for testing float32",
    ),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_wrong_arrays_are_explained(tmp_path: Path, name: str) -> None:
    given_arrays, message = BAD_ARRAYS[name]
    is_partial = given_arrays.keys() <= {"x", "y", "classes"}
    source = save_arrays(tmp_path / "a.npz", **(arrays() if is_partial else {}) | given_arrays)
    with pytest.raises(InputError) as refused:
        load_data_set(source, SHAPE)
    assert "a.npz" in str(refused.value) or name == "one sample"
    assert message in str(refused.value) and refused.value.help


BAD_FILES: Mapping[str, tuple[Files, str]] = {
    "nothing": ({"a.txt": b""}, "holds images of 0 classes, at least 2 are needed\n  help: give"),
    "images alone": ({"a.png": image(1), "b.png": image(2)}, "holds images of 0 classes"),
    "one class": ({"a/x.png": image(1)}, "holds images of 1 classes, at least 2 are needed"),
    "one part": (
        {"train/cat/x.png": image(1), "valid/cat/x.png": image(2)},
        "holds images in train/CLASS, and none in test/CLASS\n  help: give both",
    ),
    "the other part": ({"test/cat/x.png": image(1)}, "holds images in test/CLASS, and none in tr"),
    "no image": (
        {"a/x.png": b"GIF89a", "b/x.png": image(1)},
        "'a/x.png' is not a readable image\n  help: it may be cut short",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_wrong_folders_are_explained(save: Callable[[Files], str], name: str) -> None:
    files, message = BAD_FILES[name]
    with pytest.raises(InputError) as refused:
        load_data_set(save(files), SHAPE)
    assert message in str(refused.value)


def test_images_fit_images_alone(save: Callable[[Files], str]) -> None:
    source = save(WHOLE)
    for shape in ((10,), (6, 5, 4), (6, 5)):
        with pytest.raises(InputError, match="images fit a network with an input of") as refused:
            load_data_set(source, shape)
        assert str(list(shape)) in str(refused.value)


def test_damaged_archives_are_explained(tmp_path: Path) -> None:
    """Whichever byte is wrong: the samples, or an error that names the archive or an image."""
    whole = save_zip(tmp_path / "set", {"a/x.png": image(1), "b/x.png": image(2)}).read_bytes()
    path = tmp_path / "damaged.zip"
    refused = 0
    for position in range(0, len(whole), 3):
        content = bytearray(whole)
        content[position] ^= 0x5A
        path.write_bytes(content)
        try:
            data = load_data_set(str(path), SHAPE)
        except InputError as error:
            refused += 1
            assert error.help
        else:
            assert len(data.training) == len(data.test) == 1
    assert refused > len(whole) / 6
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        InputError, match=r"damaged.zip' is no readable .zip file\n  help: it may be cut"
    ):
        load_data_set(str(path), SHAPE)


def test_damaged_arrays_are_explained(tmp_path: Path) -> None:
    whole = Path(save_arrays(tmp_path / "a.npz", **arrays())).read_bytes()
    for content in (b"", b"PK", whole[:100], whole[:-100], whole.replace(b"NUMPY", b"LUMPY")):
        (tmp_path / "a.npz").write_bytes(content)
        with pytest.raises(InputError, match=r"a.npz' is no .npz file with the arrays"):
            load_data_set(str(tmp_path / "a.npz"), SHAPE)


def test_what_is_not_there_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cases = {
        "nowhere": "'nowhere' is no folder, no .zip or .npz file, and no set's name\n  help: the "
        "sets with a name are cifar10, mnist, spoken-digits",
        "no.npz": "there is no file 'no.npz'",
        "no.zip": "cannot read 'no.zip': there is no such file or folder",
    }
    for source, message in cases.items():
        with pytest.raises(InputError) as refused:
            load_data_set(source, SHAPE)
        assert message in str(refused.value)


@pytest.mark.parametrize("has_folder", [False, True])
@pytest.mark.parametrize("name", ["cifar10", "mnist", "spoken-digits"])
def test_sets_with_a_name_say_where_they_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, has_folder: bool
) -> None:
    monkeypatch.setenv("PENSTOCK_SHARED", str(tmp_path))
    if has_folder:
        (tmp_path / "data").mkdir()
    with pytest.raises(InputError) as refused:
        load_data_set(name, (48, 32, 1))
    assert str(tmp_path / "data") in str(refused.value)
    assert "help: set PENSTOCK_SHARED to a folder with data/" in str(refused.value)


def test_sets_with_a_name_are_read_like_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_SHARED", str(tmp_path))
    (tmp_path / "data").mkdir()
    save_zip(tmp_path / "data" / "cifar10_some", PARTS).rename(tmp_path / "data" / "cifar10_s.zip")
    save_arrays(tmp_path / "data" / "mnist.npz", x=np.zeros((4, 28, 28), np.uint8), y=np.arange(4))
    small = load_data_set("cifar10", SHAPE)
    assert (small.name, small.classes, len(small.training)) == ("cifar10", ("cat", "dog"), 3)
    digits = load_data_set("mnist", (28, 28, 1))
    assert (digits.name, len(digits.training), len(digits.test)) == ("mnist", 3, 1)


@pytest.mark.shared
def test_digits_of_the_shared_folder_are_those_known(
    shared_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_SHARED", str(shared_dir))
    digits = load_data_set("mnist", (28, 28, 1))
    assert (len(digits.training), len(digits.test)) == (60000, 10000)
    assert digits.classes == tuple("0123456789") and digits.has_pixels
    counts = np.bincount(digits.test.labels).tolist()
    assert counts == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_classes_are_to_be_outputs() -> None:
    part = Samples(np.zeros((3, 2), np.float32), np.arange(3))
    data = DataSet("set", part, part, ("a", "b", "c"))
    expect_outputs(data, 3)
    with pytest.raises(InputError) as refused:
        expect_outputs(data, 10)
    assert "set has 3 classes (a, b, c), the network has 10 outputs" in str(refused.value)
    many = DataSet("set", part, part, tuple(str(n) for n in range(11)))
    with pytest.raises(InputError, match=r"11 classes \(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …\)"):
        expect_outputs(many, 10)
