"""Integers that quantized operators compute with, derived from scales and zero points.

The interpreter and kernel selection both take them from here, so that they cannot disagree. The
order and the precision (float32 or double) of each real computation are those of TensorFlow Lite's
kernels: a last bit of a multiplier is a last bit of an output. ``tflite/kernels/*.cc``, the
Prepare functions, are the source throughout.
"""

import math

import numpy as np

from penstock.errors import GraphError
from penstock.ir.dtype import DType
from penstock.ir.fixed_point import Multiplier, quantize_multiplier
from penstock.ir.graph import Graph
from penstock.ir.operators import (
    Activation,
    Add,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    HardSwish,
    LeakyRelu,
    Mean,
    Mul,
    MultiplierSource,
    Operator,
    Quantize,
    Relu,
    Softmax,
    Sub,
    Svdf,
    TransposeConv2D,
)
from penstock.ir.parameter_types import (
    AdditionParameters,
    HardSwishParameters,
    LeakyReluParameters,
    MeanParameters,
    MultiplicationParameters,
    RescaleParameters,
    ShiftAdditionParameters,
    SoftmaxParameters,
    SvdfParameters,
)
from penstock.ir.tensor import Tensor

Convolution = Conv2D | DepthwiseConv2D | TransposeConv2D

SOFTMAX_INTEGER_BITS = 5
"""Integer bits of the scaled difference whose exponential an 8-bit softmax takes."""


def quantize_signed_multiplier(real: float) -> Multiplier:
    """Return the nearest 31-bit multiplier of a real factor of either sign."""
    magnitude = quantize_multiplier(abs(real))
    return magnitude if real >= 0 else Multiplier(-magnitude.multiplier, magnitude.shift)


def activation_range(output: Tensor, activation: Activation) -> tuple[int, int]:
    """Return the smallest and largest quantized output that a fused activation lets pass."""
    smallest, largest = output.dtype.range
    real_min, real_max = activation.real_range
    if math.isfinite(real_min):
        smallest = max(smallest, _quantize_float32(output, real_min))
    if math.isfinite(real_max):
        largest = min(largest, _quantize_float32(output, real_max))
    return smallest, largest


def _quantize_float32(tensor: Tensor, real: float) -> int:
    ratio = float(np.float32(real) / np.float32(tensor.scale))
    return tensor.zero_point + round_half_away(ratio)


def round_half_away(value: float) -> int:
    """Return the nearest integer, ties away from zero, as C's ``round``."""
    whole = math.floor(abs(value))
    rounded = whole + (abs(value) - whole >= 0.5)
    return rounded if value >= 0 else -rounded


def output_channels(graph: Graph, operator: Convolution | FullyConnected) -> int:
    """Return the number of output channels of a convolution or fully connected operator."""
    shape = graph.tensors[operator.filters].shape
    return shape[3] if isinstance(operator, DepthwiseConv2D) else shape[0]


def fully_connected_scales(graph: Graph, operator: FullyConnected) -> tuple[float, ...]:
    """Return the real factor from accumulators to outputs, one for each output channel.

    Unlike convolutions, LiteRT's reference kernel forms ``accumulator · factor`` in double
    precision and rounds the product to the nearest integer, ties away from zero, once.
    """
    filters = graph.tensors[operator.filters]
    if filters.quantization is None:
        raise GraphError(f"filters {filters.name!r} of {operator.kind} are not quantized")
    input_scale = graph.tensors[operator.input].scale
    output_scale = graph.tensors[operator.output].scale
    factors = tuple(input_scale * scale / output_scale for scale in filters.quantization.scale)
    return factors if len(factors) > 1 else factors * output_channels(graph, operator)


def requantization_multipliers(graph: Graph, operator: Operator) -> tuple[Multiplier, ...]:
    """Return the factor from accumulators to outputs, one for each output channel.

    For convolutions of all kinds; fully connected operators have `fully_connected_scales`.
    """
    if not isinstance(operator, Convolution):
        raise GraphError(
            f"{operator.kind} has no requantization multipliers; FULLY_CONNECTED rounds a real "
            f"product: see fully_connected_scales"
        )
    input_scale = graph.tensors[operator.input].scale
    output_scale = graph.tensors[operator.output].scale
    filters = graph.tensors[operator.filters]
    if filters.quantization is None:
        raise GraphError(f"filters {filters.name!r} of {operator.kind} are not quantized")
    scales = filters.quantization.scale
    if len(scales) > 1 or operator.multiplier_source is MultiplierSource.DOUBLE:
        reals = [input_scale * scale / output_scale for scale in scales]
    else:
        product = float(np.float32(input_scale) * np.float32(scales[0]))
        reals = [product / output_scale]
    distinct = tuple(quantize_multiplier(real) for real in reals)
    return distinct if len(distinct) > 1 else distinct * output_channels(graph, operator)


