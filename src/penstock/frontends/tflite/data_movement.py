"""Translation of the TensorFlow Lite builtins that move elements without computing with them."""

from typing import Any

import tflite

from penstock.errors import ModelFormatError
from penstock.frontends.tflite.geometry import SliceMasks, resolve_slice
from penstock.frontends.tflite.operator_view import OperatorView, Translate, describe
from penstock.ir import operators as ir
from penstock.ir.dtype import DType
from penstock.ir.operators import Operator
from penstock.ir.tensor import Tensor


def _reshape(view: OperatorView) -> Operator:
    view.expect_counts((1, 2))
    data, output, shape = view.input(0), view.output(), view.optional_input(1)
    view.expect_same_type(data, output)
    computed = shape is not None and not shape.is_constant
    return ir.Reshape(
        source=view.index,
        input=data.name,
        shape=shape.name if shape is not None and computed else None,
        output=output.name,
    )


def _same_elements(view: OperatorView) -> Operator:
    """Translate SQUEEZE and EXPAND_DIMS: the output tensor has the shape."""
    view.expect_counts((1, 2))
    data, output = view.input(0), view.output()
    view.expect_same_type(data, output)
    return ir.Reshape(source=view.index, input=data.name, output=output.name)


def _transpose(view: OperatorView) -> Operator:
    view.expect_counts((2, 2))
    data, output = view.input(0), view.output()
    view.expect_same_type(data, output)
    rank = len(data.shape)
    order = tuple(view.axis(axis, rank) for axis in view.constant_integers(1, "permutation"))
    if sorted(order) != list(range(rank)):
        raise ModelFormatError(
            f"{view.where} has the permutation {list(order)} of {rank} dimensions"
        )
    return ir.Transpose(source=view.index, input=data.name, output=output.name, permutation=order)


def _pad(view: OperatorView) -> Operator:
    view.expect_counts((2, 2))
    return _padded(view, None)


def _pad_v2(view: OperatorView) -> Operator:
    view.expect_counts((3, 3))
    value = view.input(2)
    view.expect_same_type(view.input(0), value)
    if value.data is None or value.element_count != 1:
        raise view.refuse(
            f"pads with {value.name!r}, which is no constant scalar",
            help="pad with a constant",
        )
    return _padded(view, value)


def _padded(view: OperatorView, value: Tensor | None) -> Operator:
    data, output = view.input(0), view.output()
    view.expect_activations(data, output)
    flat = view.constant_integers(1, "paddings")
    if len(flat) != 2 * len(data.shape) or min(flat, default=0) < 0:
        raise ModelFormatError(
            f"{view.where} has the paddings {list(flat)} for {len(data.shape)} dimensions"
        )
    written = None if value is None else _written(view, value)
    return ir.Pad(
        source=view.index,
        input=data.name,
        output=output.name,
        paddings=tuple(zip(flat[::2], flat[1::2], strict=True)),
        value=written,
    )


def _written(view: OperatorView, value: Tensor) -> int | None:
    """Return the element that a PADV2 writes; None is real zero, all that float32 can have."""
    assert value.data is not None
    element = value.data.reshape(-1)[0].item()
    if value.dtype is not DType.FLOAT32:
        return int(element)
    if element != 0:
        raise view.refuse(f"pads a float32 network with {element:g}", help="pad with zeros")
    return None


def _strided_slice(view: OperatorView) -> Operator:
    view.expect_counts((4, 4))
    data, output = view.input(0), view.output()
    view.expect_same_type(data, output)
    options = view.options(tflite.StridedSliceOptions)
    begin = view.constant_integers(1, "begin")
    end = view.constant_integers(2, "end")
    strides = view.constant_integers(3, "strides")
    if options.Offset():
        end = tuple(first + length for first, length in zip(begin, end, strict=False))
    result = resolve_slice(view, data.shape, begin, end, strides, _masks(options))
    return ir.StridedSlice(
        source=view.index,
        input=data.name,
        output=output.name,
        begin=result.begin,
        extents=result.extents,
        strides=result.strides,
    )


