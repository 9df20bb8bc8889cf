"""The shapes that each kernel is measured on: every loop of it short and long."""

from collections.abc import Callable

from penstock.bench.networks import NetworkBuilder, Pair, Shape, Weights
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import NO_PADDING, Padding2D

_SAME = Padding2D(1, 1, 1, 1)
_WIDE = Padding2D(2, 2, 2, 2)
_LEGACY = Weights(per_channel=False, zero_point=5)
_STEEP = Weights(gain=3.0)
_MIXED = Weights(gain=0.6)
_BARE = Weights(per_channel=False, bias=False)
_NARROW = Weights(wide_bias=False)

Case = Callable[[NetworkBuilder], None]


def conv(
    shape: Shape,
    channels: int,
    taps: Pair,
    padding: Padding2D = NO_PADDING,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
    weights: Weights | None = None,
) -> Case:
    """Return what adds a convolution to a network."""

    def add(network: NetworkBuilder) -> None:
        network.conv_2d(
            shape,
            channels,
            taps,
            stride=stride,
            dilation=dilation,
            padding=padding,
            groups=groups,
            weights=weights or Weights(),
        )

    return add


def depthwise(
    shape: Shape,
    taps: Pair,
    padding: Padding2D = NO_PADDING,
    stride: Pair = (1, 1),
    per_input: int = 1,
    weights: Weights | None = None,
) -> Case:
    """Return what adds a depthwise convolution to a network."""

    def add(network: NetworkBuilder) -> None:
        network.depthwise_conv_2d(
            shape,
            taps,
            per_input=per_input,
            stride=stride,
            padding=padding,
            weights=weights or Weights(),
        )

    return add


def _transposed(
    shape: Shape, channels: int, taps: Pair, stride: Pair, weights: Weights | None = None
) -> Case:
    def add(network: NetworkBuilder) -> None:
        network.transpose_conv_2d(
            shape, channels, taps, stride=stride, weights=weights or Weights()
        )

    return add


def dense(rows: int, depth: int, channels: int, weights: Weights | None = None) -> Case:
    """Return what adds a fully connected layer to a network."""

    def add(network: NetworkBuilder) -> None:
        network.fully_connected(rows, depth, channels, weights=weights or Weights())

    return add


def _svdf(depth: int, units: int, rank: int, memory: int, state: DType) -> Case:
    def add(network: NetworkBuilder) -> None:
        network.svdf(depth, units, rank, memory, state)

    return add


