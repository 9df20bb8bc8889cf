"""Pooling, reductions and movement of elements as calls of a TensorFlow Lite file."""

import math

import tflite

from penstock.frontends.tflite.file_calls import (
    ACTIVATIONS,
    TENSOR_TYPES,
    CallList,
    CallWriter,
    refuse,
    version_for,
)
from penstock.frontends.tflite.file_padding import pad_explicitly, padding_scheme, spatial
from penstock.ir import operators as ops
from penstock.ir.operators import Operator


def _write_pool(calls: CallList, operator: ops.AveragePool2D | ops.MaxPool2D) -> None:
    if isinstance(operator, ops.AveragePool2D) and operator.rounding is ops.AverageRounding.HALF_UP:
        raise refuse(operator, "it rounds as legacy uint8 kernels do")
    source, data = operator.input, calls.tensors[operator.input]
    output_size = spatial(calls.tensors[operator.output])
    scheme = padding_scheme(
        spatial(data), output_size, operator.filter, operator.stride, operator.padding
    )
    if scheme is None and isinstance(operator, ops.AveragePool2D):
        raise refuse(operator, f"{operator.padding} is neither SAME nor VALID padding")
    if scheme is None:
        # The lowest value loses against every element that is not padding.
        lowest = data.dtype.range[0] if data.dtype.is_integer else None
        source = pad_explicitly(calls, source, operator.padding, lowest)
        scheme = int(tflite.Padding.VALID)
    calls.call(
        operator.kind,
        version_for(data, int8=2, int16=3),
        (source,),
        operator.outputs,
        "Pool2DOptions",
        Padding=scheme,
        StrideH=operator.stride[0],
        StrideW=operator.stride[1],
        FilterHeight=operator.filter[0],
        FilterWidth=operator.filter[1],
        FusedActivationFunction=ACTIVATIONS[operator.activation],
    )


def _write_mean(calls: CallList, operator: ops.Mean) -> None:
    axes = calls.add_constant(f"{operator.output}_axes", operator.axes)
    version = version_for(calls.tensors[operator.input], int8=2, int16=3)
    inputs = (operator.input, axes)
    table = "ReducerOptions"
    calls.call("MEAN", version, inputs, operator.outputs, table, KeepDims=operator.keep_dims)


def _write_pad(calls: CallList, operator: ops.Pad) -> None:
    calls.pad(operator.input, operator.output, operator.paddings, operator.value)


def _write_reshape(calls: CallList, operator: ops.Reshape) -> None:
    shape = calls.tensors[operator.output].shape
    table = "ReshapeOptions"
    calls.call("RESHAPE", 1, operator.inputs, operator.outputs, table, NewShape=shape)


def _write_transpose(calls: CallList, operator: ops.Transpose) -> None:
    order = calls.add_constant(f"{operator.output}_permutation", operator.permutation)
    version = version_for(calls.tensors[operator.input], int8=2, int16=4)
    table = "TransposeOptions"
    calls.call("TRANSPOSE", version, (operator.input, order), operator.outputs, table)


def _write_strided_slice(calls: CallList, operator: ops.StridedSlice) -> None:
    output = calls.tensors[operator.output]
    shrunk = _dropped_dimensions(operator.extents, output.shape)
    strides = [1 if i in shrunk else stride for i, stride in enumerate(operator.strides)]
    ends, end_mask = [], 0
    for i, (begin, extent) in enumerate(zip(operator.begin, operator.extents, strict=True)):
        end = begin + (extent - 1) * strides[i] + int(math.copysign(1, strides[i]))
        # A negative end would count from the back; the mask says "as far as it goes".
        end_mask |= (end < 0) << i
        ends.append(max(end, 0))
    name = operator.output
    calls.call(
        "STRIDED_SLICE",
        version_for(output, int8=2, int16=4),
        (
            operator.input,
            calls.add_constant(f"{name}_begin", operator.begin),
            calls.add_constant(f"{name}_end", ends),
            calls.add_constant(f"{name}_strides", strides),
        ),
        operator.outputs,
        "StridedSliceOptions",
        EndMask=end_mask,
        ShrinkAxisMask=sum(1 << i for i in shrunk),
    )


def _dropped_dimensions(extents: tuple[int, ...], shape: tuple[int, ...]) -> set[int]:
    """Return which dimensions of extent 1 are missing from ``shape``."""
    dropped, matched = set(), 0
    for position, extent in enumerate(extents):
        if matched < len(shape) and extent == shape[matched]:
            matched += 1
        else:
            dropped.add(position)
    return dropped


def _write_concatenation(calls: CallList, operator: ops.Concatenation) -> None:
    version = version_for(calls.tensors[operator.output], int8=2, int16=3)
    table = "ConcatenationOptions"
    calls.call(
        "CONCATENATION", version, operator.inputs, operator.outputs, table, Axis=operator.axis
    )


def _write_split(calls: CallList, operator: ops.Split) -> None:
    source = calls.tensors[operator.input]
    axis = calls.add_constant(f"{operator.results[0]}_axis", operator.axis)
    extents = [calls.tensors[name].shape[operator.axis] for name in operator.results]
    count = len(extents)
    if len(set(extents)) == 1:
        version = version_for(source, int8=2, int16=4)
        inputs: tuple[str, ...] = (axis, operator.input)
        calls.call("SPLIT", version, inputs, operator.outputs, "SplitOptions", NumSplits=count)
        return
    sizes = calls.add_constant(f"{operator.results[0]}_sizes", extents)
    version = version_for(source, int8=2, int16=2)
    inputs = (operator.input, sizes, axis)
    calls.call("SPLIT_V", version, inputs, operator.outputs, "SplitVOptions", NumSplits=count)


def _write_pack(calls: CallList, operator: ops.Pack) -> None:
    version = version_for(calls.tensors[operator.output], int8=2, int16=3)
    calls.call(
        "PACK",
        version,
        operator.inputs,
        operator.outputs,
        "PackOptions",
        Axis=operator.axis,
        ValuesCount=len(operator.operands),
    )


def _write_shape(calls: CallList, operator: ops.Shape) -> None:
    out_type = TENSOR_TYPES[calls.tensors[operator.output].dtype]
    calls.call("SHAPE", 1, operator.inputs, operator.outputs, "ShapeOptions", OutType=out_type)


WRITERS: dict[type[Operator], CallWriter] = {
    ops.AveragePool2D: _write_pool,
    ops.MaxPool2D: _write_pool,
    ops.Mean: _write_mean,
    ops.Pad: _write_pad,
    ops.Reshape: _write_reshape,
    ops.Transpose: _write_transpose,
    ops.StridedSlice: _write_strided_slice,
    ops.Concatenation: _write_concatenation,
    ops.Split: _write_split,
    ops.Pack: _write_pack,
    ops.Shape: _write_shape,
}
