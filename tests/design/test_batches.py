"""Samples on their way into a network: drawn once each, varied as a whole, scaled, turned."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from penstock.design.data import Samples  # noqa: E402
from penstock.design.learning.batches import (  # noqa: E402
    augment,
    network_inputs,
    shuffled_batches,
    to_network_input,
)
from penstock.design.learning.options import Augmentation  # noqa: E402
from penstock.frontends.samples import PixelScaling, scale_pixels  # noqa: E402


@given(count=st.integers(1, 60), size=st.integers(1, 20), seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_each_sample_is_drawn_once_with_its_label(count: int, size: int, seed: int) -> None:
    samples = Samples(np.arange(count, dtype=np.float32) * 2, np.arange(count))

    def drawn() -> list[np.ndarray]:
        generator = torch.Generator().manual_seed(seed)
        found = []
        for values, labels in shuffled_batches(samples, size, generator):
            assert len(values) == len(labels) == size
            np.testing.assert_array_equal(values.numpy(), 2 * labels.numpy())
            found.append(labels.numpy())
        return found

    batches = drawn()
    assert len(batches) == count // size
    everything = np.concatenate(batches) if batches else np.zeros(0)
    assert len(np.unique(everything)) == len(everything)
    for batch, again in zip(batches, drawn(), strict=True):
        np.testing.assert_array_equal(batch, again)


def windows(image: np.ndarray, *, is_mirrored: bool) -> list[np.ndarray]:
    """All that an image may become, border and all."""
    height, width, _ = image.shape
    rows, columns = height // 8, width // 8
    padded = np.pad(image, ((rows, rows), (columns, columns), (0, 0)))
    found = [
        padded[top : top + height, left : left + width]
        for top in range(2 * rows + 1)
        for left in range(2 * columns + 1)
    ]
    return found + [window[:, ::-1] for window in found] if is_mirrored else found


@given(
    height=st.integers(1, 20),
    width=st.integers(1, 26),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 99),
    augmentation=st.sampled_from(list(Augmentation)),
    is_pixels=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_images_move_as_a_whole(
    height: int, width: int, channels: int, seed: int, augmentation: Augmentation, is_pixels: bool
) -> None:
    generator = np.random.default_rng(seed)
    images = generator.integers(1, 255, (6, height, width, channels)).astype(
        np.uint8 if is_pixels else np.float32
    )
    given_images = torch.from_numpy(images.copy())
    varied = augment(given_images, augmentation, torch.Generator().manual_seed(seed)).numpy()
    np.testing.assert_array_equal(given_images.numpy(), images)
    assert varied.shape == images.shape and varied.dtype == images.dtype
    for image, result in zip(images, varied, strict=True):
        if augmentation is Augmentation.NONE:
            allowed = [image]
        else:
            allowed = windows(image, is_mirrored=augmentation is Augmentation.MIRROR)
        assert any(np.array_equal(result, window) for window in allowed)


@pytest.mark.parametrize("augmentation", [Augmentation.SHIFT, Augmentation.MIRROR])
def test_all_that_images_may_become_occurs(augmentation: Augmentation) -> None:
    image = np.arange(1, 1 + 8 * 16, dtype=np.float32).reshape(1, 8, 16, 1)
    many = torch.from_numpy(np.repeat(image, 2000, axis=0))
    varied = augment(many, augmentation, torch.Generator().manual_seed(0)).numpy()
    allowed = windows(image[0], is_mirrored=augmentation is Augmentation.MIRROR)
    counts = [int((varied == window).all(axis=(1, 2, 3)).sum()) for window in allowed]
    assert len(counts) == (15 if augmentation is Augmentation.SHIFT else 30)
    assert sum(counts) == 2000
    expected = 2000 / len(counts)
    assert min(counts) > expected / 2 and max(counts) < 2 * expected


SCALINGS = (
    PixelScaling(),
    PixelScaling((0.5,), (0.25,)),
    PixelScaling((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    PixelScaling((0.1,), (0.2, 0.3, 0.4)),
)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_pixels_are_scaled_as_for_the_board(scaling: PixelScaling) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 4, 3)).astype(np.uint8)
    found = np.concatenate([batch.numpy() for batch in network_inputs(pixels, 3, scaling)])
    np.testing.assert_allclose(
        found.transpose(0, 2, 3, 1), scale_pixels(pixels, scaling), rtol=1e-6, atol=1e-6
    )


def test_reals_are_kept_and_images_turned() -> None:
    scaling = PixelScaling((0.5,), (0.1,))
    reals = torch.randn(2, 5, 4, 3)
    assert torch.equal(to_network_input(reals, scaling), reals.permute(0, 3, 1, 2))
    vectors = torch.randn(2, 9)
    assert torch.equal(to_network_input(vectors, scaling), vectors)
