"""Labelled data of users: folders of images by class, or arrays with labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.design.data import (
    DATA_SETS,
    class_names,
    expect_finite,
    has_parts,
    load_data_set,
    numbered,
    open_arrays,
)
from penstock.errors import InputError
from penstock.frontends.inputs import IMAGE_SUFFIXES, load_inputs
from penstock.frontends.samples import PixelScaling, load_scaled, refuse_scaling, scale_pixels
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.tensor import Array, Tensor
from penstock.quantize.affine import quantize_array

_ARRAYS = "x and y, or x_test and y_test"
_IMAGE_RANK = 4
_AnyArray = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledData:
    """Samples for a model, each with its class.

    Attributes:
        labels: class of each sample, a position in ``classes``.
        classes: names, in the order of the model's outputs.
        load: returns the model's input of a sample.
    """

    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    load: Callable[[int], Array]


def load_labelled(
    path: Path,
    graph: Graph,
    class_count: int,
    names: Sequence[str] | None,
    scaling: PixelScaling | None = None,
) -> LabelledData:
    """Return samples with their classes.

    Args:
        path: a folder with a folder of images for each class; a .npz file with arrays ``x``
            (samples) and ``y`` (positions of classes), or ``x_test`` and ``y_test``; or the name
            of a data set, a .zip file, or a folder with ``train`` and ``test``, of which the
            samples to test with are taken.
        graph: with one input: int8, uint8 or float32.
        class_count: how many outputs there are.
        names: of the classes, in the order of outputs; None takes those of folders, sorted, or of
            the .npz file's array ``classes``.
        scaling: what training made of pixels; None spreads them over the input's integers.

    Raises:
        InputError: there is nothing, or it does not fit the model.
    """
    if len(graph.inputs) != 1:
        raise InputError(
            f"the model has {len(graph.inputs)} inputs, labelled data are for one",
            help="`penstock run` takes several inputs",
        )
    if str(path) in DATA_SETS or path.suffix.lower() == ".zip":
        return _from_data_set(str(path), graph, class_count, names, scaling)
    if path.is_dir():
        folder = path / "test" if has_parts(path) else path
        return _from_folder(folder, class_count, names, _image_loader(graph, scaling))
    if path.suffix.lower() == ".npz":
        refuse_scaling(scaling)
        return _from_arrays(path, graph, class_count, names)
    raise InputError(
        f"{str(path)!r} is neither a folder of classes nor a .zip or .npz file",
        help="give FOLDER/CLASS/*.jpg, a .npz file with arrays x and y, or one of "
        + ", ".join(DATA_SETS),
    )


def _from_data_set(
    name: str,
    graph: Graph,
    class_count: int,
    names: Sequence[str] | None,
    scaling: PixelScaling | None,
) -> LabelledData:
    tensor = graph.tensors[graph.inputs[0]]
    data = load_data_set(name, tensor.shape[1:])
    classes = data.classes if names is None else tuple(names)
    _check_count(classes, class_count, "classes" if names is None else "labels")
    values, labels = data.test.values, data.test.labels
    if data.classes != numbered(len(data.classes)) or set(data.classes) <= set(classes):
        labels = _ordered(labels, data.classes, classes, name)
    if scaling is None or values.dtype != np.uint8:
        refuse_scaling(scaling)
        convert = input_conversion(tensor, values.dtype)
        return LabelledData(labels, classes, lambda n: convert(values[n : n + 1]))
    to_input, known = input_conversion(tensor, np.float32), scaling
    return LabelledData(labels, classes, lambda n: to_input(scale_pixels(values[n : n + 1], known)))


def _image_loader(graph: Graph, scaling: PixelScaling | None) -> Callable[[Path], Array]:
    """Return what makes the model's input of an image file."""
    if scaling is None:
        return lambda path: load_inputs(graph, path).arrays[0]
    tensor = graph.tensors[graph.inputs[0]]
    if len(tensor.shape) != _IMAGE_RANK:
        raise InputError(
            f"the model takes {list(tensor.shape)}, images fit [1, H, W, 1 or 3]",
            help="give the values as .npz",
        )
    convert = input_conversion(tensor, np.float32)
    return lambda path: convert(load_scaled(path, tensor.shape[1:], scaling)[np.newaxis])


