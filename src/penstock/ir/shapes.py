"""The shape of every operator's outputs, from its inputs and attributes.

Four operators leave a choice that their attributes do not hold: a reshape, a split, a slice that
drops dimensions, and a transposed convolution whose stride hides a part of the output's extent.
For these the output tensors' own shapes are the choice, and they are checked.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from penstock.ir import operators as ir
from penstock.ir.tensor import Tensor

Shape = tuple[int, ...]
Tensors = Mapping[str, Tensor]


class ShapeError(ValueError):
    """Shapes of an operator's tensors do not fit together; says which and how."""


def infer_shapes(operator: ir.Operator, tensors: Tensors) -> tuple[Shape, ...]:
    """Return the shape of each output, in order.

    Args:
        operator: any concrete operator.
        tensors: at least the operator's inputs and outputs, by name.

    Raises:
        ShapeError: inputs, attributes and output do not fit together.
    """
    return _RULES[type(operator)](operator, tensors)


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise ShapeError(message)


def _show(tensor: Tensor) -> str:
    return f"{tensor.name!r} {list(tensor.shape)}"


def _image(tensor: Tensor) -> Shape:
    _expect(len(tensor.shape) == 4, f"{_show(tensor)} must have the dimensions N, H, W, C")
    return tensor.shape


def _positive(name: str, values: tuple[int, ...], lowest: int = 1) -> None:
    _expect(min(values, default=lowest) >= lowest, f"{name} is {values}, each must be ≥ {lowest}")


def _check_padding(padding: ir.Padding2D) -> None:
    sides = (padding.top, padding.bottom, padding.left, padding.right)
    _positive("padding", sides, lowest=0)


def window_count(size: int, filter_size: int, stride: int, dilation: int, padded: int) -> int:
    """Return at how many places a window fits along one dimension.

    Args:
        size: elements without padding.
        filter_size: elements that the window reads.
        stride: distance between places.
        dilation: distance between the elements that the window reads.
        padded: elements of padding on both sides together.
    """
    return (size + padded - (filter_size - 1) * dilation - 1) // stride + 1


def _slide(
    image: Shape,
    window: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: ir.Padding2D,
) -> tuple[int, int]:
    _positive("filter", window)
    _positive("stride", stride)
    _positive("dilation", dilation)
    _check_padding(padding)
    height = window_count(image[1], window[0], stride[0], dilation[0], padding.top + padding.bottom)
    width = window_count(image[2], window[1], stride[1], dilation[1], padding.left + padding.right)
    _expect(
        height > 0 and width > 0,
        f"a window of {window} with dilation {dilation} does not fit {list(image)}",
    )
    return height, width


def _check_bias(bias: str | None, channels: int, tensors: Tensors) -> None:
    if bias is not None:
        shape = tensors[bias].shape
        _expect(
            math.prod(shape) == channels and len(shape) <= 1,
            f"bias {_show(tensors[bias])} must have the shape [{channels}]",
        )


