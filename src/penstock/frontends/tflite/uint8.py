"""Exact conversion of legacy uint8 models to int8.

Subtracting 128 from a value and from its zero point changes no real value. Kernels that round
otherwise for uint8 say so in the operator's attributes (`MultiplierSource`, `AverageRounding`).
The graph's own inputs and outputs stay uint8, with a Quantize operator at the edge.
"""

from dataclasses import replace

import numpy as np

from penstock.frontends.tflite.names import claim
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import (
    AveragePool2D,
    AverageRounding,
    Dequantize,
    Operator,
    Pad,
    Quantize,
)
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor

_OFFSET = 128


def convert_uint8(graph: Graph) -> Graph:
    """Return the graph with int8 where it computed with uint8.

    A tensor that only Quantize and Dequantize touch stays as it is.
    """
    legacy = _legacy_tensors(graph)
    if not legacy:
        return graph
    taken = set(graph.tensors)
    edges = {*graph.inputs, *graph.outputs}
    names = {name: claim(f"{name}_int8", taken) if name in edges else name for name in legacy}
    converted = {names[name]: _to_int8(graph.tensors[name], names[name]) for name in legacy}
    entering = [name for name in graph.inputs if name in legacy]
    leaving = [name for name in dict.fromkeys(graph.outputs) if name in legacy]
    operators = (
        *(Quantize(input=name, output=names[name]) for name in entering),
        *(_convert_operator(operator, legacy).rename(names) for operator in graph.operators),
        *(Quantize(input=names[name], output=name) for name in leaving),
    )
    return graph.with_changes(tensors=converted, operators=operators)


def _legacy_tensors(graph: Graph) -> dict[str, None]:
    """Return, in a stable order, the uint8 tensors that some operator computes with."""
    found: dict[str, None] = {}
    for operator in graph.operators:
        if isinstance(operator, Quantize | Dequantize):
            continue
        for name in (*operator.inputs, *operator.outputs):
            tensor = graph.tensors[name]
            if tensor.dtype is DType.UINT8 and tensor.quantization is not None:
                found[name] = None
    return found


def _to_int8(tensor: Tensor, name: str) -> Tensor:
    parameters = tensor.quantization
    assert parameters is not None
    data = tensor.data
    if data is not None:
        # Flipping the top bit subtracts 128.
        data = (data.view(np.uint8) ^ np.uint8(_OFFSET)).view(np.int8)
    return Tensor(
        name=name,
        shape=tensor.shape,
        dtype=DType.INT8,
        quantization=QuantizationParameters(
            parameters.scale,
            tuple(point - _OFFSET for point in parameters.zero_point),
            parameters.axis,
        ),
        data=data,
        is_variable=tensor.is_variable,
    )


def _convert_operator(operator: Operator, legacy: dict[str, None]) -> Operator:
    """Return the operator with the attributes that its uint8 kernel's arithmetic needs."""
    if not legacy.keys() & {*operator.inputs, *operator.outputs}:
        return operator
    match operator:
        case AveragePool2D():
            return replace(operator, rounding=AverageRounding.HALF_UP)
        case Pad(value=int(value)):
            return replace(operator, value=value - _OFFSET)
    return operator
