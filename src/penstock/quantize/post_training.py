"""Post-training quantization: a float graph and observed ranges become an int8 graph."""

from collections.abc import Mapping

import numpy as np

from penstock.errors import GraphError, UnsupportedError
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import (
    Add,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Mean,
    Operator,
    Reshape,
    Softmax,
)
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Array, Tensor
from penstock.quantize.affine import (
    RealArray,
    Weighted,
    channel_axis,
    choose_activation_parameters,
    choose_bias_parameters,
    choose_filter_parameters,
    quantize_array,
)
from penstock.quantize.observers import ValueRange

SOFTMAX_OUTPUT = QuantizationParameters.per_tensor(1.0 / 256.0, -128)


def quantize_graph(graph: Graph, ranges: Mapping[str, ValueRange]) -> Graph:
    """Return the int8 version of a float32 graph.

    Filters are symmetric, per output channel for convolutions and per tensor for fully connected
    operators; activations are asymmetric per tensor; biases are int32.

    Args:
        graph: float32 tensors only; every filter and bias constant.
        ranges: range of every input and computed tensor, except where an operator's rule decides
            (the outputs of softmax and reshape).

    Raises:
        UnsupportedError: an operator has no rule here.
        GraphError: a range is missing, or a filter is computed.
    """
    tensors = {name: _quantize_activation(graph.tensors[name], ranges) for name in graph.inputs}
    for operator in graph.operators:
        tensors.update(_quantize_operator(graph, operator, tensors, ranges))
    return Graph.build(graph.name, tensors.values(), graph.operators, graph.inputs, graph.outputs)


def _quantize_operator(
    graph: Graph,
    operator: Operator,
    done: Mapping[str, Tensor],
    ranges: Mapping[str, ValueRange],
) -> dict[str, Tensor]:
    """Return the quantized output of the operator, and its constants."""
    match operator:
        case Conv2D() | DepthwiseConv2D() | FullyConnected():
            result = _quantize_weights(graph, operator, done[operator.input].scale)
            output = _quantize_activation(graph.tensors[operator.output], ranges)
        case Softmax():
            result, output = {}, _as_int8(graph.tensors[operator.output], SOFTMAX_OUTPUT)
        case Reshape():
            parameters = done[operator.input].quantization
            result, output = {}, _as_int8(graph.tensors[operator.output], parameters)
        case Add() | Mean():
            result, output = {}, _quantize_activation(graph.tensors[operator.output], ranges)
        case _:
            raise UnsupportedError(f"no quantization rule for the operator {operator.kind}")
    return {**result, output.name: output}


def _quantize_activation(tensor: Tensor, ranges: Mapping[str, ValueRange]) -> Tensor:
    if tensor.name not in ranges:
        raise GraphError(f"no range was observed for tensor {tensor.name!r}")
    seen = ranges[tensor.name]
    return _as_int8(tensor, choose_activation_parameters(seen.low, seen.high))


def _as_int8(tensor: Tensor, parameters: QuantizationParameters | None) -> Tensor:
    return Tensor(tensor.name, tensor.shape, DType.INT8, parameters)


def _quantize_weights(graph: Graph, operator: Weighted, input_scale: float) -> dict[str, Tensor]:
    filters = graph.tensors[operator.filters]
    bias = graph.tensors[operator.bias] if operator.bias is not None else None
    bias_values = None if bias is None else _real_data(bias)
    parameters = choose_filter_parameters(
        _real_data(filters), channel_axis(operator), bias=bias_values, input_scale=input_scale
    )
    result = {filters.name: _constant(filters, parameters, DType.INT8)}
    if bias is not None:
        bias_parameters = choose_bias_parameters(input_scale, parameters)
        result[bias.name] = _constant(bias, bias_parameters, DType.INT32)
    return result


def _constant(tensor: Tensor, parameters: QuantizationParameters, dtype: DType) -> Tensor:
    data: Array = quantize_array(_real_data(tensor), parameters, dtype)
    return Tensor(tensor.name, tensor.shape, dtype, parameters, data)


def _real_data(tensor: Tensor) -> RealArray:
    if tensor.data is None:
        raise GraphError(f"tensor {tensor.name!r} must be constant to be quantized as a weight")
    return np.asarray(tensor.data, np.float32)
