"""Cross-layer equalization: channels between two layers get ranges that fit one scale.

Source: Nagel et al. 2019, Data-Free Quantization Through Weight Equalization and Bias Correction,
section 4.1. Unlike there, a bias counts as a weight: of a channel that is constant, or nearly so,
the bias is all that there is, and would grow without limit.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from penstock.ir import operators as ops
from penstock.ir.graph import Graph
from penstock.ir.operators import Activation, Operator
from penstock.quantize.affine import Weighted

Reals = npt.NDArray[np.float64]
Values = dict[str, Reals]

_ROUNDS_MAX = 20
_NEGLIGIBLE = 1e-6
"""Of a layer's largest weight: far below half a step of any scale that several channels share."""
_SETTLED = 0.01
"""Factors this near to 1, relatively, are as good as 1."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two layers, of which only the second reads the ``channels`` that the first makes."""

    first: Weighted
    second: Weighted
    channels: int


def equalize(graph: Graph) -> Graph:
    """Return a float32 graph that computes the same, with weights that are easier to quantize.

    Where a layer feeds only another one, with ReLU between them or nothing, a channel may be
    divided by any positive factor in the first layer and multiplied by it in the second: factors
    make the largest weights that write a channel as large as the largest that read it. Results
    differ by the rounding of float32.

    A clamp to 6 does not scale with its operand: pairs with ReLU6 between them stay as they are,
    and so do channels that hardly anything writes or reads, which would grow without limit.

    Args:
        graph: normalization folded and clamps fused, so that layers follow each other.
    """
    pairs = _pairs(graph)
    values = {
        name: np.asarray(graph.tensors[name].data, np.float64)
        for pair in pairs
        for layer in (pair.first, pair.second)
        for name in _constants(layer)
    }
    for _ in range(_ROUNDS_MAX):
        if max((_equalize_pair(pair, values) for pair in pairs), default=0.0) < _SETTLED:
            break
    changed = {
        name: replace(graph.tensors[name], data=value.astype(np.float32))
        for name, value in values.items()
    }
    return graph.with_changes(tensors=changed)


def _pairs(graph: Graph) -> list[_Pair]:
    readers, producers = graph.consumers(), graph.producers()
    found = []
    for second in graph.operators:
        at = producers.get(second.inputs[0]) if isinstance(second, Weighted) else None
        if at is None or not isinstance(second, Weighted):
            continue
        first, between = graph.operators[at], second.input
        is_shared = len(readers[between]) != 1 or between in graph.outputs
        if is_shared or not _scales(first) or not isinstance(first, Weighted):
            continue
        channels = graph.tensors[between].shape[-1]
        rows = graph.tensors[second.filters].shape[1]
        if isinstance(second, ops.FullyConnected) and rows != channels:
            continue  # it reads whole images, flattened
        constants = [*_constants(first), *_constants(second)]
        if all(len(readers[n]) == 1 and graph.tensors[n].is_constant for n in constants):
            found.append(_Pair(first, second, channels))
    return found


def _scales(operator: Operator) -> bool:
    """Return whether the layer's results grow in proportion to its weights."""
    return isinstance(operator, Weighted) and operator.activation in (
        Activation.NONE,
        Activation.RELU,
    )


def _constants(layer: Weighted) -> list[str]:
    return [layer.filters, *([] if layer.bias is None else [layer.bias])]


def _equalize_pair(pair: _Pair, values: Values) -> float:
    """Change a pair's weights; return how far, relatively, the largest change went."""
    writing = _largest_writing(pair.first, values)
    reading = _largest_reading(pair, values[pair.second.filters])
    is_used = _matters(writing) & _matters(reading)
    ratio = np.where(is_used, writing, 1.0) / np.where(is_used, reading, 1.0)
    factors = np.sqrt(ratio)
    first = values[pair.first.filters]
    values[pair.first.filters] = first / _along_outputs(pair.first, factors, first.ndim)
    if pair.first.bias is not None:
        values[pair.first.bias] = values[pair.first.bias] / factors
    values[pair.second.filters] = _reading_scaled(pair, values[pair.second.filters], factors)
    return float(np.abs(np.log(factors)).max(initial=0.0))


def _matters(magnitudes: Reals) -> npt.NDArray[np.bool_]:
    return np.asarray(magnitudes > _NEGLIGIBLE * magnitudes.max(initial=0.0))


def _largest_writing(layer: Weighted, values: Values) -> Reals:
    """Return the magnitude of the weights of each output channel, its bias among them."""
    filters = np.abs(values[layer.filters])
    last = filters if isinstance(layer, ops.DepthwiseConv2D) else np.moveaxis(filters, 0, -1)
    largest = last.reshape(-1, last.shape[-1]).max(axis=0)
    if layer.bias is None:
        return np.asarray(largest)
    return np.asarray(np.maximum(largest, np.abs(values[layer.bias]).reshape(-1)))


def _along_outputs(layer: Weighted, factors: Reals, rank: int) -> Reals:
    shape = [1] * rank
    shape[-1 if isinstance(layer, ops.DepthwiseConv2D) else 0] = len(factors)
    return factors.reshape(shape)


def _largest_reading(pair: _Pair, filters: Reals) -> Reals:
    """Return the magnitude of the weights that read each channel."""
    taps = np.abs(filters)
    match pair.second:
        case ops.DepthwiseConv2D():
            return np.asarray(taps.reshape(-1, pair.channels, _multiplier(pair, taps)).max((0, 2)))
        case ops.FullyConnected():
            return np.asarray(taps.max(axis=0))
        case ops.Conv2D():
            groups = pair.channels // taps.shape[3]
            return np.asarray(taps.reshape(groups, -1, taps.shape[3]).max(axis=1).reshape(-1))


def _reading_scaled(pair: _Pair, filters: Reals, factors: Reals) -> Reals:
    """Return the weights of the second layer with each channel that they read multiplied."""
    match pair.second:
        case ops.DepthwiseConv2D():
            return np.asarray(filters * np.repeat(factors, _multiplier(pair, filters)))
        case ops.FullyConnected():
            return np.asarray(filters * factors)
        case ops.Conv2D():
            groups = pair.channels // filters.shape[3]
            parts = np.repeat(factors.reshape(groups, -1), len(filters) // groups, axis=0)
            return np.asarray(filters * parts[:, np.newaxis, np.newaxis, :])


def _multiplier(pair: _Pair, filters: Reals) -> int:
    """Return how many outputs a depthwise convolution has for each channel."""
    return int(filters.shape[3]) // pair.channels
