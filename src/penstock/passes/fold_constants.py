"""What can be computed at compile time is computed at compile time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from penstock.errors import UnsupportedError
from penstock.ir import operators as ops
from penstock.ir.graph import Graph
from penstock.ir.interpreter import run
from penstock.ir.operators import Operator
from penstock.ir.tensor import Array, Tensor


@dataclass(frozen=True, slots=True)
class FoldConstants:
    """Evaluates operators that depend on constants and static shapes only.

    A RESHAPE whose shape becomes constant loses that input, so that the prologues which exporters
    write for dynamic batches (SHAPE, STRIDED_SLICE, PACK) disappear. Operators that write a graph
    output stay.

    Raises:
        UnsupportedError: the shape of a RESHAPE depends on values of the inputs, or is not the
            shape that the file gives its output.
    """

    name: ClassVar[str] = "fold_constants"

    def apply(self, graph: Graph) -> Graph:
        """Return the graph with constants evaluated."""
        folded: dict[str, Tensor] = {}
        kept: list[Operator] = []
        for operator in graph.operators:
            tensors = {
                name: folded.get(name, graph.tensors[name])
                for name in (*operator.inputs, *operator.outputs)
            }
            if _is_foldable(graph, tensors, operator):
                folded.update(_evaluate(tensors, operator))
            elif isinstance(operator, ops.Reshape):
                kept.append(_with_static_shape(tensors, operator))
            else:
                kept.append(operator)
        return graph.with_changes(tensors=folded, operators=kept)


def _is_foldable(graph: Graph, tensors: Mapping[str, Tensor], operator: Operator) -> bool:
    if any(name in graph.outputs for name in operator.outputs):
        return False
    return isinstance(operator, ops.Shape) or all(
        tensors[name].is_constant for name in operator.inputs
    )


def _evaluate(tensors: Mapping[str, Tensor], operator: Operator) -> dict[str, Tensor]:
    """Return the operator's outputs as constants."""
    if isinstance(operator, ops.Shape):
        output = tensors[operator.output]
        shape = np.array(tensors[operator.input].shape, output.dtype.numpy)
        return {output.name: output.with_data(shape)}
    alone = Graph.build("folded", tensors.values(), [operator], [], operator.outputs)
    return {
        name: tensors[name].with_data(value)
        for name, value in zip(operator.outputs, run(alone, []), strict=True)
    }


def _with_static_shape(tensors: Mapping[str, Tensor], reshape: ops.Reshape) -> ops.Reshape:
    if reshape.shape is None:
        return reshape
    shape, output = tensors[reshape.shape], tensors[reshape.output]
    where = "RESHAPE" if reshape.source is None else f"operator {reshape.source} (RESHAPE)"
    if shape.data is None:
        raise UnsupportedError(
            f"{where}: the shape of tensor {output.name!r} is computed at run time, by tensor "
            f"{shape.name!r}; only shapes known at compile time are supported",
            help="export the model with fixed input shapes, batch size included",
        )
    if not _describes(shape.data, output.shape):
        raise UnsupportedError(
            f"{where}: tensor {output.name!r} has shape {list(output.shape)} in the file, but its "
            f"shape tensor {shape.name!r} works out as {shape.data.tolist()}",
            help="export the model with fixed input shapes, batch size included",
        )
    return replace(reshape, shape=None)


def _describes(wanted: Array, shape: tuple[int, ...]) -> bool:
    """Return whether a shape with at most one -1, which stands for the rest, is ``shape``."""
    extents = [int(extent) for extent in wanted.reshape(-1)]
    if extents.count(-1) == 1:
        rest = math.prod(extent for extent in extents if extent != -1)
        if rest == 0 or math.prod(shape) % rest:
            return False
        extents[extents.index(-1)] = math.prod(shape) // rest
    return tuple(extents) == shape
