"""Small graphs, each with one thing that a pass must do or must leave alone."""

import numpy as np

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import NO_PADDING, Activation, Padding2D
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor
from penstock.passes import (
    EliminateDeadChannels,
    EliminateDeadCode,
    EliminateIdentities,
    FoldConstants,
    FoldPadding,
    FuseActivations,
)
from tests.strategies import NetworkBuilder

Q = QuantizationParameters.per_tensor(0.5, -3)
OTHER = QuantizationParameters.per_tensor(0.25, 7)
SPATIAL = ((0, 0), (1, 0), (0, 1), (0, 0))


def start(shape=(1, 3, 3, 2), quantization=Q) -> tuple[NetworkBuilder, str]:
    network = NetworkBuilder()
    return network, network.input(shape, quantization)


def convolve(
    network,
    source,
    weights,
    bias=None,
    *,
    quantization=Q,
    scales=(0.25,),
    kind=ops.Conv2D,
    padding=NO_PADDING,
    **attributes,
) -> str:
    """Append a convolution with these filters; the size of its output follows."""
    filters = np.array(weights, np.int8)
    depthwise = kind is ops.DepthwiseConv2D
    axis = 3 if depthwise else 0
    many = len(scales) > 1
    parameters = QuantizationParameters(scales, (0,) * len(scales), axis if many else None)
    before = network.tensors[source].shape
    height = before[1] + padding.top + padding.bottom - filters.shape[1] + 1
    width = before[2] + padding.left + padding.right - filters.shape[2] + 1
    result = network.fresh((before[0], height, width, filters.shape[axis]), quantization)
    name = None if bias is None else network.bias(source, parameters, np.array(bias))
    return network.append(
        kind(
            input=source,
            filters=network.constant(filters, parameters),
            bias=name,
            output=result,
            padding=padding,
            **attributes,
        )
    )


def ones(count, channels=2, size=1):
    return np.ones((count, size, size, channels), np.int8)


# --- fold_constants -----------------------------------------------------------------------------


def dynamic_reshape() -> Graph:
    network, x = start((1, 2, 2, 3))
    network.add(Tensor("shape", (4,), DType.INT32))
    network.append(ops.Shape(input=x, output="shape", source=0))
    network.add(Tensor("batch", (), DType.INT32))
    network.append(
        ops.StridedSlice(
            input="shape", output="batch", begin=(0,), extents=(1,), strides=(1,), source=1
        )
    )
    rest = network.constant(np.array(-1, np.int32))
    network.add(Tensor("wanted", (2,), DType.INT32))
    network.append(ops.Pack(operands=("batch", rest), output="wanted", axis=0, source=2))
    y = network.fresh((1, 12), Q)
    network.append(ops.Reshape(input=x, shape="wanted", output=y, source=3))
    return network.build([y])


# --- fold_padding -------------------------------------------------------------------------------


def padded_convolution(value=None) -> Graph:
    network, x = start()
    padded = network.pad(x, SPATIAL, value)
    return network.build([convolve(network, padded, ones(1, size=2), padding=Padding2D(top=1))])


def padded_depthwise_twice() -> Graph:
    network, x = start()
    once = network.pad(x, SPATIAL, None)
    twice = network.pad(once, SPATIAL, Q.zero_point[0])
    kind = ops.DepthwiseConv2D
    return network.build([convolve(network, twice, np.ones((1, 2, 2, 2)), kind=kind)])


def padded_channels() -> Graph:
    network, x = start()
    padded = network.pad(x, ((0, 0), (0, 0), (0, 0), (1, 0)), None)
    return network.build([convolve(network, padded, ones(1, 3))])


def padded_pool(kind, value) -> Graph:
    network, x = start()
    padded = network.pad(x, SPATIAL, value)
    pool = network.pool(kind, padded, (2, 2), (1, 1), NO_PADDING, Activation.NONE)
    return network.build([pool])


