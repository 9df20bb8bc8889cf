"""Networks that others learn from."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from penstock.design.data import DataSet
from penstock.design.learning.batches import network_inputs
from penstock.design.trainable import TrainableGraph
from penstock.errors import InputError
from penstock.frontends.samples import PixelScaling
from penstock.ir.graph import Graph

_IMAGE_RANK = 4


class Teacher(nn.Module):
    """A network that gives scores for the inputs of another one.

    Images of another size are resized (bilinear), as they would have been when they were read.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.network = TrainableGraph(graph)
        shape = graph.tensors[graph.inputs[0]].shape
        self.size = shape[1:3] if len(shape) == _IMAGE_RANK else None

    def forward(self, value: Tensor) -> Tensor:
        """Return scores ``[N, classes]``."""
        scores: Tensor = self.network(self._resized(value))
        return scores

    def watch(self, value: Tensor, names: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return scores, and the values of tensors by name."""
        return self.network.watch(self._resized(value), names)

    def _resized(self, value: Tensor) -> Tensor:
        if self.size is not None and tuple(value.shape[2:]) != self.size:
            value = nn.functional.interpolate(
                value, self.size, mode="bilinear", align_corners=False, antialias=True
            )
        return value


def expect_same_use(teacher_name: str, teacher: Graph, name: str, student: Graph) -> None:
    """Check that a teacher knows the classes of a student, and takes its samples.

    Raises:
        InputError: inputs differ by more than the size of images, or outputs differ.
    """
    for what in ("inputs", "outputs"):
        found, wanted = (_shapes(graph, getattr(graph, what)) for graph in (teacher, student))
        if [_without_size(shape) for shape in found] != [_without_size(shape) for shape in wanted]:
            raise InputError(
                f"the teacher {teacher_name} has {what} {_listed(found)}, {name} has "
                f"{_listed(wanted)}",
                help="take a teacher for the same samples and classes; images may have another "
                "height and width",
            )


def expect_features(
    features: Sequence[tuple[str, str]],
    name: str,
    student: Graph,
    teacher_name: str,
    teacher: Graph,
) -> None:
    """Check that two networks compute the images that they are to look at alike.

    Args:
        features: names of tensors, the student's and the teacher's each.
        name: of the student, for errors.
        student: as it is trained, normalization and activations in its layers.
        teacher_name: likewise.
        teacher: likewise.

    Raises:
        InputError: one does not compute such an image.
    """
    for pair in features:
        for feature, file, graph in zip(
            pair, (name, teacher_name), (student, teacher), strict=True
        ):
            images = _computed_images(graph)
            if feature not in images:
                raise InputError(
                    f"the feature {feature!r} is no image that {file} computes when it is trained",
                    help=f"it computes {', '.join(images)}",
                )


def _computed_images(graph: Graph) -> list[str]:
    return [name for name in graph.producers() if len(graph.tensors[name].shape) == _IMAGE_RANK]


def expect_scores(teacher: nn.Module, data: DataSet, scaling: PixelScaling) -> None:
    """Check that a module takes the samples, and gives a score for each class.

    Raises:
        InputError: it does not.
    """
    (sample,) = network_inputs(data.training.values[:1], 1, scaling)
    wanted = f"samples {list(sample.shape)}"
    try:
        with torch.no_grad():
            scores = teacher.eval()(sample)
    except Exception as error:  # whatever a module of somebody else raises
        raise InputError(
            f"the teacher does not take {wanted}: {error}", help="give one for the same samples"
        ) from error
    if scores.numel() != len(data.classes):
        raise InputError(
            f"the teacher gives {scores.numel()} scores, {data.name} has "
            f"{len(data.classes)} classes",
            help="give one for the same classes",
        )


def _shapes(graph: Graph, names: Sequence[str]) -> list[tuple[int, ...]]:
    return [graph.tensors[name].shape for name in names]


def _without_size(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0], shape[3]) if len(shape) == _IMAGE_RANK else shape


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes)
