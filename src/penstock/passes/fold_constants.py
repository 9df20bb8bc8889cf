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
from penstock.ir.limits import FOLDED_ELEMENTS_MAX, FOLDED_WORK_MAX
from penstock.ir.macs import operator_work
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
            shape that the file gives its output; or constants grow beyond the limits.
    """

    name: ClassVar[str] = "fold_constants"

    def apply(self, graph: Graph) -> Graph:
        """Return the graph with constants evaluated."""
        folded: dict[str, Tensor] = {}
        kept: list[Operator] = []
        outputs = frozenset(graph.outputs)
        budget = _Budget()
        for operator in graph.operators:
            tensors = {
                name: folded.get(name, graph.tensors[name])
                for name in (*operator.inputs, *operator.outputs)
            }
            if outputs.isdisjoint(operator.outputs) and _is_foldable(tensors, operator):
                budget.spend(graph, operator)
                folded.update(_evaluate(tensors, operator))
            elif isinstance(operator, ops.Reshape):
                kept.append(_with_static_shape(tensors, operator))
            else:
                kept.append(operator)
        return graph.with_changes(tensors=folded, operators=kept)


@dataclass(slots=True)
class _Budget:
    """What folding has made so far: a file of a kilobyte can describe gigabytes of constants."""

    elements: int = 0
    work: int = 0

    def spend(self, graph: Graph, operator: Operator) -> None:
        """Count an operator that is about to be evaluated, or refuse it."""
        self.elements += sum(graph.tensors[name].element_count for name in operator.outputs)
        self.work += operator_work(graph, operator)
        excess = ""
        if self.elements > FOLDED_ELEMENTS_MAX:
            excess = f"{self.elements} elements, {FOLDED_ELEMENTS_MAX} are"
        elif self.work > FOLDED_WORK_MAX:
            excess = f"{self.work} multiply-accumulates, {FOLDED_WORK_MAX} are"
        if excess:
            name = operator.outputs[0]
            raise UnsupportedError(
                f"{_where(operator)}: tensor {name!r} depends on no input; computing it and the "
                f"constants before it takes {excess} allowed",
                help="compute it before exporting the model, and store the result",
            )


def _where(operator: Operator) -> str:
    if operator.source is None:
        return operator.kind
    return f"operator {operator.source} ({operator.kind})"


def _is_foldable(tensors: Mapping[str, Tensor], operator: Operator) -> bool:
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
    where = _where(reshape)
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
