"""Whether a graph computes in real numbers: only what is quantized can be compiled."""

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Operator

_EITHER = (
    ops.Quantize
    | ops.Dequantize
    | ops.Softmax
    | ops.LogSoftmax
    | ops.Reshape
    | ops.Transpose
    | ops.StridedSlice
    | ops.Concatenation
    | ops.Split
    | ops.Pack
    | ops.Shape
)
"""Operators that an int8 model may have in float32, before its first or behind its last layer."""


def first_in_float(graph: Graph) -> tuple[Operator, str] | None:
    """Return the first operator that computes in float32, and one of its tensors that are.

    None means that the graph is quantized: at most its ends, what moves elements, and softmax are
    float32.
    """
    for operator in graph.operators:
        if isinstance(operator, _EITHER):
            continue
        for name in (*operator.inputs, *operator.outputs):
            if graph.tensors[name].dtype is DType.FLOAT32:
                return operator, name
    return None


def first_quantized(graph: Graph) -> str | None:
    """Return the first tensor that has scales; None in a network as it was trained."""
    return next((name for name, t in graph.tensors.items() if t.quantization is not None), None)
