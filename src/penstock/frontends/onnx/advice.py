"""What to put in the place of nodes that cannot be translated."""

from collections.abc import Iterable, Sequence

from penstock.frontends.advice import FUNCTION, LAST, RECURRENT, RESIZE, STEP
from penstock.frontends.onnx.values import Node

_LIKE_RELU = "take HardSwish or Relu, and train on"
_LEAKY = "take LeakyRelu or Relu, and train on"
_NORM = "take BatchNormalization, which costs nothing behind a convolution, and train again"
_CONTROL = "export the network without control flow: trace it with an example"
_MAXIMUM = "take GlobalMaxPool, or MaxPool with a window"
_PARTS = "take Slice or Split"

_INSTEAD = {
    "ConvTranspose": "upsample elsewhere: there is no float or QDQ transposed convolution here",
    **dict.fromkeys(("If", "Loop", "Scan"), _CONTROL),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), RECURRENT),
    "LogSoftmax": "end the network before it: the largest logit is the most likely class",
    **dict.fromkeys(("Resize", "Upsample", "GridSample", "DepthToSpace", "Col2Im"), RESIZE),
    "SpaceToDepth": STEP,
    **dict.fromkeys(("Gelu", "Mish", "Selu", "Softplus", "Softsign"), _LIKE_RELU),
    "Erf": "if it is part of a GELU, take HardSwish or Relu in the place of all of that, and train "
    "on",
    "Swish": "take HardSwish and train on, or Sigmoid and Mul, which is the same",
    **dict.fromkeys(("Elu", "Celu", "ThresholdedRelu", "Shrink"), _LEAKY),
    **dict.fromkeys(
        (
            "GroupNormalization",
            "InstanceNormalization",
            "LayerNormalization",
            "LRN",
            "MeanVarianceNormalization",
            "RMSNormalization",
        ),
        _NORM,
    ),
    **dict.fromkeys(("Attention", "Einsum"), "replace attention by convolutions, and train again"),
    **dict.fromkeys(
        ("TopK", "ArgMax", "ArgMin", "Hardmax", "NonMaxSuppression", "CumSum", "LpNormalization"),
        LAST,
    ),
    **dict.fromkeys(("ReduceMax", "LpPool", "GlobalLpPool"), _MAXIMUM),
    "ReduceSum": "take ReduceMean over the same dimensions: it differs by a factor alone",
    **dict.fromkeys(
        ("Abs", "Cos", "Exp", "Floor", "Log", "Pow", "ReduceL2", "Round", "Sin", "Sqrt"), FUNCTION
    ),
    **dict.fromkeys(("Neg", "Reciprocal"), "take Mul by a constant, or train without it"),
    "Sum": "take Add, several in a row",
    **dict.fromkeys(("Gather", "GatherElements", "GatherND"), _PARTS),
    "Where": "take Max, Min or an activation",
}
_OTHERS_MAX = 5


def instead_of(kind: str, known: Iterable[str]) -> str:
    """Return what to do about a node of an unknown kind.

    Args:
        kind: the operator, with its domain unless that is the standard's.
        known: operators that can be translated.
    """
    if kind in _INSTEAD:
        return _INSTEAD[kind]
    if "." in kind or kind.startswith("QLinear"):
        return (
            "export with the standard's operators alone: of quantizers choose the QDQ format, of "
            "optimizers the basic level"
        )
    return f"compute it with what is known: {', '.join(sorted(known))}"


def others_named(node: Node, others: Sequence[Node], known: Iterable[str]) -> tuple[str, str]:
    """Return how an error about an unknown node goes on, and its help, when others are unknown too.

    Of each kind the first is named.
    """
    if not others:
        return "", ""
    kinds: dict[str, Node] = {}
    for other in others:
        kinds.setdefault(other.kind, other)
    shown = list(kinds.values())[:_OTHERS_MAX]
    left = ", …" if len(others) > len(shown) else ""
    what = f", and so are {len(others)} more: {', '.join(other.where for other in shown)}{left}"
    advised = [other.kind for other in shown if other.kind in _INSTEAD and other.kind != node.kind]
    return what, "".join(f"\n  {kind}: {instead_of(kind, known)}" for kind in advised)