_CONVOLUTIONS = (
    conv((1, 8, 8, 16), 16, (3, 3), _SAME),
    conv((1, 1, 1, 1), 1, (1, 1)),
    conv((1, 1, 1, 64), 12, (1, 1)),
    conv((1, 8, 8, 8), 16, (1, 1)),
    conv((1, 8, 8, 32), 32, (1, 1)),
    conv((1, 4, 4, 128), 24, (1, 1)),
    conv((1, 16, 16, 3), 8, (3, 3), _SAME, (2, 2)),
    conv((1, 12, 12, 1), 8, (3, 3), _SAME),
    conv((1, 20, 10, 1), 8, (10, 4), _SAME, (2, 2)),
    conv((1, 8, 8, 4), 6, (5, 5), _WIDE),
    conv((1, 6, 6, 4), 3, (3, 3)),
    conv((1, 6, 6, 24), 1, (3, 3)),
    conv((1, 8, 8, 8), 7, (3, 3), _SAME),
    conv((1, 8, 8, 8), 8, (3, 3), _WIDE, (1, 1), (2, 2)),
    conv((1, 8, 8, 8), 8, (1, 3), NO_PADDING, (1, 1), (1, 2)),
    conv((1, 6, 6, 16), 16, (3, 3), _SAME, groups=4),
    conv((1, 6, 6, 8), 6, (1, 1), groups=2),
    conv((1, 8, 1, 1), 4, (4, 1)),
    conv((1, 6, 6, 12), 8, (1, 1)),
    conv((1, 6, 6, 10), 8, (3, 3), _SAME),
    conv((1, 5, 5, 25), 8, (1, 1)),
    conv((1, 14, 14, 1), 2, (3, 3)),
    conv((1, 14, 14, 2), 3, (3, 3), NO_PADDING, (2, 2)),
    conv((1, 1, 16, 2), 5, (1, 2)),
    conv((1, 1, 24, 32), 32, (1, 3)),
    conv((1, 8, 8, 8), 8, (3, 3), _SAME, weights=_STEEP),
    conv((1, 6, 6, 8), 16, (1, 1), weights=_MIXED),
    conv((1, 8, 8, 8), 8, (3, 3), _SAME, weights=_BARE),
    conv((1, 6, 6, 16), 10, (1, 1), weights=_BARE),
)
_LEGACY_CONVOLUTIONS = (
    conv((1, 8, 8, 8), 8, (3, 3), _SAME, weights=_LEGACY),
    conv((1, 8, 8, 3), 6, (3, 3), _SAME, (2, 2), weights=_LEGACY),
    conv((1, 6, 6, 32), 16, (1, 1), weights=_LEGACY),
    conv((1, 1, 1, 256), 16, (1, 1), weights=_LEGACY),
)
_NARROW_CONVOLUTIONS = (
    conv((1, 8, 8, 8), 8, (3, 3), _SAME, weights=_NARROW),
    conv((1, 6, 6, 16), 9, (1, 1), weights=_NARROW),
    conv((1, 6, 6, 4), 16, (1, 1), weights=_NARROW),
)
_DEPTHWISE = (
    depthwise((1, 8, 8, 16), (3, 3), _SAME),
    depthwise((1, 1, 1, 1), (1, 1)),
    depthwise((1, 10, 10, 32), (3, 3), _SAME, (2, 2)),
    depthwise((1, 8, 8, 16), (5, 5), _WIDE),
    depthwise((1, 9, 9, 8), (7, 7), Padding2D(3, 3, 3, 3)),
    depthwise((1, 3, 3, 64), (3, 3), _SAME),
    depthwise((1, 8, 8, 7), (3, 3), _SAME),
    depthwise((1, 6, 6, 3), (3, 3)),
    depthwise((1, 4, 4, 16), (4, 4)),
    depthwise((1, 8, 8, 8), (1, 1)),
    depthwise((1, 8, 8, 8), (1, 3)),
    depthwise((1, 8, 8, 8), (3, 1)),
    depthwise((1, 12, 1, 8), (4, 1)),
    depthwise((1, 8, 8, 5), (1, 1)),
    depthwise((1, 8, 8, 5), (2, 1)),
    depthwise((1, 20, 10, 1), (10, 8), _SAME, (2, 2), 8),
    depthwise((1, 8, 8, 1), (3, 3), _SAME, per_input=8),
    depthwise((1, 6, 6, 3), (3, 3), _SAME, per_input=4),
    depthwise((1, 6, 6, 2), (1, 1), per_input=4),
    depthwise((1, 6, 6, 3), (3, 3), _SAME, per_input=2),
    depthwise((1, 6, 6, 1), (5, 5), _WIDE, per_input=12),
    depthwise((1, 8, 8, 8), (3, 3), _SAME, weights=_STEEP),
    depthwise((1, 6, 6, 16), (3, 3), _SAME, weights=_MIXED),
    depthwise((1, 8, 8, 8), (3, 3), _SAME, weights=_BARE),
)
_LEGACY_DEPTHWISE = (
    depthwise((1, 8, 8, 16), (3, 3), _SAME, weights=_LEGACY),
    depthwise((1, 8, 8, 8), (3, 3), _SAME, (2, 2), weights=_LEGACY),
    depthwise((1, 4, 4, 16), (5, 5), _WIDE, weights=_LEGACY),
    depthwise((1, 6, 6, 8), (1, 1), weights=_LEGACY),
)
_TRANSPOSED = (
    _transposed((1, 4, 4, 8), 8, (2, 2), (2, 2)),
    _transposed((1, 4, 4, 16), 8, (3, 3), (2, 2)),
    _transposed((1, 1, 8, 32), 16, (1, 4), (1, 2)),
    _transposed((1, 1, 8, 64), 32, (1, 4), (1, 2)),
    _transposed((1, 5, 5, 4), 6, (3, 3), (1, 1)),
    _transposed((1, 4, 4, 2), 3, (2, 2), (1, 1)),
    _transposed((1, 3, 3, 32), 4, (1, 1), (1, 1)),
    _transposed((1, 3, 3, 8), 8, (2, 2), (3, 3)),
    _transposed((1, 4, 4, 8), 8, (2, 2), (2, 2), _BARE),
    _transposed((1, 5, 5, 8), 6, (3, 3), (2, 2)),
    _transposed((1, 4, 4, 1), 4, (4, 4), (2, 2)),
    _transposed((1, 6, 1, 16), 12, (5, 1), (2, 1)),
    _transposed((1, 1, 16, 24), 4, (1, 8), (1, 4)),
    _transposed((1, 3, 3, 4), 9, (4, 4), (1, 1)),
    _transposed((1, 1, 1, 64), 8, (3, 3), (1, 1)),
    _transposed((1, 4, 4, 3), 2, (3, 3), (2, 2)),
    _transposed((1, 2, 2, 48), 5, (2, 2), (2, 2)),
    _transposed((1, 3, 3, 16), 8, (3, 3), (2, 2), _STEEP),
)
_DENSE = (
    dense(1, 16, 16),
    dense(1, 64, 10),
    dense(1, 256, 32),
    dense(1, 640, 8),
    dense(4, 8, 9),
    dense(1, 1, 16),
    dense(2, 2, 4),
    dense(1, 33, 3),
    dense(1, 250, 8),
    dense(1, 100, 12),
    dense(1, 36, 8),
    dense(1, 301, 8),
    dense(1, 128, 16, _BARE),
    dense(1, 32, 16, _STEEP),
    dense(1, 32, 16, Weights(per_channel=False)),
)
_LEGACY_DENSE = (
    dense(1, 64, 10, _LEGACY),
    dense(1, 256, 4, _LEGACY),
    dense(3, 16, 8, _LEGACY),
)
_NARROW_DENSE = (dense(1, 64, 10, _NARROW), dense(1, 16, 16, _NARROW), dense(2, 100, 5, _NARROW))