def is_power_of_two(scale: float) -> int | None:
    """Return log2 of a scale that TensorFlow Lite takes for a power of two, else None.

    The test has a tolerance: log2 within 0.001 of an integer, in float32.
    """
    logarithm = np.float32(np.log(np.float32(scale))) * np.float32(1.0 / np.log(np.float32(2.0)))
    nearest = round_half_away(float(logarithm))
    return nearest if abs(logarithm - np.float32(nearest)) < np.float32(1e-3) else None


def addition_parameters(graph: Graph, operator: Add | Sub) -> AdditionParameters:
    """Return the integers of ADD or SUB on int8 and, with general scales, int16."""
    left, right = graph.tensors[operator.left], graph.tensors[operator.right]
    output = graph.tensors[operator.output]
    headroom_shift = 15 if output.dtype is DType.INT16 else 20
    twice_max_scale = 2 * max(left.scale, right.scale)
    activation_min, activation_max = activation_range(output, operator.activation)
    return AdditionParameters(
        headroom_shift=headroom_shift,
        left_zero_point=left.zero_point,
        left=quantize_multiplier(left.scale / twice_max_scale),
        right_zero_point=right.zero_point,
        right=quantize_multiplier(right.scale / twice_max_scale),
        output_zero_point=output.zero_point,
        output=quantize_multiplier(twice_max_scale / ((1 << headroom_shift) * output.scale)),
        activation_min=activation_min,
        activation_max=activation_max,
    )


def shift_addition_parameters(graph: Graph, operator: Add | Sub) -> ShiftAdditionParameters | None:
    """Return the integers of int16 ADD or SUB by shifts, or None where `addition_parameters` hold.

    Raises GraphError when the option asks for shifts that TensorFlow Lite refuses: one operand
    must have the output's scale, and the other a scale that is not larger.
    """
    tensors = [graph.tensors[name] for name in (operator.left, operator.right, operator.output)]
    logarithms = [is_power_of_two(tensor.scale) for tensor in tensors]
    if not operator.pot_scale_int16 or tensors[2].dtype is not DType.INT16 or None in logarithms:
        return None
    left, right, output = (logarithm or 0 for logarithm in logarithms)
    if max(left, right) != output:
        raise GraphError(f"{operator.kind} by shifts needs max(left, right) scale = output scale")
    activation_min, activation_max = activation_range(tensors[2], operator.activation)
    return ShiftAdditionParameters(output - left, output - right, activation_min, activation_max)


def multiplication_parameters(graph: Graph, operator: Mul) -> MultiplicationParameters:
    """Return the integers of MUL on int8 and int16."""
    left, right = graph.tensors[operator.left], graph.tensors[operator.right]
    output = graph.tensors[operator.output]
    product = np.float32(left.scale) * np.float32(right.scale) / np.float32(output.scale)
    activation_min, activation_max = activation_range(output, operator.activation)
    return MultiplicationParameters(
        left_zero_point=left.zero_point,
        right_zero_point=right.zero_point,
        output_zero_point=output.zero_point,
        output=quantize_multiplier(float(product)),
        activation_min=activation_min,
        activation_max=activation_max,
    )


def softmax_parameters(graph: Graph, operator: Softmax) -> SoftmaxParameters:
    """Return the integers of SOFTMAX on int8 (and converted uint8) inputs."""
    fraction_bits = 31 - SOFTMAX_INTEGER_BITS
    beta = float(np.float32(operator.beta))
    real = min(beta * graph.tensors[operator.input].scale * (1 << fraction_bits), 2.0**31 - 1.0)
    scaling = quantize_multiplier(real)
    largest = ((1 << SOFTMAX_INTEGER_BITS) - 1) * 2.0**fraction_bits / 2.0**scaling.shift
    return SoftmaxParameters(scaling, -math.floor(largest))


def softmax_int16_scaling(graph: Graph, operator: Softmax) -> Multiplier:
    """Return the factor that maps int16 differences of −10.0 to −65535 (SOFTMAX on int16)."""
    scale = np.float32(graph.tensors[operator.input].scale)
    return quantize_multiplier(float(scale * np.float32(operator.beta)) / (10.0 / 65535.0))


def mean_parameters(graph: Graph, operator: Mean) -> MeanParameters:
    """Return the integers of MEAN on int8 and int16."""
    source, output = graph.tensors[operator.input], graph.tensors[operator.output]
    count = math.prod(source.shape[axis] for axis in operator.axes)
    scaling = quantize_multiplier(source.scale / output.scale)
    shift = min(max(count, 1).bit_length() - 1, 32, 31 + scaling.shift)
    # The reference divides the shifted multiplier, truncating: not the nearest multiplier.
    multiplier = (scaling.multiplier << shift) // max(count, 1)
    return MeanParameters(
        count=count,
        input_zero_point=source.zero_point,
        output_zero_point=output.zero_point,
        scaling=Multiplier(multiplier, scaling.shift - shift),
    )


