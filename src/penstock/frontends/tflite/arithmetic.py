"""Translation of the TensorFlow Lite builtins that compute element by element or over windows.

Each function checks what the model file must hold and resolves padding and axes; shapes are
checked afterwards by `penstock.ir.verify`.
"""

import math
from typing import Any

import tflite

from penstock.errors import ModelFormatError
from penstock.frontends.tflite.geometry import Window, read_window
from penstock.frontends.tflite.operator_view import (
    ACTIVATION_TYPES,
    OperatorView,
    Translate,
    describe,
)
from penstock.ir import operators as ir
from penstock.ir.dtype import DType
from penstock.ir.integer_parameters import is_power_of_two
from penstock.ir.operators import Activation, Operator
from penstock.ir.tensor import Tensor


def _binary(view: OperatorView) -> tuple[Tensor, Tensor, Tensor]:
    view.expect_counts((2, 2))
    left, right, output = view.input(0), view.input(1), view.output()
    view.expect_activations(left, right, output)
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


def _expect_computable_sum(view: OperatorView, *operands: Tensor) -> None:
    """Refuse outputs so fine that the factor from sums to them, below 1 elsewhere, is not.

    TensorFlow Lite's kernels shift by a negative number there, which C does not define.
    """
    left, right, output = operands
    if view.is_real(*operands):
        return
    headroom_shift = 15 if output.dtype is DType.INT16 else 20
    coarsest = max(abs(left.scale), abs(right.scale))
    if 2 * coarsest >= abs(output.scale) * (1 << headroom_shift):
        raise view.refuse(
            f"has the scale {output.scale:g} at its output and {coarsest:g} at an input; "
            f"supported are outputs above 2^-{headroom_shift - 1} of that, "
            f"{coarsest / (1 << (headroom_shift - 1)):g}",
            help="every sum but 0 would leave the output's range: calibrate the model again",
        )


def _add(view: OperatorView) -> Operator:
    left, right, output = _binary(view)
    _expect_computable_sum(view, left, right, output)
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
    _expect_computable_sum(view, left, right, output)
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


def _extremum(cls: type[ir.Maximum] | type[ir.Minimum]) -> Translate:
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
                f"needs all tensors quantized alike, found {describe(first)} and "
                f"{describe(tensor)}",
                help="convert the model again; converters quantize these tensors alike",
            )


def _pool(view: OperatorView) -> tuple[Tensor, Tensor, Window, Activation]:
    view.expect_counts((1, 1))
    data, output = view.input(0), view.output()
    view.expect_activations(data, output)
    _expect_alike(view, data, output)
    options = view.options(tflite.Pool2DOptions)
    size = int(options.FilterHeight()), int(options.FilterWidth())
    window = read_window(view, options, view.image_size(data), size, dilated=False)
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
    view.expect_activations(data, output)
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
    if data.dtype in (DType.INT8, DType.UINT8) and output.dtype is DType.INT16:
        _expect_full_range(view, output)
    beta = float(view.options(tflite.SoftmaxOptions).Beta())
    if not (math.isfinite(beta) and beta > 0):
        raise ModelFormatError(f"{view.where} has the beta {beta}; it must be finite and above 0")
    return ir.Softmax(source=view.index, input=data.name, output=output.name, beta=beta)


def _expect_full_range(view: OperatorView, output: Tensor) -> None:
    """Refuse 16-bit probabilities that are not quantized as the kernel for 8 bits gives them.

    TensorFlow Lite runs such a file and leaves out what it says about the output.
    """
    if abs(output.scale * 65536 - 1) > 1e-3 or output.zero_point != -32768:
        raise view.refuse(
            f"makes 16-bit probabilities of 8-bit inputs and writes them as {describe(output)}; "
            f"supported are scale {1 / 65536:g} and zero point -32768",
            help="give it an int8 output, or leave it out: the largest logit is the same class",
        )


def _leaky_relu(view: OperatorView) -> Operator:
    data, output = _unary(view)
    alpha = float(view.options(tflite.LeakyReluOptions).Alpha())
    if not math.isfinite(alpha):
        raise ModelFormatError(f"{view.where} has the alpha {alpha}; it must be finite")
    return ir.LeakyRelu(source=view.index, input=data.name, output=output.name, alpha=alpha)


def _unary(view: OperatorView) -> tuple[Tensor, Tensor]:
    view.expect_counts((1, 1))
    data, output = view.input(0), view.output()
    view.expect_activations(data, output)
    return data, output


def _relu(activation: Activation) -> Translate:
    def translate(view: OperatorView) -> Operator:
        data, output = _unary(view)
        return ir.Relu(
            source=view.index, input=data.name, output=output.name, activation=activation
        )

    return translate


def _log_softmax(view: OperatorView) -> Operator:
    view.expect_counts((1, 1))
    data, output = view.input(0), view.output()
    for tensor in (data, output):
        if tensor.dtype is not DType.FLOAT32:
            raise view.refuse(
                f"has the tensor {tensor.name!r} of type {tensor.dtype.value}; only f32 is "
                "supported",
                help="keep the last layer in float32, or end the model before it: the largest "
                "logit is the most likely class",
            )
    return ir.LogSoftmax(source=view.index, input=data.name, output=output.name)


def _pointwise(cls: type[ir.Logistic] | type[ir.Tanh]) -> Translate:
    def translate(view: OperatorView) -> Operator:
        data, output = _unary(view)
        return cls(source=view.index, input=data.name, output=output.name)

    return translate


def _hard_swish(view: OperatorView) -> Operator:
    data, output = _unary(view)
    if view.is_real(data, output):
        return ir.HardSwish(source=view.index, input=data.name, output=output.name)
    view.expect_quantized(data, dtypes=(DType.INT8, DType.UINT8))
    if abs(data.scale) >= 128 * abs(output.scale):
        raise view.refuse(
            f"writes {describe(output)} from {describe(data)}; supported are outputs above 1/128 "
            "of the input's scale, as in TensorFlow Lite",
            help="calibrate the model again, with values as they occur in use",
        )
    return ir.HardSwish(source=view.index, input=data.name, output=output.name)


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


ARITHMETIC: dict[str, Translate] = {
    "ADD": _add,
    "AVERAGE_POOL_2D": _average_pool_2d,
    "DEQUANTIZE": _dequantize,
    "HARD_SWISH": _hard_swish,
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
    "TANH": _pointwise(ir.Tanh),
}
"""Sums, products, pools, pointwise functions and conversions."""
