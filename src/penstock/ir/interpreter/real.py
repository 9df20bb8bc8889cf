"""Operators on float32: what a network means before it is quantized.

Sums are formed in float32, in an order that suits matrix multiplication: results are those of any
other float32 implementation up to rounding. What integers and real numbers have in common (moving,
comparing, softmax) is evaluated where integers are.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.ir import operators as ops
from penstock.ir.graph import Graph
from penstock.ir.interpreter.convolution import convolve, convolve_channels, padded
from penstock.ir.interpreter.pooling import element_counts, taps
from penstock.ir.operators import Activation
from penstock.ir.tensor import Array

Reals = npt.NDArray[np.float32]
Values = Mapping[str, Array]


def _conv_2d(graph: Graph, operator: ops.Conv2D, values: Values) -> Array:
    sums = np.empty(graph.tensors[operator.output].shape, np.float32)
    source = padded(_real(values, operator.input), operator.padding)
    convolve(source, _real(values, operator.filters), operator, sums)
    return _finish(sums, operator, values)


def _depthwise_conv_2d(graph: Graph, operator: ops.DepthwiseConv2D, values: Values) -> Array:
    sums = np.zeros(graph.tensors[operator.output].shape, np.float32)
    source = padded(_real(values, operator.input), operator.padding)
    convolve_channels(source, _real(values, operator.filters)[0], operator, sums)
    return _finish(sums, operator, values)


def _fully_connected(graph: Graph, operator: ops.FullyConnected, values: Values) -> Array:
    filters = _real(values, operator.filters)
    rows = _real(values, operator.input).reshape(-1, filters.shape[1])
    sums = (rows @ filters.T).reshape(graph.tensors[operator.output].shape)
    return _finish(sums, operator, values)


def _finish(
    sums: Reals, operator: ops.Conv2D | ops.DepthwiseConv2D | ops.FullyConnected, values: Values
) -> Array:
    if operator.bias is not None:
        sums += _real(values, operator.bias).reshape(-1)
    return _limited(sums, operator.activation)


def _real(values: Values, name: str) -> Reals:
    return np.asarray(values[name], np.float32)


def _limited(value: Reals, activation: Activation) -> Array:
    if activation is Activation.NONE:
        return value
    low, high = (np.float32(bound) for bound in activation.real_range)
    return np.clip(value, low, high)


def _binary(compute: Callable[[Reals, Reals], Reals]) -> Callable[[Graph, Any, Values], Array]:
    def evaluate(_graph: Graph, operator: ops.Add | ops.Sub | ops.Mul, values: Values) -> Array:
        result = compute(_real(values, operator.left), _real(values, operator.right))
        return _limited(result, operator.activation)

    return evaluate


def _unary(compute: Callable[[Reals], Reals]) -> Callable[[Graph, Any, Values], Array]:
    def evaluate(_graph: Graph, operator: Any, values: Values) -> Array:
        return np.asarray(compute(_real(values, operator.input)), np.float32)

    return evaluate


def _relu(_graph: Graph, operator: ops.Relu, values: Values) -> Array:
    return _limited(_real(values, operator.input), operator.activation)


def _leaky_relu(_graph: Graph, operator: ops.LeakyRelu, values: Values) -> Array:
    value = _real(values, operator.input)
    return np.where(value > 0, value, value * np.float32(operator.alpha))


def _sigmoid(value: Reals) -> Reals:
    half = np.tanh(np.float32(0.5) * value)
    return np.asarray(np.float32(0.5) * (np.float32(1) + half), np.float32)


def _hard_swish(value: Reals) -> Reals:
    ramp = np.clip(value + np.float32(3), np.float32(0), np.float32(6))
    return np.asarray(value * ramp / np.float32(6), np.float32)


def _mean(graph: Graph, operator: ops.Mean, values: Values) -> Array:
    mean = np.mean(_real(values, operator.input), axis=operator.axes, dtype=np.float64)
    return np.asarray(mean, np.float32).reshape(graph.tensors[operator.output].shape)


def _average_pool_2d(graph: Graph, operator: ops.AveragePool2D, values: Values) -> Array:
    source, shape = values[operator.input], graph.tensors[operator.output].shape
    total = np.zeros(shape, np.float32)
    for window in taps(operator, source, shape, padding_value=0):
        total += np.asarray(window, np.float32)
    counts = element_counts(operator, source.shape, shape).astype(np.float32)
    return _limited(total / counts, operator.activation)


def _max_pool_2d(graph: Graph, operator: ops.MaxPool2D, values: Values) -> Array:
    shape = graph.tensors[operator.output].shape
    result = np.full(shape, -np.inf, np.float32)
    for window in taps(operator, values[operator.input], shape, padding_value=-np.inf):
        np.maximum(result, np.asarray(window, np.float32), out=result)
    return _limited(result, operator.activation)


EVALUATORS: dict[type[ops.Operator], Callable[[Graph, Any, Values], Array]] = {
    ops.Conv2D: _conv_2d,
    ops.DepthwiseConv2D: _depthwise_conv_2d,
    ops.FullyConnected: _fully_connected,
    ops.Add: _binary(np.add),
    ops.Sub: _binary(np.subtract),
    ops.Mul: _binary(np.multiply),
    ops.AveragePool2D: _average_pool_2d,
    ops.MaxPool2D: _max_pool_2d,
    ops.Mean: _mean,
    ops.Relu: _relu,
    ops.LeakyRelu: _leaky_relu,
    ops.Logistic: _unary(_sigmoid),
    ops.Tanh: _unary(np.tanh),
    ops.HardSwish: _unary(_hard_swish),
}
"""What is computed otherwise than with integers; all other operators know both."""
