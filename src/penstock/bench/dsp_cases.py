"""The shapes that kernels with the DSP extension are measured on."""

from functools import partial

from penstock.bench.networks import NetworkBuilder, Shape, Weights, output_size
from penstock.bench.weighted_cases import collect, conv, dense, depthwise
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import (
    NO_PADDING,
    Activation,
    Add,
    AveragePool2D,
    MaxPool2D,
    Padding2D,
)
from penstock.kernels.kernel_set import WINOGRAD_TILES

_SAME = Padding2D(1, 1, 1, 1)
_WIDE = Padding2D(2, 2, 2, 2)
_DOWN = Padding2D(0, 1, 0, 1)
_LEGACY = Weights(per_channel=False, zero_point=5)
_OPEN = Weights(activation=Activation.NONE)
_conv = partial(conv, weights=_OPEN)
_depthwise = partial(depthwise, weights=_OPEN)

_POINTS = (
    _conv((1, 8, 8, 8), 16, (1, 1)),
    _conv((1, 8, 8, 16), 8, (1, 1)),
    _conv((1, 8, 8, 32), 32, (1, 1)),
    _conv((1, 8, 8, 64), 64, (1, 1)),
    _conv((1, 16, 16, 8), 24, (1, 1)),
    _conv((1, 16, 16, 12), 4, (1, 1)),
    _conv((1, 20, 20, 4), 4, (1, 1)),
    _conv((1, 4, 4, 128), 24, (1, 1)),
    _conv((1, 3, 3, 256), 16, (1, 1)),
    _conv((1, 7, 7, 40), 20, (1, 1)),
    _conv((1, 7, 7, 24), 10, (1, 1)),
    _conv((1, 1, 1, 64), 12, (1, 1)),
    _conv((1, 1, 1, 256), 32, (1, 1)),
    _conv((1, 1, 1, 16), 24, (1, 1)),
    _conv((1, 1, 1, 36), 7, (1, 1)),
    _conv((1, 1, 1, 520), 8, (1, 1)),
    _conv((1, 5, 5, 25), 8, (1, 1)),
    _conv((1, 9, 9, 10), 6, (1, 1)),
    _conv((1, 12, 12, 16), 16, (1, 1), NO_PADDING, (2, 2)),
    _conv((1, 2, 2, 320), 8, (1, 1)),
    conv((1, 8, 8, 16), 24, (1, 1)),
    conv((1, 1, 1, 40), 16, (1, 1)),
    conv((1, 7, 7, 32), 8, (1, 1)),
)
_WINDOWS = (
    _conv((1, 5, 5, 16), 16, (3, 3), _SAME),
    _conv((1, 8, 8, 64), 16, (3, 3), _SAME, (2, 2)),
    _conv((1, 16, 16, 16), 16, (3, 3), _SAME, (1, 2)),
    _conv((1, 6, 6, 32), 32, (3, 3), _SAME, (2, 2)),
    _conv((1, 10, 10, 8), 7, (3, 3)),
    _conv((1, 10, 10, 4), 12, (3, 3)),
    _conv((1, 16, 16, 3), 8, (3, 3), _DOWN, (2, 2)),
    _conv((1, 24, 24, 3), 16, (3, 3), _DOWN, (2, 2)),
    _conv((1, 16, 16, 3), 8, (3, 3)),
    _conv((1, 12, 12, 1), 8, (3, 3), _SAME),
    _conv((1, 24, 24, 1), 4, (3, 3), _SAME, (2, 2)),
    _conv((1, 20, 10, 1), 8, (10, 4), Padding2D(4, 5, 1, 1), (2, 2)),
    _conv((1, 20, 10, 1), 32, (10, 4), Padding2D(4, 5, 1, 1), (2, 2)),
    _conv((1, 24, 20, 1), 8, (10, 8), Padding2D(4, 4, 3, 3), (2, 2)),
    _conv((1, 24, 40, 1), 4, (10, 8), Padding2D(4, 5, 3, 4)),
    _conv((1, 6, 12, 8), 4, (5, 3), Padding2D(2, 2, 1, 1)),
    _conv((1, 8, 8, 4), 6, (5, 5), _WIDE),
    _conv((1, 8, 8, 5), 9, (3, 3), _SAME),
    _conv((1, 8, 8, 6), 8, (3, 3), _SAME),
    _conv((1, 8, 8, 8), 8, (3, 3), _WIDE, (1, 1), (2, 2)),
    _conv((1, 8, 8, 3), 4, (3, 3), _WIDE, (1, 1), (2, 2)),
    _conv((1, 1, 24, 32), 32, (1, 3)),
    _conv((1, 8, 1, 1), 4, (4, 1)),
    _conv((1, 14, 14, 2), 3, (3, 3), NO_PADDING, (2, 2)),
    _conv((1, 9, 9, 7), 4, (2, 2), NO_PADDING, (1, 1)),
    conv((1, 12, 12, 16), 7, (3, 3), weights=_LEGACY),
    _conv((1, 7, 7, 12), 5, (3, 3), _SAME),
    _conv((1, 18, 18, 3), 4, (3, 3), NO_PADDING),
    _conv((1, 12, 12, 3), 12, (3, 3), _SAME),
    _conv((1, 12, 12, 5), 8, (3, 3), NO_PADDING),
    _conv((1, 10, 10, 2), 4, (3, 3), _SAME),
    _conv((1, 9, 9, 11), 4, (2, 2), NO_PADDING),
    _conv((1, 6, 6, 24), 1, (3, 3)),
)
_DEPTHWISE = (
    _depthwise((1, 8, 8, 16), (3, 3), _SAME),
    _depthwise((1, 24, 24, 8), (3, 3), _SAME),
    _depthwise((1, 24, 24, 8), (3, 3), _DOWN, (2, 2)),
    _depthwise((1, 10, 10, 32), (3, 3), _SAME, (2, 2)),
    _depthwise((1, 3, 3, 64), (3, 3), _SAME),
    _depthwise((1, 6, 24, 32), (3, 3)),
    _depthwise((1, 6, 6, 64), (3, 3), _SAME),
    _depthwise((1, 5, 20, 16), (3, 3), NO_PADDING, (2, 2)),
    _depthwise((1, 4, 12, 20), (3, 3)),
    _depthwise((1, 5, 9, 27), (3, 3), _SAME),
    _depthwise((1, 7, 16, 16), (5, 5), NO_PADDING),
    _depthwise((1, 6, 6, 32), (3, 3), _SAME, (2, 2)),
    _depthwise((1, 7, 7, 24), (3, 3), _SAME),
    _depthwise((1, 5, 25, 8), (3, 3), _SAME),
    _depthwise((1, 25, 5, 16), (3, 3), _SAME),
    _depthwise((1, 20, 5, 8), (3, 3)),
    _depthwise((1, 9, 9, 12), (3, 3), NO_PADDING, (2, 2)),
    _depthwise((1, 5, 5, 32), (3, 3), NO_PADDING, (2, 2)),
    _depthwise((1, 8, 8, 7), (3, 3), _SAME),
    _depthwise((1, 6, 6, 3), (3, 3)),
    _depthwise((1, 16, 16, 5), (3, 3), _SAME, (2, 2)),
    _depthwise((1, 8, 8, 16), (5, 5), _WIDE),
    _depthwise((1, 16, 16, 8), (5, 5), _WIDE, (2, 2)),
    _depthwise((1, 9, 9, 8), (7, 7), Padding2D(3, 3, 3, 3)),
    _depthwise((1, 10, 10, 12), (7, 7), Padding2D(3, 3, 3, 3)),
    _depthwise((1, 12, 12, 8), (7, 7), Padding2D(2, 3, 2, 3), (2, 2)),
    _depthwise((1, 7, 7, 24), (5, 5), _WIDE),
    _depthwise((1, 14, 14, 16), (5, 5), _WIDE),
    _depthwise((1, 8, 8, 24), (5, 5), Padding2D(1, 2, 1, 2), (2, 2)),
    _depthwise((1, 6, 6, 8), (1, 7), Padding2D(0, 0, 3, 3)),
    _depthwise((1, 4, 4, 16), (4, 4)),
    _depthwise((1, 8, 8, 8), (1, 1)),
    _depthwise((1, 8, 8, 8), (1, 3)),
    _depthwise((1, 8, 8, 8), (3, 1)),
    _depthwise((1, 12, 1, 8), (4, 1)),
    _depthwise((1, 12, 12, 5), (5, 5), _WIDE),
    _depthwise((1, 8, 8, 4), (2, 2)),
    depthwise((1, 12, 12, 8), (3, 3), _SAME, weights=_LEGACY),
    depthwise((1, 8, 8, 16), (3, 3), _SAME),
    depthwise((1, 10, 10, 12), (5, 5), _WIDE),
    _depthwise((1, 25, 5, 64), (3, 3), _SAME),
    _depthwise((1, 12, 12, 32), (3, 3), _SAME),
)
_SMALL_WINOGRAD = (
    _conv((1, 8, 8, 8), 8, (3, 3), _SAME),
    _conv((1, 8, 8, 16), 16, (3, 3), _SAME),
    _conv((1, 8, 8, 64), 16, (3, 3), _SAME),
    _conv((1, 7, 7, 24), 10, (3, 3), _SAME),
    _conv((1, 9, 9, 12), 9, (3, 3), _SAME),
    _conv((1, 11, 6, 20), 8, (3, 3), _SAME),
    _conv((1, 6, 6, 40), 24, (3, 3), _SAME),
    conv((1, 8, 8, 16), 8, (3, 3), weights=_LEGACY),
)
_WINOGRAD_4X4 = (
    _conv((1, 8, 8, 8), 8, (3, 3), _SAME),
    _conv((1, 8, 8, 32), 8, (3, 3), _SAME),
    _conv((1, 8, 8, 64), 12, (3, 3), _SAME),
    _conv((1, 16, 16, 16), 8, (3, 3), _SAME),
    _conv((1, 12, 12, 24), 10, (3, 3)),
    _conv((1, 24, 24, 8), 8, (3, 3), _SAME),
    _conv((1, 10, 14, 40), 8, (3, 3), NO_PADDING),
    _conv((1, 7, 11, 12), 9, (3, 3), _SAME),
    _conv((1, 32, 8, 16), 8, (3, 3), _SAME),
    _conv((1, 6, 6, 20), 24, (3, 3), _SAME),
    conv((1, 12, 12, 16), 16, (3, 3), _SAME),
    conv((1, 16, 8, 8), 8, (3, 3), weights=_LEGACY),
)
_WINOGRAD = (
    _conv((1, 16, 16, 16), 8, (3, 3), _SAME),
    _conv((1, 12, 12, 32), 12, (3, 3)),
    _conv((1, 24, 24, 8), 8, (3, 3), _SAME),
    _conv((1, 10, 10, 48), 8, (3, 3), NO_PADDING),
    _conv((1, 32, 8, 16), 8, (3, 3), _SAME),
    conv((1, 12, 12, 16), 16, (3, 3), _SAME),
)
"""Apart from the small ones, so that all of either fits tightly coupled memory."""
_DENSE = (
    dense(1, 16, 16),
    dense(1, 64, 10),
    dense(1, 256, 32),
    dense(1, 640, 8),
    dense(4, 8, 9),
    dense(1, 4, 16),
    dense(2, 2, 4),
    dense(1, 33, 3),
    dense(1, 250, 8),
    dense(1, 100, 12),
    dense(1, 301, 8),
    dense(3, 128, 16),
    dense(2, 12, 24),
    dense(1, 24, 16),
    dense(1, 20, 32),
)


