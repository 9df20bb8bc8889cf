"""Operators that change no value: dropped, or reduced to a RESHAPE."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from penstock.ir import operators as ops
from penstock.ir.graph import Graph
from penstock.ir.integer_parameters import activation_range
from penstock.ir.operators import Activation, Operator
from penstock.ir.tensor import Tensor


@dataclass(frozen=True, slots=True)
class EliminateIdentities:
    """Removes operators whose output has the elements of one input, in the same order.

    Such an operator (a RESHAPE to the same shape, a PAD by nothing, a TRANSPOSE that only moves
    dimensions of extent 1, a QUANTIZE to the same parameters, a clamp to the whole type …) is
    dropped when the shapes agree, and becomes a RESHAPE when they do not. A RESHAPE of a RESHAPE
    reads the first one's input. Where the tensor that would go is a graph output, it takes the
    other's place; where both are inputs or outputs of the graph, the operator stays.
    """

    name: ClassVar[str] = "eliminate_identities"

    def apply(self, graph: Graph) -> Graph:
        """Return the graph without identities."""
        return _merge_reshapes(_drop_identities(_reduce_to_reshapes(graph)))


def _reduce_to_reshapes(graph: Graph) -> Graph:
    operators: list[Operator] = []
    for operator in graph.operators:
        source = _relabeled(graph, operator)
        if source is None or not _same_type(graph, source, operator.outputs[0]):
            operators.append(operator)
        else:
            operators.append(
                ops.Reshape(input=source, output=operator.outputs[0], source=operator.source)
            )
    return graph.with_changes(operators=operators)


def _merge_reshapes(graph: Graph) -> Graph:
    origins: dict[str, str] = {}
    operators: list[Operator] = []
    for operator in graph.operators:
        changed = operator
        if isinstance(operator, ops.Reshape) and operator.shape is None:
            changed = replace(operator, input=origins.get(operator.input, operator.input))
            if _same_type(graph, changed.input, changed.output):
                origins[changed.output] = changed.input
        operators.append(changed)
    merged = graph.with_changes(operators=operators)
    # Reading further up can turn the second of two RESHAPEs into one to the same shape.
    return _drop_identities(merged)


def _drop_identities(graph: Graph) -> Graph:
    names: dict[str, str] = {}
    fixed = {*graph.inputs, *graph.outputs}
    kept = _Kept()
    for operator in graph.operators:
        current = operator.rename(names)
        if not _is_identity(graph, current):
            kept.append(current)
            continue
        source, result = current.inputs[0], current.outputs[0]
        if result not in fixed:
            names[result] = source
        elif source not in fixed and source in kept.computed:
            # The graph output keeps its name: what produced `source` produces it instead.
            names[source] = result
            kept.rename(source, result)
            names = {old: names.get(new, new) for old, new in names.items()}
        else:
            kept.append(current)
    return graph.with_changes(operators=kept.operators)


@dataclass(slots=True)
class _Kept:
    """Operators that stay, with an index of who mentions which tensor."""

    operators: list[Operator] = field(default_factory=list)
    computed: set[str] = field(default_factory=set)
    _mentions: dict[str, list[int]] = field(default_factory=dict)

    def append(self, operator: Operator) -> None:
        for name in {*operator.inputs, *operator.outputs}:
            self._mentions.setdefault(name, []).append(len(self.operators))
        self.computed.update(operator.outputs)
        self.operators.append(operator)

    def rename(self, old: str, new: str) -> None:
        """Rename a computed tensor to one that nobody mentions yet."""
        positions = self._mentions.pop(old)
        for position in positions:
            self.operators[position] = self.operators[position].rename({old: new})
        self._mentions[new] = positions
        self.computed.remove(old)
        self.computed.add(new)


def _is_identity(graph: Graph, operator: Operator) -> bool:
    if not isinstance(operator, ops.Reshape) or operator.shape is not None:
        return False
    before, after = graph.tensors[operator.input], graph.tensors[operator.output]
    return before.shape == after.shape and _same_type(graph, operator.input, operator.output)


def _same_type(graph: Graph, first: str, second: str) -> bool:
    one, other = graph.tensors[first], graph.tensors[second]
    return (one.dtype, one.quantization) == (other.dtype, other.quantization)


def _relabeled(graph: Graph, operator: Operator) -> str | None:
    """Return the input whose elements, in order, are the output's; None where there is none.

    Only valid for tensors of the same type and quantization.
    """
    if isinstance(operator, ops.Reshape):
        return None
    rule = _RULES.get(type(operator))
    if rule is None or len(operator.outputs) != 1:
        return None
    source = operator.inputs[0]
    is_relabeling = rule(operator, graph.tensors[source], graph.tensors[operator.outputs[0]])
    return source if is_relabeling else None


def _pads_nothing(operator: ops.Pad, _source: Tensor, _result: Tensor) -> bool:
    return all(pads == (0, 0) for pads in operator.paddings)


def _keeps_order(operator: ops.Transpose, source: Tensor, _result: Tensor) -> bool:
    moved = [axis for axis in operator.permutation if source.shape[axis] != 1]
    return moved == sorted(moved)


def _takes_all(operator: ops.StridedSlice, source: Tensor, _result: Tensor) -> bool:
    forward = all(
        stride == 1 or extent == 1
        for stride, extent in zip(operator.strides, operator.extents, strict=True)
    )
    return operator.extents == source.shape and forward


def _joins_one(operator: ops.Concatenation | ops.Pack, _source: Tensor, _result: Tensor) -> bool:
    return len(operator.operands) == 1


def _always(_operator: Operator, _source: Tensor, _result: Tensor) -> bool:
    return True


def _is_quantized_alike(_operator: ops.Quantize, source: Tensor, _result: Tensor) -> bool:
    # The multiplier of a ratio of exactly 1 is 2^30 with shift 1, which gives back every integer.
    return source.quantization is not None


def _clamps_nothing(operator: ops.Relu, _source: Tensor, result: Tensor) -> bool:
    return _lets_all_pass(operator.activation, result)


def _pools_single_elements(
    operator: ops.AveragePool2D | ops.MaxPool2D, source: Tensor, result: Tensor
) -> bool:
    return (
        operator.filter == (1, 1)
        and operator.padding.is_none
        and source.shape == result.shape
        and _lets_all_pass(operator.activation, result)
    )


def _lets_all_pass(activation: Activation, result: Tensor) -> bool:
    if activation is Activation.NONE:
        return True
    if result.quantization is None or not result.dtype.is_integer:
        return False
    return activation_range(result, activation) == result.dtype.range


_RULES: dict[type[Operator], Callable[[Any, Tensor, Tensor], bool]] = {
    ops.Pad: _pads_nothing,
    ops.Transpose: _keeps_order,
    ops.StridedSlice: _takes_all,
    ops.Concatenation: _joins_one,
    ops.Pack: _joins_one,
    ops.Split: _always,
    ops.Quantize: _is_quantized_alike,
    ops.Relu: _clamps_nothing,
    ops.AveragePool2D: _pools_single_elements,
    ops.MaxPool2D: _pools_single_elements,
}
