"""Post-training quantization: a float graph and observed ranges become an int8 graph."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from penstock.errors import GraphError, UnsupportedError
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import (
    Add,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    HardSwish,
    LeakyRelu,
    Logistic,
    Mean,
    Mul,
    Operator,
    Relu,
    Softmax,
    Sub,
    Tanh,
)
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Array, Tensor
from penstock.quantize.affine import (
    FILTER_MAXIMUM,
    RealArray,
    Weighted,
    channel_axis,
    choose_activation_parameters,
    choose_bias_parameters,
    choose_filter_parameters,
    dequantize_array,
    quantize_array,
)
from penstock.quantize.observers import ValueRange
from penstock.quantize.separate_constants import separate_constants
from penstock.quantize.sharing import SHARING, choose_parameters

_SUPPORTED = (
    Conv2D
    | DepthwiseConv2D
    | FullyConnected
    | Add
    | Sub
    | Mul
    | Mean
    | Relu
    | LeakyRelu
    | HardSwish
    | Logistic
    | Tanh
    | Softmax
    | SHARING
)


@dataclass(frozen=True, slots=True, eq=False)
class WeightOptions:
    """How weights are quantized.

    Attributes:
        dense_per_channel: whether filters of fully connected operators have a scale for each output
            channel, too; LiteRT knows that since version 2.
        means: of each channel of activations, by tensor: what rounding the filters adds to an
            output on average is taken off its bias (Nagel et al. 2019, section 4.2). None corrects
            no bias, and tensors left out correct none of what they go into.
        maxima: steps that the largest weight of a filter becomes, by the operator's output;
            127 for those left out. What is 7 at most can be stored in 4 bits.
    """

    dense_per_channel: bool = False
    means: Mapping[str, npt.NDArray[np.float64]] | None = None
    maxima: Mapping[str, int] = field(default_factory=dict)


DEFAULT_WEIGHT_OPTIONS = WeightOptions()


def quantize_graph(
    graph: Graph,
    ranges: Mapping[str, ValueRange],
    options: WeightOptions = DEFAULT_WEIGHT_OPTIONS,
) -> Graph:
    """Return the int8 version of a float32 graph.

    Filters are symmetric, per output channel for convolutions and, unless asked otherwise, per
    tensor for fully connected operators; activations are asymmetric per tensor; biases are int32.

    Args:
        graph: float32 tensors only; every filter and bias constant.
        options: of weights.
        ranges: of every input and computed tensor, except where an operator's rule decides
            (the outputs of softmax, sigmoid and tanh, and what is moved as it is).

    Raises:
        UnsupportedError: an operator has no rule here.
        InputError: a range is missing.
        GraphError: a filter is computed.
    """
    expect_rules(graph)
    graph = separate_constants(graph)
    parameters = choose_parameters(graph, ranges)
    tensors: dict[str, Tensor] = {}
    for name in graph.inputs:
        tensors[name] = _as_int8(graph.tensors[name], parameters[name])
    for operator in graph.operators:
        if isinstance(operator, Weighted):
            scale = parameters[operator.input].scale[0]
            tensors |= _quantize_weights(graph, operator, scale, options)
        else:
            tensors |= _quantize_operands(graph, operator, parameters)
        for name in operator.outputs:
            tensors[name] = _as_int8(graph.tensors[name], parameters[name])
    return Graph.build(graph.name, tensors.values(), graph.operators, graph.inputs, graph.outputs)


def expect_rules(graph: Graph) -> None:
    """Check that there is a rule for each operator.

    Raises:
        UnsupportedError: naming the first that has none.
    """
    for operator in graph.operators:
        if not isinstance(operator, _SUPPORTED):
            raise UnsupportedError(
                f"there is no quantization rule for the operator {operator.kind}, which writes "
                f"{operator.outputs[0]!r}",
                help="end the network before it, or compute it otherwise",
            )


def _quantize_operands(
    graph: Graph, operator: Operator, parameters: Mapping[str, QuantizationParameters]
) -> dict[str, Tensor]:
    """Return the constants that an operator reads, on its output's scale where it shares that."""
    constants = {}
    for name in operator.inputs:
        tensor = graph.tensors[name]
        if tensor.is_constant:
            values = real_data(tensor)
            own = choose_activation_parameters(float(values.min()), float(values.max()))
            is_shared = isinstance(operator, SHARING)
            chosen = parameters[operator.outputs[0]] if is_shared else own
            constants[name] = quantized_constant(tensor, chosen, DType.INT8)
    return constants


def _as_int8(tensor: Tensor, parameters: QuantizationParameters) -> Tensor:
    return Tensor(tensor.name, tensor.shape, DType.INT8, parameters)


def _quantize_weights(
    graph: Graph, operator: Weighted, input_scale: float, options: WeightOptions
) -> dict[str, Tensor]:
    filters = graph.tensors[operator.filters]
    bias = graph.tensors[operator.bias] if operator.bias is not None else None
    bias_values = None if bias is None else real_data(bias)
    axis = channel_axis(operator)
    if isinstance(operator, FullyConnected) and options.dense_per_channel:
        axis = 0
    parameters = choose_filter_parameters(
        real_data(filters),
        axis,
        bias=bias_values,
        input_scale=input_scale,
        maximum=options.maxima.get(operator.output, FILTER_MAXIMUM),
    )
    rounded = quantized_constant(filters, parameters, DType.INT8)
    result = {filters.name: rounded}
    if bias is not None:
        bias_parameters = choose_bias_parameters(input_scale, parameters)
        means = None if options.means is None else options.means.get(operator.input)
        if means is not None:
            assert rounded.data is not None
            error = dequantize_array(rounded.data, parameters) - real_data(filters)
            corrected = real_data(bias) - _mean_output(operator, error, means)
            bias = replace(bias, data=corrected.astype(np.float32))
        result[bias.name] = quantized_constant(bias, bias_parameters, DType.INT32)
    return result


def _mean_output(
    operator: Weighted, filters: RealArray, means: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return what filters make of inputs with these means, for each output channel.

    Borders, where filters see padding, are taken as the rest.
    """
    match operator:
        case DepthwiseConv2D():
            repeated = np.repeat(means, filters.shape[3] // len(means))
            return np.asarray(filters.sum(axis=(0, 1, 2)) * repeated, np.float64)
        case Conv2D():
            taps = filters.sum(axis=(1, 2))  # [C_OUT, C_IN / groups]
            groups = len(means) // taps.shape[1]
            parts = np.repeat(means.reshape(groups, -1), len(taps) // groups, axis=0)
            return np.asarray((taps * parts).sum(axis=1), np.float64)
        case FullyConnected():
            return np.asarray(filters @ means, np.float64)


def quantized_constant(tensor: Tensor, parameters: QuantizationParameters, dtype: DType) -> Tensor:
    """Return a float32 constant in integers."""
    data: Array = quantize_array(real_data(tensor), parameters, dtype)
    return Tensor(tensor.name, tensor.shape, dtype, parameters, data)


def real_data(tensor: Tensor) -> RealArray:
    """Return the values of a float32 constant; raises GraphError for what is computed."""
    if tensor.data is None:
        raise GraphError(f"tensor {tensor.name!r} must be constant to be quantized as a weight")
    return np.asarray(tensor.data, np.float32)
