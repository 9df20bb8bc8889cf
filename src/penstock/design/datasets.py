"""Labelled images from folders, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from penstock.errors import InputError

ImageArray = npt.NDArray[np.uint8]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """Images with their classes.

    Attributes:
        images: ``[N, H, W, 3]``, RGB.
        labels: ``[N]``, positions in the list of classes.
    """

    images: ImageArray
    labels: npt.NDArray[np.int64]


def load_labelled_images(folder: Path, classes: Sequence[str], resolution: int) -> LabelledImages:
    """Read ``folder/CLASS/*.jpg`` (or .png, .bmp) of each class, sorted by file name.

    Raises:
        InputError: a class has no folder or no images, or an image is not of ``resolution``.
    """
    images: list[ImageArray] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        paths = _image_paths(folder / name)
        images.extend(_read_image(path, resolution) for path in paths)
        labels.extend([label] * len(paths))
    return LabelledImages(np.stack(images), np.array(labels, np.int64))


def _image_paths(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder",
            help="unpack the data set so that it holds train/CLASS/*.jpg and test/CLASS/*.jpg",
        )
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise InputError(f"{folder} holds no images", help=f"allowed: {', '.join(IMAGE_SUFFIXES)}")
    return paths


def _read_image(path: Path, resolution: int) -> ImageArray:
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"), np.uint8)
    except OSError as error:
        raise InputError(f"{path} is not a readable image: {error}") from error
    if pixels.shape != (resolution, resolution, 3):
        height, width = pixels.shape[:2]
        raise InputError(f"{path} is {width}×{height}, expected {resolution}×{resolution}")
    return pixels