def shared_padding() -> Graph:
    network, x = start()
    padded = network.pad(x, SPATIAL, None)
    return network.build([convolve(network, padded, ones(1)), padded])


# --- fuse_activations ---------------------------------------------------------------------------


def clamped(quantization=Q, *, activation=Activation.NONE, second_reader=False) -> Graph:
    network, x = start()
    summed = convolve(network, x, ones(2), activation=activation)
    y = network.unary(ops.Relu, summed, quantization, activation=Activation.RELU6)
    return network.build([y, summed] if second_reader else [y])


def clamp_read_twice() -> Graph:
    network, x = start()
    summed = convolve(network, x, ones(2))
    y = network.unary(ops.Relu, summed, Q, activation=Activation.RELU)
    z = network.fresh(network.tensors[y].shape, Q)
    return network.build([network.append(ops.Add(left=y, right=summed, output=z))])


def clamp_chain() -> Graph:
    network, x = start()
    y = convolve(network, x, ones(2))
    y = network.unary(ops.Relu, y, Q, activation=Activation.RELU)
    return network.build([network.unary(ops.Relu, y, Q, activation=Activation.RELU6)])


# --- eliminate_identities -----------------------------------------------------------------------


def reshapes() -> Graph:
    network, x = start((1, 2, 3, 2))
    y = network.reshape(x, (1, 3, 2, 2))
    y = network.reshape(y, (1, 12))
    y = network.reshape(y, (1, 2, 3, 2))
    return network.build([convolve(network, y, ones(2))])


def identity_before_output() -> Graph:
    network, x = start()
    y = convolve(network, x, ones(2))
    return network.build([network.unary(ops.Quantize, y, Q)])


def identity_of_input() -> Graph:
    network, x = start()
    return network.build([network.pad(x, ((0, 0),) * 4, None)])


def transposes() -> Graph:
    network, x = start((1, 3, 1, 2))
    moved = network.fresh((1, 1, 3, 2), Q)
    network.append(ops.Transpose(input=x, output=moved, permutation=(0, 2, 1, 3)))
    turned = network.fresh((1, 1, 2, 3), Q)
    network.append(ops.Transpose(input=moved, output=turned, permutation=(0, 1, 3, 2)))
    return network.build([turned])


def requantized() -> Graph:
    network, x = start()
    return network.build([network.unary(ops.Quantize, x, OTHER)])


# --- eliminate_dead_code ------------------------------------------------------------------------


def unread_branch() -> Graph:
    network, x = start()
    convolve(network, convolve(network, x, ones(3)), ones(1, 3))
    return network.build([convolve(network, x, ones(2))])


def unread_state() -> Graph:
    network, x = start((1, 4))
    weights = QuantizationParameters.per_tensor(0.125, 0)
    state = Tensor("state", (1, 4), DType.INT16, weights, is_variable=True)
    network.add(state)
    y = network.fresh((1, 2), Q)
    network.append(
        ops.Svdf(
            input=x,
            feature_weights=network.constant(np.ones((2, 4), np.int8), weights),
            time_weights=network.constant(np.ones((2, 2), np.int16), weights),
            state="state",
            output=y,
            rank=1,
        )
    )
    z = network.unary(ops.Relu, x, Q, activation=Activation.RELU)
    return network.build([z])


# --- eliminate_dead_channels --------------------------------------------------------------------


def two_layers(weights, bias, consumer, **attributes) -> Graph:
    """A convolution with these filters, and another that reads it."""
    network, x = start()
    scales = tuple(0.25 * (i + 1) for i in range(len(weights)))
    y = convolve(network, x, weights, bias, scales=scales)
    return network.build([convolve(network, y, consumer, [10, 20], **attributes)])


def constant_channel() -> Graph:
    weights = ones(3)
    weights[1] = 0
    return two_layers(weights, [4, 8, 12], 3 * ones(2, 3))


