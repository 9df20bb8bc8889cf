"""A float32 graph whose quantization its file says → int8, as TensorFlow Lite's operators want it.

What shares a quantization here and not in the file (what is pooled, moved, compared or put side by
side), and what has a fixed one (softmax, sigmoid, tanh), gets a QUANTIZE to the file's parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from penstock.errors import UnsupportedError
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Operator
from penstock.ir.quantization import GivenQuantization, QuantizationParameters
from penstock.ir.tensor import Tensor
from penstock.quantize.affine import (
    Weighted,
    channel_axis,
    choose_activation_parameters,
    choose_bias_parameters,
    choose_filter_parameters,
)
from penstock.quantize.post_training import expect_rules, quantized_constant, real_data
from penstock.quantize.sharing import FIXED, SHARING

_JOINING = ops.Concatenation | ops.Maximum | ops.Minimum | ops.Pack
"""Operators that share one quantization, and have several operands."""
_BIAS_STEPS_MAX = DType.INT32.range[1]

Known = dict[str, QuantizationParameters]


def quantize_as_given(graph: Graph, given: GivenQuantization) -> Graph:
    """Return the int8 version of a float32 graph, with the integers that its file has.

    Weights and biases that the file has as real numbers are quantized by the rules of
    `post_training`.

    Args:
        graph: float32 tensors only.
        given: what the file says.

    Raises:
        UnsupportedError: it says nothing of an activation, weights are not symmetric, or there is
            no rule for an operator.
    """
    expect_rules(graph)
    known = _spread(graph, dict(given.activations))
    assembly = _Assembly(graph, known, given.constants)
    for operator in graph.operators:
        assembly.follow(operator)
    return Graph.build(
        graph.name, assembly.tensors.values(), assembly.operators, graph.inputs, graph.outputs
    ).with_changes()


def _spread(graph: Graph, known: Known) -> Known:
    """Return the parameters of all activations: those not given follow from their neighbours'.

    A clamp's operand takes those of the result, for nothing beyond these passes; what is moved
    keeps those that it has; softmax, sigmoid and tanh have theirs.
    """
    readers = graph.consumers()
    count = -1
    while count != len(known):
        count = len(known)
        for operator in graph.operators:
            _spread_over(graph, operator, known)
        for operator in reversed(graph.operators):
            if isinstance(operator, ops.Relu) and len(readers[operator.input]) == 1:
                _take(known, operator.input, operator.output)
            elif isinstance(operator, SHARING) and not isinstance(operator, _JOINING):
                _take(known, operator.inputs[0], operator.outputs[0])
    for name, tensor in graph.tensors.items():
        if not tensor.is_constant and name not in known:
            raise _unknown(graph, name)
    return known


def _spread_over(graph: Graph, operator: Operator, known: Known) -> None:
    if type(operator) in FIXED:
        known.setdefault(operator.outputs[0], FIXED[type(operator)])
    elif isinstance(operator, _JOINING):
        computed = [n for n in operator.inputs if not graph.tensors[n].is_constant]
        if len({known.get(name) for name in computed}) == 1:
            _take(known, operator.outputs[0], computed[0])
    elif isinstance(operator, SHARING):
        for name in operator.outputs:
            _take(known, name, operator.inputs[0])


def _take(known: Known, name: str, other: str) -> None:
    """Give a tensor that has none the parameters of another that has some."""
    if name not in known and other in known:
        known[name] = known[other]


def _unknown(graph: Graph, name: str) -> UnsupportedError:
    at = graph.producers().get(name)
    if at is None:
        where = "an input"
    else:
        operator = graph.operators[at]
        where = f"which node {operator.source} makes ({operator.kind})"
    return UnsupportedError(
        f"the file says how the network is quantized, but nothing of {name!r}, {where}",
        help="quantize every operator in the QDQ format, or take the float network and data to "
        "calibrate with: `penstock quantize`",
    )


@dataclass(eq=False)
class _Assembly:
    """An int8 graph as far as it is made."""

    graph: Graph
    known: Mapping[str, QuantizationParameters]
    constants: Mapping[str, QuantizationParameters]
    tensors: dict[str, Tensor] = field(default_factory=dict)
    operators: list[Operator] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, parameters in self.known.items():
            self._add(name, self.graph.tensors[name].shape, parameters)

    def follow(self, operator: Operator) -> None:
        """Add an operator, and what brings its tensors to the scales that it wants."""
        if isinstance(operator, Weighted):
            self._add_weights(operator)
            self.operators.append(operator)
        elif isinstance(operator, _JOINING):
            self._join(operator)
        elif isinstance(operator, SHARING):
            self._requantize_results(operator, self.known[operator.inputs[0]])
        elif type(operator) in FIXED:
            self._requantize_results(operator, FIXED[type(operator)])
        else:
            for name in operator.inputs:
                self._add_constant(name, self.constants.get(name))
            self.operators.append(operator)

    def _add(self, name: str, shape: tuple[int, ...], parameters: QuantizationParameters) -> None:
        self.tensors[name] = Tensor(name, shape, DType.INT8, parameters)

    def _add_constant(self, name: str, parameters: QuantizationParameters | None) -> None:
        """Add a constant operand; without parameters for the whole of it they follow from it."""
        tensor = self.graph.tensors[name]
        if not tensor.is_constant:
            return
        if parameters is None or not parameters.is_per_tensor:
            values = real_data(tensor)
            parameters = choose_activation_parameters(float(values.min()), float(values.max()))
        self.tensors[name] = quantized_constant(tensor, parameters, DType.INT8)

    def _join(self, operator: Operator) -> None:
        wanted = self.known[operator.outputs[0]]
        names: dict[str, str] = {}
        for name in operator.inputs:
            self._add_constant(name, wanted)
            if name in self.known and self.known[name] != wanted:
                names[name] = self._hidden(name, wanted)
                self.operators.append(
                    ops.Quantize(input=name, output=names[name], source=operator.source)
                )
        kept = {name: name for name in operator.outputs}
        self.operators.append(operator.rename({**names, **kept}))

    def _requantize_results(self, operator: Operator, own: QuantizationParameters) -> None:
        """Add an operator whose results have parameters of its own, and what changes these."""
        names = {
            name: self._hidden(name, own) for name in operator.outputs if self.known[name] != own
        }
        if names and self._moves_nothing(operator):
            names = {operator.outputs[0]: operator.inputs[0]}
        else:
            self.operators.append(operator.rename(names))
        self.operators += [
            ops.Quantize(input=hidden, output=name, source=operator.source)
            for name, hidden in names.items()
        ]

    def _moves_nothing(self, operator: Operator) -> bool:
        shapes = {self.graph.tensors[n].shape for n in (*operator.inputs, *operator.outputs)}
        return isinstance(operator, ops.Reshape) and len(shapes) == 1

    def _hidden(self, name: str, parameters: QuantizationParameters) -> str:
        hidden, number = f"{name}.requantized", 1
        while hidden in self.tensors or hidden in self.graph.tensors:
            hidden, number = f"{name}.requantized.{number}", number + 1
        self._add(hidden, self.graph.tensors[name].shape, parameters)
        return hidden

    def _add_weights(self, operator: Weighted) -> None:
        filters = self.graph.tensors[operator.filters]
        axis = channel_axis(operator) or 0
        parameters = self.constants.get(filters.name)
        if parameters is None:
            parameters = choose_filter_parameters(real_data(filters), axis)
        _expect_symmetric(operator, filters, parameters, axis)
        self.tensors[filters.name] = quantized_constant(filters, parameters, DType.INT8)
        if operator.bias is None:
            return
        bias = self.graph.tensors[operator.bias]
        scales = choose_bias_parameters(self.known[operator.input].scale[0], parameters)
        steps = np.abs(real_data(bias).astype(np.float64) / np.array(scales.scale))
        if steps.max(initial=0) > _BIAS_STEPS_MAX:
            raise UnsupportedError(
                f"the bias {bias.name!r} is {steps.max():.3g} steps of its scale, more than 32 "
                "bits hold",
                help="quantize the model again: some weights are almost 0, and their scale with "
                "them",
            )
        self.tensors[bias.name] = quantized_constant(bias, scales, DType.INT32)


def _expect_symmetric(
    operator: Weighted, filters: Tensor, parameters: QuantizationParameters, axis: int
) -> None:
    if any(parameters.zero_point):
        raise UnsupportedError(
            f"the weights {filters.name!r} have the zero point "
            f"{next(point for point in parameters.zero_point if point)}; only 0 is allowed",
            help="quantize weights symmetrically, to int8",
        )
    if not parameters.is_per_tensor and parameters.axis != axis:
        raise UnsupportedError(
            f"the weights {filters.name!r} of {operator.kind} have scales along dimension "
            f"{parameters.axis}, not for each output channel",
            help="quantize weights with one scale, or one for each output channel",
        )
