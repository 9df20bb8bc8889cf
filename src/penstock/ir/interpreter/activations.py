"""Functions of single elements.

Sources: tflite/kernels/activations.cc and its reference headers.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from penstock.errors import GraphError
from penstock.ir.dtype import DType
from penstock.ir.fixed_point import (
    IntArray,
    rounding_divide_by_power_of_two,
    wrap_int32,
)
from penstock.ir.graph import Graph
from penstock.ir.integer_parameters import (
    hard_swish_parameters,
    leaky_relu_parameters,
    relu_parameters,
    sigmoid_int16_scaling,
)
from penstock.ir.interpreter.exponential import exp_float32
from penstock.ir.interpreter.quantization import rescale
from penstock.ir.interpreter.requantization import clamp, round_half_away, scale_int32
from penstock.ir.operators import HardSwish, LeakyRelu, Logistic, Relu, Tanh
from penstock.ir.tensor import Array, Tensor

_INT16_MIN, _INT16_MAX = -(1 << 15), (1 << 15) - 1


def relu(graph: Graph, operator: Relu, values: Mapping[str, Array]) -> Array:
    """Evaluate RELU, RELU6 and RELU_N1_TO_1."""
    output = graph.tensors[operator.output]
    return rescale(values[operator.input], relu_parameters(graph, operator), output)


def leaky_relu(graph: Graph, operator: LeakyRelu, values: Mapping[str, Array]) -> Array:
    """Evaluate LEAKY_RELU."""
    parameters = leaky_relu_parameters(graph, operator)
    output = graph.tensors[operator.output]
    centered = values[operator.input].astype(np.int64) - parameters.input_zero_point
    scaled = np.where(
        centered >= 0,
        scale_int32(centered, parameters.identity),
        scale_int32(centered, parameters.alpha),
    )
    result = scaled + parameters.output_zero_point
    return clamp(result, output.dtype.range, output.dtype.numpy)


def logistic(graph: Graph, operator: Logistic, values: Mapping[str, Array]) -> Array:
    """Evaluate LOGISTIC."""
    source, output = graph.tensors[operator.input], graph.tensors[operator.output]
    if source.dtype is DType.INT16:
        scaled = _table_argument(values[operator.input], source.scale, (0,))
        return _logistic_int16(scaled).astype(np.int16)
    return _by_table(values[operator.input], source, output, _logistic_float32)


def tanh(graph: Graph, operator: Tanh, values: Mapping[str, Array]) -> Array:
    """Evaluate TANH."""
    source, output = graph.tensors[operator.input], graph.tensors[operator.output]
    if source.dtype is DType.INT16:
        scaled = _table_argument(values[operator.input], source.scale, (0, 1))
        return _tanh_int16(scaled).astype(np.int16)
    return _by_table(
        values[operator.input],
        source,
        output,
        lambda x: np.tanh(x.astype(np.float64)).astype(np.float32),
    )


def hard_swish(graph: Graph, operator: HardSwish, values: Mapping[str, Array]) -> Array:
    """Evaluate HARD_SWISH on int8, in the 16-bit arithmetic of its reference kernel."""
    parameters = hard_swish_parameters(graph, operator)
    output = graph.tensors[operator.output]
    fine = (values[operator.input].astype(np.int64) - parameters.input_zero_point) << 7
    linear = _high_mul_int16(fine, parameters.output_multiplier_int16)
    ramp = _hard_swish_ramp(fine, parameters.relu_multiplier_int16, parameters.relu_exponent)
    # Rounded towards zero, to cancel the bias of the products before.
    product = ramp * linear
    preshift = np.sign(product) * (np.abs(product) >> 15)
    shifted = _divide_int16(preshift, -parameters.output_exponent)
    result = shifted + parameters.output_zero_point
    return clamp(result, output.dtype.range, output.dtype.numpy)


def _hard_swish_ramp(fine: IntArray, multiplier: int, exponent: int) -> IntArray:
    """Return (x + 3) / 6 clamped to [0, 1], as 15-bit fractions."""
    ramp = fine
    if exponent > 0:
        ramp = np.clip(ramp << (exponent - 1), _INT16_MIN, _INT16_MAX)
    ramp = _high_mul_int16(ramp, multiplier)
    if exponent > 0:
        ramp = np.clip(ramp << 1, _INT16_MIN, _INT16_MAX)
    elif exponent < 0:
        ramp = _divide_int16(ramp, -exponent)
    return np.asarray((ramp + (1 << 15)) >> 1)


def _divide_int16(value: IntArray, exponent: int) -> IntArray:
    """Return ``value / 2^exponent`` rounded to nearest (gemmlowp, 16-bit).

    From 2^16 on, its mask of 16 bits holds no sign any more: the result is 1, or -1 below zero.
    """
    if exponent < 16:
        return rounding_divide_by_power_of_two(value, exponent)
    return np.where(value < 0, -1, 1)


def _high_mul_int16(value: IntArray, multiplier: int) -> IntArray:
    """Return ``value · multiplier / 2^15`` rounded to nearest (gemmlowp, 16-bit)."""
    return np.asarray(np.minimum((value * multiplier + (1 << 14)) >> 15, _INT16_MAX))


def _by_table(
    value: Array,
    source: Tensor,
    output: Tensor,
    function: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]],
) -> Array:
    """Evaluate an 8-bit operator by a table of all inputs, computed in float32."""
    if source.dtype is not DType.INT8 or output.dtype is not DType.INT8:
        raise GraphError(f"tables are for int8, found {source.dtype.value}, {output.dtype.value}")
    inputs = np.arange(-128, 128)
    real = np.float32(source.scale) * (inputs - source.zero_point).astype(np.float32)
    steps = function(real) * (np.float32(1) / np.float32(output.scale))
    rounded = round_half_away(steps).astype(np.int64)
    table = clamp(rounded + output.zero_point, (-128, 127), output.dtype.numpy)
    return table[value.astype(np.int64) + 128]


def _logistic_float32(value: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    # Where the exponential overflows to infinity, the result is 0 as it should be.
    return np.asarray(np.float32(1) / (np.float32(1) + exp_float32(-value)), np.float32)


def _sigmoid_table() -> IntArray:
    """Return 2^16 / (1 + exp(−i / 24)) for i = 0 … 255 as TensorFlow Lite tabulates it.

    Its table is the nearest integer but for these entries, which are one larger.
    """
    raised = (
        4, 8, 12, 14, 15, 16, 17, 19, 20, 21, 22, 25, 27, 28, 29, 30, 31, 33, 34, 35, 37, 39, 40,
        41, 43, 44, 45, 46, 49, 50, 54, 62, 63, 64, 66, 82, 86, 93, 100, 103, 112, 116, 135, 255,
    )  # fmt: skip
    table = np.round(65536.0 / (1.0 + np.exp(-np.arange(256) / 24.0))).astype(np.int64)
    table[list(raised)] += 1
    return table


SIGMOID_TABLE = _sigmoid_table()


def _table_argument(value: Array, scale: float, pot_shifts: tuple[int, ...]) -> IntArray:
    """Return int16 inputs in steps of 1 / (3 · 4096)."""
    multiplier, right_shift = sigmoid_int16_scaling(scale, pot_shifts)
    rounding = 1 << (right_shift - 1) if right_shift > 0 else 0
    return wrap_int32(value.astype(np.int64) * multiplier + rounding) >> right_shift


def _interpolated_sigmoid(magnitude: IntArray, fraction_bits: int) -> IntArray:
    """Return sigmoid with 16 + fraction_bits fraction bits of magnitudes in table steps."""
    index = np.minimum(magnitude >> fraction_bits, 254)
    base = SIGMOID_TABLE[index]
    fraction = magnitude & ((1 << fraction_bits) - 1)
    return np.asarray((base << fraction_bits) + fraction * (SIGMOID_TABLE[index + 1] - base))


def _logistic_int16(scaled: IntArray) -> IntArray:
    magnitude = np.abs(scaled)
    result = np.where(magnitude >> 9 >= 255, 0x7FFF << 10, _interpolated_sigmoid(magnitude, 9))
    half = 1 << 9
    return np.where(scaled >= 0, result + half, (1 << 25) - result + half - 1) >> 10


def _tanh_int16(scaled: IntArray) -> IntArray:
    magnitude = np.abs(scaled)
    result = np.where(magnitude >> 8 >= 255, 0xFFFF << 8, _interpolated_sigmoid(magnitude, 8))
    half, one = 1 << 7, 1 << 23
    return np.where(scaled >= 0, result - one + half, one - result + half - 1) >> 8
