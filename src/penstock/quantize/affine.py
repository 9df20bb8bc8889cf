"""Choice of scales and zero points, and conversion of arrays from real to quantized values.

Source of the rules: TensorFlow Lite 8-bit quantization specification.
"""

import numpy as np
import numpy.typing as npt

from penstock.ir.dtype import DType
from penstock.ir.operators import Conv2D, DepthwiseConv2D, FullyConnected
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Array

Weighted = Conv2D | DepthwiseConv2D | FullyConnected
RealArray = npt.NDArray[np.floating]

SMALLEST_SCALE = 2e-18  # model files may have scales from 1e-18; what is smaller is 0
FILTER_MAXIMUM = 127  # filters are symmetric: -128 is not used
INT4_FILTER_MAXIMUM = 7
BIAS_MAXIMUM = 1 << 30  # leaves as much again for the sum of products


def choose_activation_parameters(low: float, high: float) -> QuantizationParameters:
    """Return int8 parameters that cover ``[low, high]`` and represent 0 exactly.

    The range is widened to hold 0. Raises ValueError for a range that is not finite or reversed.
    """
    if not (np.isfinite(low) and np.isfinite(high) and low <= high):
        raise ValueError(f"an activation's range must be finite and ascending: [{low}, {high}]")
    low, high = min(low, 0.0), max(high, 0.0)
    smallest, largest = DType.INT8.range
    if low == high:
        return QuantizationParameters.per_tensor(1.0, 0)
    scale = max(float(np.float32((high - low) / (largest - smallest))), SMALLEST_SCALE)
    zero_point = round(smallest - low / scale)
    return QuantizationParameters.per_tensor(scale, min(max(zero_point, smallest), largest))


def channel_axis(operator: Weighted) -> int | None:
    """Return the axis of the filters with a scale for each index; None is one for the tensor."""
    match operator:
        case Conv2D():
            return 0
        case DepthwiseConv2D():
            return 3
        case FullyConnected():
            return None


def choose_filter_parameters(
    filters: RealArray,
    axis: int | None,
    *,
    bias: RealArray | None = None,
    input_scale: float = 1.0,
    maximum: int = FILTER_MAXIMUM,
) -> QuantizationParameters:
    """Return symmetric parameters of filters, one scale per slice along ``axis`` if given.

    The largest weight becomes ``maximum`` steps. With a ``bias``, scales of slices with tiny
    weights are enlarged until the bias, whose scale is their product with ``input_scale``, stays
    within ±`BIAS_MAXIMUM`.
    """
    if axis is None:
        magnitude = np.abs(filters).max(initial=0.0).reshape(1)
    else:
        others = tuple(dimension for dimension in range(filters.ndim) if dimension != axis)
        magnitude = np.abs(filters).max(axis=others, initial=0.0)
    scales = magnitude.astype(np.float64) / maximum
    if bias is not None:
        needed = np.abs(bias).astype(np.float64) / (input_scale * BIAS_MAXIMUM)
        scales = np.maximum(scales, needed.max(initial=0.0) if axis is None else needed)
    scales = np.where(scales >= SMALLEST_SCALE, scales, 1.0).astype(np.float32)
    return QuantizationParameters(tuple(float(scale) for scale in scales), (0,) * len(scales), axis)


def choose_bias_parameters(
    input_scale: float, filters: QuantizationParameters
) -> QuantizationParameters:
    """Return the parameters of an int32 bias: the product of input and filter scales."""
    scales = np.float32(input_scale) * np.array(filters.scale, np.float32)
    axis = None if filters.axis is None else 0
    return QuantizationParameters(tuple(float(scale) for scale in scales), (0,) * len(scales), axis)


def quantize_array(
    real: RealArray, parameters: QuantizationParameters, dtype: DType
) -> npt.NDArray[np.generic]:
    """Return ``real`` in steps of the scale, rounded half away from zero and saturated."""
    scale, zero_point = _broadcast(parameters, real.ndim)
    steps = real.astype(np.float64) / scale
    rounded = np.copysign(np.floor(np.abs(steps) + 0.5), steps)
    return np.clip(rounded + zero_point, *dtype.range).astype(dtype.numpy)


def dequantize_array(values: Array, parameters: QuantizationParameters) -> npt.NDArray[np.float64]:
    """Return the real values of integers."""
    scale, zero_point = _broadcast(parameters, values.ndim)
    return (np.asarray(values, np.float64) - zero_point) * scale


def _broadcast(
    parameters: QuantizationParameters, rank: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    shape = [1] * rank
    if parameters.axis is not None:
        shape[parameters.axis] = len(parameters.scale)
    elif rank == 0:
        shape = []
    scale = np.array(parameters.scale, np.float64).reshape(shape)
    return scale, np.array(parameters.zero_point, np.float64).reshape(shape)
