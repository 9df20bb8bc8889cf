"""Translation of the TensorFlow Lite builtins that sum inputs weighted by constants.

Each function checks what the model file must hold and resolves padding; shapes are checked
afterwards by `penstock.ir.verify`.
"""

import tflite

from penstock.errors import ModelFormatError
from penstock.frontends.tflite.geometry import read_window
from penstock.frontends.tflite.operator_view import QUANTIZE_FIRST, OperatorView, Translate
from penstock.ir import operators as ir
from penstock.ir.dtype import DType
from penstock.ir.operators import MultiplierSource, Operator
from penstock.ir.tensor import Tensor


def _weighted(view: OperatorView, tensors: tuple[Tensor, Tensor, Tensor | None, Tensor]) -> None:
    """Check the types of activations, weights, bias and output of a weighted sum."""
    data, filters, bias, output = tensors
    if view.is_real(data, filters, output):
        _expect_real_constants(view, filters, bias)
        return
    if data.dtype is DType.FLOAT32 and filters.dtype is DType.INT8:
        raise view.refuse(
            f"is hybrid: float activations ({data.name!r}) with int8 weights; "
            "Penstock computes in integers",
            help=QUANTIZE_FIRST,
        )
    view.expect_quantized(data, output)
    view.expect_same_type(data, output)
    if filters.data is None:
        raise view.refuse(
            f"has filters {filters.name!r} that are computed at run time",
            help="make the weights constants of the model",
        )
    weight_type = DType.UINT8 if data.dtype is DType.UINT8 else DType.INT8
    if filters.dtype is not weight_type or filters.quantization is None:
        raise view.refuse(
            f"has filters {filters.name!r} of type {filters.dtype.value}"
            f"{'' if filters.quantization else ' without a scale'}; with "
            f"{data.dtype.value} activations they must be quantized {weight_type.value}",
            help=QUANTIZE_FIRST,
        )
    if bias is not None:
        _check_bias(view, data, bias)


def _expect_real_constants(view: OperatorView, filters: Tensor, bias: Tensor | None) -> None:
    for tensor in (filters, *(() if bias is None else (bias,))):
        if tensor.data is None or tensor.dtype is not DType.FLOAT32:
            raise view.refuse(
                f"has weights {tensor.name!r} of type {tensor.dtype.value}"
                f"{'' if tensor.data is not None else ', computed at run time'}; in a float32 "
                "network they must be f32 constants",
                help="make the weights constants of the model",
            )


def _check_bias(view: OperatorView, data: Tensor, bias: Tensor) -> None:
    allowed = (DType.INT32, DType.INT64) if data.dtype is DType.INT16 else (DType.INT32,)
    if bias.dtype not in allowed or bias.data is None:
        raise view.refuse(
            f"has the bias {bias.name!r} of type {bias.dtype.value}"
            f"{'' if bias.data is not None else ', computed at run time'}; it must be a constant "
            f"{' or '.join(dtype.value for dtype in allowed)}",
            help=QUANTIZE_FIRST,
        )


def _expect_symmetric_filters(view: OperatorView, filters: Tensor) -> None:
    """Check the zero points of int8 filters: convolutions of the reference ignore others."""
    if (
        filters.dtype is DType.INT8
        and filters.quantization
        and any(filters.quantization.zero_point)
    ):
        raise view.refuse(
            f"has int8 filters {filters.name!r} with a non-zero zero point, which the 8-bit "
            "quantization specification forbids",
            help="convert the model again with a current converter",
        )


def _name(tensor: Tensor | None) -> str | None:
    return None if tensor is None else tensor.name


def _multiplier_source(data: Tensor) -> MultiplierSource:
    """Legacy uint8 kernels round the product of the scales to float32, others do not."""
    return MultiplierSource.SINGLE if data.dtype is DType.UINT8 else MultiplierSource.DOUBLE


def _convolution(view: OperatorView) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
    view.expect_counts((2, 3))
    tensors = view.input(0), view.input(1), view.optional_input(2), view.output()
    _weighted(view, tensors)
    _expect_symmetric_filters(view, tensors[1])
    return tensors


