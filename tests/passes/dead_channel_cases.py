"""Small graphs with channels that nobody needs, or that only seem so."""

import numpy as np

from penstock.ir import operators as ops
from penstock.ir.graph import Graph
from penstock.ir.operators import NO_PADDING, Activation, Padding2D
from penstock.ir.quantization import QuantizationParameters
from tests.passes.building import OTHER, SPATIAL, Q, convolve, ones, start


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


def constant_channel_before_transposed(value) -> Graph:
    """The consumer covers the outputs unevenly, although it has no padding."""
    network, x = start()
    weights = ones(3)
    weights[1] = 0
    y = convolve(network, x, weights, [4, 2 * value, 12], scales=(0.25, 0.5, 0.75))
    filters = network.constant(3 * ones(2, 3, size=2), QuantizationParameters.per_tensor(0.25, 0))
    result = network.fresh((1, 4, 4, 2), Q)
    network.append(ops.TransposeConv2D(input=y, filters=filters, output=result))
    return network.build([result])


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


DEAD_CHANNELS = {
    "constant": constant_channel(),
    "constant_padded": constant_channel_under_padding(5),
    "zero_padded": constant_channel_under_padding(0),
    "constant_transposed": constant_channel_before_transposed(5),
    "zero_transposed": constant_channel_before_transposed(0),
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
