"""A graph as a module: layers with its weights, called in its order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from penstock.design.trainable.layers import (
    RealArray,
    activate,
    graph_filters,
    make_layer,
    run_layer,
)
from penstock.design.trainable.layout import to_graph_order, to_torch_order
from penstock.design.trainable.operations import OPERATIONS
from penstock.errors import InputError, UnsupportedError
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Operator
from penstock.ir.tensor import Tensor as GraphTensor
from penstock.quantize.affine import Weighted
from penstock.quantize.separate_constants import separate_constants

Observe = Callable[[str, Tensor], None]


class TrainableGraph(nn.Module):
    """A float32 graph with one input and one output, for any number of samples at once.

    Images are ``[N, C, H, W]``. A softmax at the end is left out: training wants what goes into it,
    and the largest output stays the largest.

    Attributes:
        layers: one for each weighted operator, by `key` of its output.
        normalizations: batch normalization behind some of them, by the same key.
        quantizers: what is done to each value that is computed, by `key` of its tensor; such as
            rounding as int8 would. Empty at first.
    """

    def __init__(self, graph: Graph) -> None:
        """Make the module of a graph.

        Raises:
            UnsupportedError: an operator has no float meaning here.
            InputError: there are several inputs or outputs, or weights are not float32.
        """
        super().__init__()
        _expect_trainable(graph)
        graph = separate_constants(graph)
        self._graph = graph
        self._operators = _without_softmax(graph)
        self.layers = nn.ModuleDict()
        self.normalizations = nn.ModuleDict()
        self.quantizers = nn.ModuleDict()
        for operator in self._operators:
            if isinstance(operator, Weighted):
                self.layers[key(operator.output)] = _layer_of(operator, graph)
        for name in _constant_operands(self._operators, graph):
            value = torch.from_numpy(_values(graph.tensors[name]))
            self.register_buffer(f"constant_{key(name)}", to_torch_order(value))

    @property
    def weighted(self) -> Sequence[Weighted]:
        """Operators that have layers, in order."""
        return [operator for operator in self._operators if isinstance(operator, Weighted)]

    @property
    def graph(self) -> Graph:
        """The graph that this was made from, each of whose operators has weights of its own."""
        return self._graph

    def layer(self, operator: Weighted) -> nn.Conv2d | nn.Linear:
        """Return the layer of an operator."""
        found = self.layers[key(operator.output)]
        assert isinstance(found, nn.Conv2d | nn.Linear)
        return found

    def forward(self, value: Tensor) -> Tensor:
        """Return the output for samples ``[N, …]``."""
        return self.run(value)

    def watch(self, value: Tensor, names: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the output, and the values of tensors by name.

        Raises:
            InputError: there is no such tensor.
        """
        seen: dict[str, Tensor] = {}
        output = self.run(value, lambda name, found: seen.update({name: found}))
        for name in names:
            if name not in seen:
                raise InputError(
                    f"the network computes no tensor {name!r}",
                    help=f"it computes {', '.join(seen)}",
                )
        return output, {name: seen[name] for name in names}

    def run(self, value: Tensor, observe: Observe | None = None) -> Tensor:
        """Return the output; each value of a tensor is shown to an observer."""
        values: dict[str, Tensor] = {}
        last_use = _last_uses(self._operators)
        source = self._graph.inputs[0]
        self._put(values, source, value, observe)
        for position, operator in enumerate(self._operators):
            for name, result in zip(operator.outputs, self._compute(operator, values), strict=True):
                self._put(values, name, result, observe)
            for name in operator.inputs:
                if last_use[name] == position:
                    values.pop(name, None)
        return values[self._operators[-1].outputs[0]]

    def _put(
        self, values: dict[str, Tensor], name: str, value: Tensor, observe: Observe | None
    ) -> None:
        if key(name) in self.quantizers:
            value = self.quantizers[key(name)](value)
        if observe is not None:
            observe(name, value)
        values[name] = value

    def _compute(self, operator: Operator, values: Mapping[str, Tensor]) -> Sequence[Tensor]:
        if isinstance(operator, Weighted):
            name = key(operator.output)
            result = run_layer(operator, self.layers[name], values[operator.input])
            if name in self.normalizations:
                result = self.normalizations[name](result)
            return [activate(result, operator.activation)]
        operands = [self._operand(name, values) for name in operator.inputs]
        shapes = [self._graph.tensors[name].shape for name in operator.outputs]
        return OPERATIONS[type(operator)](operator, operands, shapes)

    def _operand(self, name: str, values: Mapping[str, Tensor]) -> Tensor:
        if name in values:
            return values[name]
        constant: Tensor = getattr(self, f"constant_{key(name)}")
        return constant

    def to_graph(self) -> Graph:
        """Return the graph with the weights as they are now, normalization within them.

        Shapes are those that the layers now have.
        """
        shapes = self._shapes()
        tensors: dict[str, GraphTensor] = {}
        for name, tensor in self._graph.tensors.items():
            tensors[name] = replace(tensor, shape=shapes.get(name, tensor.shape))
        operators = list(self._graph.operators)
        for position, operator in enumerate(operators):
            if isinstance(operator, Weighted):
                filters, bias = self.weights(operator)
                bias_name = operator.bias or f"{operator.output}.bias"
                tensors[operator.filters] = _constant(operator.filters, filters)
                tensors[bias_name] = _constant(bias_name, bias)
                operators[position] = replace(operator, bias=bias_name)
        return self._graph.with_changes(tensors=tensors, operators=operators)

    def weights(self, operator: Weighted) -> tuple[RealArray, RealArray]:
        """Return filters and bias of an operator in the graph's order, with normalization."""
        layer = self.layer(operator)
        weight = layer.weight.detach().double()
        bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias.detach().double()
        name = key(operator.output)
        if name in self.normalizations:
            normalization = self.normalizations[name]
            assert isinstance(normalization, nn.BatchNorm2d)
            mean, variance = normalization.running_mean, normalization.running_var
            assert mean is not None
            assert variance is not None
            factor = normalization.weight.detach().double()
            factor = factor / torch.sqrt(variance.double() + normalization.eps)
            weight = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
            bias = (bias - mean.double()) * factor + normalization.bias.detach().double()
        return graph_filters(operator, weight.float().numpy()), bias.float().numpy()

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each computed tensor, as the layers now make it."""
        shapes: dict[str, tuple[int, ...]] = {}

        def note(name: str, value: Tensor) -> None:
            shapes[name] = tuple(to_graph_order(value).shape)

        was_training = self.training
        self.eval()
        with torch.no_grad():
            source = torch.zeros(self._graph.tensors[self._graph.inputs[0]].shape)
            self.run(to_torch_order(source), note)
        self.train(was_training)
        return shapes


def key(tensor: str) -> str:
    """Return a tensor's name as a key of a module: torch allows no dots there."""
    return f"tensor {tensor.replace('~', '~0').replace('.', '~1')}"


