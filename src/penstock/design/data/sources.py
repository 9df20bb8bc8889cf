"""Where labelled data come from: a folder or archive of images, a .npz file, or a set's name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from penstock.design.data.arrays import Shape, load_arrays
from penstock.design.data.files import FileTree, Open, open_tree
from penstock.design.data.sets import DataSet, Samples, expect_samples, hold_back
from penstock.design.data.spoken_digits import load_spoken_digits
from penstock.errors import InputError
from penstock.frontends.inputs import IMAGE_SUFFIXES, load_pixels
from penstock.options import shared_folder
from penstock.progress import Progress, silent

_IMAGE_RANK = 3
_PARTS = ("train", "test")


class _Known(NamedTuple):
    """A set with a name: how its file is called, and what reads it."""

    pattern: str
    load: Callable[[Path, Shape, int, Progress], DataSet]


def load_data_set(
    source: str, shape: Sequence[int], seed: int = 0, progress: Progress = silent
) -> DataSet:
    """Return labelled data for a network.

    Args:
        source: ``cifar10``, ``mnist`` or ``spoken-digits``, whose files are looked for in the
            folder ``data`` of `PENSTOCK_SHARED` or ``../shared``; or a folder or .zip file with
            ``train/CLASS/*.jpg`` and ``test/CLASS/*.jpg``, or ``CLASS/*.jpg``; or a .npz file with
            ``x_train``, ``y_train``, ``x_test`` and ``y_test``, or ``x`` and ``y``, and with the
            names ``classes`` where the last ones have no samples.
        shape: of a sample as the network takes it; images ``[H, W, C]``.
        seed: of the tenth that is held back for testing where the source does not say which.
        progress: told what is going on.

    Raises:
        InputError: there is nothing, it cannot be read, or it does not fit.
    """
    wanted = tuple(shape)
    if source in _KNOWN:
        known = _KNOWN[source]
        found = known.load(_find(source, known.pattern), wanted, seed, progress)
        return expect_samples(DataSet(source, found.training, found.test, found.classes), wanted)
    path = Path(source)
    if path.suffix.lower() == ".npz" and not path.is_dir():
        return expect_samples(load_arrays(path, wanted, seed, progress), wanted)
    if path.is_dir() or path.suffix.lower() == ".zip":
        return expect_samples(_from_tree(path, wanted, seed, progress), wanted)
    raise InputError(
        f"{source!r} is no folder, no .zip or .npz file, and no set's name",
        help=f"the sets with a name are {', '.join(_KNOWN)}",
    )


def has_parts(folder: Path) -> bool:
    """Return whether a folder holds both: samples to learn from, and others to test with."""
    return all((folder / part).is_dir() for part in _PARTS)


def _find(name: str, pattern: str) -> Path:
    """Return the file of a set with a name."""
    folder = shared_folder() / "data"
    found = sorted(folder.glob(pattern)) if folder.is_dir() else []
    if not found:
        raise InputError(
            f"there is no {pattern} in {str(folder)!r}, the place of {name}",
            help=f"set PENSTOCK_SHARED to a folder with data/{pattern}, or give the data's path",
        )
    return found[0]


def _from_tree(path: Path, shape: Shape, seed: int, progress: Progress) -> DataSet:
    if len(shape) != _IMAGE_RANK or shape[2] not in (1, 3):
        raise InputError(
            f"images fit a network with an input of [H, W, 1 or 3]; this one takes {list(shape)}",
            help="give the data as a .npz file",
        )
    with open_tree(path) as tree:
        by_class = {part: _by_class(tree, part) for part in _PARTS}
        _expect_both(path, by_class)
        if all(by_class.values()):
            classes = tuple(sorted({name for part in by_class.values() for name in part}))
            training, test = (
                _read_images(tree.open, by_class[part], classes, shape, progress) for part in _PARTS
            )
        else:
            whole = _by_class(tree, "")
            classes = tuple(sorted(whole))
            _expect_classes(path, classes)
            samples = _read_images(tree.open, whole, classes, shape, progress)
            training, test = hold_back(samples, seed)
    return DataSet(path.name, training, test, classes)


def _expect_both(path: Path, by_class: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    """Refuse one part alone: its name, and those of other folders, would pass for classes."""
    found = [part for part in _PARTS if by_class[part]]
    if len(found) == 1:
        (lacking,) = set(_PARTS) - set(found)
        raise InputError(
            f"{str(path)!r} holds images in {found[0]}/CLASS, and none in {lacking}/CLASS",
            help="give both, or the classes' folders alone: then a tenth is held back for testing",
        )


def _expect_classes(path: Path, classes: Sequence[str]) -> None:
    if len(classes) < 2:
        raise InputError(
            f"{str(path)!r} holds images of {len(classes)} classes, at least 2 are needed",
            help="give train/CLASS/*.jpg and test/CLASS/*.jpg, or CLASS/*.jpg; allowed are "
            + ", ".join(sorted(IMAGE_SUFFIXES)),
        )


def _by_class(tree: FileTree, part: str) -> Mapping[str, Sequence[str]]:
    """Return the names of images, sorted, by the folder in ``part`` that they lie in."""
    start = f"{part}/" if part else ""
    found: dict[str, list[str]] = {}
    for name in tree.names:
        inner = name.removeprefix(start).split("/")
        is_image = Path(name).suffix.lower() in IMAGE_SUFFIXES
        if name.startswith(start) and is_image and len(inner) > 1:
            found.setdefault(inner[0], []).append(name)
    return found


def _read_images(
    open_file: Open,
    names: Mapping[str, Sequence[str]],
    classes: Sequence[str],
    shape: Shape,
    progress: Progress,
) -> Samples:
    count = sum(map(len, names.values()))
    values = np.empty((count, *shape), np.uint8)
    labels: list[int] = []
    for label, name in enumerate(classes):
        for image in names.get(name, ()):
            with open_file(image) as file:
                values[len(labels)] = load_pixels(Path(image), *shape, file=file)
            labels.append(label)
            progress("reading images", len(labels) / count)
    return Samples(values, np.array(labels, np.int64))


_KNOWN: Mapping[str, _Known] = {
    "cifar10": _Known("cifar10*.zip", _from_tree),
    "mnist": _Known("mnist*.npz", load_arrays),
    "spoken-digits": _Known("free_spoken_digit*.zip", load_spoken_digits),
}
DATA_SETS = tuple(_KNOWN)
"""Names that `load_data_set` knows."""
