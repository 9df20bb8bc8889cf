"""The int8 shapes that users compare kernels by: those of MLPerf Tiny's networks, or like them."""

from functools import partial

from penstock.bench.networks import NetworkBuilder, Pair, Shape, Weights, output_size
from penstock.bench.weighted_cases import Case, conv, dense, depthwise
from penstock.ir import operators as ops
from penstock.ir.operators import NO_PADDING, Activation, Padding2D

_SAME = Padding2D(1, 1, 1, 1)
_HALVING = Padding2D(0, 1, 0, 1)
"""What TensorFlow pads an even extent with, for a window of three and a stride of two."""
_WHOLE_RANGE = Weights(activation=Activation.NONE)
"""As converters quantize a ReLU: all values that int8 has are allowed, and none is limited."""
_conv, _depthwise = (partial(layer, weights=_WHOLE_RANGE) for layer in (conv, depthwise))


def _add(shape: Shape) -> Case:
    def add(network: NetworkBuilder) -> None:
        sources = network.input(shape), network.input(shape)
        output = network.tensor(shape)
        network.operator(ops.Add(left=sources[0], right=sources[1], output=output))

    return add


def _pool(kind: type[ops.AveragePool2D | ops.MaxPool2D], shape: Shape, window: Pair) -> Case:
    def add(network: NetworkBuilder) -> None:
        size = output_size(shape, window, window, (1, 1), NO_PADDING)
        source, output = network.input(shape), network.tensor((shape[0], *size, shape[3]))
        network.operator(kind(input=source, output=output, filter=window, stride=window))

    return add


def _mean(shape: Shape) -> Case:
    def add(network: NetworkBuilder) -> None:
        source, output = network.input(shape), network.tensor((shape[0], shape[3]))
        network.operator(ops.Mean(input=source, output=output, axes=(1, 2), keep_dims=False))

    return add


def _softmax(columns: int) -> Case:
    def add(network: NetworkBuilder) -> None:
        source = network.input((1, columns), scale=0.1)
        output = network.tensor((1, columns), scale=1 / 256, zero_point=-128)
        network.operator(ops.Softmax(input=source, output=output))

    return add


def _tanh(length: int) -> Case:
    def add(network: NetworkBuilder) -> None:
        source, output = network.input((1, length)), network.tensor((1, length), scale=1 / 128)
        network.operator(ops.Tanh(input=source, output=output))

    return add


def _join(shape: Shape) -> Case:
    def add(network: NetworkBuilder) -> None:
        sources = network.input(shape), network.input(shape)
        output = network.tensor((*shape[:-1], 2 * shape[-1]))
        network.operator(ops.Concatenation(operands=sources, output=output, axis=len(shape) - 1))

    return add


KERNEL_SHAPES: dict[str, tuple[Case, ...]] = {
    "products": (
        _conv((1, 25, 5, 64), 64, (1, 1)),
        _conv((1, 8, 8, 128), 128, (1, 1)),
        dense(1, 640, 128),
        dense(1, 128, 128),
    ),
    "convolutions": (
        _conv((1, 16, 16, 16), 16, (3, 3), _SAME),
        _conv((1, 8, 8, 32), 32, (3, 3), _SAME),
        _conv((1, 10, 10, 32), 32, (3, 3), _SAME),
        _conv((1, 7, 7, 8), 32, (3, 3), _SAME),
        _conv((1, 16, 16, 16), 32, (3, 3), _HALVING, (2, 2)),
    ),
    "first_layers": (
        _conv((1, 32, 32, 3), 16, (3, 3), _SAME),
        _conv((1, 49, 10, 1), 64, (10, 4), Padding2D(4, 5, 1, 1), (2, 2)),
    ),
    "depthwise": (
        _depthwise((1, 25, 5, 64), (3, 3), _SAME),
        _depthwise((1, 48, 48, 8), (3, 3), _SAME),
        _depthwise((1, 16, 16, 32), (3, 3), _HALVING, (2, 2)),
    ),
    "wide_depthwise": (
        _depthwise((1, 12, 12, 64), (5, 5), Padding2D(2, 2, 2, 2)),
        _depthwise((1, 12, 12, 64), (7, 7), Padding2D(3, 3, 3, 3)),
    ),
    "elementary": (
        _add((1, 16, 16, 16)),
        _pool(ops.AveragePool2D, (1, 25, 5, 64), (25, 5)),
        _pool(ops.MaxPool2D, (1, 16, 16, 32), (2, 2)),
        _mean((1, 8, 8, 64)),
        _softmax(10),
        _tanh(4096),
        _join((1, 8, 8, 32)),
    ),
}
"""By network, each with inputs and outputs that 64 KiB hold beside the kernels' scratch memory."""
