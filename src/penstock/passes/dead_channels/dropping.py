"""Rewrites a graph without the channels that it can do without."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from penstock.ir import operators as ops
from penstock.ir.graph import Graph
from penstock.ir.operators import Operator
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor
from penstock.passes.dead_channels.constants import BoolArray, Facts
from penstock.passes.dead_channels.ties import (
    IntArray,
    Mixing,
    Weighted,
    channel_ties,
)
from penstock.passes.dead_channels.weighted import bias_tensor, bias_values, centered_filters

_Weighted = TypeVar("_Weighted", bound=Weighted)


def drop_channels(graph: Graph, facts: Facts, removable: Mapping[str, BoolArray]) -> Graph:
    """Return the graph without ``removable`` channels, their constants moved into biases."""
    return _Dropping(graph, facts, removable).result()


class _Dropping:
    """The tensors of the new graph while its operators are rewritten one by one."""

    def __init__(self, graph: Graph, facts: Facts, removable: Mapping[str, BoolArray]) -> None:
        self._graph = graph
        self._facts = facts
        self._removable = removable
        self._readers = graph.consumers()
        self._tensors: dict[str, Tensor] = dict(graph.tensors)
        self._copies: dict[str, int] = {}

    def result(self) -> Graph:
        for name, flags in self._removable.items():
            tensor = self._graph.tensors[name]
            shape = (*tensor.shape[:-1], int((~flags).sum()))
            self._tensors[name] = replace(tensor, shape=shape)
        operators = [self._rewrite(operator) for operator in self._graph.operators]
        return self._graph.with_changes(tensors=self._tensors, operators=operators)

    def _rewrite(self, operator: Operator) -> Operator:
        if not any(name in self._removable for name in (*operator.inputs, *operator.outputs)):
            return operator
        if isinstance(operator, ops.DepthwiseConv2D):
            kept = self._kept(operator.output)
            return self._with_filters(operator, _take(self._filters(operator), kept, 3), kept)
        if isinstance(operator, Mixing):
            return self._rewrite_mixing(operator)
        return self._rewrite_tied(operator)

    def _rewrite_tied(self, operator: Operator) -> Operator:
        ties = channel_ties(self._graph, operator)
        assert ties is not None
        kept = self._kept(operator.outputs[0])
        names = {}
        for name in ties:
            tensor = self._graph.tensors[name]
            if tensor.is_constant:
                names[name] = self._store(_take(tensor, kept, len(tensor.shape) - 1))
        return operator.rename(names)

    def _rewrite_mixing(self, operator: Mixing) -> Mixing:
        filters = self._filters(operator)
        kept = self._kept(operator.output)
        channels = len(self._facts[operator.input].known)
        positions = np.arange(filters.shape[-1])
        inputs = positions[np.isin(positions % channels, self._kept(operator.input))]
        taken = _take(_take(filters, kept, 0), inputs, len(filters.shape) - 1)
        return self._with_filters(operator, taken, kept)

    def _with_filters(self, operator: _Weighted, filters: Tensor, kept: IntArray) -> _Weighted:
        name = self._store(filters)
        added = self._absorbed(operator)
        if operator.bias is None and not added.any():
            return replace(operator, filters=name)
        wanted = operator.bias or f"{operator.output}_bias"
        total = bias_tensor(
            self._graph, operator, wanted, bias_values(self._graph, operator) + added
        )
        return replace(operator, filters=name, bias=self._store(_take(total, kept, 0)))

    def _absorbed(self, operator: Weighted) -> IntArray:
        """Return what the dropped input channels add to each accumulator."""
        flags = self._removable.get(operator.input)
        weights = centered_filters(self._graph, operator)
        if flags is None or isinstance(operator, ops.DepthwiseConv2D):
            return np.zeros(len(weights), np.int64)
        fact = self._facts[operator.input]
        zero_point = self._graph.tensors[operator.input].zero_point
        # What is dropped without being constant has no weights.
        offsets = np.where(flags & fact.known, fact.values - zero_point, 0)
        repeats = weights.shape[2] // len(offsets)
        absorbed: IntArray = weights.sum(axis=1) @ np.tile(offsets, repeats)
        return absorbed

    def _filters(self, operator: Weighted) -> Tensor:
        return self._graph.tensors[operator.filters]

    def _kept(self, name: str) -> IntArray:
        flags = self._removable.get(name)
        if flags is None:
            return np.arange(self._graph.tensors[name].shape[-1])
        return np.flatnonzero(~flags)

    def _store(self, tensor: Tensor) -> str:
        """Add a constant, in the place of the original unless others read that too."""
        name = tensor.name
        if len(self._readers.get(name, ())) != 1:
            while name in self._tensors:
                number = self._copies[tensor.name] = self._copies.get(tensor.name, 0) + 1
                name = f"{tensor.name}.{number}"
        self._tensors[name] = replace(tensor, name=name)
        return name


def _take(tensor: Tensor, kept: IntArray, axis: int) -> Tensor:
    """Return a constant with some of its slices along ``axis``, quantization included."""
    assert tensor.data is not None
    data = np.ascontiguousarray(np.take(tensor.data, kept, axis=axis))
    quantization = tensor.quantization
    if quantization is not None and quantization.axis == axis and len(quantization.scale) > 1:
        quantization = QuantizationParameters(
            tuple(quantization.scale[i] for i in kept),
            tuple(quantization.zero_point[i] for i in kept),
            axis,
        )
    return replace(tensor, shape=data.shape, data=data, quantization=quantization)
