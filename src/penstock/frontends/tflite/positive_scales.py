"""Exact removal of negative filter scales, which some post-training tools write.

``scale · q`` equals ``(−scale) · (−q)``. With filters and bias of a channel negated, its
accumulator changes sign and so does its multiplier; requantization, which rounds half away from
zero, sees the same product and gives the same numbers.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.errors import UnsupportedError
from penstock.frontends.tflite.names import claim
from penstock.ir.graph import Graph
from penstock.ir.operators import Conv2D, DepthwiseConv2D, FullyConnected, TransposeConv2D
from penstock.ir.tensor import Tensor

_Weighted = Conv2D | DepthwiseConv2D | FullyConnected | TransposeConv2D
_Signs = npt.NDArray[np.int64]


def make_scales_positive(graph: Graph) -> Graph:
    """Return the graph with every scale of a convolution's or similar's filters above 0.

    Raises:
        UnsupportedError: an element has no negative of its type.
    """
    made = _NegatedTensors(set(graph.tensors))
    operators = list(graph.operators)
    for position, operator in enumerate(graph.operators):
        if not isinstance(operator, _Weighted):
            continue
        filters = graph.tensors[operator.filters]
        signs = _signs(filters)
        if not np.any(signs < 0):
            continue
        operator = replace(operator, filters=made.negated(filters, filters, signs))
        if operator.bias is not None:
            bias = made.negated(graph.tensors[operator.bias], filters, signs)
            operator = replace(operator, bias=bias)
        operators[position] = operator
    if not made.tensors:
        return graph
    return graph.with_changes(tensors=made.tensors, operators=operators)


def _signs(filters: Tensor) -> _Signs:
    """Return −1 or 1 for each scale of a quantized tensor."""
    if filters.quantization is None:
        return np.ones(1, np.int64)
    return np.where(np.asarray(filters.quantization.scale) < 0, -1, 1)


@dataclass(slots=True)
class _NegatedTensors:
    """New constants, each made once for a tensor and the filters that give the signs."""

    taken: set[str]
    tensors: dict[str, Tensor] = field(default_factory=dict)
    _names: dict[tuple[str, str], str] = field(default_factory=dict)

    def negated(self, tensor: Tensor, filters: Tensor, signs: _Signs) -> str:
        """Return the name of ``tensor`` with its channels multiplied by ``signs``."""
        key = tensor.name, filters.name
        if key not in self._names:
            name = claim(f"{tensor.name}_positive", self.taken)
            self._names[key] = name
            self.tensors[name] = replace(_negate(tensor, signs), name=name)
        return self._names[key]


def _negate(tensor: Tensor, signs: _Signs) -> Tensor:
    assert tensor.data is not None
    data: npt.NDArray[Any] = tensor.data
    parameters = tensor.quantization
    axis = parameters.axis if parameters is not None and parameters.axis is not None else 0
    per_slice = signs.reshape([-1 if i == axis else 1 for i in range(max(1, data.ndim))])
    if data.ndim <= axis or signs.size not in (1, data.shape[axis]):
        return tensor  # Its shape does not fit; the graph's verification says so.
    low, _ = tensor.dtype.range
    has_zero_point = parameters is not None and any(parameters.zero_point)
    if has_zero_point or np.any((data == low) & (per_slice < 0)):
        raise UnsupportedError(
            f"tensor {tensor.name!r} has a negative scale, and elements of {low} or a zero point, "
            "so that it cannot be negated exactly",
            help="convert the model again with scales above 0",
        )
    if parameters is not None:
        parameters = replace(parameters, scale=tuple(abs(scale) for scale in parameters.scale))
    return replace(tensor, data=(data * per_slice).astype(data.dtype), quantization=parameters)
