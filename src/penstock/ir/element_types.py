"""Which element types and quantizations each operator may have.

Every operator of a network that computes may be float32 throughout (graphs that are yet to be
quantized) or quantized; the rules of the quantized form are those of TensorFlow Lite's 8-bit
quantization specification and of its reference kernels.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from penstock.ir import operators as ir
from penstock.ir.dtype import DType
from penstock.ir.tensor import Tensor

Tensors = Mapping[str, Tensor]

_QUANTIZED = (DType.INT8, DType.INT16)
_CONVERTIBLE = (DType.INT8, DType.UINT8, DType.INT16, DType.INT32)


class TypeMismatchError(ValueError):
    """Element types or quantizations of an operator's tensors do not fit together."""


def check_types(operator: ir.Operator, tensors: Tensors) -> None:
    """Check element types and quantization of an operator's tensors.

    Args:
        operator: any concrete operator.
        tensors: at least the operator's inputs and outputs, by name.

    Raises:
        TypeMismatchError: naming the tensor that does not fit.
    """
    _RULES[type(operator)](operator, tensors)


def _show(tensor: Tensor) -> str:
    return f"{tensor.name!r} ({tensor.dtype.value})"


def _expect_type(tensor: Tensor, *allowed: DType) -> None:
    if tensor.dtype not in allowed:
        names = " or ".join(dtype.value for dtype in allowed)
        raise TypeMismatchError(f"{_show(tensor)} must be {names}")


def _expect_same_type(first: Tensor, *others: Tensor) -> None:
    for tensor in others:
        if tensor.dtype is not first.dtype:
            raise TypeMismatchError(f"{_show(tensor)} must have the type of {_show(first)}")


def _expect_quantized(*tensors: Tensor, allowed: tuple[DType, ...] = _QUANTIZED) -> None:
    """Check for one scale per tensor and an element type that kernels compute with."""
    for tensor in tensors:
        _expect_type(tensor, *allowed)
        if tensor.quantization is None or not tensor.quantization.is_per_tensor:
            raise TypeMismatchError(f"{_show(tensor)} needs one scale and one zero point")


def _expect_symmetric(*tensors: Tensor) -> None:
    """Check that 16-bit tensors have no zero point: the kernels leave it out."""
    for tensor in tensors:
        if tensor.dtype is DType.INT16 and tensor.zero_point != 0:
            raise TypeMismatchError(
                f"{_show(tensor)} has the zero point {tensor.zero_point}, which must be 0"
            )


def _computed(*tensors: Tensor) -> bool:
    """Check activations that share a type; return True for the quantized form."""
    _expect_same_type(*tensors)
    if tensors[0].dtype is DType.FLOAT32:
        return False
    _expect_quantized(*tensors)
    _expect_symmetric(*tensors)
    return True


def _expect_alike(*tensors: Tensor) -> None:
    """Check for equal quantization where kernels compare or average numbers as they are."""
    first = tensors[0]
    for tensor in tensors[1:]:
        # Converters compute these scales one by one; the reference allows this much.
        if tensor.zero_point != first.zero_point or abs(tensor.scale - first.scale) > 1e-6:
            raise TypeMismatchError(
                f"{first.name!r} and {tensor.name!r} must be quantized alike, found "
                f"({first.scale}, {first.zero_point}) and ({tensor.scale}, {tensor.zero_point})"
            )


def _expect_fixed(output: Tensor, scale: float, zero_point: int) -> None:
    """Check an output whose quantization is part of the operator's definition."""
    if not math.isclose(output.scale, scale, rel_tol=1e-3) or output.zero_point != zero_point:
        raise TypeMismatchError(
            f"{_show(output)} has scale {output.scale} and zero point {output.zero_point}; "
            f"here they are always {scale} and {zero_point}"
        )


def _weighted_sum(axis: int) -> Callable[[Any, Tensors], None]:
    """Return the rule of an operator whose filters have their scales along ``axis``."""

    def check(op: Any, tensors: Tensors) -> None:
        data, filters, output = (tensors[name] for name in (op.input, op.filters, op.output))
        bias = None if op.bias is None else tensors[op.bias]
        if not _computed(data, output):
            _expect_type(filters, DType.FLOAT32)
            if bias is not None:
                _expect_type(bias, DType.FLOAT32)
            return
        _check_filters(filters, axis)
        if bias is not None:
            _expect_type(bias, DType.INT32, *([DType.INT64] * (data.dtype is DType.INT16)))
            _expect_constant(bias)

    return check


def _expect_constant(tensor: Tensor) -> None:
    if not tensor.is_constant:
        raise TypeMismatchError(f"{_show(tensor)} must be a constant")


def _check_filters(filters: Tensor, axis: int) -> None:
    _expect_type(filters, DType.INT8)
    _expect_constant(filters)
    parameters = filters.quantization
    if parameters is None:
        raise TypeMismatchError(f"{_show(filters)} needs scales")
    if parameters.is_per_tensor:
        return
    if parameters.axis != axis:
        raise TypeMismatchError(
            f"{_show(filters)} has its scales along dimension {parameters.axis}, not {axis}"
        )
    if any(parameters.zero_point):
        raise TypeMismatchError(f"{_show(filters)} has scales per channel and zero points")


def _svdf(op: ir.Svdf, tensors: Tensors) -> None:
    data, output, state = tensors[op.input], tensors[op.output], tensors[op.state]
    features, times = tensors[op.feature_weights], tensors[op.time_weights]
    _expect_quantized(data, output, features, allowed=(DType.INT8,))
    _expect_quantized(times, state)
    _expect_same_type(times, state)
    for weights in (features, times):
        _expect_constant(weights)
    if not state.is_variable:
        raise TypeMismatchError(f"{_show(state)} must be a variable")
    if op.bias is not None:
        _expect_type(tensors[op.bias], DType.INT32)
        _expect_constant(tensors[op.bias])