def collect(name: str, dtype: DType, *cases: Case) -> Graph:
    """Return a network of cases side by side."""
    network = NetworkBuilder(dtype)
    for case in cases:
        case(network)
    return network.build(name)


def weighted_networks() -> list[Graph]:
    """Return networks that measure the kernels with weights."""
    int8, int16 = DType.INT8, DType.INT16
    svdf_sizes = ((40, 16, 2, 8), (8, 8, 1, 4), (25, 96, 1, 62), (10, 4, 2, 12), (2, 2, 1, 2))
    return [
        collect("conv_2d_s8", int8, *_CONVOLUTIONS, *_LEGACY_CONVOLUTIONS),
        collect("conv_2d_s16", int16, *_CONVOLUTIONS, *_NARROW_CONVOLUTIONS),
        collect("depthwise_conv_2d_s8", int8, *_DEPTHWISE, *_LEGACY_DEPTHWISE),
        collect("depthwise_conv_2d_s16", int16, *_DEPTHWISE),
        collect("transpose_conv_2d_s8", int8, *_TRANSPOSED),
        collect("transpose_conv_2d_s16", int16, *_TRANSPOSED),
        collect("fully_connected_s8", int8, *_DENSE, *_LEGACY_DENSE),
        collect("fully_connected_s16", int16, *_DENSE, *_NARROW_DENSE),
        collect("svdf_s8", int8, *(_svdf(*size, int8) for size in svdf_sizes)),
        collect("svdf_state_s16_s8", int8, *(_svdf(*size, int16) for size in svdf_sizes)),
    ]
