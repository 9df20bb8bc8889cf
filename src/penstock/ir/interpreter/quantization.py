"""Between real and quantized values, and between quantizations."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.integer_parameters import quantize_parameters
from penstock.ir.interpreter.requantization import clamp, round_half_away, scale_int32
from penstock.ir.operators import Dequantize, Quantize
from penstock.ir.parameter_types import RescaleParameters
from penstock.ir.tensor import Array, Tensor


def quantize(graph: Graph, operator: Quantize, values: Mapping[str, Array]) -> Array:
    """Evaluate QUANTIZE from float32 or from another integer type."""
    source, output = graph.tensors[operator.input], graph.tensors[operator.output]
    value = values[operator.input]
    if source.dtype is DType.FLOAT32:
        return quantize_real(value.astype(np.float32), output)
    return rescale(value, quantize_parameters(graph, operator), output)


def quantize_real(value: npt.NDArray[np.float32], output: Tensor) -> Array:
    """Return real values in the quantization of ``output``, saturated; NaN becomes zero point.

    TensorFlow Lite's result for values beyond ±2^31 steps is undefined; saturating is ours.
    """
    smallest, largest = output.dtype.range
    steps = np.nan_to_num(value / np.float32(output.scale), nan=0.0)
    limited = np.clip(
        steps, np.float32(smallest - output.zero_point), np.float32(largest - output.zero_point)
    ).astype(np.float64)
    quantized = round_half_away(limited).astype(np.int64) + output.zero_point
    return clamp(quantized, (smallest, largest), output.dtype.numpy)


def rescale(value: Array, parameters: RescaleParameters, output: Tensor) -> Array:
    """Return quantized values in another quantization, clamped."""
    centered = value.astype(np.int64) - parameters.input_zero_point
    result = scale_int32(centered, parameters.scaling) + parameters.output_zero_point
    return clamp(result, (parameters.output_min, parameters.output_max), output.dtype.numpy)


def dequantize(graph: Graph, operator: Dequantize, values: Mapping[str, Array]) -> Array:
    """Evaluate DEQUANTIZE: the product is formed in double precision, then rounded."""
    source = graph.tensors[operator.input]
    centered = values[operator.input].astype(np.int64) - source.zero_point
    return np.asarray(source.scale * centered.astype(np.float64)).astype(np.float32)