def _conv_2d(op: ir.Conv2D, tensors: Tensors) -> tuple[Shape, ...]:
    image, filters = _image(tensors[op.input]), _image(tensors[op.filters])
    channels_out, filter_height, filter_width, depth = filters
    _expect(
        depth > 0 and image[3] % depth == 0 and channels_out % (image[3] // depth) == 0,
        f"filters {_show(tensors[op.filters])} do not divide the {image[3]} channels of "
        f"{op.input!r} into groups",
    )
    height, width = _slide(image, (filter_height, filter_width), op.stride, op.dilation, op.padding)
    _check_bias(op.bias, channels_out, tensors)
    return ((image[0], height, width, channels_out),)


def _depthwise(op: ir.DepthwiseConv2D, tensors: Tensors) -> tuple[Shape, ...]:
    image, filters = _image(tensors[op.input]), _image(tensors[op.filters])
    one, filter_height, filter_width, channels_out = filters
    _expect(
        one == 1 and channels_out % image[3] == 0,
        f"filters {_show(tensors[op.filters])} must be [1, KH, KW, C_OUT] with C_OUT a multiple "
        f"of the {image[3]} channels of {op.input!r}",
    )
    height, width = _slide(image, (filter_height, filter_width), op.stride, op.dilation, op.padding)
    _check_bias(op.bias, channels_out, tensors)
    return ((image[0], height, width, channels_out),)


def _transpose_conv(op: ir.TransposeConv2D, tensors: Tensors) -> tuple[Shape, ...]:
    image, filters = _image(tensors[op.input]), _image(tensors[op.filters])
    output = _image(tensors[op.output])
    channels_out, filter_height, filter_width, depth = filters
    _expect(
        depth == image[3],
        f"filters {_show(tensors[op.filters])} must have the {image[3]} channels of {op.input!r}",
    )
    forward = _slide(output, (filter_height, filter_width), op.stride, (1, 1), op.padding)
    _expect(
        forward == image[1:3],
        f"a convolution of the output {_show(tensors[op.output])} would have {forward} places, "
        f"the input {_show(tensors[op.input])} has {image[1:3]}",
    )
    _check_bias(op.bias, channels_out, tensors)
    return ((image[0], output[1], output[2], channels_out),)


def _fully_connected(op: ir.FullyConnected, tensors: Tensors) -> tuple[Shape, ...]:
    filters, data, output = tensors[op.filters], tensors[op.input], tensors[op.output]
    _expect(len(filters.shape) == 2, f"filters {_show(filters)} must be [C_OUT, C_IN]")
    channels_out, channels_in = filters.shape
    _expect(
        channels_in > 0 and data.element_count % channels_in == 0,
        f"{_show(data)} does not divide into rows of {channels_in} elements",
    )
    batches = data.element_count // channels_in
    _check_bias(op.bias, channels_out, tensors)
    keeps_dimensions = output.shape == (*data.shape[:-1], channels_out)
    if keeps_dimensions and math.prod(output.shape[:-1]) == batches:
        return (output.shape,)
    return ((batches, channels_out),)


def _svdf(op: ir.Svdf, tensors: Tensors) -> tuple[Shape, ...]:
    data, features, times = (tensors[n] for n in (op.input, op.feature_weights, op.time_weights))
    state = tensors[op.state]
    for tensor in (data, features, times, state):
        _expect(len(tensor.shape) == 2, f"{_show(tensor)} must have two dimensions")
    filter_count, memory = times.shape
    _expect(
        features.shape == (filter_count, data.shape[1]),
        f"feature weights {_show(features)} must be [{filter_count}, {data.shape[1]}]",
    )
    _expect(
        op.rank >= 1 and filter_count % op.rank == 0,
        f"the rank {op.rank} does not divide the {filter_count} filters",
    )
    _expect(
        state.shape == (data.shape[0], filter_count * memory),
        f"state {_show(state)} must be [{data.shape[0]}, {filter_count * memory}]",
    )
    _check_bias(op.bias, filter_count // op.rank, tensors)
    return ((data.shape[0], filter_count // op.rank),)


def _broadcast(op: Any, tensors: Tensors) -> tuple[Shape, ...]:
    left, right = tensors[op.left], tensors[op.right]
    rank = max(len(left.shape), len(right.shape))
    pairs = zip(_extended(left.shape, rank), _extended(right.shape, rank), strict=True)
    shape = []
    for a, b in pairs:
        _expect(a == b or 1 in (a, b), f"{_show(left)} and {_show(right)} do not broadcast")
        shape.append(b if a == 1 else a)
    return (tuple(shape),)


def _extended(shape: Shape, rank: int) -> Shape:
    return (1,) * (rank - len(shape)) + shape


def _pool(op: ir.AveragePool2D | ir.MaxPool2D, tensors: Tensors) -> tuple[Shape, ...]:
    image = _image(tensors[op.input])
    height, width = _slide(image, op.filter, op.stride, (1, 1), op.padding)
    _expect(
        max(op.padding.top, op.padding.bottom) < op.filter[0]
        and max(op.padding.left, op.padding.right) < op.filter[1],
        f"{op.padding} leaves windows of {op.filter} without elements",
    )
    return ((image[0], height, width, image[3]),)


def _mean(op: ir.Mean, tensors: Tensors) -> tuple[Shape, ...]:
    shape = tensors[op.input].shape
    _expect(
        list(op.axes) == sorted(set(op.axes)) and all(0 <= axis < len(shape) for axis in op.axes),
        f"axes {op.axes} must be ascending and within {_show(tensors[op.input])}",
    )
    if op.keep_dims:
        return (tuple(1 if axis in op.axes else extent for axis, extent in enumerate(shape)),)
    return (tuple(extent for axis, extent in enumerate(shape) if axis not in op.axes),)


def _pad(op: ir.Pad, tensors: Tensors) -> tuple[Shape, ...]:
    shape = tensors[op.input].shape
    _expect(
        len(op.paddings) == len(shape) and all(min(pair) >= 0 for pair in op.paddings),
        f"paddings {op.paddings} must be pairs ≥ 0 for each dimension of "
        f"{_show(tensors[op.input])}",
    )
    return (
        tuple(
            before + extent + after
            for extent, (before, after) in zip(shape, op.paddings, strict=True)
        ),
    )


def _reshape(op: ir.Reshape, tensors: Tensors) -> tuple[Shape, ...]:
    data, output = tensors[op.input], tensors[op.output]
    _expect(
        data.element_count == output.element_count,
        f"{_show(data)} and {_show(output)} have {data.element_count} and "
        f"{output.element_count} elements",
    )
    return (output.shape,)


def _transpose(op: ir.Transpose, tensors: Tensors) -> tuple[Shape, ...]:
    shape = tensors[op.input].shape
    _expect(
        sorted(op.permutation) == list(range(len(shape))),
        f"{op.permutation} is no permutation of the dimensions of {_show(tensors[op.input])}",
    )
    return (tuple(shape[axis] for axis in op.permutation),)


def _strided_slice(op: ir.StridedSlice, tensors: Tensors) -> tuple[Shape, ...]:
    data, output = tensors[op.input], tensors[op.output]
    _expect(
        len(op.begin) == len(op.extents) == len(op.strides) == len(data.shape),
        f"begin, extents and strides need an entry for each dimension of {_show(data)}",
    )
    for size, begin, extent, stride in zip(
        data.shape, op.begin, op.extents, op.strides, strict=True
    ):
        last = begin + (extent - 1) * stride
        _expect(
            extent >= 1 and stride != 0 and 0 <= begin < size and 0 <= last < size,
            f"elements {begin} to {last} in steps of {stride} are not all within {_show(data)}",
        )
    _expect(
        _without_ones(output.shape) == _without_ones(op.extents),
        f"{_show(output)} does not have the extents {list(op.extents)}",
    )
    return (output.shape,)


def _without_ones(shape: Shape) -> Shape:
    return tuple(extent for extent in shape if extent != 1)


def _concatenation(op: ir.Concatenation, tensors: Tensors) -> tuple[Shape, ...]:
    _expect(bool(op.operands), "nothing to concatenate")
    first = tensors[op.operands[0]]
    _expect(0 <= op.axis < len(first.shape), f"axis {op.axis} is not within {_show(first)}")
    total = 0
    for name in op.operands:
        shape = tensors[name].shape
        _expect(
            _without_axis(shape, op.axis) == _without_axis(first.shape, op.axis)
            and len(shape) == len(first.shape),
            f"{_show(first)} and {_show(tensors[name])} differ beside axis {op.axis}",
        )
        total += shape[op.axis]
    return ((*first.shape[: op.axis], total, *first.shape[op.axis + 1 :]),)


def _without_axis(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]


def _split(op: ir.Split, tensors: Tensors) -> tuple[Shape, ...]:
    data = tensors[op.input]
    _expect(bool(op.results), "a split needs an output")
    _expect(0 <= op.axis < len(data.shape), f"axis {op.axis} is not within {_show(data)}")
    extents = []
    for name in op.results:
        shape = tensors[name].shape
        _expect(
            len(shape) == len(data.shape)
            and _without_axis(shape, op.axis) == _without_axis(data.shape, op.axis),
            f"{_show(tensors[name])} and {_show(data)} differ beside axis {op.axis}",
        )
        extents.append(shape[op.axis])
    _expect(
        sum(extents) == data.shape[op.axis],
        f"parts of {extents} along axis {op.axis} do not make up {_show(data)}",
    )
    return tuple(tensors[name].shape for name in op.results)


def _pack(op: ir.Pack, tensors: Tensors) -> tuple[Shape, ...]:
    _expect(bool(op.operands), "nothing to pack")
    first = tensors[op.operands[0]]
    _expect(0 <= op.axis <= len(first.shape), f"axis {op.axis} is not within {_show(first)}")
    for name in op.operands:
        _expect(
            tensors[name].shape == first.shape,
            f"{_show(first)} and {_show(tensors[name])} differ",
        )
    return ((*first.shape[: op.axis], len(op.operands), *first.shape[op.axis :]),)


def _shape(op: ir.Shape, tensors: Tensors) -> tuple[Shape, ...]:
    return ((len(tensors[op.input].shape),),)


def _same(op: Any, tensors: Tensors) -> tuple[Shape, ...]:
    return (tensors[op.input].shape,)


def _last_dimension(op: ir.Softmax | ir.LogSoftmax, tensors: Tensors) -> tuple[Shape, ...]:
    data = tensors[op.input]
    _expect(len(data.shape) >= 1, f"{_show(data)} has no dimension to sum over")
    return (data.shape,)


_RULES: dict[type[ir.Operator], Callable[[Any, Tensors], tuple[Shape, ...]]] = {
    ir.Add: _broadcast,
    ir.AveragePool2D: _pool,
    ir.Concatenation: _concatenation,
    ir.Conv2D: _conv_2d,
    ir.DepthwiseConv2D: _depthwise,
    ir.Dequantize: _same,
    ir.FullyConnected: _fully_connected,
    ir.HardSwish: _same,
    ir.LeakyRelu: _same,
    ir.LogSoftmax: _last_dimension,
    ir.Logistic: _same,
    ir.MaxPool2D: _pool,
    ir.Maximum: _broadcast,
    ir.Mean: _mean,
    ir.Minimum: _broadcast,
    ir.Mul: _broadcast,
    ir.Pack: _pack,
    ir.Pad: _pad,
    ir.Quantize: _same,
    ir.Relu: _same,
    ir.Reshape: _reshape,
    ir.Shape: _shape,
    ir.Softmax: _last_dimension,
    ir.Split: _split,
    ir.StridedSlice: _strided_slice,
    ir.Sub: _broadcast,
    ir.Svdf: _svdf,
    ir.Tanh: _same,
    ir.Transpose: _transpose,
    ir.TransposeConv2D: _transpose_conv,
}