def constant_channel_under_padding(value) -> Graph:
    """The requantized bias of channel 1 is ``value`` above the zero point."""
    weights = ones(3, size=1)
    weights[1] = 0
    padding = Padding2D(1, 1, 1, 1)
    return two_layers(weights, [4, 2 * value, 12], 3 * ones(2, 3, size=2), padding=padding)


def unread_channel() -> Graph:
    consumer = 3 * ones(2, 3)
    consumer[..., 0] = 0
    return two_layers(ones(3), [4, 8, 12], consumer)


def through_depthwise(padding=NO_PADDING) -> Graph:
    network, x = start()
    weights = ones(3)
    weights[2] = 0
    y = convolve(network, x, weights, [1, 2, 40], scales=(0.25, 0.5, 0.75))
    spread = np.arange(1, 25).reshape(1, 2, 2, 6)
    scales = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
    y = convolve(
        network, y, spread, range(6), scales=scales, kind=ops.DepthwiseConv2D, padding=padding
    )
    return network.build([convolve(network, y, ones(2, 6))])


def through_sum(second_constant) -> Graph:
    network, x = start()
    weights = ones(3)
    weights[0] = 0
    left = convolve(network, x, weights, [9, 0, 0])
    right = convolve(network, x, weights if second_constant else ones(3), [5, 0, 0])
    total = network.fresh((1, 3, 3, 3), Q)
    network.append(ops.Add(left=left, right=right, output=total))
    row = network.constant(np.array([1, 2, 3], np.int8), OTHER)
    scaled = network.fresh((1, 3, 3, 3), Q)
    network.append(ops.Mul(left=total, right=row, output=scaled))
    return network.build([convolve(network, scaled, ones(1, 3))])


def through_mean_and_flattening() -> Graph:
    network, x = start()
    weights = ones(3)
    weights[1] = 0
    y = convolve(network, x, weights, [0, 30, 0])
    mean = network.fresh((1, 1, 3, 3), OTHER)
    network.append(ops.Mean(input=y, output=mean, axes=(1,), keep_dims=True))
    flat = network.reshape(mean, (1, 9))
    filters = np.arange(18, dtype=np.int8).reshape(2, 9)
    parameters = QuantizationParameters.per_tensor(0.25, 0)
    result = network.fresh((1, 2), Q)
    network.append(
        ops.FullyConnected(input=flat, filters=network.constant(filters, parameters), output=result)
    )
    return network.build([result])


def through_pad(value) -> Graph:
    network, x = start()
    weights = ones(3)
    weights[1] = 0
    y = convolve(network, x, weights, [0, 16, 0])
    padded = network.pad(y, SPATIAL, value)
    # A pool keeps the PAD from being folded.
    pooled = network.pool(ops.AveragePool2D, padded, (2, 2), (1, 1), NO_PADDING, Activation.NONE)
    return network.build([convolve(network, pooled, ones(1, 3))])


def channels_of_a_concatenation() -> Graph:
    network, x = start()
    weights = ones(3)
    weights[1] = 0
    y = convolve(network, x, weights, [0, 16, 0])
    joined = network.fresh((1, 3, 3, 6), Q)
    network.append(ops.Concatenation(operands=(y, y), output=joined, axis=3))
    return network.build([convolve(network, joined, ones(1, 6))])


def channels_of_an_output() -> Graph:
    weights = ones(3)
    weights[1] = 0
    network, x = start()
    y = convolve(network, x, weights, [0, 16, 0])
    return network.build([y, convolve(network, y, ones(1, 3))])


def every_channel_constant() -> Graph:
    return two_layers(0 * ones(3), [4, 8, 12], ones(2, 3))


def chain_of_unread_channels() -> Graph:
    network, x = start()
    first = convolve(network, x, ones(4))
    middle = ones(3, 4)
    middle[1:, ..., 2] = 0  # only channel 0 reads channel 2
    second = convolve(network, first, middle)
    last = ones(2, 3)
    last[..., 0] = 0  # and nobody reads channel 0
    return network.build([convolve(network, second, last)])


