"""PAD operators become padding of the operators that read them."""

from dataclasses import dataclass, replace
from typing import ClassVar

from penstock.ir import operators as ops
from penstock.ir.graph import Graph
from penstock.ir.operators import Operator, Padding2D
from penstock.ir.tensor import Tensor

_LINKS_MAX = 64
"""PADs in a row that one operator takes up; a generated model may hold thousands."""

Padded = ops.Conv2D | ops.DepthwiseConv2D | ops.MaxPool2D


@dataclass(frozen=True, slots=True)
class FoldPadding:
    """Merges a PAD of the two spatial dimensions into the convolutions and pools after it.

    Convolutions: a padded element of theirs has the real value 0, so the PAD must write the zero
    point. Maximum pooling leaves padded elements out, which is the same as elements that lose
    against every other: the PAD must write the lowest value of the type, and each window must
    keep an element of the input. Average pooling divides by the number of elements that are not
    padding, so there a PAD always changes the result and stays.

    The PAD itself is left to dead code elimination, since others may read it.
    """

    name: ClassVar[str] = "fold_padding"

    def apply(self, graph: Graph) -> Graph:
        """Return the graph with paddings merged."""
        pads = {
            operator.output: operator
            for operator in graph.operators
            if isinstance(operator, ops.Pad) and _is_spatial(operator)
        }
        return graph.with_changes(operators=[_fold(graph, pads, op) for op in graph.operators])


def _is_spatial(pad: ops.Pad) -> bool:
    return len(pad.paddings) == 4 and pad.paddings[0] == pad.paddings[3] == (0, 0)


def _fold(graph: Graph, pads: dict[str, ops.Pad], operator: Operator) -> Operator:
    if not isinstance(operator, Padded):
        return operator
    # A chain of PADs folds link by link.
    for _ in range(_LINKS_MAX):
        pad = pads.get(operator.input)
        if pad is None:
            break
        merged = replace(operator, input=pad.input, padding=_sum(operator.padding, pad.paddings))
        if not _is_exact(graph, pad, merged):
            break
        operator = merged
    return operator


def _sum(padding: Padding2D, paddings: tuple[tuple[int, int], ...]) -> Padding2D:
    (top, bottom), (left, right) = paddings[1:3]
    return Padding2D(
        padding.top + top, padding.bottom + bottom, padding.left + left, padding.right + right
    )


def _is_exact(graph: Graph, pad: ops.Pad, merged: Padded) -> bool:
    before, after = graph.tensors[pad.input], graph.tensors[pad.output]
    if (before.dtype, before.quantization) != (after.dtype, after.quantization):
        return False
    if isinstance(merged, ops.MaxPool2D):
        return _pads_lowest(pad, after) and _every_window_keeps_an_element(merged)
    return pad.value is None or pad.value == _zero(after)


def _zero(tensor: Tensor) -> int:
    return 0 if tensor.quantization is None else tensor.zero_point


def _pads_lowest(pad: ops.Pad, padded: Tensor) -> bool:
    if not padded.dtype.is_integer:
        return False
    value = _zero(padded) if pad.value is None else pad.value
    return value == padded.dtype.range[0]


def _every_window_keeps_an_element(pool: ops.MaxPool2D) -> bool:
    padding = pool.padding
    tallest = max(padding.top, padding.bottom)
    widest = max(padding.left, padding.right)
    return tallest < pool.filter[0] and widest < pool.filter[1]
