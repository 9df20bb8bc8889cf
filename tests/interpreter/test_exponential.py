"""The float32 exponential against correct rounding."""

import numpy as np

from penstock.ir.interpreter.exponential import exp_float32


def test_error_is_hardly_above_half_a_unit() -> None:
    values = np.random.default_rng(0).uniform(-87.0, 88.0, 200_000).astype(np.float32)
    exact = np.exp(values.astype(np.float64))
    found = exp_float32(values)
    unit = np.spacing(exact.astype(np.float32)).astype(np.float64)
    assert np.max(np.abs(found.astype(np.float64) - exact) / unit) < 0.51


def test_ends() -> None:
    values = np.array([0.0, -np.inf, -110.0, 100.0, np.inf, np.nan, -0.0], np.float32)
    expected = np.array([1.0, 0.0, 0.0, np.inf, np.inf, np.nan, 1.0], np.float32)
    np.testing.assert_array_equal(exp_float32(values), expected)


def test_denormal_results() -> None:
    values = np.array([-88.0, -95.0, -103.0], np.float32)
    expected = np.exp(values.astype(np.float64)).astype(np.float32)
    assert np.max(np.abs(exp_float32(values) - expected)) <= np.float32(1e-45)
