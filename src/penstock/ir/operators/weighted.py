"""Operators that multiply by weights."""

from dataclasses import dataclass

from penstock.ir.operators.base import (
    NO_PADDING,
    Activation,
    MultiplierSource,
    Operator,
    Padding2D,
    concrete,
    may_read,
    reads,
    writes,
)


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Conv2D(Operator):
    """Convolution of ``[N, H, W, C_IN]`` with filters ``[C_OUT, KH, KW, C_IN / groups]``.

    The number of groups follows from the shapes. Filters may have a non-zero zero point (legacy
    uint8 models). ``bias`` is int32 ``[C_OUT]``, or int64 when activations are int16.
    """

    input: str = reads()
    filters: str = reads()
    bias: str | None = may_read()
    output: str = writes()
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding2D = NO_PADDING
    activation: Activation = Activation.NONE
    multiplier_source: MultiplierSource = MultiplierSource.DOUBLE


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class DepthwiseConv2D(Operator):
    """Convolution of each channel with its own filters, ``[1, KH, KW, C_OUT]``.

    Output channel ``c`` reads input channel ``c // (C_OUT / C_IN)``.
    """

    input: str = reads()
    filters: str = reads()
    bias: str | None = may_read()
    output: str = writes()
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding2D = NO_PADDING
    activation: Activation = Activation.NONE
    multiplier_source: MultiplierSource = MultiplierSource.DOUBLE


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class TransposeConv2D(Operator):
    """Transposed convolution with filters ``[C_OUT, KH, KW, C_IN]``.

    ``padding`` is what the forward convolution of the output would use: input row ``y`` and
    filter row ``ky`` add to output row ``y · stride + ky − top``, and columns alike.
    """

    input: str = reads()
    filters: str = reads()
    bias: str | None = may_read()
    output: str = writes()
    stride: tuple[int, int] = (1, 1)
    padding: Padding2D = NO_PADDING
    activation: Activation = Activation.NONE
    multiplier_source: MultiplierSource = MultiplierSource.DOUBLE


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class FullyConnected(Operator):
    """Product of the input, flattened to ``[batches, C_IN]``, with filters ``[C_OUT, C_IN]``."""

    input: str = reads()
    filters: str = reads()
    bias: str | None = may_read()
    output: str = writes()
    activation: Activation = Activation.NONE


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Svdf(Operator):
    """One step of a rank-decomposed recurrent filter (SVDF).

    ``feature_weights`` int8 ``[filters, C_IN]``; ``time_weights`` int8 or int16
    ``[filters, memory]``; ``state`` is a variable tensor ``[N, filters · memory]``,
    shifted by one and updated in place; output ``[N, filters / rank]``.
    """

    input: str = reads()
    feature_weights: str = reads()
    time_weights: str = reads()
    bias: str | None = may_read()
    state: str = reads()
    output: str = writes()
    rank: int
    activation: Activation = Activation.NONE
