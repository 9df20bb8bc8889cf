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
from tests.passes.building import OTHER, SPATIAL, Q, convolve, ones, start
from tests.passes.dead_channel_cases import DEAD_CHANNELS

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


def sliced(begin, stride) -> Graph:
    """A slice that takes every element of the rows, forwards or backwards."""
    network, x = start()
    y = network.fresh((1, 3, 3, 2), Q)
    network.append(
        ops.StridedSlice(
            input=x,
            output=y,
            begin=(0, begin, 0, 0),
            extents=(1, 3, 3, 2),
            strides=(1, stride, 1, 1),
        )
    )
    return network.build([convolve(network, y, ones(2))])


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
    "eliminate_identities_slice": (EliminateIdentities(), sliced(0, 1)),
    "eliminate_identities_reversed": (EliminateIdentities(), sliced(2, -1)),
    "eliminate_dead_code_branch": (EliminateDeadCode(), unread_branch()),
    "eliminate_dead_code_state": (EliminateDeadCode(), unread_state()),
}
CASES.update(
    {
        f"eliminate_dead_channels_{name}": (EliminateDeadChannels(), graph)
        for name, graph in DEAD_CHANNELS.items()
    }
)
"""By name, a pass and the graph that it is given."""
