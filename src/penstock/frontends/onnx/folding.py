"""Nodes that depend on constants only: the arithmetic that exporters write around shapes.

onnx's own reference implementation computes them, so that they mean what the standard says.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from penstock.frontends.onnx.values import Node, Numbers
from penstock.ir.limits import ELEMENTS_MAX

Arrays = Sequence[Numbers]


def _as_first(arrays: Arrays) -> int:
    return int(arrays[0].size)


def _broadcast(arrays: Arrays) -> int:
    return math.prod(np.broadcast_shapes(*(array.shape for array in arrays)))


def _joined(arrays: Arrays) -> int:
    return sum(int(array.size) for array in arrays)


def _gathered(arrays: Arrays) -> int:
    """At most a whole slice for each index."""
    return int(arrays[0].size * arrays[1].size)


def _filled(arrays: Arrays) -> int:
    return math.prod(int(extent) for extent in arrays[0].reshape(-1))


def _expanded(arrays: Arrays) -> int:
    wanted = tuple(int(extent) for extent in arrays[1].reshape(-1))
    return math.prod(np.broadcast_shapes(arrays[0].shape, wanted))


_SIZES: Mapping[str, Callable[[Arrays], int]] = {
    **dict.fromkeys(
        (
            "Cast",
            "Identity",
            "Neg",
            "ReduceProd",
            "Reshape",
            "Slice",
            "Sqrt",
            "Squeeze",
            "Transpose",
            "Unsqueeze",
        ),
        _as_first,
    ),
    **dict.fromkeys(("Add", "Div", "Equal", "Mul", "Pow", "Sub", "Where"), _broadcast),
    "Concat": _joined,
    "ConstantOfShape": _filled,
    "Expand": _expanded,
    "Gather": _gathered,
}
"""What is computed at compile time, and how many elements that makes at most."""


def is_foldable(kind: str) -> bool:
    """Return whether nodes of this kind are computed where their inputs are constants."""
    return kind in _SIZES


def is_small(kind: str, arrays: Arrays) -> bool:
    """Return whether the result has a size that a tensor may have."""
    return _SIZES[kind](arrays) <= ELEMENTS_MAX


def fold(node: Node, names: Sequence[str], arrays: Arrays, opset: int) -> Numbers:
    """Return the only output of a node.

    Args:
        node: foldable.
        names: of its inputs, those that it leaves out excepted.
        arrays: their values.
        opset: of the model.
    """
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    result = helper.make_tensor_value_info(node.proto.output[0], TensorProto.FLOAT, None)
    graph = helper.make_graph([node.proto], "folded", given, [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    evaluator: Any = ReferenceEvaluator(model)
    values = dict(zip(names, arrays, strict=True))
    with np.errstate(all="ignore"):
        return np.asarray(evaluator.run(None, values)[0])
