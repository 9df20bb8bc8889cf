"""Whether recipe, data and network go together: found out before any training."""

from penstock.boards.board import Board
from penstock.boards.cores import check_simulated
from penstock.design.compression.choices import WeightFormat
from penstock.design.compression.recipe import Recipe
from penstock.design.data import DataSet
from penstock.design.data.sets import expect_outputs, expect_samples
from penstock.design.learning.options import Augmentation
from penstock.errors import InputError
from penstock.frontends.samples import PIXELS_AS_THEY_ARE, refuse_scaling, scale_pixels
from penstock.ir.graph import Graph

_IMAGE_RANK = 3


def expect_one_of_each(network: Graph) -> None:
    """Check that a network has one input and one output.

    Raises:
        InputError: it has others.
    """
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise InputError(
            f"the network has {len(network.inputs)} inputs and {len(network.outputs)} outputs",
            help="compress a network with one input and one output",
        )


def expect_classifier(network: Graph) -> None:
    """Check that a network's output is a number for each class.

    Raises:
        InputError: it is something else.
    """
    output = network.tensors[network.outputs[0]]
    if output.element_count != output.shape[-1]:
        raise InputError(
            f"the network's output is {list(output.shape)}, that of a classifier has one number "
            "for each class",
            help="average over positions before the last layer, or flatten in front of it",
        )


def expect_autoencoder(network: Graph, data: DataSet, normal: int) -> None:
    """Check that a network gives back what it is given, and that there are samples of both kinds.

    Raises:
        InputError: it does not, or there are none.
    """
    taken, given = (
        network.tensors[names[0]].element_count for names in (network.inputs, network.outputs)
    )
    if taken != given:
        raise InputError(
            f"the network takes {taken} values and gives {given}: an autoencoder gives as many",
            help="leave `normal` out for a classifier",
        )
    for part, samples in (("training", data.training), ("test", data.test)):
        count = int((samples.labels == normal).sum())
        if not count or (part == "test" and count == len(samples)):
            raise InputError(
                f"of the {len(samples)} {part} samples of {data.name}, {count} are of the normal "
                f"class {normal}",
                help="learning takes normal samples, and testing takes others besides",
            )


def expect_classes(recipe: Recipe) -> None:
    """Check that an autoencoder is not asked for what compares scores of classes.

    Raises:
        InputError: it is.
    """
    if recipe.normal is None:
        return
    asked = {
        "distillation": recipe.distill is not None,
        "the choice of mixed weights": recipe.quantize.weights is WeightFormat.MIXED,
    }
    for what, is_asked in asked.items():
        if is_asked:
            raise InputError(
                f"{what} compares scores of classes, and an autoencoder has none",
                help="leave it out, or `normal` for a classifier",
            )


def expect_data_fit(network: Graph, data: DataSet, recipe: Recipe) -> None:
    """Check that a network takes the samples, and that a recipe can be carried out with them.

    Args:
        network: with one input and one output.
        data: to learn from and to test with.
        recipe: what to do.

    Raises:
        InputError: shapes, classes, scaling of pixels, batches or augmentation do not fit.
    """
    expect_samples(data, network.tensors[network.inputs[0]].shape[1:])
    if recipe.normal is None:
        expect_classifier(network)
        expect_outputs(data, network.tensors[network.outputs[0]].element_count)
    else:
        expect_classes(recipe)
        expect_autoencoder(network, data, recipe.normal)
    if data.has_pixels:
        scale_pixels(data.training.values[:1], recipe.scaling)
    else:
        refuse_scaling(None if recipe.scaling == PIXELS_AS_THEY_ARE else recipe.scaling)
    count = len(data.training)
    if recipe.normal is not None:
        count = int((data.training.labels == recipe.normal).sum())
    for step, training in recipe.trainings.items():
        if training.batch_size > count:
            raise InputError(
                f"{data.name} has {count} samples to learn from, a batch of the step {step} has "
                f"{training.batch_size}",
                help="give more data, or smaller batches: --batch, or batch_size in a recipe",
            )
        if training.augmentation is not Augmentation.NONE and len(data.shape) != _IMAGE_RANK:
            raise InputError(
                f"{data.name} has samples {list(data.shape)}, and only images can be varied by "
                f"{training.augmentation.value}",
                help="leave augmentation out",
            )


def expect_board_fits(board: Board, recipe: Recipe) -> None:
    """Check that a latency can be kept, as far as a board is concerned.

    Raises:
        UnsupportedError: nobody knows how long its core takes.
    """
    if recipe.latency is not None:
        check_simulated(board.core.name)
