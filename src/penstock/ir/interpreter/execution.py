"""Runs the operators of a graph in order."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from penstock.errors import GraphError
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.interpreter import (
    activations,
    convolution,
    elementwise,
    movement,
    pooling,
    quantization,
    real,
    softmax,
)
from penstock.ir.interpreter.recurrent import svdf
from penstock.ir.tensor import Array

State = dict[str, Array]
"""Values of a graph's variable tensors by name."""

Inputs = Mapping[str, Array] | Sequence[Array]

Evaluator = Callable[[Graph, Any, Mapping[str, Array]], Array]
"""Takes the graph, the operator, and values by tensor name, and returns the one output."""

_EVALUATORS: dict[type[ops.Operator], Evaluator] = {
    ops.Conv2D: convolution.conv_2d,
    ops.DepthwiseConv2D: convolution.depthwise_conv_2d,
    ops.TransposeConv2D: convolution.transpose_conv_2d,
    ops.FullyConnected: convolution.fully_connected,
    ops.Add: elementwise.add,
    ops.Sub: elementwise.sub,
    ops.Mul: elementwise.mul,
    ops.Maximum: elementwise.maximum,
    ops.Minimum: elementwise.minimum,
    ops.AveragePool2D: pooling.average_pool_2d,
    ops.MaxPool2D: pooling.max_pool_2d,
    ops.Mean: pooling.mean,
    ops.Pad: movement.pad,
    ops.Reshape: movement.reshape,
    ops.Transpose: movement.transpose,
    ops.StridedSlice: movement.strided_slice,
    ops.Concatenation: movement.concatenation,
    ops.Pack: movement.pack,
    ops.Shape: movement.shape,
    ops.Quantize: quantization.quantize,
    ops.Dequantize: quantization.dequantize,
    ops.Softmax: softmax.softmax,
    ops.LogSoftmax: softmax.log_softmax,
    ops.Relu: activations.relu,
    ops.LeakyRelu: activations.leaky_relu,
    ops.Logistic: activations.logistic,
    ops.Tanh: activations.tanh,
    ops.HardSwish: activations.hard_swish,
}


def run(graph: Graph, inputs: Inputs, *, state: State | None = None) -> list[Array]:
    """Return the graph's outputs in order.

    Args:
        graph: what to run.
        inputs: one array for each graph input, by name or in order, of its shape and type.
        state: variable tensors, updated in place; None starts from `initial_state` and
            forgets it.

    Raises:
        GraphError: an input is missing or has another shape or type.
    """
    values = _run(graph, inputs, state, keep_all=False)
    return [values[name] for name in graph.outputs]


def trace(graph: Graph, inputs: Inputs, *, state: State | None = None) -> dict[str, Array]:
    """Return every computed tensor by name, inputs and updated variable tensors included.

    Arguments and errors are those of `run`.
    """
    return _run(graph, inputs, state, keep_all=True)


def initial_state(graph: Graph) -> State:
    """Return the variable tensors as they are before the first inference: real zero."""
    return {
        tensor.name: np.full(
            tensor.shape,
            tensor.zero_point if tensor.quantization is not None else 0,
            tensor.dtype.numpy,
        )
        for tensor in graph.tensors.values()
        if tensor.is_variable
    }


def _run(graph: Graph, inputs: Inputs, state: State | None, *, keep_all: bool) -> dict[str, Array]:
    variables = initial_state(graph) if state is None else state
    constants = {name: t.data for name, t in graph.tensors.items() if t.data is not None}
    computed = _named_inputs(graph, inputs)
    last_use = {} if keep_all else _last_uses(graph)
    for position, operator in enumerate(graph.operators):
        sources = (variables, constants, computed)
        visible = {
            name: next(values[name] for values in sources if name in values)
            for name in operator.inputs
        }
        for name, value in evaluate(graph, operator, visible).items():
            (variables if name in variables else computed)[name] = value
        for name in last_use.get(position, ()):
            del computed[name]
    if keep_all:
        return computed | variables
    known = constants | variables | computed
    return {name: known[name] for name in graph.outputs}


def evaluate(graph: Graph, operator: ops.Operator, values: Mapping[str, Array]) -> dict[str, Array]:
    """Return what one operator writes, by tensor name, variable tensors included.

    Raises:
        GraphError: an output has not the shape and type that the graph declares.
    """
    if isinstance(operator, ops.Svdf):
        output, state = svdf(graph, operator, values)
        results = {operator.output: output, operator.state: state}
    elif isinstance(operator, ops.Split):
        results = dict(zip(operator.results, movement.split(graph, operator, values), strict=True))
    else:
        results = {operator.outputs[0]: _evaluator(graph, operator)(graph, operator, values)}
    for name, value in results.items():
        _check(graph, name, value, operator.kind)
    return results


def _evaluator(graph: Graph, operator: ops.Operator) -> Evaluator:
    kind = type(operator)
    if graph.tensors[operator.outputs[0]].dtype is DType.FLOAT32 and kind in real.EVALUATORS:
        return real.EVALUATORS[kind]
    return _EVALUATORS[kind]


def _named_inputs(graph: Graph, inputs: Inputs) -> dict[str, Array]:
    if not isinstance(inputs, Mapping):
        if len(inputs) != len(graph.inputs):
            raise GraphError(
                f"graph {graph.name!r} has {len(graph.inputs)} inputs, found {len(inputs)}"
            )
        inputs = dict(zip(graph.inputs, inputs, strict=True))
    if missing := [name for name in graph.inputs if name not in inputs]:
        raise GraphError(f"no value for the inputs {missing} of graph {graph.name!r}")
    named = {name: np.asarray(inputs[name]) for name in graph.inputs}
    for name, value in named.items():
        _check(graph, name, value, "the caller")
    return named


def _check(graph: Graph, name: str, value: Array, source: str) -> None:
    tensor = graph.tensors[name]
    if value.shape != tensor.shape or value.dtype != tensor.dtype.numpy:
        raise GraphError(
            f"tensor {name!r} is {tensor.dtype.value}{list(tensor.shape)}, {source} gave "
            f"{value.dtype}{list(value.shape)}"
        )


def _last_uses(graph: Graph) -> dict[int, list[str]]:
    """Return, by operator position, computed tensors that nothing later reads."""
    last = dict(graph.producers())
    for name, readers in graph.consumers().items():
        if readers:
            last[name] = readers[-1]
    kept = {
        *graph.outputs,
        *(name for name, tensor in graph.tensors.items() if tensor.is_constant),
        *(name for name, tensor in graph.tensors.items() if tensor.is_variable),
    }
    uses: dict[int, list[str]] = {}
    for name, position in last.items():
        if name not in kept:
            uses.setdefault(position, []).append(name)
    return uses
