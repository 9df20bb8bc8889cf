"""Convolutions, fully connected layers and SVDF as calls of a TensorFlow Lite file."""

import numpy as np
import tflite

from penstock.frontends.tflite.file_calls import (
    ACTIVATIONS,
    CallList,
    CallWriter,
    refuse,
    version_for,
)
from penstock.frontends.tflite.file_padding import pad_explicitly, padding_scheme, spatial
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.nibbles import fits_nibbles
from penstock.ir.operators import Activation, Operator
from penstock.ir.tensor import Tensor

_WithNibbles = ops.Conv2D | ops.DepthwiseConv2D | ops.FullyConnected
"""Operators whose filters may be INT4."""


def _require_current_rounding(
    calls: CallList, operator: ops.Conv2D | ops.DepthwiseConv2D | ops.TransposeConv2D
) -> None:
    quantization = calls.tensors[operator.filters].quantization
    if operator.multiplier_source is ops.MultiplierSource.SINGLE:
        raise refuse(operator, "it rounds multipliers as legacy uint8 kernels do")
    if quantization is not None and any(quantization.zero_point):
        raise refuse(operator, "int8 filters need the zero point 0")


def stored_as_nibbles(graph: Graph) -> frozenset[str]:
    """Return the constants that can be INT4: nothing but filters of operators that know it."""
    filters: set[str] = set()
    others = set(graph.outputs)
    for operator in graph.operators:
        own = operator.filters if isinstance(operator, _WithNibbles) else None
        others.update(name for name in operator.inputs if name not in (own, None))
        filters.update([own] if own is not None else [])
    return frozenset(name for name in filters - others if _are_nibbles(graph.tensors[name]))


def _are_nibbles(tensor: Tensor) -> bool:
    points = () if tensor.quantization is None else tensor.quantization.zero_point
    return (
        tensor.data is not None
        and tensor.dtype is DType.INT8
        and not any(points)
        and fits_nibbles(tensor.data)
    )


def _version(calls: CallList, operator: _WithNibbles, version: int) -> int:
    """Return the version of an operator whose filters may be INT4."""
    if operator.filters not in calls.nibbles:
        return version
    if isinstance(operator, ops.DepthwiseConv2D):
        return version  # the format's tools say 7, which LiteRT's reference kernels do not go by
    return max(version, 10 if isinstance(operator, ops.FullyConnected) else 7)


def _convolution_input(
    calls: CallList, operator: ops.Conv2D | ops.DepthwiseConv2D
) -> tuple[str, int]:
    """Return the tensor to read, padded where the file has no word for the padding, and scheme."""
    _require_current_rounding(calls, operator)
    _, kernel_height, kernel_width, _ = calls.tensors[operator.filters].shape
    window = (
        (kernel_height - 1) * operator.dilation[0] + 1,
        (kernel_width - 1) * operator.dilation[1] + 1,
    )
    output_size = spatial(calls.tensors[operator.output])
    input_size = spatial(calls.tensors[operator.input])
    scheme = padding_scheme(input_size, output_size, window, operator.stride, operator.padding)
    if scheme is not None:
        return operator.input, scheme
    return pad_explicitly(calls, operator.input, operator.padding), int(tflite.Padding.VALID)


def _required_bias(calls: CallList, operator: ops.Conv2D | ops.DepthwiseConv2D) -> tuple[str, ...]:
    """Return the bias; zeros where quantized CONV_2D, whose kernels insist on one, has none."""
    if operator.bias is not None:
        return (operator.bias,)
    data, output = calls.tensors[operator.input], calls.tensors[operator.output]
    if isinstance(operator, ops.DepthwiseConv2D) or data.dtype is DType.FLOAT32:
        return ()
    dtype = DType.INT64 if data.dtype is DType.INT16 else DType.INT32
    return (calls.add_constant(f"{output.name}_bias", np.zeros(output.shape[3]), dtype),)


def _write_conv_2d(calls: CallList, operator: ops.Conv2D) -> None:
    data, scheme = _convolution_input(calls, operator)
    calls.call(
        "CONV_2D",
        _version(calls, operator, version_for(calls.tensors[data], int8=3, int16=4)),
        (data, operator.filters, *_required_bias(calls, operator)),
        operator.outputs,
        "Conv2DOptions",
        Padding=scheme,
        StrideH=operator.stride[0],
        StrideW=operator.stride[1],
        DilationHFactor=operator.dilation[0],
        DilationWFactor=operator.dilation[1],
        FusedActivationFunction=ACTIVATIONS[operator.activation],
        QuantizedBiasType=_bias_type(calls, operator.input, operator.bias),
    )