def _binary(op: Any, tensors: Tensors) -> None:
    _computed(tensors[op.left], tensors[op.right], tensors[op.output])


def _extremum(op: ir.Maximum | ir.Minimum, tensors: Tensors) -> None:
    operands = tensors[op.left], tensors[op.right], tensors[op.output]
    if _computed(*operands):
        _expect_alike(*operands)


def _pool(op: ir.AveragePool2D | ir.MaxPool2D, tensors: Tensors) -> None:
    if _computed(tensors[op.input], tensors[op.output]):
        _expect_alike(tensors[op.input], tensors[op.output])


def _unary(op: Any, tensors: Tensors) -> None:
    _computed(tensors[op.input], tensors[op.output])


def _pad(op: ir.Pad, tensors: Tensors) -> None:
    data, output = tensors[op.input], tensors[op.output]
    _expect_same_type(data, output)
    if data.dtype is DType.FLOAT32:
        return
    _expect_quantized(data, output)
    low, high = data.dtype.range
    if op.value is not None and not low <= op.value <= high:
        raise TypeMismatchError(f"the value {op.value} is outside {data.dtype.value}")


def _reshape(op: ir.Reshape, tensors: Tensors) -> None:
    _expect_same_type(tensors[op.input], tensors[op.output])
    if op.shape is not None:
        _expect_type(tensors[op.shape], DType.INT32, DType.INT64)


def _moved(op: Any, tensors: Tensors) -> None:
    _expect_same_type(*(tensors[name] for name in (*op.outputs, *op.inputs)))


def _concatenation(op: ir.Concatenation, tensors: Tensors) -> None:
    _moved(op, tensors)
    output = tensors[op.output]
    for name in op.operands:
        if tensors[name].quantization != output.quantization:
            _expect_quantized(tensors[name], output)


def _shape(op: ir.Shape, tensors: Tensors) -> None:
    _expect_type(tensors[op.output], DType.INT32, DType.INT64)


def _quantize(op: ir.Quantize, tensors: Tensors) -> None:
    data = tensors[op.input]
    if data.dtype is not DType.FLOAT32:
        _expect_quantized(data, allowed=_CONVERTIBLE)
    _expect_quantized(tensors[op.output], allowed=_CONVERTIBLE)


def _dequantize(op: ir.Dequantize, tensors: Tensors) -> None:
    _expect_quantized(tensors[op.input], allowed=_CONVERTIBLE)
    _expect_type(tensors[op.output], DType.FLOAT32)


def _softmax(op: ir.Softmax, tensors: Tensors) -> None:
    data, output = tensors[op.input], tensors[op.output]
    if data.dtype is DType.FLOAT32:
        _expect_same_type(data, output)
        return
    _expect_quantized(data, output)
    match data.dtype, output.dtype:
        case DType.INT8, DType.INT8:
            _expect_fixed(output, 1 / 256, -128)
        case DType.INT8, DType.INT16:
            _expect_fixed(output, 1 / 65536, -32768)
        case DType.INT16, DType.INT16:
            _expect_symmetric(data)
            _expect_fixed(output, 1 / 32768, 0)
        case _:
            raise TypeMismatchError(f"{_show(data)} to {_show(output)} is no softmax")


def _log_softmax(op: ir.LogSoftmax, tensors: Tensors) -> None:
    _expect_type(tensors[op.input], DType.FLOAT32)
    _expect_type(tensors[op.output], DType.FLOAT32)


def _logistic(op: ir.Logistic, tensors: Tensors) -> None:
    data, output = tensors[op.input], tensors[op.output]
    if _computed(data, output):
        is_8_bit = data.dtype is DType.INT8
        _expect_fixed(output, 1 / 256 if is_8_bit else 1 / 32768, -128 if is_8_bit else 0)


def _tanh(op: ir.Tanh, tensors: Tensors) -> None:
    data, output = tensors[op.input], tensors[op.output]
    if _computed(data, output):
        _expect_fixed(output, 1 / 128 if data.dtype is DType.INT8 else 1 / 32768, 0)


def _hard_swish(op: ir.HardSwish, tensors: Tensors) -> None:
    if _computed(tensors[op.input], tensors[op.output]):
        _expect_type(tensors[op.input], DType.INT8)


_RULES: dict[type[ir.Operator], Callable[[Any, Tensors], None]] = {
    ir.Add: _binary,
    ir.AveragePool2D: _pool,
    ir.Concatenation: _concatenation,
    ir.Conv2D: _weighted_sum(0),
    ir.DepthwiseConv2D: _weighted_sum(3),
    ir.Dequantize: _dequantize,
    ir.FullyConnected: _weighted_sum(0),
    ir.HardSwish: _hard_swish,
    ir.LeakyRelu: _unary,
    ir.LogSoftmax: _log_softmax,
    ir.Logistic: _logistic,
    ir.MaxPool2D: _pool,
    ir.Maximum: _extremum,
    ir.Mean: _unary,
    ir.Minimum: _extremum,
    ir.Mul: _binary,
    ir.Pack: _moved,
    ir.Pad: _pad,
    ir.Quantize: _quantize,
    ir.Relu: _unary,
    ir.Reshape: _reshape,
    ir.Shape: _shape,
    ir.Softmax: _softmax,
    ir.Split: _moved,
    ir.StridedSlice: _moved,
    ir.Sub: _binary,
    ir.Svdf: _svdf,
    ir.Tanh: _tanh,
    ir.Transpose: _moved,
    ir.TransposeConv2D: _weighted_sum(0),
}
