"""Normalization of channels, as training has it, becomes part of the weights before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Activation, Operator
from penstock.ir.tensor import Tensor
from penstock.quantize.affine import RealArray, Weighted

_CHANNELS_LAST = ops.DepthwiseConv2D


@dataclass(frozen=True, slots=True, eq=False)
class _Scaling:
    """What an operator does to each channel of its only computed operand.

    Attributes:
        input: that operand.
        output: of the operator.
        factors: by which each channel is multiplied.
        shifts: which are added then.
        activation: of the operator.
    """

    input: str
    output: str
    factors: RealArray
    shifts: RealArray
    activation: Activation


def fold_scaling(graph: Graph) -> Graph:
    """Return a float32 graph in which no factor and shift of channels follows a weighted sum.

    Batch normalization is a depthwise 1x1 convolution, or a product and a sum with constants;
    behind a convolution or a fully connected layer that nothing else reads, factors go into the
    filters and shifts into the bias. The result differs by the rounding of float32.

    Source: Jacob et al. 2018, section 3.2, equation 14.
    """
    tensors = dict(graph.tensors)
    operators = list(graph.operators)
    producers, consumers = graph.producers(), graph.consumers()
    removed: set[int] = set()
    for position, operator in enumerate(graph.operators):
        scaling = _scaling(operator, tensors)
        if scaling is None:
            continue
        at = producers.get(scaling.input)
        is_shared = len(consumers[scaling.input]) != 1 or scaling.input in graph.outputs
        if at is None or is_shared or not _takes_factors(operators[at], tensors):
            continue
        before = operators[at]
        assert isinstance(before, Weighted)
        added = _folded_weights(before, scaling, tensors)
        tensors |= {tensor.name: tensor for tensor in added}
        operators[at] = replace(
            before,
            filters=added[0].name,
            bias=added[1].name,
            output=scaling.output,
            activation=scaling.activation,
        )
        producers[scaling.output] = at
        removed.add(position)
    kept = [operator for n, operator in enumerate(operators) if n not in removed]
    return graph.with_changes(tensors=tensors, operators=kept)


def _scaling(operator: Operator, tensors: Mapping[str, Tensor]) -> _Scaling | None:
    if isinstance(operator, ops.DepthwiseConv2D):
        return _of_depthwise(operator, tensors)
    if isinstance(operator, ops.Mul | ops.Add | ops.Sub):
        return _of_constant(operator, tensors)
    return None


def _of_depthwise(operator: ops.DepthwiseConv2D, tensors: Mapping[str, Tensor]) -> _Scaling | None:
    source, filters = tensors[operator.input], tensors[operator.filters]
    is_scaling = (
        filters.shape == (1, 1, 1, source.shape[3])
        and operator.stride == (1, 1)
        and operator.padding.is_none
        and _is_constant(operator, tensors)
    )
    if not is_scaling:
        return None
    factors = _values(filters).reshape(-1)
    shifts = np.zeros(len(factors)) if operator.bias is None else _values(tensors[operator.bias])
    return _Scaling(operator.input, operator.output, factors, shifts, operator.activation)


def _of_constant(
    operator: ops.Mul | ops.Add | ops.Sub, tensors: Mapping[str, Tensor]
) -> _Scaling | None:
    """Return a product, sum or difference with a number, or with one for each channel."""
    source, constant = operator.left, operator.right
    if tensors[source].is_constant and not isinstance(operator, ops.Sub):
        source, constant = constant, source
    if tensors[source].is_constant or not tensors[constant].is_constant:
        return None
    shape, found = tensors[operator.output].shape, tensors[constant].shape
    channels = shape[-1] if shape else 1
    if shape != tensors[source].shape or found not in _shapes_of_channels(len(shape), channels):
        return None
    values = np.broadcast_to(_values(tensors[constant]).reshape(-1), (channels,))
    ones, zeros = np.ones(channels), np.zeros(channels)
    if isinstance(operator, ops.Mul):
        return _Scaling(source, operator.output, values, zeros, operator.activation)
    shifts = -values if isinstance(operator, ops.Sub) else values
    return _Scaling(source, operator.output, ones, shifts, operator.activation)


def _shapes_of_channels(rank: int, channels: int) -> Sequence[tuple[int, ...]]:
    """Return the shapes that a constant has which is the same for all but the last dimension."""
    return [(1,) * missing + (extent,) for missing in range(rank) for extent in {1, channels}] + [
        ()
    ]


def _takes_factors(operator: Operator, tensors: Mapping[str, Tensor]) -> bool:
    return (
        isinstance(operator, Weighted)
        and operator.activation is Activation.NONE
        and _is_constant(operator, tensors)
    )


def _is_constant(operator: Weighted, tensors: Mapping[str, Tensor]) -> bool:
    weights = [operator.filters, *([] if operator.bias is None else [operator.bias])]
    return all(tensors[n].is_constant and tensors[n].dtype is DType.FLOAT32 for n in weights)


def _folded_weights(
    before: Weighted, scaling: _Scaling, tensors: Mapping[str, Tensor]
) -> Sequence[Tensor]:
    """Return filters and bias of both together, computed in double precision."""
    filters = _values(tensors[before.filters])
    count = len(scaling.factors)
    bias = np.zeros(count) if before.bias is None else _values(tensors[before.bias])
    shape = [1] * filters.ndim
    shape[-1 if isinstance(before, _CHANNELS_LAST) else 0] = count
    return (
        _constant(f"{scaling.output}.folded.filters", filters * scaling.factors.reshape(shape)),
        _constant(f"{scaling.output}.folded.bias", bias * scaling.factors + scaling.shifts),
    )


def _values(tensor: Tensor) -> RealArray:
    assert tensor.data is not None
    return np.asarray(tensor.data, np.float64)


def _constant(name: str, values: RealArray) -> Tensor:
    data = np.ascontiguousarray(values, np.float32)
    return Tensor(name, data.shape, DType.FLOAT32, data=data)
