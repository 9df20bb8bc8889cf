"""The shapes that each kernel without weights is measured on."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

from penstock.bench.networks import NetworkBuilder, Pair, Shape, output_size
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import NO_PADDING, AverageRounding, Padding2D

_SAME = Padding2D(1, 1, 1, 1)
Scales = tuple[float, float]
Kind = Callable[..., ops.Operator]
"""A class of operators, with some of its attributes already given."""

_INT8, _INT16, _INT32, _FLOAT32 = DType.INT8, DType.INT16, DType.INT32, DType.FLOAT32

_WALKS: tuple[tuple[Shape, Shape], ...] = (
    ((1, 1), (1, 1)),
    ((1, 7), (1, 7)),
    ((1, 64), (1, 64)),
    ((1, 12, 12, 8), (1, 12, 12, 8)),
    ((1, 6, 6, 16), (1, 1, 1, 16)),
    ((1, 6, 6, 16), (1, 1, 1, 1)),
    ((1, 6, 6, 16), (1, 6, 6, 1)),
    ((4, 1, 9, 1), (1, 5, 1, 3)),
    ((40, 2), (1, 2)),
)
"""Operands that walk in one run, in many, and with carries."""

_POOLS: tuple[tuple[Shape, Pair, Pair, Padding2D], ...] = (
    ((1, 8, 8, 8), (2, 2), (2, 2), NO_PADDING),
    ((1, 8, 8, 8), (3, 3), (1, 1), _SAME),
    ((1, 6, 6, 16), (6, 6), (1, 1), NO_PADDING),
    ((1, 25, 5, 8), (25, 5), (1, 1), NO_PADDING),
    ((1, 1, 1, 4), (1, 1), (1, 1), NO_PADDING),
    ((1, 8, 8, 5), (1, 1), (2, 2), NO_PADDING),
    ((1, 16, 1, 8), (4, 1), (4, 1), NO_PADDING),
    ((1, 1, 16, 8), (1, 2), (1, 2), NO_PADDING),
    ((1, 3, 3, 64), (3, 3), (1, 1), NO_PADDING),
    ((1, 7, 7, 32), (7, 7), (1, 1), NO_PADDING),
    ((1, 3, 3, 128), (1, 1), (1, 1), NO_PADDING),
    ((1, 12, 12, 3), (3, 3), (2, 2), _SAME),
    ((1, 1, 6, 32), (1, 6), (1, 1), NO_PADDING),
    ((1, 9, 1, 16), (9, 1), (1, 1), NO_PADDING),
    ((1, 10, 10, 1), (5, 5), (1, 1), _SAME),
)
_MEANS: tuple[tuple[Shape, tuple[int, ...]], ...] = (
    ((1, 7, 7, 32), (1, 2)),
    ((1, 1, 1, 8), (1, 2)),
    ((1, 4, 4, 16), (3,)),
    ((1, 16, 4, 3), (1,)),
    ((2, 5, 3, 4), (1, 3)),
    ((1, 2, 1, 64), (1, 2)),
    ((1, 30), (1,)),
)
_BYTE_SCALES = ((0.05, 0.02), (0.02, 0.05), (0.05, 0.05))
_WORD_SCALES = ((0.0002, 0.00008), (0.00008, 0.0002), (0.0002, 0.0002))
"""Of left and right: in turn one is larger, whose rescaling goes another way."""

_LENGTHS = (1, 5, 40, 300)
_ROWS: tuple[Shape, ...] = ((1, 2), (1, 10), (1, 100), (8, 4), (30, 2))


def _network(name: str, dtype: DType, add: Callable[[NetworkBuilder], None]) -> Graph:
    network = NetworkBuilder(dtype)
    add(network)
    return network.build(name)


def _binary(name: str, kind: Kind, dtype: DType, scales: Sequence[Scales]) -> Graph:
    """Return operators on two tensors of these scales, the output having the larger."""

    def add(network: NetworkBuilder) -> None:
        for (left, right), (left_scale, right_scale) in product(_WALKS, scales):
            shape = tuple(max(a, b) for a, b in zip(left, right, strict=True))
            network.operator(
                kind(
                    left=network.input(left, scale=left_scale),
                    right=network.input(right, scale=right_scale),
                    output=network.tensor(shape, scale=max(left_scale, right_scale)),
                )
            )

    return _network(f"{name}_{dtype.value}", dtype, add)


def _shifted_sums() -> Graph:
    """Return int16 sums of scales that are powers of two."""

    def add(network: NetworkBuilder) -> None:
        for left, right in _WALKS:
            shape = tuple(max(a, b) for a, b in zip(left, right, strict=True))
            network.operator(
                ops.Add(
                    left=network.input(left, scale=2.0**-12),
                    right=network.input(right, scale=2.0**-11),
                    output=network.tensor(shape, scale=2.0**-11),
                    pot_scale_int16=True,
                )
            )

    return _network("add_shift_s16", _INT16, add)


def _pools(name: str, kind: Kind, dtype: DType) -> Graph:
    def add(network: NetworkBuilder) -> None:
        for shape, window, stride, padding in _POOLS:
            size = output_size(shape, window, stride, (1, 1), padding)
            network.operator(
                kind(
                    input=network.input(shape),
                    output=network.tensor((shape[0], *size, shape[3])),
                    filter=window,
                    stride=stride,
                    padding=padding,
                )
            )

    return _network(f"{name}_{dtype.value}", dtype, add)


def _means(dtype: DType) -> Graph:
    def add(network: NetworkBuilder) -> None:
        for shape, axes in _MEANS:
            kept = [extent for axis, extent in enumerate(shape) if axis not in axes]
            source, output = network.input(shape), network.tensor(kept)
            network.operator(ops.Mean(input=source, output=output, axes=axes, keep_dims=False))

    return _network(f"mean_{dtype.value}", dtype, add)


def _copies() -> Graph:
    def add(network: NetworkBuilder) -> None:
        slices: tuple[tuple[Shape, Shape, Shape, Shape], ...] = (
            ((1, 64), (0, 0), (1, 16), (1, 1)),
            ((1, 512), (0, 16), (1, 400), (1, 1)),
            ((1, 64), (0, 3), (1, 33), (1, 1)),
            ((1, 600), (0, 5), (1, 500), (1, 1)),
            ((1, 2400), (0, 64), (1, 2048), (1, 1)),
            ((1, 6000), (0, 80), (1, 5600), (1, 1)),
            ((30, 60), (0, 3), (30, 50), (1, 1)),
            ((12, 16), (0, 0), (12, 8), (1, 1)),
            ((12, 40), (0, 4), (12, 32), (1, 1)),
            ((12, 40), (0, 3), (12, 21), (1, 1)),
            ((20, 2), (0, 0), (20, 1), (1, 1)),
            ((4, 5, 6, 8), (0, 0, 0, 0), (4, 3, 2, 8), (1, 1, 1, 1)),
            ((1, 80), (0, 0), (1, 40), (1, 2)),
            ((9, 30), (0, 0), (9, 10), (1, 3)),
        )
        for dtype in (_INT8, _INT16):
            for shape, begin, extents, strides in slices:
                network.operator(
                    ops.StridedSlice(
                        input=network.input(shape, dtype),
                        output=network.tensor(extents, dtype),
                        begin=begin,
                        extents=extents,
                        strides=strides,
                    )
                )
        for size in ((12, 10), (3, 40)):
            network.operator(
                ops.Transpose(
                    input=network.input(size),
                    output=network.tensor(size[::-1]),
                    permutation=(1, 0),
                )
            )

    return _network("strided_copy", _INT8, add)


def _paddings(dtype: DType) -> list[Graph]:
    """Return networks of paddings, in both dimensions and before a sequence."""
    around = (((0, 0), (1, 1), (1, 1), (0, 0)), ((0, 0), (0, 1), (0, 1), (0, 0)))
    shapes: tuple[Shape, ...] = ((1, 8, 8, 8), (1, 6, 6, 3), (1, 1, 30, 16), (1, 16, 16, 1))
    before = ((0, 0), (0, 0), (3, 0), (0, 0))
    return [
        _padding_network(f"pad_{dtype.value}", dtype, tuple(product(shapes, around))),
        _padding_network(f"pad_sequence_{dtype.value}", dtype, (((1, 1, 40, 24), before),)),
        _padding_network(f"pad_channels_{dtype.value}", dtype, (((1, 1, 12, 100), before),)),
    ]


def _padding_network(
    name: str, dtype: DType, cases: Sequence[tuple[Shape, Sequence[Pair]]]
) -> Graph:
    def add(network: NetworkBuilder) -> None:
        for shape, amounts in cases:
            padded = [extent + sum(pair) for extent, pair in zip(shape, amounts, strict=True)]
            network.operator(
                ops.Pad(
                    input=network.input(shape),
                    output=network.tensor(padded),
                    paddings=tuple(amounts),
                )
            )

    return _network(name, dtype, add)


def _tables() -> Graph:
    def add(network: NetworkBuilder) -> None:
        for length in _LENGTHS:
            source, output = network.input((1, length)), network.tensor((1, length))
            network.operator(ops.HardSwish(input=source, output=output))
        for rows, length in ((20, 4), (6, 30)):
            names = tuple(network.input((rows, length), scale=scale) for scale in (0.04, 0.06))
            output = network.tensor((rows, 2 * length), scale=0.07)
            network.operator(ops.Concatenation(operands=names, output=output, axis=1))

    return _network("table_u8", _INT8, add)


def _conversions() -> list[Graph]:
    """Return one network for each pair of types of QUANTIZE and DEQUANTIZE."""
    wide = (_INT8, _INT16, _INT32)
    pairs = [pair for pair in product(wide, wide) if pair not in ((_INT8,) * 2, (_INT32,) * 2)]
    pairs += [(_FLOAT32, dtype) for dtype in (_INT8, DType.UINT8, _INT16)]
    pairs += [(dtype, _FLOAT32) for dtype in (_INT8, DType.UINT8, _INT16)]
    return [_conversion(*pair) for pair in pairs]


def _conversion(before: DType, after: DType) -> Graph:
    kind = ops.Dequantize if after is _FLOAT32 else ops.Quantize

    def add(network: NetworkBuilder) -> None:
        for length, scale in product(_LENGTHS, (0.05, 0.013)):
            source = network.input((1, length), before, 0.02)
            network.operator(kind(input=source, output=network.tensor((1, length), after, scale)))

    return _network(f"quantize_{before.value}_{after.value}", _INT8, add)


def _curves(name: str, kind: Kind, scales: Sequence[float]) -> Graph:
    def add(network: NetworkBuilder) -> None:
        for length, scale in product(_LENGTHS, scales):
            source = network.input((1, length), scale=scale)
            output = network.tensor((1, length), scale=2.0**-15)
            network.operator(kind(input=source, output=output))

    return _network(f"{name}_s16", _INT16, add)


def _softmax(name: str, kind: Kind, before: DType, after: DType) -> Graph:
    scale, zero_point = {_INT16: (1 / 32768, 0), _INT8: (1 / 256, -128)}.get(after, (1.0, 0))
    if before is _INT8 and after is _INT16:
        scale, zero_point = 1 / 65536, -32768

    def add(network: NetworkBuilder) -> None:
        for shape, step in product(_ROWS, (0.04, 0.1, 0.3) if before is _INT8 else (None,)):
            source = network.input(shape, before, step)
            output = network.tensor(shape, after, scale, zero_point)
            network.operator(kind(input=source, output=output))

    return _network(f"{name}_{before.value}_{after.value}", _INT8, add)


def _empty() -> Graph:
    """Return a network without any call, and so nothing but what surrounds calls."""

    def add(network: NetworkBuilder) -> None:
        source, output = network.input((1, 4)), network.tensor((4,))
        network.operator(ops.Reshape(input=source, output=output))

    return _network("empty", _INT8, add)


def _single() -> Graph:
    """Return a network with one call."""

    def add(network: NetworkBuilder) -> None:
        source, output = network.input((1, 16)), network.tensor((1, 16))
        network.operator(ops.HardSwish(input=source, output=output))

    return _network("single", _INT8, add)


def elementary_networks() -> list[Graph]:
    """Return networks that measure the kernels without weights."""
    half_up = partial(ops.AveragePool2D, rounding=AverageRounding.HALF_UP)
    leaky = partial(ops.LeakyRelu, alpha=0.3)
    networks = [
        _empty(),
        _single(),
        _binary("add", ops.Add, _INT8, _BYTE_SCALES),
        _binary("add", ops.Add, _INT16, _WORD_SCALES),
        _shifted_sums(),
        _binary("mul", ops.Mul, _INT8, _BYTE_SCALES),
        _binary("mul", ops.Mul, _INT16, _WORD_SCALES),
        _pools("average_pool", ops.AveragePool2D, _INT8),
        _pools("average_pool_half_up", half_up, _INT8),
        _pools("average_pool", ops.AveragePool2D, _INT16),
        _pools("max_pool", ops.MaxPool2D, _INT8),
        _pools("max_pool", ops.MaxPool2D, _INT16),
        *(_means(dtype) for dtype in (_INT8, _INT16)),
        _copies(),
        *_paddings(_INT8),
        *_paddings(_INT16),
        _tables(),
        *_conversions(),
        _curves("leaky_relu", leaky, (2.0**-14, 2.0**-15.5, 2.0**-17.5)),
        _curves("logistic", ops.Logistic, (2.0**-12, 2.0**-14)),
        _curves("tanh", ops.Tanh, (2.0**-12, 2.0**-14)),
        _softmax("softmax", ops.Softmax, _INT8, _INT8),
        _softmax("softmax", ops.Softmax, _INT8, _INT16),
        _softmax("softmax", ops.Softmax, _INT16, _INT16),
        _softmax("softmax", ops.Softmax, _FLOAT32, _FLOAT32),
        _softmax("log_softmax", ops.LogSoftmax, _FLOAT32, _FLOAT32),
    ]
    for dtype in (_INT8, _INT16):
        networks.append(_binary("maximum", ops.Maximum, dtype, ((0.05, 0.05),)))
        networks.append(_binary("minimum", ops.Minimum, dtype, ((0.05, 0.05),)))
    return networks
