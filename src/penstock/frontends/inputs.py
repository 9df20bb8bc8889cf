"""Input data of users as the arrays a model wants: .npy, .npz, images, or seeded random values."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, UnidentifiedImageError

from penstock.errors import InputError, os_reason
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Quantize
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Array, Tensor

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm"})
MAX_IMAGE_PIXELS = 64_000_000
MAX_IMAGE_PROPORTION = 3
IMAGE_EXTENTS = (1.0, 2.0, 255.0)
"""Extents of the real ranges that image models are trained with: [0, 1], [−1, 1], [0, 255]."""
IMAGE_EXTENT_TOLERANCE = 0.03
"""Relative; calibration and 255 against 256 steps make ranges a little wider or narrower."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelInputs:
    """Values for every graph input.

    Attributes:
        arrays: one per graph input, in the graph's order, of its shape and type.
        origin: one sentence for people that says where the values came from.
    """

    arrays: tuple[Array, ...]
    origin: str


def load_inputs(
    graph: Graph, path: Path | None, *, seed: int = 0, detail: int | None = None
) -> ModelInputs:
    """Return values for all inputs of ``graph`` from a file, or seeded random ones without.

    Args:
        graph: whose inputs they are.
        path: of the file; None draws random values.
        seed: of random values.
        detail: of an image, as `load_pixels` takes it.

    Raises:
        InputError: the file is missing, of an unknown kind, or does not fit the model's inputs.
    """
    if detail is not None and (path is None or path.suffix.lower() not in IMAGE_SUFFIXES):
        raise InputError(
            f"only an image has detail; the input is {path.name if path else 'random values'}",
            help="give an image as the input, or leave the detail out",
        )
    if path is None:
        return random_inputs(graph, seed)
    if not path.is_file():
        raise InputError(
            f"input file {str(path)!r} does not exist or is not a file", help="check the path"
        )
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _from_arrays(graph, [_load_numpy(path)], path.name)
    if suffix == ".npz":
        return _from_npz(graph, path)
    if suffix in IMAGE_SUFFIXES:
        return _from_image(graph, path, detail)
    raise InputError(
        f"input file {str(path)!r} has the unknown suffix {suffix!r}",
        help="give .npy, .npz (one array per input), or an image: "
        + ", ".join(sorted(IMAGE_SUFFIXES)),
    )


def fit_arrays(graph: Graph, arrays: Sequence[Array]) -> ModelInputs:
    """Return arrays given by the caller, checked against the model's inputs.

    Raises:
        InputError: their number, a type or a shape is not the model's.
    """
    return _from_arrays(graph, list(arrays), "the given arrays")


def random_inputs(graph: Graph, seed: int) -> ModelInputs:
    """Return uniformly distributed values, the same for the same seed and shapes."""
    generator = np.random.default_rng(seed)
    arrays = [_random_array(graph, graph.tensors[name], generator) for name in graph.inputs]
    return ModelInputs(tuple(arrays), f"random values, seed {seed}")


def _random_array(graph: Graph, tensor: Tensor, generator: np.random.Generator) -> Array:
    if tensor.dtype is DType.FLOAT32:
        low, high = _real_range(graph, tensor)
        return generator.uniform(low, high, tensor.shape).astype(np.float32)
    if tensor.dtype is DType.BOOL:
        return generator.integers(0, 2, tensor.shape).astype(np.bool_)
    low_integer, high_integer = tensor.dtype.range
    if tensor.dtype in (DType.INT32, DType.INT64):
        # Wide integers come from accumulators or indices; half the int16 range is a sane value.
        low_integer, high_integer = -(1 << 14), 1 << 14
    drawn = generator.integers(low_integer, high_integer, tensor.shape, endpoint=True)
    return drawn.astype(tensor.dtype.numpy)


def _real_range(graph: Graph, tensor: Tensor) -> tuple[float, float]:
    quantization = _edge_quantization(graph, tensor)
    if quantization is None:
        return -1.0, 1.0
    scale, zero_point = quantization.scale[0], quantization.zero_point[0]
    return scale * (-128 - zero_point), scale * (127 - zero_point)


