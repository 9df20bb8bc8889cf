"""Data of users for calibration: folders of images, or arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from penstock.errors import InputError, os_reason
from penstock.frontends.inputs import IMAGE_SUFFIXES, load_pixels

FloatArray = npt.NDArray[np.float32]
_PIXEL_MAXIMUM = 255.0


@dataclass(frozen=True, slots=True)
class PixelScaling:
    """How training turned pixels into numbers: (pixel / 255 − mean) / deviation, by channel.

    Attributes:
        mean: one number for all channels, or one for each.
        deviation: likewise; above 0.
    """

    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)

    @property
    def real_range(self) -> tuple[float, float]:
        """The smallest and the largest number that a pixel of any channel becomes."""
        mean, deviation = np.broadcast_arrays(self.mean, self.deviation)
        return float((-mean / deviation).min()), float(((1 - mean) / deviation).max())


PIXELS_AS_THEY_ARE = PixelScaling()


@dataclass(frozen=True, slots=True)
class SampleShape:
    """What a network takes, and how its users have it.

    Attributes:
        graph: shape of the graph's input, ``[1, …]``; of images ``[1, H, W, C]``.
        order: dimension i of that is dimension ``order[i]`` of users' arrays.
    """

    graph: tuple[int, ...]
    order: tuple[int, ...]

    @property
    def file(self) -> tuple[int, ...]:
        """The shape in users' order."""
        return tuple(self.graph[self.order.index(axis)] for axis in range(len(self.graph)))


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationSamples:
    """Samples for a network's only input.

    Attributes:
        values: arrays of the graph's shape, each of one sample.
        are_pixels: whether they were made of pixels, whose whole range is known.
    """

    values: list[FloatArray]
    are_pixels: bool


def load_samples(
    path: Path,
    shape: SampleShape,
    count_max: int = 500,
    scaling: PixelScaling = PIXELS_AS_THEY_ARE,
) -> CalibrationSamples:
    """Return samples for a network's only input.

    Args:
        path: a folder of images, searched to any depth, or a .npy or .npz file with an array
            ``[N, …]``, in the order of the network's file or of its graph (``[N, H, W, C]``):
            pixels as uint8, or float32 as the network takes it. Of several arrays ``x_train`` or
            ``x`` is taken, or the first.
        shape: of the input.
        count_max: take that many, evenly spread over all that there are.
        scaling: of pixels.

    Raises:
        InputError: there is nothing, or it does not fit.
    """
    if path.is_dir():
        return CalibrationSamples(_from_images(path, shape, scaling, count_max), True)
    if path.suffix.lower() in (".npy", ".npz"):
        return some_samples(_from_array(path, shape), count_max, scaling)
    raise InputError(
        f"{str(path)!r} is neither a folder of images nor a .npy or .npz file",
        help="give calibration data like those that the network will see: some hundred samples",
    )


def some_samples(
    values: npt.NDArray[np.generic], count_max: int, scaling: PixelScaling
) -> CalibrationSamples:
    """Return some of many samples ``[N, …]`` in the graph's order; uint8 is pixels.

    Raises:
        InputError: a scaling is given for what is no pixels, or does not fit their channels.
    """
    chosen = values[_spread(len(values), count_max)]
    are_pixels = chosen.dtype == np.uint8
    if are_pixels:
        reals = scale_pixels(chosen, scaling)
    else:
        refuse_scaling(None if scaling == PIXELS_AS_THEY_ARE else scaling)
        reals = np.ascontiguousarray(chosen, np.float32)
    return CalibrationSamples([sample[np.newaxis] for sample in reals], are_pixels)


def refuse_scaling(scaling: PixelScaling | None) -> None:
    """Refuse what somebody said of pixels where there are arrays.

    Raises:
        InputError: there is a scaling.
    """
    if scaling is not None:
        raise InputError(
            "mean and deviation are of pixels, and these arrays hold no uint8",
            help="save the arrays as the network takes them, or pixels as uint8",
        )


def _spread(count: int, count_max: int) -> list[int]:
    """Return at most so many positions, evenly spread."""
    taken = min(count, count_max)
    return [position * count // taken for position in range(taken)]


def _from_images(
    folder: Path, shape: SampleShape, scaling: PixelScaling, count_max: int
) -> list[FloatArray]:
    if len(shape.graph) != 4 or shape.graph[3] not in (1, 3):
        raise InputError(
            f"images fit an input of 1 or 3 channels; this one is {list(shape.file)}",
            help="give the calibration data as .npy or .npz",
        )
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise InputError(
            f"the folder {str(folder)!r} holds no images",
            help=f"allowed are {', '.join(sorted(IMAGE_SUFFIXES))}, in folders of any depth",
        )
    chosen = [paths[position] for position in _spread(len(paths), count_max)]
    return [load_scaled(image, shape.graph[1:], scaling)[np.newaxis] for image in chosen]


def load_scaled(path: Path, shape: Sequence[int], scaling: PixelScaling) -> FloatArray:
    """Return an image ``[H, W, C]`` of that shape as training had it.

    Raises:
        InputError: it is no image, or the scaling is of other channels.
    """
    height, width, channels = shape
    return scale_pixels(load_pixels(path, height, width, channels), scaling)


def scale_pixels(pixels: npt.NDArray[np.generic], scaling: PixelScaling) -> FloatArray:
    """Return pixels ``[…, C]`` of 0 to 255 as training had them.

    Raises:
        InputError: the scaling is of other channels, or divides by nothing.
    """
    channels = pixels.shape[-1]
    mean, deviation = (_per_channel(v, channels) for v in (scaling.mean, scaling.deviation))
    if not np.all(deviation > 0):
        raise InputError("the deviation of pixels must be above 0", help="see how it was trained")
    return np.asarray((pixels.astype(np.float32) / _PIXEL_MAXIMUM - mean) / deviation, np.float32)


def _per_channel(values: tuple[float, ...], channels: int) -> FloatArray:
    if len(values) not in (1, channels):
        raise InputError(
            f"{len(values)} numbers were given for the pixels of {channels} channels",
            help="give one for all, or one for each",
        )
    return np.array(values, np.float32)


def _from_array(path: Path, shape: SampleShape) -> npt.NDArray[np.generic]:
    """Return the samples of a file in the graph's order."""
    array = _load_array(path)
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise InputError(
            f"{path.name} holds values that are no finite numbers ({array.dtype.name})",
            help="save float32",
        )
    as_file, as_graph = shape.file[1:], shape.graph[1:]
    if len(array) and array.shape[1:] == as_file:
        return np.ascontiguousarray(array.transpose(shape.order))
    of_one_channel = as_graph[:-1] if as_graph[-1:] == (1,) else as_graph
    if len(array) and array.shape[1:] in (as_graph, of_one_channel):
        return array.reshape(len(array), *as_graph)
    raise InputError(
        f"{path.name} holds an array {list(array.shape)}, the network takes "
        f"[N, {', '.join(map(str, as_file))}]",
        help="save samples as the network takes them, at least one",
    )


def _load_array(path: Path) -> npt.NDArray[np.generic]:
    """Return the array of a file: of several, what is called as training samples are."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if not hasattr(loaded, "files"):
            return np.asarray(loaded)
        with loaded:
            named = [name for name in ("x_train", "x") if name in loaded.files]
            return np.asarray(loaded[(named or loaded.files)[0]])
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {os_reason(error)}") from error
    except Exception as error:  # zipfile and NumPy raise many unrelated types on damaged files
        raise InputError(
            f"{str(path)!r} is no readable file of plain numbers", help="write it with numpy.save"
        ) from error
