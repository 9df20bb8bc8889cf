"""The meaning of quantized numbers, independent of what made them."""

import numpy as np
import numpy.typing as npt

from penstock.ir.quantization import QuantizationParameters


def dequantize_array(
    quantized: npt.NDArray[np.integer], parameters: QuantizationParameters
) -> npt.NDArray[np.float64]:
    """Return scale times distance from the zero point, with the scales along their axis."""
    scale, zero_point = np.array(parameters.scale), np.array(parameters.zero_point)
    if parameters.axis is None:
        return (quantized.astype(np.float64) - zero_point[0]) * scale[0]
    last = np.moveaxis(quantized.astype(np.float64), parameters.axis, -1)
    return np.moveaxis((last - zero_point) * scale, -1, parameters.axis)
