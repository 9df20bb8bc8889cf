"""Translation of each TensorFlow Lite builtin into an IR operator, one function each.

A function checks what the model file must hold and resolves what depends on constants (padding,
axes, masks); shapes are checked afterwards by `penstock.ir.verify`.
"""

import math
from collections.abc import Callable
from typing import Any

import tflite

from penstock.errors import ModelFormatError
from penstock.frontends.tflite.geometry import Window, read_window
from penstock.frontends.tflite.operator_view import (
    ACTIVATION_TYPES,
    QUANTIZE_FIRST,
    OperatorView,
)
from penstock.ir import operators as ir
from penstock.ir.dtype import DType
from penstock.ir.integer_parameters import is_power_of_two
from penstock.ir.operators import Activation, MultiplierSource, Operator
from penstock.ir.tensor import Tensor

_WEIGHT_TYPES = (DType.INT8, DType.UINT8)


def _weighted(view: OperatorView, tensors: tuple[Tensor, Tensor, Tensor | None, Tensor]) -> None:
    """Check the types of activations, weights, bias and output of a weighted sum."""
    data, filters, bias, output = tensors
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


def _image(view: OperatorView, tensor: Tensor) -> tuple[int, int]:
    if len(tensor.shape) != 4:
        raise ModelFormatError(
            f"{view.where} needs four dimensions, {tensor.name!r} has {list(tensor.shape)}"
        )
    return tensor.shape[1], tensor.shape[2]


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
    window = read_window(view, options, _image(view, data), _image(view, filters), dilated=True)
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
    window = read_window(view, options, _image(view, data), _image(view, filters), dilated=True)
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
    _weighted(view, (data, filters, bias, output))
    _expect_symmetric_filters(view, filters)
    options = view.options(tflite.TransposeConvOptions)
    window = read_window(view, options, _image(view, output), _image(view, filters), dilated=False)
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
    _weighted(view, (data, features, bias, output))
    view.expect_quantized(data, output, dtypes=(DType.INT8,))
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


def _binary(view: OperatorView) -> tuple[Tensor, Tensor, Tensor]:
    view.expect_counts((2, 2))
    left, right, output = view.input(0), view.input(1), view.output()
    view.expect_quantized(left, right, output)
    view.expect_same_type(left, right, output)
    return left, right, output


def _sums_by_shifts(view: OperatorView, options: Any, *operands: Tensor) -> bool:
    """Return the file's choice for 16-bit sums whose scales are all powers of two.

    Such a sum shifts one operand, which needs the larger operand to have the output's scale.
    """
    output = operands[2]
    if output.dtype is not DType.INT16 or not options.PotScaleInt16():
        return False
    exponents = [is_power_of_two(tensor.scale) for tensor in operands]
    found = [exponent for exponent in exponents if exponent is not None]
    if len(found) == len(exponents) and max(found[:2]) != found[2]:
        raise view.refuse(
            f"sums by shifts (all scales are powers of two), but the larger scale of its inputs, "
            f"2^{max(found[:2])}, is not the output's, 2^{found[2]}",
            help="convert the model again with a current converter (16x8 quantization)",
        )
    return True


def _add(view: OperatorView) -> Operator:
    left, right, output = _binary(view)
    options = view.options(tflite.AddOptions)
    return ir.Add(
        source=view.index,
        left=left.name,
        right=right.name,
        output=output.name,
        activation=view.activation(options),
        pot_scale_int16=_sums_by_shifts(view, options, left, right, output),
    )


def _sub(view: OperatorView) -> Operator:
    left, right, output = _binary(view)
    options = view.options(tflite.SubOptions)
    return ir.Sub(
        source=view.index,
        left=left.name,
        right=right.name,
        output=output.name,
        activation=view.activation(options),
        pot_scale_int16=_sums_by_shifts(view, options, left, right, output),
    )


def _mul(view: OperatorView) -> Operator:
    left, right, output = _binary(view)
    return ir.Mul(
        source=view.index,
        left=left.name,
        right=right.name,
        output=output.name,
        activation=view.activation(view.options(tflite.MulOptions)),
    )


def _extremum(cls: type[ir.Maximum] | type[ir.Minimum]) -> Callable[[OperatorView], Operator]:
    def translate(view: OperatorView) -> Operator:
        left, right, output = _binary(view)
        _expect_alike(view, left, right, output)
        return cls(source=view.index, left=left.name, right=right.name, output=output.name)

    return translate


def _expect_alike(view: OperatorView, *tensors: Tensor) -> None:
    """Refuse tensors whose quantization differs where the kernel copies or compares numbers."""
    first = tensors[0]
    for tensor in tensors[1:]:
        same = tensor.quantization == first.quantization or (
            (tensor.quantization is None) == (first.quantization is None)
            and tensor.zero_point == first.zero_point
            and abs(tensor.scale - first.scale) <= 1e-6
        )
        if not same:
            raise view.refuse(
                f"needs all tensors quantized alike: {first.name!r} has {first.quantization}, "
                f"{tensor.name!r} {tensor.quantization}",
                help="convert the model again; converters quantize these tensors alike",
            )


def _pool(view: OperatorView) -> tuple[Tensor, Tensor, Window, Activation]:
    view.expect_counts((1, 1))
    data, output = view.input(0), view.output()
    view.expect_quantized(data, output)
    view.expect_same_type(data, output)
    _expect_alike(view, data, output)
    options = view.options(tflite.Pool2DOptions)
    size = int(options.FilterHeight()), int(options.FilterWidth())
    window = read_window(view, options, _image(view, data), size, dilated=False)
    return data, output, window, view.activation(options)