def quantize_parameters(graph: Graph, operator: Quantize) -> RescaleParameters:
    """Return the integers of QUANTIZE from one integer type to another."""
    source, output = graph.tensors[operator.input], graph.tensors[operator.output]
    return RescaleParameters(
        source.zero_point,
        output.zero_point,
        quantize_multiplier(source.scale / output.scale),
        *output.dtype.range,
    )


def relu_parameters(graph: Graph, operator: Relu) -> RescaleParameters:
    """Return the integers of RELU, RELU6 and RELU_N1_TO_1 as operators of their own."""
    source, output = graph.tensors[operator.input], graph.tensors[operator.output]
    ratio = np.float32(source.scale) / np.float32(output.scale)
    return RescaleParameters(
        source.zero_point,
        output.zero_point,
        quantize_multiplier(float(ratio)),
        *activation_range(output, operator.activation),
    )


def leaky_relu_parameters(graph: Graph, operator: LeakyRelu) -> LeakyReluParameters:
    """Return the integers of LEAKY_RELU on int8 and int16."""
    source, output = graph.tensors[operator.input], graph.tensors[operator.output]
    input_scale, output_scale = np.float32(source.scale), np.float32(output.scale)
    alpha = input_scale * np.float32(operator.alpha) / output_scale
    return LeakyReluParameters(
        source.zero_point,
        output.zero_point,
        quantize_multiplier(float(input_scale / output_scale)),
        quantize_signed_multiplier(float(alpha)),
        *output.dtype.range,
    )


def hard_swish_parameters(graph: Graph, operator: HardSwish) -> HardSwishParameters:
    """Return the integers of HARD_SWISH on int8."""
    source, output = graph.tensors[operator.input], graph.tensors[operator.output]
    fine_scale = np.float32(1.0 / 128.0) * np.float32(source.scale)
    relu_scale = np.float32(3.0) / np.float32(32768.0)
    output_scaling = quantize_multiplier(float(fine_scale / np.float32(output.scale)))
    relu_scaling = quantize_multiplier(float(fine_scale / relu_scale))
    return HardSwishParameters(
        input_zero_point=source.zero_point,
        output_zero_point=output.zero_point,
        output_multiplier_int16=_round_to_int16(output_scaling.multiplier),
        output_exponent=output_scaling.shift,
        relu_multiplier_int16=_round_to_int16(relu_scaling.multiplier),
        relu_exponent=relu_scaling.shift,
    )


def _round_to_int16(multiplier: int) -> int:
    return min((multiplier + (1 << 15)) >> 16, (1 << 15) - 1)


def sigmoid_int16_scaling(input_scale: float, pot_shifts: tuple[int, ...]) -> tuple[int, int]:
    """Return multiplier and right shift from int16 inputs to steps of 1 / (3 · 4096).

    For LOGISTIC (``pot_shifts`` (0,)) and TANH ((0, 1)): scales of 2^(shift − 12) take a shorter
    way. The product rounds halves up.
    """
    logarithm = is_power_of_two(input_scale)
    if logarithm is not None and logarithm + 12 in pot_shifts:
        return 3 << (logarithm + 12), 0
    multiplier, right_shift = input_scale * 4096.0 * 3.0, 0
    while multiplier <= 32767.0 / 2.0 and right_shift <= 30:
        right_shift += 1
        multiplier *= 2.0
    return int(multiplier), right_shift


def _single_ratio(first: float, second: float, divisor: float) -> float:
    """Return ``first * second / divisor``, each step rounded to float32 as the kernels do."""
    product = np.float32(first) * np.float32(second)
    return float(product / np.float32(divisor))


def svdf_parameters(graph: Graph, operator: Svdf) -> SvdfParameters:
    """Return the integers of SVDF on int8.

    Outputs are clamped to int8 only: the kernel supports RELU alone, with an output zero point
    that makes them the same.
    """
    source, output = graph.tensors[operator.input], graph.tensors[operator.output]
    features, times = (
        graph.tensors[operator.feature_weights],
        graph.tensors[operator.time_weights],
    )
    state = graph.tensors[operator.state]
    activation_min, activation_max = output.dtype.range
    return SvdfParameters(
        input_zero_point=source.zero_point,
        state_zero_point=state.zero_point,
        output_zero_point=output.zero_point,
        feature=quantize_multiplier(_single_ratio(source.scale, features.scale, state.scale)),
        output=quantize_multiplier(_single_ratio(state.scale, times.scale, output.scale)),
        activation_min=activation_min,
        activation_max=activation_max,
    )