_SUMS: tuple[tuple[Shape, Shape, float], ...] = (
    ((1, 4, 4, 16), (1, 4, 4, 16), 0.05),
    ((1, 8, 8, 16), (1, 8, 8, 16), 0.05),
    ((1, 8, 8, 16), (1, 8, 8, 16), 0.02),
    ((1, 16, 16, 8), (1, 16, 16, 8), 0.02),
    ((1, 1, 1, 40), (1, 1, 1, 40), 0.02),
    ((1, 8, 8, 24), (1, 1, 1, 24), 0.02),
    ((1, 8, 8, 24), (1, 1, 1, 24), 0.05),
    ((1, 6, 5, 3), (1, 6, 5, 1), 0.02),
    ((1, 6, 5, 3), (1, 6, 5, 1), 0.05),
    ((1, 1, 1, 7), (1, 1, 1, 7), 0.02),
    ((1, 1, 1, 7), (1, 1, 1, 7), 0.05),
    ((1, 8, 8, 16), (1, 8, 1, 16), 0.02),
    ((1, 1, 1, 1), (1, 1, 1, 1), 0.05),
    ((1, 1, 1, 2), (1, 1, 1, 2), 0.02),
)
"""Shapes of the operands, and the scale of the second; the first one's is 0.05."""


def _add_sum(network: NetworkBuilder, left: Shape, right: Shape, scale: float) -> None:
    output = network.tensor(left, scale=0.1)
    operands = network.input(left), network.input(right, scale=scale)
    network.operator(Add(left=operands[0], right=operands[1], output=output))


