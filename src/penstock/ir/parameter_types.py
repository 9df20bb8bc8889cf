"""What `penstock.ir.integer_parameters` derives: the integers of one operator each."""

from dataclasses import dataclass

from penstock.ir.fixed_point import Multiplier


@dataclass(frozen=True, slots=True)
class AdditionParameters:
    """Sum or difference of two quantized tensors.

    ``(x − zero_point) · 2^headroom_shift``, then times `left` or `right`, summed or subtracted,
    times `output`, plus the output's zero point, clamped. Products are
    `penstock.ir.fixed_point.multiply_by_quantized_multiplier`.
    """

    headroom_shift: int
    left_zero_point: int
    left: Multiplier
    right_zero_point: int
    right: Multiplier
    output_zero_point: int
    output: Multiplier
    activation_min: int
    activation_max: int


@dataclass(frozen=True, slots=True)
class ShiftAdditionParameters:
    """Sum or difference of int16 tensors whose scales are powers of two.

    Each operand is divided by a power of two, rounded to nearest with ties away from zero; the
    sum saturates to int16 and is clamped. At most one shift is not 0.
    """

    left_right_shift: int
    right_right_shift: int
    activation_min: int
    activation_max: int


@dataclass(frozen=True, slots=True)
class MultiplicationParameters:
    """Product of two quantized tensors: ``(l − zl) · (r − zr)`` times `output` plus zero point."""

    left_zero_point: int
    right_zero_point: int
    output_zero_point: int
    output: Multiplier
    activation_min: int
    activation_max: int


@dataclass(frozen=True, slots=True)
class SoftmaxParameters:
    """Softmax of 8-bit values.

    Differences from the row's maximum below `difference_min` (≤ 0) give probability 0; others,
    times `scaling` (shift ≥ 0), are exponents with `SOFTMAX_INTEGER_BITS` integer bits.
    """

    scaling: Multiplier
    difference_min: int


@dataclass(frozen=True, slots=True)
class MeanParameters:
    """Average: ``sum − count · input_zero_point`` times `scaling`, plus the output's zero point.

    The count is folded into `scaling`, whose multiplier may therefore be below 2^30.
    """

    count: int
    input_zero_point: int
    output_zero_point: int
    scaling: Multiplier


@dataclass(frozen=True, slots=True)
class RescaleParameters:
    """``(x − input_zero_point)`` times `scaling` plus `output_zero_point`, clamped."""

    input_zero_point: int
    output_zero_point: int
    scaling: Multiplier
    output_min: int
    output_max: int


@dataclass(frozen=True, slots=True)
class LeakyReluParameters:
    """``x − input_zero_point`` times `identity` where ≥ 0, times `alpha` elsewhere.

    `alpha` has a negative multiplier where the slope is negative.
    """

    input_zero_point: int
    output_zero_point: int
    identity: Multiplier
    alpha: Multiplier
    output_min: int
    output_max: int


@dataclass(frozen=True, slots=True)
class HardSwishParameters:
    """8-bit hard swish in 16-bit arithmetic: multipliers of 15 bits, exponents as in TFLite."""

    input_zero_point: int
    output_zero_point: int
    output_multiplier_int16: int
    output_exponent: int
    relu_multiplier_int16: int
    relu_exponent: int


@dataclass(frozen=True, slots=True)
class SvdfParameters:
    """SVDF: `feature` scales features into the state, `output` the filtered state to outputs.

    `state_zero_point` is 0 where the state is int16.
    """

    input_zero_point: int
    state_zero_point: int
    output_zero_point: int
    feature: Multiplier
    output: Multiplier
    activation_min: int
    activation_max: int
