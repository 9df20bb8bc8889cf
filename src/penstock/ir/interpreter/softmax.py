"""Softmax in 8-bit, 16-bit and float32 arithmetic.

Sources: tflite/kernels/internal/reference/softmax.h for the steps, gemmlowp fixedpoint.h for the
fixed-point exponential and reciprocal. ``Qm.n`` is a fixed-point number of m integer and n
fraction bits in an int32.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from penstock.ir.dtype import DType
from penstock.ir.fixed_point import (
    INT32_MAX,
    INT32_MIN,
    IntArray,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_mul,
)
from penstock.ir.graph import Graph
from penstock.ir.integer_parameters import (
    SOFTMAX_INTEGER_BITS,
    softmax_int16_scaling,
    softmax_parameters,
)
from penstock.ir.interpreter.exponential import exp_float32
from penstock.ir.interpreter.interpolation import interpolate, interpolation_table
from penstock.ir.interpreter.requantization import scale_int32
from penstock.ir.operators import LogSoftmax, Softmax
from penstock.ir.parameter_types import SoftmaxParameters
from penstock.ir.tensor import Array

_ACCUMULATION_INTEGER_BITS = 12
_FRACTION_BITS = 31 - SOFTMAX_INTEGER_BITS
# exp(-2^k) in Q0.31 for k = -2 … 4.
_EXP_OF_POWERS = tuple(round(float(np.exp(-(2.0**k))) * 2**31) for k in range(-2, 5))
_EXP_OF_MINUS_EIGHTH = round(float(np.exp(-0.125)) * 2**31)
_ONE_THIRD = round(2**31 / 3)
_BLOCK_ELEMENTS = 1 << 18  # the exponential needs ten values for each: memory stays modest

Float32Array = npt.NDArray[np.float32]


def softmax(graph: Graph, operator: Softmax, values: Mapping[str, Array]) -> Array:
    """Evaluate SOFTMAX: int8 to int8 or int16, int16, or float32."""
    value, output = values[operator.input], graph.tensors[operator.output]
    if value.dtype == np.float32:
        return softmax_float32(value.astype(np.float32), operator.beta)
    rows = value.reshape(-1, value.shape[-1]).astype(np.int64)
    if graph.tensors[operator.input].dtype is DType.INT16:
        result = _softmax_int16(rows, graph, operator)
    else:
        result = _softmax_int8(rows, softmax_parameters(graph, operator), output.dtype)
    return result.reshape(value.shape).astype(output.dtype.numpy)


def log_softmax(
    graph: Graph,  # noqa: ARG001 - every evaluator takes the graph
    operator: LogSoftmax,
    values: Mapping[str, Array],
) -> Array:
    """Evaluate LOG_SOFTMAX on float32."""
    value = values[operator.input].astype(np.float32)
    shifted = value - value.max(axis=-1, keepdims=True)
    total = _sum_in_order(exp_float32(shifted))
    return np.asarray(shifted - np.log(total.astype(np.float64)).astype(np.float32))


def softmax_float32(value: Float32Array, beta: float) -> Float32Array:
    """Return softmax over the last dimension, summed in order in float32."""
    shifted = (value - value.max(axis=-1, keepdims=True)) * np.float32(beta)
    exponentials = exp_float32(shifted)
    return np.asarray(exponentials / _sum_in_order(exponentials))


def _sum_in_order(value: Float32Array) -> Float32Array:
    return np.add.accumulate(value, axis=-1, dtype=np.float32)[..., -1:]


def _softmax_int8(rows: IntArray, parameters: SoftmaxParameters, output: DType) -> IntArray:
    smallest, largest = output.range
    difference = rows - rows.max(axis=1, keepdims=True)
    counted = difference >= parameters.difference_min
    scaled = scale_int32(np.where(counted, difference, 0), parameters.scaling)
    exponentials = _in_blocks(exp_on_negative_values, scaled)
    addends = rounding_divide_by_power_of_two(exponentials, _ACCUMULATION_INTEGER_BITS)
    total = np.where(counted, addends, 0).sum(axis=1, keepdims=True)
    reciprocal, bits_over_unit = reciprocal_above_one(total, _ACCUMULATION_INTEGER_BITS)
    product = saturating_rounding_doubling_high_mul(reciprocal, exponentials)
    exponent = bits_over_unit + 31 - 8 * output.size_bytes
    result = rounding_divide_by_power_of_two(product, exponent) + smallest
    return np.where(counted, np.clip(result, smallest, largest), smallest)


def _in_blocks(function: Callable[[IntArray], IntArray], value: IntArray) -> IntArray:
    """Apply a function of single elements, a part of them at a time."""
    flat = value.reshape(-1)
    result = np.empty_like(flat)
    for first in range(0, len(flat), _BLOCK_ELEMENTS):
        block = slice(first, first + _BLOCK_ELEMENTS)
        result[block] = function(flat[block])
    return result.reshape(value.shape)


def exp_on_negative_values(value: IntArray) -> IntArray:
    """Return exp of Q5.26 values ≤ 0 in Q0.31.

    The argument is split into a multiple of −1/4, whose exponential is a product of constants by
    its bits, and a rest in [−1/4, 0), whose exponential is a polynomial.
    """
    quarter = 1 << (_FRACTION_BITS - 2)
    rest = (value & (quarter - 1)) - quarter
    result = _exp_between_minus_quarter_and_zero(rest << SOFTMAX_INTEGER_BITS)
    multiple = rest - value
    for bit, constant in enumerate(_EXP_OF_POWERS, start=_FRACTION_BITS - 2):
        reduced = saturating_rounding_doubling_high_mul(result, constant)
        result = np.where(multiple & (1 << bit), reduced, result)
    return np.where(value == 0, INT32_MAX, result)


def _exp_between_minus_quarter_and_zero(value: IntArray) -> IntArray:
    """Return exp of Q0.31 values by a polynomial of degree 4 around −1/8."""
    high_mul = saturating_rounding_doubling_high_mul
    x = value + (1 << 28)
    x2 = high_mul(x, x)
    x3 = high_mul(x2, x)
    x4 = high_mul(x2, x2)
    cubic = high_mul(rounding_divide_by_power_of_two(x4, 2) + x3, _ONE_THIRD)
    higher = rounding_divide_by_power_of_two(cubic + x2, 1)
    return _EXP_OF_MINUS_EIGHTH + high_mul(x + higher, _EXP_OF_MINUS_EIGHTH)


def reciprocal_above_one(value: IntArray, integer_bits: int) -> tuple[IntArray, IntArray]:
    """Return 1 / value of positive fixed-point values as Q0.31 mantissa and exponent.

    The value is ``m · 2^e`` with m in [1, 2); the mantissa approximates 1 / m by three steps of
    Newton-Raphson division and the second result is e.
    """
    high_mul = saturating_rounding_doubling_high_mul
    # Values are below 2^31, which double precision holds exactly.
    headroom = 32 - np.frexp(value.astype(np.float64))[1].astype(np.int64)
    minus_one = (value << headroom) - (1 << 31)
    half_denominator = (minus_one + INT32_MAX + 1) >> 1
    # First guess 48/17 − 32/17 · d, in Q2.29 like the iterates.
    x = round(48 / 17 * 2**29) + high_mul(half_denominator, -round(32 / 17 * 2**29))
    for _ in range(3):
        error = (1 << 29) - high_mul(half_denominator, x)
        x = x + _saturate(high_mul(x, error) << 2)
    return _saturate(x << 1), integer_bits - headroom


def _saturate(value: IntArray) -> IntArray:
    return np.clip(value, INT32_MIN, INT32_MAX)


def _softmax_int16(rows: IntArray, graph: Graph, operator: Softmax) -> IntArray:
    scaling = softmax_int16_scaling(graph, operator)
    span = 65535
    exp_table = interpolation_table(np.exp, (-10.0, 0.0))
    reciprocal_table = interpolation_table(lambda x: 1.0 / (1.0 + x), (0.0, 1.0))
    difference = rows - rows.max(axis=1, keepdims=True)
    centered = np.clip(scale_int32(difference, scaling) + 32767, -32768, 32767)
    exponentials = interpolate(centered, exp_table)
    total = exponentials.sum(axis=1, keepdims=True)
    headroom = 32 - np.frexp(total.astype(np.float64))[1].astype(np.int64)
    # The sum as 1 + x with x in [0, 65535], then centered for the table.
    shifted = ((total << (headroom - 1)) + (1 << 13)) >> 14
    reciprocal = interpolate(
        np.clip(shifted - (1 << 15) - span - 1, -32768, 32767), reciprocal_table
    )
    right_shift = 31 - headroom
    product = exponentials * reciprocal + (np.int64(1) << (right_shift - 1))
    return np.asarray(np.clip(product >> right_shift, 0, 32767))
