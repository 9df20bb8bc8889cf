"""Calibration data: folders of images and files of arrays."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from penstock.errors import InputError
from penstock.frontends.samples import PixelScaling, SampleShape, load_samples

SHAPE = (1, 3, 4, 6)
IMAGES = SampleShape((1, 4, 6, 3), (0, 2, 3, 1))
"""As PyTorch has them, of that shape."""
ROWS = SampleShape((1, 1), (0, 1))


def save_image(path: Path, colour: tuple[int, int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 8), colour).save(path)


def test_images_of_any_depth_are_scaled_as_training_did(tmp_path: Path) -> None:
    save_image(tmp_path / "a" / "one.png", (255, 0, 51))
    save_image(tmp_path / "b" / "c" / "two.jpeg", (0, 0, 0))
    (tmp_path / "notes.txt").write_text("no image")
    scaling = PixelScaling((0.5, 0.0, 0.2), (0.5, 2.0, 1.0))
    first, second = load_samples(tmp_path, IMAGES, scaling=scaling).values
    assert first.shape == IMAGES.graph and first.dtype == np.float32
    np.testing.assert_allclose(first[0, 0, 0], [1.0, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(second[0, 3, 5], [-1.0, 0.0, -0.2], atol=1e-6)


def test_arrays_are_taken_as_the_network_has_them(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(2, *SHAPE[1:])).astype(np.float32)
    np.save(tmp_path / "x.npy", values)
    assert IMAGES.file == SHAPE
    for number, sample in enumerate(load_samples(tmp_path / "x.npy", IMAGES).values):
        np.testing.assert_array_equal(sample[0], values[number].transpose(1, 2, 0))


def test_pixels_and_channels_last_mean_what_they_do_to_compress(tmp_path: Path) -> None:
    """One file for all verbs: training samples, ``[N, H, W, C]``, pixels as uint8."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 6, 3)).astype(np.uint8)
    np.savez(tmp_path / "set.npz", y_train=np.zeros(3, int), x_test=pixels[:1], x_train=pixels)
    scaling = PixelScaling((0.5,), (0.25,))
    for file in (tmp_path / "set.npz", tmp_path / "x.npy", tmp_path / "turned.npy"):
        np.save(tmp_path / "x.npy", pixels)
        np.save(tmp_path / "turned.npy", pixels.transpose(0, 3, 1, 2))
        found = load_samples(file, IMAGES, scaling=scaling)
        assert found.are_pixels
        expected = (pixels / 255 - 0.5) / 0.25
        np.testing.assert_allclose(np.concatenate(found.values), expected, rtol=1e-5, atol=1e-6)
    reals = (pixels / 255).astype(np.float32)
    np.savez(tmp_path / "set.npz", y=np.zeros(3, int), x=reals)
    found = load_samples(tmp_path / "set.npz", IMAGES)
    assert not found.are_pixels
    np.testing.assert_array_equal(np.concatenate(found.values), reals)


def test_a_channel_may_be_left_out(tmp_path: Path) -> None:
    grey = SampleShape((1, 4, 6, 1), (0, 2, 3, 1))
    np.save(tmp_path / "x.npy", np.full((2, 4, 6), 51, np.uint8))
    found = load_samples(tmp_path / "x.npy", grey).values
    assert [sample.shape for sample in found] == [(1, 4, 6, 1)] * 2
    np.testing.assert_allclose(found[0], 0.2, rtol=1e-6)


@pytest.mark.parametrize(("count", "most", "taken"), [(10, 4, [0, 2, 5, 7]), (3, 9, [0, 1, 2])])
def test_samples_are_spread_evenly(tmp_path: Path, count: int, most: int, taken: list[int]) -> None:
    values = np.arange(count, dtype=np.float32).reshape(count, 1)
    np.savez(tmp_path / "x.npz", values)
    samples = load_samples(tmp_path / "x.npz", ROWS, most).values
    assert [float(sample[0, 0]) for sample in samples] == taken


BAD_ARRAYS = {
    "no samples": (np.zeros((0, *SHAPE[1:]), np.float32), r"\[0, 3, 4, 6\]"),
    "rows and columns": (np.zeros((5, 6, 4, 3), np.float32), r"takes \[N, 3, 4, 6\]"),
    "no batch": (np.zeros(SHAPE[1:], np.float32), r"\[3, 4, 6\]"),
    "no numbers": (np.full(SHAPE, np.nan, np.float32), "no finite numbers"),
    "words": (np.full(SHAPE, "a"), "no finite numbers"),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, name: str) -> None:
    array, reason = BAD_ARRAYS[name]
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(InputError, match=reason):
        load_samples(tmp_path / "x.npy", IMAGES)


def test_other_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no images"):
        load_samples(tmp_path, IMAGES)
    with pytest.raises(InputError, match=r"of 1 or 3 channels; this one is \[1, 1\]"):
        load_samples(tmp_path, ROWS)
    (tmp_path / "x.csv").write_text("1,2")
    with pytest.raises(InputError, match="neither a folder of images nor"):
        load_samples(tmp_path / "x.csv", IMAGES)
    (tmp_path / "x.npy").write_bytes(b"nothing")
    with pytest.raises(InputError, match="no readable file"):
        load_samples(tmp_path / "x.npy", IMAGES)
    with pytest.raises(InputError, match="are of pixels, and these arrays hold no"):
        np.save(tmp_path / "x.npy", np.zeros(SHAPE, np.float32))
        load_samples(tmp_path / "x.npy", IMAGES, scaling=PixelScaling((0.5,)))


@pytest.mark.parametrize(
    ("scaling", "reason"),
    [
        (PixelScaling((0.1, 0.2)), "2 numbers were given for the pixels of 3 channels"),
        (PixelScaling((0.1,), (0.0,)), "must be above 0"),
    ],
)
def test_scalings_that_do_not_fit_are_refused(
    tmp_path: Path, scaling: PixelScaling, reason: str
) -> None:
    save_image(tmp_path / "one.png", (1, 2, 3))
    with pytest.raises(InputError, match=reason):
        load_samples(tmp_path, IMAGES, scaling=scaling)