def shared_filters() -> Graph:
    network, x = start()
    weights = ones(3)
    weights[1] = 0
    y = convolve(network, x, weights, [0, 16, 0])
    z = convolve(network, y, ones(2, 3))
    first = network.operators[0]
    network.append(
        ops.Conv2D(input=x, filters=first.filters, output=network.fresh((1, 3, 3, 3), Q))
    )
    return network.build([z, network.operators[-1].output])


def bias_without_headroom() -> Graph:
    weights = ones(3)
    weights[1] = 0
    network, x = start()
    y = convolve(network, x, weights, [0, 100, 0])
    near_limit = (1 << 31) - 200
    return network.build([convolve(network, y, ones(2, 3), [near_limit, 0])])


CASES = {
    "fold_constants_dynamic_reshape": (FoldConstants(), dynamic_reshape()),
    "fold_padding_convolution": (FoldPadding(), padded_convolution()),
    "fold_padding_other_value": (FoldPadding(), padded_convolution(4)),
    "fold_padding_depthwise_twice": (FoldPadding(), padded_depthwise_twice()),
    "fold_padding_channels": (FoldPadding(), padded_channels()),
    "fold_padding_max_pool_lowest": (FoldPadding(), padded_pool(ops.MaxPool2D, -128)),
    "fold_padding_max_pool_zero": (FoldPadding(), padded_pool(ops.MaxPool2D, None)),
    "fold_padding_average_pool": (FoldPadding(), padded_pool(ops.AveragePool2D, None)),
    "fold_padding_shared": (FoldPadding(), shared_padding()),
    "fuse_activations_clamp": (FuseActivations(), clamped()),
    "fuse_activations_intersection": (
        FuseActivations(),
        clamped(activation=Activation.RELU),
    ),
    "fuse_activations_no_intersection": (
        FuseActivations(),
        clamped(activation=Activation.RELU_N1_TO_1),
    ),
    "fuse_activations_other_quantization": (FuseActivations(), clamped(OTHER)),
    "fuse_activations_output": (FuseActivations(), clamped(second_reader=True)),
    "fuse_activations_read_twice": (FuseActivations(), clamp_read_twice()),
    "fuse_activations_chain": (FuseActivations(), clamp_chain()),
    "eliminate_identities_reshapes": (EliminateIdentities(), reshapes()),
    "eliminate_identities_output": (EliminateIdentities(), identity_before_output()),
    "eliminate_identities_input": (EliminateIdentities(), identity_of_input()),
    "eliminate_identities_transposes": (EliminateIdentities(), transposes()),
    "eliminate_identities_requantized": (EliminateIdentities(), requantized()),
    "eliminate_dead_code_branch": (EliminateDeadCode(), unread_branch()),
    "eliminate_dead_code_state": (EliminateDeadCode(), unread_state()),
}
_DEAD_CHANNELS = {
    "constant": constant_channel(),
    "constant_padded": constant_channel_under_padding(5),
    "zero_padded": constant_channel_under_padding(0),
    "unread": unread_channel(),
    "depthwise": through_depthwise(),
    "depthwise_padded": through_depthwise(Padding2D(0, 1, 0, 1)),
    "sum": through_sum(True),
    "sum_with_computed": through_sum(False),
    "flattening": through_mean_and_flattening(),
    "pad_same_value": through_pad(1),
    "pad_other_value": through_pad(None),
    "concatenation": channels_of_a_concatenation(),
    "output": channels_of_an_output(),
    "all": every_channel_constant(),
    "chain": chain_of_unread_channels(),
    "shared_filters": shared_filters(),
    "no_headroom": bias_without_headroom(),
}
CASES.update(
    {
        f"eliminate_dead_channels_{name}": (EliminateDeadChannels(), graph)
        for name, graph in _DEAD_CHANNELS.items()
    }
)