def _edge_quantization(graph: Graph, tensor: Tensor) -> QuantizationParameters | None:
    """Return what a float input is quantized to right after it enters the graph."""
    for operator in graph.operators:
        if isinstance(operator, Quantize) and operator.input == tensor.name:
            return graph.tensors[operator.output].quantization
    return tensor.quantization


def _load_numpy(path: Path) -> Array:
    try:
        loaded = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(
            path, "a readable .npy file of plain numbers", error, "write it with numpy.save"
        ) from error
    return np.asarray(loaded)


def _unreadable(path: Path, wanted: str, error: Exception, advice: str) -> InputError:
    """Return what is wrong with a file: the system keeps it from us, or its content is bad."""
    if isinstance(error, OSError) and error.errno is not None:
        return InputError(
            f"cannot read {str(path)!r}: {os_reason(error)}", help="check its permissions"
        )
    return InputError(f"{str(path)!r} is not {wanted}", help=advice)


def _from_npz(graph: Graph, path: Path) -> ModelInputs:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name]) for name in archive.files}
    except Exception as error:  # zipfile and NumPy raise many unrelated types on damaged archives
        raise _unreadable(
            path, "a readable .npz file of plain numbers", error, "write it with numpy.savez"
        ) from error
    if all(name in arrays for name in graph.inputs):
        ordered = [arrays[name] for name in graph.inputs]
    else:
        ordered = list(arrays.values())
    return _from_arrays(graph, ordered, path.name)


def _from_arrays(graph: Graph, arrays: list[Array], origin: str) -> ModelInputs:
    if len(arrays) != len(graph.inputs):
        raise InputError(
            f"{origin}: found {len(arrays)} arrays, the model has {len(graph.inputs)} inputs: "
            + ", ".join(graph.inputs),
            help="save an .npz with one array per input, named as the inputs or in their order",
        )
    fitted = tuple(
        _fit_array(array, graph.tensors[name], origin)
        for array, name in zip(arrays, graph.inputs, strict=True)
    )
    return ModelInputs(fitted, origin)


def _fit_array(array: Array, tensor: Tensor, origin: str) -> Array:
    if array.dtype != tensor.dtype.numpy:
        raise InputError(
            f"input {tensor.name!r} wants {tensor.dtype.numpy.name}, "
            f"{origin} holds {array.dtype.name}",
            help="convert it: `penstock inspect` shows each input's type and quantization",
        )
    if array.shape == tensor.shape:
        return array
    if array.shape == tensor.shape[1:] and tensor.shape[:1] == (1,):
        return array[np.newaxis]
    raise InputError(
        f"input {tensor.name!r} wants shape {list(tensor.shape)}, "
        f"{origin} holds {list(array.shape)}"
    )


def _from_image(graph: Graph, path: Path, detail: int | None) -> ModelInputs:
    images = [name for name in graph.inputs if _is_image_shape(graph.tensors[name])]
    if len(graph.inputs) != 1 or not images:
        shapes = "; ".join(f"{name} {list(graph.tensors[name].shape)}" for name in graph.inputs)
        raise InputError(
            f"an image fits a model with one input [1, H, W, 1 or 3]; this one has {shapes}",
            help="give the values as .npy or .npz",
        )
    tensor = graph.tensors[images[0]]
    height, width, channels = tensor.shape[1:]
    pixels = load_pixels(path, height, width, channels, detail=detail)
    array = _quantize_pixels(graph, tensor, pixels)
    part = "centre square" if height == width else "centre"
    colours = " in grey" if channels == 1 else ""
    size = f"{width}×{height}"
    if detail is not None:
        less_height, less_width = _reduced(height, width, detail)
        size = f"{less_width}×{less_height}, and that to {size}"
    origin = f"{path.name}, {part} resized to {size}{colours}"
    if doubt := _image_doubt(graph, tensor):
        origin += f" (warning: {doubt}; was this model trained on images?)"
    return ModelInputs((array,), origin)


