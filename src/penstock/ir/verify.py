"""Check every invariant of a graph; called after the front end and after each pass."""

import math

from penstock.errors import GraphError
from penstock.ir.element_types import TypeMismatchError, check_types
from penstock.ir.graph import Graph
from penstock.ir.operators import Operator
from penstock.ir.shapes import ShapeError, infer_shapes
from penstock.ir.tensor import Tensor


def verify(graph: Graph) -> None:
    """Check that every name resolves, order, single writers, shapes, types and quantization.

    Raises:
        GraphError: naming the operator and the tensor that break an invariant.
    """
    for key, tensor in graph.tensors.items():
        if key != tensor.name:
            raise GraphError(f"tensor {tensor.name!r} is filed under the name {key!r}")
        _verify_tensor(tensor)
    written = _verify_inputs(graph)
    for position, operator in enumerate(graph.operators):
        where = f"operator {position} ({operator.kind})"
        _verify_names(graph, operator, written, where)
        _verify_meaning(graph, operator, where)
    _verify_outputs(graph, written)


def _verify_tensor(tensor: Tensor) -> None:
    name, parameters = tensor.name, tensor.quantization
    if not name or not name.isprintable() or '"' in name:
        raise GraphError(f"tensor name {name!r} must be printable, without quotes, not empty")
    if tensor.is_variable and tensor.is_constant:
        raise GraphError(f"tensor {name!r} is both a variable and a constant")
    if parameters is None:
        return
    if not tensor.dtype.is_integer:
        raise GraphError(f"tensor {name!r} is {tensor.dtype.value}, yet has a quantization")
    for scale in parameters.scale:
        if not (math.isfinite(scale) and scale > 0):
            raise GraphError(f"tensor {name!r} has the scale {scale}; allowed is finite, above 0")
    low, high = tensor.dtype.range
    for point in parameters.zero_point:
        if not low <= point <= high:
            raise GraphError(
                f"tensor {name!r} has the zero point {point}; {tensor.dtype.value} allows "
                f"{low} to {high}"
            )
    if parameters.axis is not None:
        _verify_axis(tensor, parameters.axis, len(parameters.scale))


def _verify_axis(tensor: Tensor, axis: int, count: int) -> None:
    if not 0 <= axis < len(tensor.shape) or tensor.shape[axis] != count:
        raise GraphError(
            f"tensor {tensor.name!r} has {count} scales along dimension {axis} of its shape "
            f"{list(tensor.shape)}"
        )


def _verify_inputs(graph: Graph) -> set[str]:
    """Check the graph's inputs; return the names that hold a value before the first operator."""
    for name in graph.inputs:
        if name not in graph.tensors:
            raise GraphError(f"the graph's input {name!r} is no tensor of it")
        tensor = graph.tensors[name]
        if tensor.is_constant or tensor.is_variable:
            raise GraphError(f"the graph's input {name!r} is a constant or a variable")
    if len(set(graph.inputs)) != len(graph.inputs):
        raise GraphError(f"the graph's inputs {list(graph.inputs)} have one twice")
    held = {
        name for name, tensor in graph.tensors.items() if tensor.is_constant or tensor.is_variable
    }
    return held.union(graph.inputs)


def _verify_outputs(graph: Graph, written: set[str]) -> None:
    for name in graph.outputs:
        if name not in graph.tensors:
            raise GraphError(f"the graph's output {name!r} is no tensor of it")
        if name not in written:
            raise GraphError(f"nothing writes the graph's output {name!r}")
    if len(set(graph.outputs)) != len(graph.outputs):
        raise GraphError(f"the graph's outputs {list(graph.outputs)} have one twice")


def _verify_names(graph: Graph, operator: Operator, written: set[str], where: str) -> None:
    for name in operator.inputs:
        if name not in graph.tensors:
            raise GraphError(f"{where} reads {name!r}, which is no tensor of the graph")
        if name not in written:
            raise GraphError(f"{where} reads {name!r} before anything has written it")
    for name in operator.outputs:
        if name not in graph.tensors:
            raise GraphError(f"{where} writes {name!r}, which is no tensor of the graph")
        if name in written:
            raise GraphError(f"{where} writes {name!r}, which already has a value")
        written.add(name)


def _verify_meaning(graph: Graph, operator: Operator, where: str) -> None:
    try:
        check_types(operator, graph.tensors)
        inferred = infer_shapes(operator, graph.tensors)
    except (ShapeError, TypeMismatchError) as error:
        raise GraphError(f"{where}: {error}") from error
    for name, shape in zip(operator.outputs, inferred, strict=True):
        found = graph.tensors[name].shape
        if found != shape:
            raise GraphError(
                f"{where} gives {name!r} the shape {list(shape)}, the tensor has {list(found)}"
            )
