"""Programs compute as in use: those exported while training are refused."""

from enum import Enum

from torch.export import ExportedProgram
from torch.fx import Node

from penstock.errors import InputError
from penstock.frontends.torch.operators import argument
from penstock.frontends.torch.places import place_of

_DROPOUT = {
    f"aten.{name}.default"
    for name in (
        "dropout",
        "dropout_",
        "feature_dropout",
        "feature_dropout_",
        "alpha_dropout",
        "alpha_dropout_",
        "feature_alpha_dropout",
        "feature_alpha_dropout_",
        "native_dropout",
    )
}
_RANDOM_SLOPE = {"aten.rrelu.default", "aten.rrelu_.default"}
_NORM_OF_TRAINING = "aten._native_batch_norm_legit_functional.default"


class _Training(Enum):
    """What nodes do in training only, in words of an error."""

    NORM = "normalizes by the batch at hand"
    DROPOUT = "drops values at random"
    SLOPE = "takes slopes at random"


_FUNCTIONS = {
    _Training.NORM: "",
    _Training.DROPOUT: "; give functional.dropout training=self.training",
    _Training.SLOPE: "; give functional.rrelu training=self.training",
}
"""How the help goes on, as functions do not know a module's mode."""


def expect_inference_mode(program: ExportedProgram) -> None:
    """Refuse programs that normalize by the batch, or compute at random.

    Raises:
        InputError: naming the first module that does.
    """
    for node in program.graph.nodes:
        does = _of_training(node)
        if does is not None:
            raise InputError(
                f"the program was exported in training mode: {place_of(node)} {does.value}",
                help=f"call module.eval() before torch.export.export{_FUNCTIONS[does]}",
            )


def _of_training(node: Node) -> _Training | None:
    """Return what a node does in training only; None for others."""
    target = str(node.target)
    if target == _NORM_OF_TRAINING or _is_training_norm(node, target):
        return _Training.NORM
    if target in _DROPOUT and argument(node, 1, "p", 0.5) and argument(node, 2, "train", False):
        return _Training.DROPOUT
    if target in _RANDOM_SLOPE and argument(node, 3, "training", False):
        return _Training.SLOPE
    return None


def _is_training_norm(node: Node, target: str) -> bool:
    """Return whether a normalization that has statistics goes by the batch at hand instead."""
    has_statistics = target == "aten.batch_norm.default" and argument(node, 3, "running_mean")
    return bool(has_statistics and argument(node, 5, "training", False))
