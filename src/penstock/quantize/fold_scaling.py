"""Normalization of channels, as training has it, becomes part of the weights before it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Activation, Operator
from penstock.ir.tensor import Tensor
from penstock.quantize.affine import RealArray, Weighted

_CHANNELS_LAST = ops.DepthwiseConv2D


def fold_scaling(graph: Graph) -> Graph:
    """Return a float32 graph in which no factor and shift of channels follows a weighted sum.

    Batch normalization is a depthwise 1x1 convolution; behind a convolution or a fully connected
    layer that nothing else reads, its factors go into the filters and its shift into the bias. The
    result differs by the rounding of float32.

    Source: Jacob et al. 2018, section 3.2, equation 14.
    """
    tensors = dict(graph.tensors)
    operators = list(graph.operators)
    producers, consumers = graph.producers(), graph.consumers()
    removed: set[int] = set()
    for position, operator in enumerate(graph.operators):
        if not _is_scaling(operator, tensors):
            continue
        assert isinstance(operator, ops.DepthwiseConv2D)
        at = producers.get(operator.input)
        is_shared = len(consumers[operator.input]) != 1 or operator.input in graph.outputs
        if at is None or is_shared or not _takes_factors(operators[at], tensors):
            continue
        before = operators[at]
        assert isinstance(before, Weighted)
        added = _folded_weights(before, operator, tensors)
        tensors |= {tensor.name: tensor for tensor in added}
        operators[at] = replace(
            before,
            filters=added[0].name,
            bias=added[1].name,
            output=operator.output,
            activation=operator.activation,
        )
        producers[operator.output] = at
        removed.add(position)
    kept = [operator for n, operator in enumerate(operators) if n not in removed]
    return graph.with_changes(tensors=tensors, operators=kept)


def _is_scaling(operator: Operator, tensors: dict[str, Tensor]) -> bool:
    if not isinstance(operator, ops.DepthwiseConv2D):
        return False
    source, filters = tensors[operator.input], tensors[operator.filters]
    return (
        filters.shape == (1, 1, 1, source.shape[3])
        and operator.stride == (1, 1)
        and operator.padding.is_none
        and _is_constant(operator, tensors)
    )


def _takes_factors(operator: Operator, tensors: dict[str, Tensor]) -> bool:
    return (
        isinstance(operator, Weighted)
        and operator.activation is Activation.NONE
        and _is_constant(operator, tensors)
    )


def _is_constant(operator: Weighted, tensors: dict[str, Tensor]) -> bool:
    weights = [operator.filters, *([] if operator.bias is None else [operator.bias])]
    return all(tensors[n].is_constant and tensors[n].dtype is DType.FLOAT32 for n in weights)


def _folded_weights(
    before: Weighted, scaling: ops.DepthwiseConv2D, tensors: dict[str, Tensor]
) -> Sequence[Tensor]:
    """Return filters and bias of both together, computed in double precision."""
    filters = _values(tensors[before.filters])
    factors = _values(tensors[scaling.filters]).reshape(-1)
    shift = np.zeros(len(factors)) if scaling.bias is None else _values(tensors[scaling.bias])
    bias = np.zeros(len(factors)) if before.bias is None else _values(tensors[before.bias])
    shape = [1] * filters.ndim
    shape[-1 if isinstance(before, _CHANNELS_LAST) else 0] = len(factors)
    return (
        _constant(f"{scaling.output}.folded.filters", filters * factors.reshape(shape)),
        _constant(f"{scaling.output}.folded.bias", bias * factors + shift),
    )


def _values(tensor: Tensor) -> RealArray:
    assert tensor.data is not None
    return np.asarray(tensor.data, np.float64)


def _constant(name: str, values: RealArray) -> Tensor:
    data = np.ascontiguousarray(values, np.float32)
    return Tensor(name, data.shape, DType.FLOAT32, data=data)