def _write_depthwise_conv_2d(calls: CallList, operator: ops.DepthwiseConv2D) -> None:
    data, scheme = _convolution_input(calls, operator)
    channels_in = calls.tensors[data].shape[3]
    channels_out = calls.tensors[operator.output].shape[3]
    dilated = operator.dilation != (1, 1)
    version = version_for(calls.tensors[data], int8=3, int16=5, other=2 if dilated else 1)
    calls.call(
        "DEPTHWISE_CONV_2D",
        _version(calls, operator, version),
        (data, operator.filters, *_required_bias(calls, operator)),
        operator.outputs,
        "DepthwiseConv2DOptions",
        Padding=scheme,
        StrideH=operator.stride[0],
        StrideW=operator.stride[1],
        DepthMultiplier=channels_out // channels_in,
        DilationHFactor=operator.dilation[0],
        DilationWFactor=operator.dilation[1],
        FusedActivationFunction=ACTIVATIONS[operator.activation],
    )


def _write_transpose_conv_2d(calls: CallList, operator: ops.TransposeConv2D) -> None:
    _require_current_rounding(calls, operator)
    data, output = calls.tensors[operator.input], calls.tensors[operator.output]
    window = spatial(calls.tensors[operator.filters])
    scheme = padding_scheme(
        spatial(output), spatial(data), window, operator.stride, operator.padding
    )
    if scheme is None:
        raise refuse(operator, f"{operator.padding} is neither SAME nor VALID padding")
    bias = () if operator.bias is None else (operator.bias,)
    activated = operator.activation is not Activation.NONE
    with_bias = 3 if operator.bias is not None else 1
    version = version_for(data, int8=max(2, with_bias), int16=4, other=with_bias)
    shape = calls.add_constant(f"{output.name}_shape", output.shape)
    calls.call(
        "TRANSPOSE_CONV",
        4 if activated else version,
        (shape, operator.filters, operator.input, *bias),
        operator.outputs,
        "TransposeConvOptions",
        Padding=scheme,
        StrideH=operator.stride[0],
        StrideW=operator.stride[1],
        FusedActivationFunction=ACTIVATIONS[operator.activation],
        QuantizedBiasType=_bias_type(calls, operator.input, operator.bias),
    )


def _bias_type(calls: CallList, data: str, bias: str | None) -> int:
    """Return the bias type that int16 kernels must be told; FLOAT32, the default, for others."""
    if bias is None or calls.tensors[data].dtype is not DType.INT16:
        return int(tflite.TensorType.FLOAT32)
    is_wide = calls.tensors[bias].dtype is DType.INT64
    return int(tflite.TensorType.INT64 if is_wide else tflite.TensorType.INT32)


def _write_fully_connected(calls: CallList, operator: ops.FullyConnected) -> None:
    data, filters = calls.tensors[operator.input], calls.tensors[operator.filters]
    per_channel = filters.quantization is not None and not filters.quantization.is_per_tensor
    keep_dims = len(calls.tensors[operator.output].shape) != 2
    version = 12 if per_channel else version_for(data, int8=4, int16=7)
    if operator.bias is None:
        version = max(version, 6)
    if keep_dims:
        version = max(version, 5)
    calls.call(
        "FULLY_CONNECTED",
        _version(calls, operator, version),
        (operator.input, operator.filters, operator.bias),
        operator.outputs,
        "FullyConnectedOptions",
        KeepNumDims=keep_dims,
        FusedActivationFunction=ACTIVATIONS[operator.activation],
        QuantizedBiasType=_bias_type(calls, operator.input, operator.bias),
    )


def _write_svdf(calls: CallList, operator: ops.Svdf) -> None:
    version = version_for(calls.tensors[operator.input], int8=3)
    if calls.tensors[operator.time_weights].dtype is DType.INT8:
        version = max(version, 4)
    calls.call(
        "SVDF",
        version,
        (
            operator.input,
            operator.feature_weights,
            operator.time_weights,
            operator.bias,
            operator.state,
        ),
        operator.outputs,
        "SVDFOptions",
        Rank=operator.rank,
        FusedActivationFunction=ACTIVATIONS[operator.activation],
    )


WRITERS: dict[type[Operator], CallWriter] = {
    ops.Conv2D: _write_conv_2d,
    ops.DepthwiseConv2D: _write_depthwise_conv_2d,
    ops.TransposeConv2D: _write_transpose_conv_2d,
    ops.FullyConnected: _write_fully_connected,
    ops.Svdf: _write_svdf,
}