def _masks(options: Any) -> SliceMasks:
    return SliceMasks(
        begin=options.BeginMask(),
        end=options.EndMask(),
        ellipsis=options.EllipsisMask(),
        new_axis=options.NewAxisMask(),
        shrink=options.ShrinkAxisMask(),
    )


def _concatenation(view: OperatorView) -> Operator:
    view.expect_counts((1, max(1, view.input_count)))
    operands = [view.input(position) for position in range(view.input_count)]
    output = view.output()
    view.expect_same_type(output, *operands)
    options = view.options(tflite.ConcatenationOptions)
    if options.FusedActivationFunction() != tflite.ActivationFunctionType.NONE:
        raise view.refuse("has a fused activation", help="use a separate activation layer")
    for operand in operands:
        # Only the legacy uint8 kernel requantizes.
        if output.dtype is not DType.UINT8 and operand.quantization != output.quantization:
            raise view.refuse(
                f"joins {describe(operand)} into {describe(output)}; they must be quantized alike",
                help="convert the model again; converters insert QUANTIZE before",
            )
    return ir.Concatenation(
        source=view.index,
        operands=tuple(operand.name for operand in operands),
        output=output.name,
        axis=view.axis(options.Axis(), len(output.shape)),
    )


def _split(view: OperatorView) -> Operator:
    view.expect_counts((2, 2), outputs=None)
    operator = _cut(view, data=view.input(1), axis_position=0)
    extents = {view.output(i).shape[operator.axis : operator.axis + 1] for i in _outputs(view)}
    if len(extents) != 1:
        raise ModelFormatError(f"{view.where} has outputs of different extents; SPLIT has not")
    return operator


def _split_v(view: OperatorView) -> Operator:
    view.expect_counts((3, 3), outputs=None)
    # The sizes, input 1, are those of the outputs.
    return _cut(view, data=view.input(0), axis_position=2)


def _outputs(view: OperatorView) -> range:
    return range(max(1, view.output_count))


def _cut(view: OperatorView, data: Tensor, axis_position: int) -> ir.Split:
    (axis,) = _one(view, view.constant_integers(axis_position, "axis"), "axis")
    results = [view.output(position) for position in _outputs(view)]
    view.expect_same_type(data, *results)
    return ir.Split(
        source=view.index,
        input=data.name,
        results=tuple(result.name for result in results),
        axis=view.axis(axis, len(data.shape)),
    )


def _one(view: OperatorView, values: tuple[int, ...], what: str) -> tuple[int]:
    if len(values) != 1:
        raise ModelFormatError(f"{view.where} needs one {what}, found {list(values)}")
    return (values[0],)


def _pack(view: OperatorView) -> Operator:
    view.expect_counts((1, max(1, view.input_count)))
    operands = [view.input(position) for position in range(view.input_count)]
    output = view.output()
    view.expect_same_type(output, *operands)
    return ir.Pack(
        source=view.index,
        operands=tuple(operand.name for operand in operands),
        output=output.name,
        axis=view.axis(view.options(tflite.PackOptions).Axis(), len(output.shape)),
    )


def _shape(view: OperatorView) -> Operator:
    view.expect_counts((1, 1))
    data, output = view.input(0), view.output()
    if output.dtype not in (DType.INT32, DType.INT64):
        raise ModelFormatError(
            f"{view.where} writes {output.name!r} of type {output.dtype.value}, not i32 or i64"
        )
    return ir.Shape(source=view.index, input=data.name, output=output.name)


DATA_MOVEMENT: dict[str, Translate] = {
    "CONCATENATION": _concatenation,
    "EXPAND_DIMS": _same_elements,
    "PACK": _pack,
    "PAD": _pad,
    "PADV2": _pad_v2,
    "RESHAPE": _reshape,
    "SHAPE": _shape,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SQUEEZE": _same_elements,
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _transpose,
}
"""Every builtin that moves elements."""
