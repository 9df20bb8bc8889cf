"""Labelled data in .npz files: samples, the positions of their classes, and names of these."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.lib.npyio import NpzFile

from penstock.design.data.sets import DataSet, Samples, Values, hold_back, numbered
from penstock.errors import InputError
from penstock.progress import Progress

Shape = tuple[int, ...]
_PARTED = ("x_train", "y_train", "x_test", "y_test")
_WHOLE = ("x", "y")
_CLASSES = "classes"
_CLASSES_MAX = 1 << 16


def load_arrays(path: Path, shape: Shape, seed: int, _progress: Progress) -> DataSet:
    """Return the labelled data of a .npz file, see `load_data_set`.

    Raises:
        InputError: it is none, or does not fit.
    """
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}", help="check the path")
    with open_arrays(path) as archive:
        is_parted = all(name in archive.files for name in _PARTED)
        names = _PARTED if is_parted else _WHOLE
        missing = [name for name in names if name not in archive.files]
        if missing:
            raise InputError(
                f"{path.name} has the arrays {', '.join(archive.files)}; wanted are "
                f"{', '.join(_PARTED)}, or {' and '.join(_WHOLE)}",
                help="write it with numpy.savez(path, x=samples, y=labels)",
            )
        arrays = [np.asarray(archive[name]) for name in names]
        classes = class_names(path, archive)
    samples = [
        _from_pair(path, values, labels, shape)
        for values, labels in zip(arrays[::2], arrays[1::2], strict=True)
    ]
    training, test = samples if is_parted else hold_back(samples[0], seed)
    count = 1 + max(int(part.labels.max()) for part in samples)
    if classes is None:
        classes = numbered(count)
    if len(classes) < count:
        raise InputError(
            f"{path.name}: labels are up to {count - 1}, and {_CLASSES} has {len(classes)} names",
            help="name every class, in the order of the labels, which begin with 0",
        )
    return DataSet(path.name, training, test, classes)


@contextmanager
def open_arrays(path: Path) -> Iterator[NpzFile]:
    """Open a .npz file.

    Raises:
        InputError: it is none, or what is read of it is no array of plain numbers.
    """
    try:
        # NumPy leaves files open that are no archives.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if not isinstance(archive, NpzFile):
                raise TypeError(f"{path.name} holds a lone array")
            yield archive
    except InputError:
        raise
    except Exception as error:  # zipfile and NumPy raise many unrelated types on damaged archives
        raise InputError(
            f"{str(path)!r} is no .npz file with the arrays {', '.join(_PARTED)}, or x and y",
            help="write it with numpy.savez(path, x=samples, y=labels)",
        ) from error


def class_names(path: Path, archive: NpzFile) -> tuple[str, ...] | None:
    """Return the names in a .npz file's array of them, ``[C]``; None where it has none.

    Raises:
        InputError: they are no names, or two are the same.
    """
    if _CLASSES not in archive.files:
        return None
    wanted = f"save {_CLASSES}=['cat', 'dog'], in the order of the network's outputs"
    try:
        named = np.asarray(archive[_CLASSES])
    except ValueError as error:
        raise InputError(f"{path.name}: {_CLASSES} holds Python objects", help=wanted) from error
    if named.ndim != 1 or named.dtype.kind != "U":
        raise InputError(
            f"{path.name}: {_CLASSES} is {named.dtype.name} {list(named.shape)}, a name for each "
            "class is wanted",
            help=wanted,
        )
    names = tuple(map(str, named))
    strange = [name for name in names if not name or name.strip() != name or not name.isprintable()]
    if strange:
        raise InputError(f"{path.name}: {strange[0]!r} is no name of a class", help=wanted)
    if len(set(names)) != len(names):
        raise InputError(
            f"{path.name}: {_CLASSES} has {len(names)} names, and some are the same",
            help="name each class once",
        )
    return names


def _from_pair(
    path: Path,
    values: npt.NDArray[np.generic],
    labels: npt.NDArray[np.generic],
    shape: Shape,
) -> Samples:
    if values.shape[1:] == shape[:-1] and shape[-1:] == (1,):
        values = values[..., np.newaxis]
    if labels.ndim == 2 and labels.shape[:1] == values.shape[:1]:
        raise InputError(
            f"{path.name}: labels are {list(labels.shape)}, a position of a class each is wanted",
            help="save labels.argmax(axis=1) where there is a column for each class",
        )
    if 0 in labels.shape[:1] + values.shape[:1]:
        raise InputError(
            f"{path.name}: a part of it has {len(values)} samples and {len(labels)} labels",
            help="give at least one sample, and its label, to learn from and to test with",
        )
    if labels.ndim != 1 or labels.shape != values.shape[:1]:
        raise InputError(
            f"{path.name}: {list(values.shape)} samples have {list(labels.shape)} labels",
            help="save as many labels as samples",
        )
    if labels.dtype.kind not in "iu":
        raise InputError(
            f"{path.name}: labels are {labels.dtype.name}, positions of classes are wanted",
            help="save integers from 0, in the order of the network's outputs",
        )
    if labels.min() < 0 or labels.max() >= _CLASSES_MAX:
        raise InputError(
            f"{path.name}: labels are from {labels.min()} to {labels.max()}; allowed is 0 to "
            f"{_CLASSES_MAX - 1}",
            help="number the classes from 0, in the order of the network's outputs",
        )
    if values.dtype != np.uint8 and values.dtype.kind != "f":
        raise InputError(
            f"{path.name}: samples are {values.dtype.name}",
            help="save pixels as uint8, other samples as float32",
        )
    return Samples(_kept(values), labels.astype(np.int64))


def _kept(values: npt.NDArray[np.generic]) -> Values:
    if values.dtype == np.uint8:
        return values.astype(np.uint8)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        return values.astype(np.float32)
