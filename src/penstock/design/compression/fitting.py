"""Whether recipe, data and network go together: found out before any training."""

from penstock.boards.board import Board
from penstock.boards.cores import check_simulated
from penstock.design.compression.recipe import Recipe
from penstock.design.data import DataSet
from penstock.design.data.sets import expect_outputs, expect_samples
from penstock.design.learning.options import Augmentation
from penstock.errors import InputError
from penstock.frontends.samples import PIXELS_AS_THEY_ARE, refuse_scaling, scale_pixels
from penstock.ir.graph import Graph

_IMAGE_RANK = 3


def expect_classifier(network: Graph) -> None:
    """Check that a network has one input, and one output of a number for each class.

    Raises:
        InputError: it has others.
    """
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise InputError(
            f"the network has {len(network.inputs)} inputs and {len(network.outputs)} outputs",
            help="compress a classifier with one input and one output",
        )
    output = network.tensors[network.outputs[0]]
    if output.element_count != output.shape[-1]:
        raise InputError(
            f"the network's output is {list(output.shape)}, that of a classifier has one number "
            "for each class",
            help="average over positions before the last layer, or flatten in front of it",
        )


def expect_data_fit(network: Graph, data: DataSet, recipe: Recipe) -> None:
    """Check that a network takes the samples, and that a recipe can be carried out with them.

    Args:
        network: a classifier.
        data: to learn from and to test with.
        recipe: what to do.

    Raises:
        InputError: shapes, classes, scaling of pixels, batches or augmentation do not fit.
    """
    expect_samples(data, network.tensors[network.inputs[0]].shape[1:])
    expect_outputs(data, network.tensors[network.outputs[0]].element_count)
    if data.has_pixels:
        scale_pixels(data.training.values[:1], recipe.scaling)
    else:
        refuse_scaling(None if recipe.scaling == PIXELS_AS_THEY_ARE else recipe.scaling)
    for step, training in recipe.trainings.items():
        if training.batch_size > len(data.training):
            raise InputError(
                f"{data.name} has {len(data.training)} samples to learn from, a batch of the step "
                f"{step} has {training.batch_size}",
                help="give more data, or a smaller batch_size in a recipe",
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