def _conv_2d(view: OperatorView) -> Operator:
    data, filters, bias, output = _convolution(view)
    options = view.options(tflite.Conv2DOptions)
    window = read_window(
        view, options, view.image_size(data), view.image_size(filters), dilated=True
    )
    return ir.Conv2D(
        source=view.index,
        input=data.name,
        filters=filters.name,
        bias=_name(bias),
        output=output.name,
        stride=window.stride,
        dilation=window.dilation,
        padding=window.padding,
        activation=view.activation(options),
        multiplier_source=_multiplier_source(data),
    )


def _depthwise_conv_2d(view: OperatorView) -> Operator:
    data, filters, bias, output = _convolution(view)
    options = view.options(tflite.DepthwiseConv2DOptions)
    window = read_window(
        view, options, view.image_size(data), view.image_size(filters), dilated=True
    )
    multiplier = options.DepthMultiplier()
    if multiplier and data.shape[3] * multiplier != filters.shape[3]:
        raise ModelFormatError(
            f"{view.where} has {data.shape[3]} input channels, a depth multiplier of {multiplier} "
            f"and {filters.shape[3]} filters"
        )
    return ir.DepthwiseConv2D(
        source=view.index,
        input=data.name,
        filters=filters.name,
        bias=_name(bias),
        output=output.name,
        stride=window.stride,
        dilation=window.dilation,
        padding=window.padding,
        activation=view.activation(options),
        multiplier_source=_multiplier_source(data),
    )


def _transpose_conv(view: OperatorView) -> Operator:
    view.expect_counts((3, 4))
    # Input 0 is the output's shape; the output tensor of the file has it too.
    filters, data, bias, output = (
        view.input(1),
        view.input(2),
        view.optional_input(3),
        view.output(),
    )
    view.expect_quantized(data, output)
    _weighted(view, (data, filters, bias, output))
    _expect_symmetric_filters(view, filters)
    options = view.options(tflite.TransposeConvOptions)
    window = read_window(
        view, options, view.image_size(output), view.image_size(filters), dilated=False
    )
    return ir.TransposeConv2D(
        source=view.index,
        input=data.name,
        filters=filters.name,
        bias=_name(bias),
        output=output.name,
        stride=window.stride,
        padding=window.padding,
        activation=view.activation(options),
        multiplier_source=_multiplier_source(data),
    )


def _fully_connected(view: OperatorView) -> Operator:
    view.expect_counts((2, 3))
    data, filters, bias = view.input(0), view.input(1), view.optional_input(2)
    output = view.output()
    _weighted(view, (data, filters, bias, output))
    options = view.options(tflite.FullyConnectedOptions)
    if options.WeightsFormat() != tflite.FullyConnectedOptionsWeightsFormat.DEFAULT:
        raise view.refuse(
            f"has filters {filters.name!r} in a shuffled format",
            help="convert the model without a delegate's weight format",
        )
    return ir.FullyConnected(
        source=view.index,
        input=data.name,
        filters=filters.name,
        bias=_name(bias),
        output=output.name,
        activation=view.activation(options),
    )


def _svdf(view: OperatorView) -> Operator:
    view.expect_counts((5, 5))
    data, features, times = view.input(0), view.input(1), view.input(2)
    bias, state, output = view.optional_input(3), view.input(4), view.output()
    view.expect_quantized(data, output, dtypes=(DType.INT8,))
    _weighted(view, (data, features, bias, output))
    view.expect_quantized(times, state, dtypes=(DType.INT8, DType.INT16))
    view.expect_same_type(state, times)
    if times.data is None or not state.is_variable:
        raise ModelFormatError(
            f"{view.where} needs constant time weights and a variable state, found "
            f"{times.name!r} and {state.name!r}"
        )
    options = view.options(tflite.SVDFOptions)
    return ir.Svdf(
        source=view.index,
        input=data.name,
        feature_weights=features.name,
        time_weights=times.name,
        bias=_name(bias),
        state=state.name,
        output=output.name,
        rank=int(options.Rank()),
        activation=view.activation(options),
    )


WEIGHTED_SUMS: dict[str, Translate] = {
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "FULLY_CONNECTED": _fully_connected,
    "SVDF": _svdf,
    "TRANSPOSE_CONV": _transpose_conv,
}
"""Convolutions and their like."""
