"""Scales, zero points and conversion, against the rules of the 8-bit specification."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from real_values import dequantize_array

from penstock.ir.dtype import DType
from penstock.ir.quantization import QuantizationParameters
from penstock.quantize.affine import (
    choose_activation_parameters,
    choose_bias_parameters,
    choose_filter_parameters,
    quantize_array,
)

BOUND = st.floats(-1e4, 1e4, allow_nan=False, width=32)


def test_pixels_in_unit_range_map_to_consecutive_integers() -> None:
    parameters = choose_activation_parameters(0.0, 1.0)
    pixels = np.arange(256, dtype=np.float32) / 255
    assert parameters.zero_point == (-128,)
    np.testing.assert_array_equal(
        quantize_array(pixels, parameters, DType.INT8), np.arange(-128, 128)
    )


@given(BOUND, BOUND)
@example(0.0, 1e-44)
@settings(deadline=None)
def test_activation_range_is_covered_and_zero_is_exact(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    parameters = choose_activation_parameters(low, high)
    scale = parameters.scale[0]
    assert -128 <= parameters.zero_point[0] <= 127
    values = np.linspace(low, high, 50)
    restored = dequantize_array(quantize_array(values, parameters, DType.INT8), parameters)
    # Half a step of rounding, and up to half a step more at the ends, where the zero point
    # itself was rounded.
    assert np.abs(restored - values).max() <= scale * 1.001 or low == high == 0.0
    assert dequantize_array(quantize_array(np.zeros(1), parameters, DType.INT8), parameters) == 0


@pytest.mark.parametrize(("low", "high"), [(1.0, 0.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_impossible_activation_range_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="finite and ascending"):
        choose_activation_parameters(low, high)


@given(st.integers(0, 2**32 - 1), st.sampled_from([None, 0, 1]))
@settings(deadline=None)
def test_filters_use_the_whole_symmetric_range(seed: int, axis: int | None) -> None:
    filters = np.random.default_rng(seed).normal(size=(4, 3, 5)).astype(np.float32)
    parameters = choose_filter_parameters(filters, axis)
    quantized = quantize_array(filters, parameters, DType.INT8)
    assert parameters.zero_point == (0,) * (1 if axis is None else filters.shape[axis])
    others = None if axis is None else tuple(i for i in range(3) if i != axis)
    largest = np.abs(quantized.astype(np.int32)).max(axis=others)
    np.testing.assert_array_equal(largest, np.full_like(largest, 127))


def test_tiny_filters_get_a_scale_that_lets_the_bias_fit() -> None:
    filters = np.array([[1e-12], [0.5], [0.0]], np.float32)
    bias = np.array([0.5, 0.25, 0.0], np.float32)
    parameters = choose_filter_parameters(filters, 0, bias=bias, input_scale=0.02)
    bias_parameters = choose_bias_parameters(0.02, parameters)
    quantized = quantize_array(bias, bias_parameters, DType.INT32)
    np.testing.assert_allclose(dequantize_array(quantized, bias_parameters), bias, rtol=1e-4)
    assert parameters.scale[1] == pytest.approx(0.5 / 127)


def test_rounding_is_half_away_from_zero_and_saturates() -> None:
    parameters = QuantizationParameters.per_tensor(1.0, 0)
    real = np.array([0.5, 1.5, -0.5, -2.5, 127.6, -1000.0])
    np.testing.assert_array_equal(
        quantize_array(real, parameters, DType.INT8), [1, 2, -1, -3, 127, -128]
    )