def _from_folder(
    folder: Path,
    class_count: int,
    names: Sequence[str] | None,
    load: Callable[[Path], Array],
) -> LabelledData:
    found = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    if not found:
        raise InputError(
            f"the folder {str(folder)!r} holds no folders of classes",
            help="give a folder with a folder of images for each class",
        )
    classes = tuple(found if names is None else names)
    _expect_among(found, classes, f"folders of {str(folder)!r}")
    _check_count(classes, class_count, "folders" if names is None else "labels")
    paths: list[Path] = []
    labels: list[int] = []
    for name in found:
        images = sorted(
            image for image in (folder / name).rglob("*") if image.suffix.lower() in IMAGE_SUFFIXES
        )
        paths += images
        labels += [classes.index(name)] * len(images)
    if not paths:
        raise InputError(
            f"the folders of {str(folder)!r} hold no images",
            help=f"allowed are {', '.join(sorted(IMAGE_SUFFIXES))}",
        )
    return LabelledData(np.array(labels, np.int64), classes, lambda n: load(paths[n]))


def _ordered(
    labels: npt.NDArray[np.int64], own: Sequence[str], classes: Sequence[str], source: str
) -> npt.NDArray[np.int64]:
    """Return positions among ``classes`` for positions among the names that data have."""
    _expect_among(own, classes, f"classes of {source}")
    return np.array([classes.index(name) for name in own], np.int64)[labels]


def _expect_among(own: Sequence[str], classes: Sequence[str], what: str) -> None:
    unknown = [name for name in own if name not in classes]
    if unknown:
        raise InputError(
            f"{len(unknown)} {what} are none of the labels, the first is {unknown[0]!r}",
            help="name them as the labels do",
        )


def _check_count(classes: Sequence[str], class_count: int, what: str) -> None:
    if len(classes) != class_count:
        raise InputError(
            f"there are {len(classes)} {what}, the model has {class_count} outputs",
            help="give the model's classes, in the order of its outputs, by --labels",
        )


def _from_arrays(
    path: Path, graph: Graph, class_count: int, names: Sequence[str] | None
) -> LabelledData:
    samples, labels, own = _read_arrays(path)
    if names is None:
        classes = own or numbered(class_count)
        _check_count(classes, class_count, "names in classes")
    else:
        classes = tuple(names)
        _check_count(classes, class_count, "labels")
    tensor = graph.tensors[graph.inputs[0]]
    if tensor.shape[-1] == 1 and samples.shape[1:] == tensor.shape[1:-1]:
        samples = samples[..., np.newaxis]
    _check_arrays(path.name, samples, labels, tensor, len(own or classes))
    positions = labels.astype(np.int64)
    if own is not None:
        positions = _ordered(positions, own, classes, path.name)
    convert = input_conversion(tensor, samples.dtype)
    return LabelledData(positions, classes, lambda n: convert(samples[n : n + 1]))


def _read_arrays(path: Path) -> tuple[_AnyArray, _AnyArray, tuple[str, ...] | None]:
    """Return samples, labels, and names of classes where the file has them."""
    with open_arrays(path) as archive:
        end = "_test" if "x_test" in archive.files else ""
        if not {f"x{end}", f"y{end}"} <= set(archive.files):
            raise InputError(
                f"{str(path)!r} is no .npz file with arrays {_ARRAYS}",
                help="write it with numpy.savez(path, x=samples, y=labels)",
            )
        samples, labels = np.asarray(archive[f"x{end}"]), np.asarray(archive[f"y{end}"])
        return samples, labels, class_names(path, archive)


def _check_arrays(
    name: str, samples: _AnyArray, labels: _AnyArray, tensor: Tensor, class_count: int
) -> None:
    if (
        samples.shape[1:] != tensor.shape[1:]
        or labels.shape != samples.shape[:1]
        or not len(labels)
    ):
        raise InputError(
            f"{name} has x {list(samples.shape)} and y {list(labels.shape)}, the model takes "
            f"[N, {', '.join(map(str, tensor.shape[1:]))}] and [N]",
            help="save as many labels as samples, at least one, and images as [N, H, W, C]",
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= class_count:
        raise InputError(
            f"labels of {name} are to be integers from 0 to {class_count - 1}",
            help="label by the position among the model's outputs",
        )
    expect_finite(name, samples)


def input_conversion(tensor: Tensor, given: npt.DTypeLike) -> Callable[[Array], Array]:
    """Return what makes inputs of samples: as they are, of pixels, or of real numbers."""
    wanted, kind = tensor.dtype, np.dtype(given)
    if kind == wanted.numpy:
        return np.ascontiguousarray
    if kind == np.uint8 and wanted is DType.INT8:
        return lambda pixels: (pixels.astype(np.int16) - 128).astype(np.int8)
    parameters = tensor.quantization
    if kind.kind == "f" and wanted is DType.INT8 and parameters is not None:
        return lambda real: quantize_array(np.asarray(real, np.float64), parameters, wanted)
    raise InputError(
        f"samples are {kind.name}, the model takes {wanted.numpy.name}",
        help=f"save x as {wanted.numpy.name}, as uint8 pixels or as float32",
    )
