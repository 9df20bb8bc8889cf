"""Which channels of a graph have the same value at every position, whatever the inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from penstock.ir import operators as ops
from penstock.ir.graph import Graph
from penstock.ir.interpreter import run
from penstock.ir.operators import NO_PADDING
from penstock.ir.tensor import Array, Tensor
from penstock.passes.dead_channels.ties import (
    QUANTIZED,
    Binary,
    IntArray,
    Pool,
    Unary,
    Weighted,
    channel_ties,
    is_mixing,
)
from penstock.passes.dead_channels.weighted import (
    bias_range,
    bias_values,
    centered_filters,
    has_border_effect,
    requantize_biases,
)

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ConstantChannels:
    """Channels of one tensor whose value is known.

    Attributes:
        known: one flag per channel.
        values: the quantized value where known; a valid but meaningless one elsewhere.
    """

    known: BoolArray
    values: IntArray

    def along(self, tie: IntArray) -> "ConstantChannels":
        """Return the facts about channels that are copies of these, by index."""
        return ConstantChannels(self.known[tie], self.values[tie])


Facts = Mapping[str, ConstantChannels]


def constant_channels(graph: Graph) -> dict[str, ConstantChannels]:
    """Return what is known about the channels of every tensor, by name."""
    facts = {name: _given(tensor) for name, tensor in graph.tensors.items()}
    for operator in graph.operators:
        output = graph.tensors[operator.outputs[0]]
        if len(operator.outputs) == 1 and output.dtype in QUANTIZED:
            facts[output.name] = _derive(graph, operator, facts) or facts[output.name]
    return facts


def _given(tensor: Tensor) -> ConstantChannels:
    channels = tensor.shape[-1] if tensor.shape else 1
    if tensor.data is None or tensor.dtype not in QUANTIZED or not tensor.element_count:
        return ConstantChannels(np.zeros(channels, np.bool_), np.zeros(channels, np.int64))
    rows = tensor.data.astype(np.int64).reshape(-1, channels)
    return ConstantChannels((rows == rows[0]).all(axis=0), rows[0])


def _derive(graph: Graph, operator: ops.Operator, facts: Facts) -> ConstantChannels | None:
    ties = channel_ties(graph, operator)
    if isinstance(operator, Weighted):
        if ties is None and not is_mixing(operator, graph):
            return None
        return _derive_weighted(graph, operator, facts, ties)
    if ties is None:
        return None
    if isinstance(operator, Binary):
        return _derive_binary(graph, operator, facts)
    (name,) = ties
    fact = facts[name].along(ties[name])
    if not fact.known.any():
        return None
    if isinstance(operator, ops.Pad):
        output = graph.tensors[operator.output]
        value = output.zero_point if operator.value is None else operator.value
        return ConstantChannels(fact.known & (fact.values == value), fact.values)
    if isinstance(operator, Unary | Pool | ops.Mean):
        return ConstantChannels(fact.known, _run_unary(graph, operator, fact.values))
    return fact


def uniform_inputs(graph: Graph, operator: Weighted, fact: ConstantChannels) -> BoolArray:
    """Return the input channels that add the same to an output wherever it is.

    They are constant, and where a border has an effect they have the real value 0, as padding.
    """
    if not has_border_effect(operator):
        return fact.known
    is_zero: BoolArray = fact.values == graph.tensors[operator.input].zero_point
    return fact.known & is_zero


def _derive_weighted(
    graph: Graph, operator: Weighted, facts: Facts, ties: dict[str, IntArray] | None
) -> ConstantChannels | None:
    fact = facts[operator.input]
    weights = centered_filters(graph, operator)
    offsets = fact.values - graph.tensors[operator.input].zero_point
    uniform = uniform_inputs(graph, operator, fact)
    if ties is not None:
        tie = ties[operator.input]
        uniform, offsets = uniform[tie, np.newaxis], offsets[tie, np.newaxis]
    else:
        repeats = weights.shape[2] // len(offsets)
        uniform, offsets = np.tile(uniform, repeats), np.tile(offsets, repeats)
    known = ((weights == 0).all(axis=1) | uniform).all(axis=1)
    if not known.any():
        return None
    added = (weights.sum(axis=1) * np.where(uniform, offsets, 0)).sum(axis=1)
    totals = np.where(known, bias_values(graph, operator) + added, 0)
    low, high = bias_range(graph, operator)
    fits = (low <= totals) & (totals <= high)
    values = requantize_biases(graph, operator, np.where(fits, totals, 0))
    return ConstantChannels(known & fits, values)


def _derive_binary(graph: Graph, operator: Binary, facts: Facts) -> ConstantChannels | None:
    output = graph.tensors[operator.output]
    channels = output.shape[-1]
    sides = {
        name: facts[name].along(np.arange(channels) % len(facts[name].known))
        for name in operator.inputs
    }
    known = np.logical_and.reduce([side.known for side in sides.values()])
    if not known.any():
        return None
    row = (*(1 for _ in output.shape[1:]), channels)
    arrays = {name: side.values.reshape(row) for name, side in sides.items()}
    return ConstantChannels(known, _run_alone(graph, operator, arrays, row))


def _run_unary(graph: Graph, operator: Unary | Pool | ops.Mean, values: IntArray) -> IntArray:
    before, after = graph.tensors[operator.input].shape, graph.tensors[operator.output].shape
    if not isinstance(operator, ops.Mean):
        before = after = (*(1 for _ in before[1:]), before[-1])
    if isinstance(operator, Pool):
        operator = replace(operator, filter=(1, 1), stride=(1, 1), padding=NO_PADDING)
    # The number of elements takes part in the rounding of a mean, so that it needs them all.
    filled = np.broadcast_to(values, before)
    return _run_alone(graph, operator, {operator.input: filled}, after)


def _run_alone(
    graph: Graph, operator: ops.Operator, inputs: Mapping[str, IntArray], shape: tuple[int, ...]
) -> IntArray:
    """Run one operator and return the first value of each channel of its output."""
    tensors = [
        replace(graph.tensors[name], shape=array.shape, data=array.astype(dtype))
        for name, array in inputs.items()
        for dtype in [graph.tensors[name].dtype.numpy]
    ]
    (name,) = operator.outputs
    tensors.append(replace(graph.tensors[name], shape=shape))
    alone = Graph.build("constants", tensors, [operator], [], [name])
    first: Array = run(alone, [])[0].reshape(-1, shape[-1])[0]
    return first.astype(np.int64)