def _image_doubt(graph: Graph, tensor: Tensor) -> str:
    """Return what is unusual about an input that takes an image; empty when nothing is.

    Spectrograms and sensor data have the rank of images too, but seldom their proportions, and
    seldom the real range that pixels are trained with.
    """
    height, width = tensor.shape[1:3]
    if max(height, width) > MAX_IMAGE_PROPORTION * min(height, width):
        return f"the input is {width} wide and {height} high"
    quantization = _edge_quantization(graph, tensor)
    if quantization is None:
        return ""
    extent = quantization.scale[0] * 255
    if any(abs(extent / usual - 1) <= IMAGE_EXTENT_TOLERANCE for usual in IMAGE_EXTENTS):
        return ""
    usual = ", ".join(f"{value:g}" for value in IMAGE_EXTENTS)
    return f"its real values span {extent:.4g}, those of images usually {usual}"


def _is_image_shape(tensor: Tensor) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[0] == 1 and tensor.shape[3] in (1, 3)


def load_pixels(
    path: Path,
    height: int,
    width: int,
    channels: int,
    *,
    file: IO[bytes] | None = None,
    detail: int | None = None,
) -> Array:
    """Return an image as uint8 ``[height, width, channels]``.

    The largest centred part with the wanted aspect ratio is resized with a bilinear filter
    (antialiased when shrinking, as Pillow does).

    Args:
        path: of the file, and its name for people.
        height: rows.
        width: columns.
        channels: 1 for grey, 3 for RGB.
        file: what to read in its place, of an archive.
        detail: pixels of the shorter side that the image is reduced to before it gets its size:
            networks that learned from enlarged images take sharper ones for something else.

    Raises:
        InputError: the file is not an image that Pillow reads, or has too many pixels.
    """
    try:
        with Image.open(file or path) as opened:
            if opened.width * opened.height > MAX_IMAGE_PIXELS:
                raise InputError(
                    f"image {str(path)!r} has {opened.width}×{opened.height} pixels, "
                    f"more than {MAX_IMAGE_PIXELS}"
                )
            image = opened.convert("L" if channels == 1 else "RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise _unreadable(
            path, "a readable image", error, "it may be cut short; does a viewer show it?"
        ) from error
    scale = min(image.width / width, image.height / height)
    crop_width, crop_height = width * scale, height * scale
    left, top = (image.width - crop_width) / 2, (image.height - crop_height) / 2
    box = (left, top, left + crop_width, top + crop_height)
    if detail is None:
        resized = image.resize((width, height), Image.Resampling.BILINEAR, box=box)
    else:
        less_height, less_width = _reduced(height, width, detail)
        reduced = image.resize((less_width, less_height), Image.Resampling.BILINEAR, box=box)
        resized = reduced.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.uint8).reshape(height, width, channels)


def _reduced(height: int, width: int, detail: int) -> tuple[int, int]:
    """Return height and width of the same proportions whose shorter one is ``detail``."""
    shorter = min(height, width)
    return round(height * detail / shorter), round(width * detail / shorter)


def _quantize_pixels(graph: Graph, tensor: Tensor, pixels: Array) -> Array:
    """Map pixel 0 … 255 onto the whole range of the input's integer type.

    Image models are trained on pixels scaled to [0, 1] or [−1, 1], and their input quantization
    spreads that range over all 256 values, so the mapping is right whichever it was.
    """
    wide = pixels.astype(np.int32)[np.newaxis]
    if tensor.dtype is DType.UINT8:
        return wide.astype(np.uint8)
    if tensor.dtype is DType.INT8:
        return (wide - 128).astype(np.int8)
    if tensor.dtype is DType.FLOAT32:
        quantization = _edge_quantization(graph, tensor)
        if quantization is not None:
            scale, zero_point = quantization.scale[0], quantization.zero_point[0]
            return ((wide - 128 - zero_point) * scale).astype(np.float32)
    raise InputError(
        f"input {tensor.name!r} is {tensor.dtype.value}: it is not known how pixels map to it",
        help="give the values as .npy",
    )