def _average_pool_2d(view: OperatorView) -> Operator:
    data, output, window, activation = _pool(view)
    return ir.AveragePool2D(
        source=view.index,
        input=data.name,
        output=output.name,
        filter=window.filter,
        stride=window.stride,
        padding=window.padding,
        activation=activation,
    )


def _max_pool_2d(view: OperatorView) -> Operator:
    data, output, window, activation = _pool(view)
    return ir.MaxPool2D(
        source=view.index,
        input=data.name,
        output=output.name,
        filter=window.filter,
        stride=window.stride,
        padding=window.padding,
        activation=activation,
    )


def _mean(view: OperatorView) -> Operator:
    view.expect_counts((2, 2))
    data, output = view.input(0), view.output()
    view.expect_quantized(data, output)
    view.expect_same_type(data, output)
    axes = {view.axis(axis, len(data.shape)) for axis in view.constant_integers(1, "axes")}
    return ir.Mean(
        source=view.index,
        input=data.name,
        output=output.name,
        axes=tuple(sorted(axes)),
        keep_dims=bool(view.options(tflite.ReducerOptions).KeepDims()),
    )


def _softmax(view: OperatorView) -> Operator:
    view.expect_counts((1, 1))
    data, output = view.input(0), view.output()
    if data.dtype is not DType.FLOAT32 or output.dtype is not DType.FLOAT32:
        view.expect_quantized(data, output)
    beta = float(view.options(tflite.SoftmaxOptions).Beta())
    if not (math.isfinite(beta) and beta > 0):
        raise ModelFormatError(f"{view.where} has the beta {beta}; it must be finite and above 0")
    return ir.Softmax(source=view.index, input=data.name, output=output.name, beta=beta)


def _leaky_relu(view: OperatorView) -> Operator:
    data, output = _unary(view)
    alpha = float(view.options(tflite.LeakyReluOptions).Alpha())
    if not math.isfinite(alpha):
        raise ModelFormatError(f"{view.where} has the alpha {alpha}; it must be finite")
    return ir.LeakyRelu(source=view.index, input=data.name, output=output.name, alpha=alpha)


def _unary(view: OperatorView) -> tuple[Tensor, Tensor]:
    view.expect_counts((1, 1))
    data, output = view.input(0), view.output()
    view.expect_quantized(data, output)
    view.expect_same_type(data, output)
    return data, output


def _relu(activation: Activation) -> Callable[[OperatorView], Operator]:
    def translate(view: OperatorView) -> Operator:
        data, output = _unary(view)
        return ir.Relu(
            source=view.index, input=data.name, output=output.name, activation=activation
        )

    return translate


def _log_softmax(view: OperatorView) -> Operator:
    view.expect_counts((1, 1))
    data, output = view.input(0), view.output()
    view.expect_same_type(data, output)
    if data.dtype is not DType.FLOAT32:
        view.expect_quantized(data, output, dtypes=(DType.INT8,))
    return ir.LogSoftmax(source=view.index, input=data.name, output=output.name)


def _pointwise(
    cls: type[ir.Logistic] | type[ir.Tanh] | type[ir.HardSwish],
) -> Callable[[OperatorView], Operator]:
    def translate(view: OperatorView) -> Operator:
        data, output = _unary(view)
        return cls(source=view.index, input=data.name, output=output.name)

    return translate


def _quantize(view: OperatorView) -> Operator:
    view.expect_counts((1, 1))
    data, output = view.input(0), view.output()
    if data.dtype is not DType.FLOAT32:
        view.expect_quantized(data, dtypes=(*ACTIVATION_TYPES, DType.INT32))
    view.expect_quantized(output, dtypes=(*ACTIVATION_TYPES, DType.INT32))
    return ir.Quantize(source=view.index, input=data.name, output=output.name)


def _dequantize(view: OperatorView) -> Operator:
    view.expect_counts((1, 1))
    data, output = view.input(0), view.output()
    view.expect_quantized(data, dtypes=(*ACTIVATION_TYPES, DType.INT32))
    if output.dtype is not DType.FLOAT32:
        raise ModelFormatError(
            f"{view.where} writes {output.name!r} of type {output.dtype.value}, not f32"
        )
    return ir.Dequantize(source=view.index, input=data.name, output=output.name)


Translate = Callable[[OperatorView], Operator]

ARITHMETIC: dict[str, Translate] = {
    "ADD": _add,
    "AVERAGE_POOL_2D": _average_pool_2d,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "DEQUANTIZE": _dequantize,
    "FULLY_CONNECTED": _fully_connected,
    "HARD_SWISH": _pointwise(ir.HardSwish),
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": _pointwise(ir.Logistic),
    "LOG_SOFTMAX": _log_softmax,
    "MAXIMUM": _extremum(ir.Maximum),
    "MAX_POOL_2D": _max_pool_2d,
    "MEAN": _mean,
    "MINIMUM": _extremum(ir.Minimum),
    "MUL": _mul,
    "QUANTIZE": _quantize,
    "RELU": _relu(Activation.RELU),
    "RELU6": _relu(Activation.RELU6),
    "RELU_N1_TO_1": _relu(Activation.RELU_N1_TO_1),
    "SOFTMAX": _softmax,
    "SUB": _sub,
    "SVDF": _svdf,
    "TANH": _pointwise(ir.Tanh),
    "TRANSPOSE_CONV": _transpose_conv,
}
"""Every builtin that computes with quantized values."""
