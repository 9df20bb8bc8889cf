"""The shapes that kernels whose filters take fewer bytes than int8 are measured on."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from penstock.bench.networks import Weights
from penstock.bench.weighted_cases import Case, collect, conv, dense
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import NO_PADDING, Activation, Padding2D

_SAME = Padding2D(1, 1, 1, 1)
_QUARTER = Weights(activation=Activation.NONE, density=0.25)
_TENTH = replace(_QUARTER, density=0.1)
_FEW = replace(_QUARTER, density=0.02)
_LIMITED = Weights(density=0.25)
_STEEP = replace(_QUARTER, gain=3.0)
_MIXED = replace(_QUARTER, gain=0.6)
_BARE = replace(_QUARTER, per_channel=False, bias=False)
_conv = partial(conv, weights=_QUARTER)
_NIBBLES = Weights(activation=Activation.NONE, bits=4, gain=0.03)
_LIMITED_NIBBLES = Weights(bits=4, gain=0.03)
_BARE_NIBBLES = replace(_NIBBLES, per_channel=False, bias=False)
_conv_int4 = partial(conv, weights=_NIBBLES)

_SPARSE_POINTS = (
    _conv((1, 8, 8, 32), 16, (1, 1)),
    _conv((1, 8, 8, 64), 32, (1, 1)),
    _conv((1, 4, 4, 128), 64, (1, 1)),
    _conv((1, 2, 4, 256), 24, (1, 1)),
    conv((1, 4, 8, 64), 24, (1, 1), weights=_TENTH),
    conv((1, 8, 8, 128), 12, (1, 1), weights=_TENTH),
    conv((1, 8, 8, 64), 40, (1, 1), weights=_FEW),
    conv((1, 4, 8, 128), 32, (1, 1), weights=_FEW),
    conv((1, 4, 4, 200), 24, (1, 1), weights=_FEW),
    conv((1, 6, 6, 16), 64, (1, 1), weights=_FEW),
    conv((1, 1, 1, 64), 40, (1, 1), weights=_FEW),
    conv((1, 1, 1, 200), 20, (1, 1), weights=_FEW),
    conv((1, 4, 4, 60), 30, (1, 1), weights=_TENTH),
    _conv((1, 16, 16, 16), 4, (1, 1)),
    _conv((1, 7, 7, 40), 20, (1, 1)),
    _conv((1, 5, 5, 96), 7, (1, 1)),
    _conv((1, 3, 3, 64), 40, (1, 1)),
    _conv((1, 2, 3, 33), 9, (1, 1)),
    _conv((1, 6, 6, 50), 8, (1, 1)),
    _conv((1, 12, 12, 24), 8, (1, 1), NO_PADDING, (2, 2)),
    _conv((1, 1, 1, 64), 12, (1, 1)),
    _conv((1, 1, 1, 256), 40, (1, 1)),
    conv((1, 1, 1, 128), 24, (1, 1), weights=_TENTH),
    _conv((1, 3, 3, 40), 8, (1, 1)),
    conv((1, 8, 8, 32), 24, (1, 1), weights=_LIMITED),
    conv((1, 5, 5, 32), 10, (1, 1), weights=_LIMITED),
)
_SPARSE_WINDOWS = (
    _conv((1, 8, 8, 16), 8, (3, 3), _SAME),
    _conv((1, 8, 8, 4), 12, (3, 3), _SAME, (2, 2)),
    _conv((1, 6, 6, 10), 8, (3, 3)),
    _conv((1, 5, 9, 8), 16, (1, 5)),
    conv((1, 6, 6, 24), 8, (3, 3), _SAME, weights=_TENTH),
    _conv((1, 3, 3, 32), 24, (3, 3)),
)
_SPARSE_PLAIN = (
    _conv((1, 8, 8, 32), 16, (1, 1)),
    _conv((1, 4, 4, 64), 24, (1, 1)),
    conv((1, 5, 5, 96), 7, (1, 1), weights=_TENTH),
    _conv((1, 1, 1, 256), 20, (1, 1)),
    _conv((1, 8, 8, 8), 8, (3, 3), _SAME),
    _conv((1, 6, 6, 24), 10, (3, 3), _SAME, (2, 2)),
    _conv((1, 5, 9, 8), 4, (1, 5)),
    conv((1, 6, 6, 64), 16, (1, 1), weights=_FEW),
    conv((1, 6, 6, 16), 8, (1, 1), weights=_STEEP),
    conv((1, 6, 6, 16), 8, (1, 1), weights=_MIXED),
    conv((1, 8, 8, 40), 8, (1, 1), weights=_BARE),
    conv((1, 8, 8, 20), 12, (1, 1), weights=_LIMITED),
)
_INT4_POINTS = (
    _conv_int4((1, 8, 8, 8), 16, (1, 1)),
    _conv_int4((1, 8, 8, 32), 32, (1, 1)),
    _conv_int4((1, 8, 8, 64), 40, (1, 1)),
    _conv_int4((1, 16, 16, 8), 24, (1, 1)),
    _conv_int4((1, 16, 16, 12), 4, (1, 1)),
    _conv_int4((1, 4, 4, 128), 24, (1, 1)),
    _conv_int4((1, 3, 3, 256), 16, (1, 1)),
    _conv_int4((1, 7, 7, 40), 20, (1, 1)),
    _conv_int4((1, 7, 7, 24), 10, (1, 1)),
    _conv_int4((1, 1, 1, 64), 12, (1, 1)),
    _conv_int4((1, 1, 1, 256), 32, (1, 1)),
    _conv_int4((1, 1, 1, 36), 7, (1, 1)),
    _conv_int4((1, 1, 1, 16), 24, (1, 1)),
    _conv_int4((1, 5, 5, 25), 8, (1, 1)),
    _conv_int4((1, 12, 12, 16), 16, (1, 1), NO_PADDING, (2, 2)),
    _conv_int4((1, 2, 2, 320), 8, (1, 1)),
    conv((1, 8, 8, 16), 24, (1, 1), weights=_LIMITED_NIBBLES),
    conv((1, 7, 7, 32), 10, (1, 1), weights=_LIMITED_NIBBLES),
)
_INT4_WINDOWS = (
    _conv_int4((1, 5, 5, 16), 16, (3, 3), _SAME),
    _conv_int4((1, 8, 8, 64), 16, (3, 3), _SAME, (2, 2)),
    _conv_int4((1, 16, 16, 16), 12, (3, 3), _SAME, (1, 2)),
    _conv_int4((1, 10, 10, 8), 7, (3, 3)),
    _conv_int4((1, 10, 10, 4), 12, (3, 3)),
    _conv_int4((1, 16, 16, 3), 8, (3, 3)),
    _conv_int4((1, 24, 24, 3), 16, (3, 3), Padding2D(0, 1, 0, 1), (2, 2)),
    _conv_int4((1, 12, 12, 1), 8, (3, 3), _SAME),
    _conv_int4((1, 20, 10, 1), 8, (10, 4), Padding2D(4, 5, 1, 1), (2, 2)),
    _conv_int4((1, 6, 12, 8), 4, (5, 3), Padding2D(2, 2, 1, 1)),
    _conv_int4((1, 8, 8, 5), 9, (3, 3), _SAME),
    _conv_int4((1, 8, 8, 8), 8, (3, 3), Padding2D(2, 2, 2, 2), (1, 1), (2, 2)),
    _conv_int4((1, 8, 8, 3), 4, (3, 3), Padding2D(2, 2, 2, 2), (1, 1), (2, 2)),
    _conv_int4((1, 1, 24, 32), 32, (1, 3)),
    _conv_int4((1, 8, 1, 1), 4, (4, 1)),
    _conv_int4((1, 14, 14, 2), 3, (3, 3), NO_PADDING, (2, 2)),
    _conv_int4((1, 9, 9, 7), 4, (2, 2), NO_PADDING),
)
_INT4_PLAIN = (
    _conv_int4((1, 8, 8, 16), 16, (3, 3), _SAME),
    _conv_int4((1, 1, 1, 64), 12, (1, 1)),
    _conv_int4((1, 8, 8, 8), 16, (1, 1)),
    _conv_int4((1, 8, 8, 32), 32, (1, 1)),
    _conv_int4((1, 4, 4, 128), 24, (1, 1)),
    _conv_int4((1, 16, 16, 3), 8, (3, 3), _SAME, (2, 2)),
    _conv_int4((1, 12, 12, 1), 8, (3, 3), _SAME),
    _conv_int4((1, 6, 6, 4), 3, (3, 3)),
    _conv_int4((1, 6, 6, 24), 1, (3, 3)),
    _conv_int4((1, 8, 8, 8), 7, (3, 3), _SAME),
    _conv_int4((1, 8, 8, 8), 8, (1, 3), NO_PADDING, (1, 1), (1, 2)),
    _conv_int4((1, 6, 6, 10), 8, (3, 3), _SAME),
    _conv_int4((1, 5, 5, 25), 8, (1, 1)),
    _conv_int4((1, 14, 14, 2), 3, (3, 3), NO_PADDING, (2, 2)),
    conv((1, 8, 8, 8), 8, (3, 3), _SAME, weights=replace(_NIBBLES, gain=3.0)),
    conv((1, 6, 6, 8), 16, (1, 1), weights=replace(_NIBBLES, gain=0.6)),
    conv((1, 6, 6, 16), 10, (1, 1), weights=_BARE_NIBBLES),
)
_INT4_ROWS: tuple[tuple[int, int, int, Weights], ...] = (
    (1, 16, 16, _NIBBLES),
    (1, 64, 10, _NIBBLES),
    (1, 256, 32, _NIBBLES),
    (1, 640, 8, _NIBBLES),
    (4, 8, 9, _NIBBLES),
    (1, 33, 3, _NIBBLES),
    (1, 250, 8, _BARE_NIBBLES),
    (3, 128, 16, _NIBBLES),
    (2, 12, 24, _NIBBLES),
    (1, 301, 7, _NIBBLES),
)
_ROWS: tuple[tuple[int, int, int, Weights], ...] = (
    (1, 64, 10, _QUARTER),
    (1, 256, 32, _QUARTER),
    (1, 640, 8, _QUARTER),
    (1, 128, 60, _QUARTER),
    (1, 128, 60, _TENTH),
    (1, 64, 60, _FEW),
    (1, 256, 40, _FEW),
    (3, 40, 9, _QUARTER),
    (2, 301, 8, _TENTH),
    (1, 32, 50, _BARE),
)


def _rows(rows: Iterable[tuple[int, int, int, Weights]]) -> tuple[Case, ...]:
    return tuple(dense(*row) for row in rows)


def encoded_networks() -> list[Graph]:
    """Return networks that measure the kernels in plain C."""
    int8 = DType.INT8
    return [
        collect("conv_2d_sparse_s8", int8, *_SPARSE_PLAIN),
        collect("fully_connected_sparse_s8", int8, *_rows(_ROWS)),
        collect("conv_2d_int4_s8", int8, *_INT4_PLAIN),
        collect("fully_connected_int4_s8", int8, *_rows(_INT4_ROWS)),
    ]


def encoded_dsp_networks() -> list[Graph]:
    """Return networks that measure the kernels with the DSP extension."""
    int8 = DType.INT8
    return [
        collect("conv_2d_sparse_dsp_s8_points", int8, *_SPARSE_POINTS),
        collect("conv_2d_sparse_dsp_s8_windows", int8, *_SPARSE_WINDOWS),
        collect("fully_connected_sparse_dsp_s8", int8, *_rows(_ROWS)),
        collect("conv_2d_int4_dsp_s8_points", int8, *_INT4_POINTS),
        collect("conv_2d_int4_dsp_s8_windows", int8, *_INT4_WINDOWS),
        collect("fully_connected_int4_dsp_s8", int8, *_rows(_INT4_ROWS)),
    ]