def _sums() -> Graph:
    network = NetworkBuilder(DType.INT8)
    for left, right, scale in _SUMS:
        _add_sum(network, left, right, scale)
    return network.build("add_dsp_s8")


_POOLS: tuple[tuple[Shape, tuple[int, int], tuple[int, int], Padding2D], ...] = (
    ((1, 8, 8, 8), (2, 2), (2, 2), NO_PADDING),
    ((1, 8, 8, 8), (3, 3), (1, 1), _SAME),
    ((1, 6, 6, 16), (6, 6), (1, 1), NO_PADDING),
    ((1, 25, 5, 16), (25, 5), (1, 1), NO_PADDING),
    ((1, 8, 8, 64), (8, 8), (1, 1), NO_PADDING),
    ((1, 1, 1, 4), (1, 1), (1, 1), NO_PADDING),
    ((1, 8, 8, 4), (1, 1), (2, 2), NO_PADDING),
    ((1, 16, 1, 8), (4, 1), (4, 1), NO_PADDING),
    ((1, 1, 16, 8), (1, 2), (1, 2), NO_PADDING),
    ((1, 3, 3, 64), (3, 3), (1, 1), NO_PADDING),
    ((1, 7, 7, 32), (7, 7), (1, 1), NO_PADDING),
    ((1, 3, 3, 128), (1, 1), (1, 1), NO_PADDING),
    ((1, 12, 12, 12), (3, 3), (2, 2), _SAME),
    ((1, 1, 6, 32), (1, 6), (1, 1), NO_PADDING),
    ((1, 10, 10, 4), (5, 5), (1, 1), _SAME),
)
"""Shapes of the input, windows, strides and paddings."""


