"""Programs compute as in use: those exported while training are refused."""

from torch.export import ExportedProgram
from torch.fx import Node

from penstock.errors import InputError
from penstock.frontends.torch.operators import argument

_DROPOUT = {
    f"aten.{name}.default"
    for name in ("dropout", "dropout_", "feature_dropout", "feature_dropout_", "native_dropout")
}
_NORM_OF_TRAINING = "aten._native_batch_norm_legit_functional.default"


def expect_inference_mode(program: ExportedProgram) -> None:
    """Refuse programs that normalize by the batch, or drop values.

    Raises:
        InputError: naming the first module that does.
    """
    for node in program.graph.nodes:
        does = _of_training(node)
        if does:
            stack = node.meta.get("nn_module_stack") or {}
            where = str(list(stack.values())[-1][0]) if stack else ""
            raise InputError(
                f"the program was exported in training mode: {where or 'the outermost module'} "
                f"({node.name}) {does}",
                help="call module.eval() before torch.export.export"
                + ("; give functional.dropout training=self.training" if "drop" in does else ""),
            )


def _of_training(node: Node) -> str:
    """Return what a node does in training only; empty for others."""
    target = str(node.target)
    if target == _NORM_OF_TRAINING or _is_training_norm(node, target):
        return "normalizes by the batch at hand"
    if target in _DROPOUT and argument(node, 1, "p", 0.5) and argument(node, 2, "train", False):
        return "drops values at random"
    return ""


def _is_training_norm(node: Node, target: str) -> bool:
    """Return whether a normalization leaves the statistics alone that it has."""
    has_statistics = target == "aten.batch_norm.default" and argument(node, 3, "running_mean")
    return bool(has_statistics and argument(node, 5, "training", False))
