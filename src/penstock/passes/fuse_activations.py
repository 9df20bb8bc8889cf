"""Clamps that follow an operator become part of it."""

from dataclasses import dataclass, replace
from typing import ClassVar

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Activation, Operator

# SVDF is missing: its integer kernel clamps to the whole type whatever its activation says.
Fusable = (
    ops.Conv2D
    | ops.DepthwiseConv2D
    | ops.TransposeConv2D
    | ops.FullyConnected
    | ops.Add
    | ops.Sub
    | ops.Mul
    | ops.AveragePool2D
    | ops.MaxPool2D
)
_FUSABLE_DTYPES = (DType.INT8, DType.INT16, DType.FLOAT32)


@dataclass(frozen=True, slots=True)
class FuseActivations:
    """Moves a RELU, RELU6 or RELU_N1_TO_1 into the only operator that feeds it.

    Exact where both tensors of the clamp have the same type and quantization: the clamp then leaves
    the scale alone and limits the value ``q`` to ``[low, high]``, bounds that follow from the
    activation and the output's parameters only. The producer limits its value to the range of the
    type, or to that of its own activation, and both limits one after the other are one limit to
    the intersection. Bounds are monotone in the real bounds, so the intersection is the range of
    the activation whose real range is the intersection, where there is one.
    """

    name: ClassVar[str] = "fuse_activations"

    def apply(self, graph: Graph) -> Graph:
        """Return the graph with clamps fused."""
        operators: list[Operator] = list(graph.operators)
        producers, consumers = graph.producers(), graph.consumers()
        outputs = frozenset(graph.outputs)
        removed: set[int] = set()
        for position, operator in enumerate(graph.operators):
            if not isinstance(operator, ops.Relu) or operator.input not in producers:
                continue
            if len(consumers[operator.input]) != 1 or operator.input in outputs:
                continue
            fused = _fuse(graph, operators[producers[operator.input]], operator)
            if fused is not None:
                operators[producers[operator.input]] = fused
                producers[operator.output] = producers[operator.input]
                removed.add(position)
        kept = [operator for i, operator in enumerate(operators) if i not in removed]
        return graph.with_changes(operators=kept)


def _fuse(graph: Graph, producer: Operator, clamp: ops.Relu) -> Fusable | None:
    before, after = graph.tensors[clamp.input], graph.tensors[clamp.output]
    if not isinstance(producer, Fusable) or after.dtype not in _FUSABLE_DTYPES:
        return None
    if (before.dtype, before.quantization) != (after.dtype, after.quantization):
        return None
    if before.shape != after.shape:
        return None
    activation = _intersection(producer.activation, clamp.activation)
    if activation is None:
        return None
    return replace(producer, output=clamp.output, activation=activation)


def _intersection(first: Activation, second: Activation) -> Activation | None:
    """Return the activation whose real range is the intersection of two; None without one."""
    lows, highs = zip(first.real_range, second.real_range, strict=True)
    wanted = (max(lows), min(highs))
    return next((choice for choice in Activation if choice.real_range == wanted), None)