def _pools(name: str, kind: type[AveragePool2D] | type[MaxPool2D]) -> Graph:
    network = NetworkBuilder(DType.INT8)
    for shape, window, stride, padding in _POOLS:
        size = output_size(shape, window, stride, (1, 1), padding)
        output = network.tensor((shape[0], *size, shape[3]))
        network.operator(
            kind(
                input=network.input(shape),
                output=output,
                filter=window,
                stride=stride,
                padding=padding,
            )
        )
    return network.build(name)


def winograd_tiles(network: str) -> tuple[int, ...]:
    """Return which Winograd convolutions a network is for, of those that it could have."""
    if "winograd" not in network:
        return WINOGRAD_TILES
    return (4,) if "4x4" in network else (2,)


def dsp_kernel_networks() -> list[Graph]:
    """Return networks that measure the kernels with the DSP extension."""
    int8 = DType.INT8
    return [
        collect("conv_2d_dsp_s8_points", int8, *_POINTS),
        collect("conv_2d_dsp_s8_windows", int8, *_WINDOWS),
        collect("conv_2d_winograd_2x2_dsp_s8_small", int8, *_SMALL_WINOGRAD),
        collect("conv_2d_winograd_2x2_dsp_s8", int8, *_WINOGRAD),
        collect("conv_2d_winograd_4x4_dsp_s8", int8, *_WINOGRAD_4X4),
        collect("depthwise_conv_2d_dsp_s8", int8, *_DEPTHWISE),
        collect("fully_connected_dsp_s8", int8, *_DENSE),
        _sums(),
        _pools("average_pool_2d_dsp_s8", AveragePool2D),
        _pools("max_pool_2d_dsp_s8", MaxPool2D),
    ]