def _expect_trainable(graph: Graph) -> None:
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise InputError(
            f"the network has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; one "
            "with one of each can be trained",
            help="compress a network with one input and one output",
        )
    for operator in graph.operators:
        if not isinstance(operator, Weighted) and type(operator) not in OPERATIONS:
            raise UnsupportedError(f"the operator {operator.kind} cannot be trained")
        for name in operator.inputs:
            tensor = graph.tensors[name]
            if tensor.dtype is not DType.FLOAT32 and not isinstance(operator, ops.Reshape):
                raise InputError(
                    f"the tensor {name!r} is {tensor.dtype.name.lower()}: only networks of "
                    "float32 can be trained",
                    help="give the network as it was before it was quantized",
                )


def _without_softmax(graph: Graph) -> Sequence[Operator]:
    is_last = graph.operators and graph.operators[-1].outputs == graph.outputs
    if is_last and isinstance(graph.operators[-1], ops.Softmax):
        return graph.operators[:-1]
    return graph.operators


def _layer_of(operator: Weighted, graph: Graph) -> nn.Conv2d | nn.Linear:
    bias = None if operator.bias is None else _values(graph.tensors[operator.bias])
    depth = graph.tensors[operator.input].shape[-1]
    return make_layer(operator, _values(graph.tensors[operator.filters]), bias, depth)


def _constant_operands(operators: Sequence[Operator], graph: Graph) -> Sequence[str]:
    found = [
        name
        for operator in operators
        if not isinstance(operator, Weighted | ops.Reshape)
        for name in operator.inputs
        if graph.tensors[name].is_constant
    ]
    return list(dict.fromkeys(found))


def _last_uses(operators: Sequence[Operator]) -> Mapping[str, int]:
    return {
        name: position for position, operator in enumerate(operators) for name in operator.inputs
    }


def _values(tensor: GraphTensor) -> RealArray:
    if tensor.data is None:
        raise InputError(
            f"the weights {tensor.name!r} are computed by the network, which cannot be trained",
            help="make them a parameter",
        )
    return np.array(tensor.data, np.float32)  # torch wants arrays that can be written


def _constant(name: str, values: RealArray) -> GraphTensor:
    return GraphTensor(name, values.shape, DType.FLOAT32, data=np.ascontiguousarray(values))
