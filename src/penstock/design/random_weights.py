"""Weights and scales for a network that nobody trained, such that data flows through it.

How long a network takes does not depend on its weights; that its outputs can be compared does. So
weights are drawn uniformly from all int8 values but −128, and each layer is then normalized as
batch normalization would: a few seeded random images go through the network, operator by operator
in the interpreter, and scales and biases follow from the sums of products that they make. In front
of a ReLU6, each channel gets the mean 1 and the deviation 2, so that a third of its activations are
0, a hundredth 6, and the rest between; elsewhere 0 and 1, and the output's scale covers what was
seen.

All sums are of integers and all real arithmetic is elementwise or correctly rounded, so that the
same seed gives the same bytes on every computer.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from penstock.errors import UnsupportedError
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.interpreter.convolution import (
    conv_2d_sums,
    depthwise_conv_2d_sums,
    fully_connected_sums,
)
from penstock.ir.interpreter.execution import evaluate
from penstock.ir.nibbles import NIBBLE_RANGE
from penstock.ir.operators import (
    Activation,
    Add,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Mean,
    Operator,
)
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Array, Tensor
from penstock.progress import Progress, silent
from penstock.quantize.affine import (
    FILTER_MAXIMUM,
    Weighted,
    channel_axis,
    choose_activation_parameters,
    choose_bias_parameters,
)
from penstock.quantize.observers import ValueRange

Values = dict[str, Array]
IntArray = npt.NDArray[np.int64]
RealArray = npt.NDArray[np.float64]
DrawFilters = Callable[[Weighted, Sequence[int]], Array]

IMAGES = 4
"""Random images for the statistics: where the last layers have one position, each has few."""

_RECTIFIED_TARGET = (1.0, 2.0)
_LINEAR_TARGET = (0.0, 1.0)
"""Mean and deviation that a layer's channels get."""

_MARGIN = 1.25
"""How much wider a linear layer's range is than what was seen: other images go farther."""

_PIXELS = ValueRange(0.0, 1.0)
_RECTIFIED = ValueRange(*Activation.RELU6.real_range)
INT8_BITS = 8
_DEVIATION_SHARE_MIN = 0.25
"""Smallest deviation of a channel relative to the layer's: that of few samples may be 0."""


@dataclass(frozen=True, slots=True)
class FilterLooks:
    """What random filters look like.

    Attributes:
        zeros: share of the filters of 1x1 convolutions and fully connected layers that are 0.
        bits: of all filters.
        seed: of which ones are 0.
    """

    zeros: float = 0.0
    bits: int = 8
    seed: int = 0

    def shape(self, operator: Weighted, drawn: Array) -> Array:
        """Return filters as they shall be, made from int8 ones."""
        shaped = drawn
        if self.bits < INT8_BITS:
            shifted = drawn.astype(np.int8) >> (INT8_BITS - self.bits)
            shaped = np.clip(shifted, *NIBBLE_RANGE).astype(np.int8)
        is_wide = isinstance(operator, DepthwiseConv2D) or drawn.shape[1:-1] not in ((1, 1), ())
        if not self.zeros or is_wide:
            return shaped
        generator = np.random.default_rng([self.seed, drawn.size])
        return np.where(generator.random(drawn.shape) < self.zeros, 0, shaped).astype(np.int8)


DENSE_INT8 = FilterLooks()


def fill_with_random_weights(
    graph: Graph, seed: int, progress: Progress = silent, looks: FilterLooks = DENSE_INT8
) -> Graph:
    """Return the int8 graph with weights, biases and scales; the same arguments, the same graph.

    Args:
        graph: of one image, its inputs and computed tensors int8 without scales.
        seed: of weights and images.
        progress: told what is going on.
        looks: of the filters.

    Raises:
        UnsupportedError: an operator is none of convolutions, fully connected, add and mean.
    """
    generator = np.random.default_rng(seed)
    pixels = choose_activation_parameters(_PIXELS.low, _PIXELS.high)
    inputs = {name: _quantized(graph.tensors[name], pixels) for name in graph.inputs}
    filled = graph.with_changes(tensors=inputs)
    images: list[Values] = [
        {name: _draw(generator, inputs[name].shape, -128) for name in inputs} for _ in range(IMAGES)
    ]
    readers = graph.consumers()
    for position, operator in enumerate(graph.operators):
        progress("drawing weights and choosing scales", position / len(graph.operators))
        chosen = _choose(filled, operator, images, partial(_draw_filters, generator, looks))
        filled = filled.with_changes(tensors=chosen)
        for values in images:
            values.update(evaluate(filled, operator, _read(filled, operator, values)))
            for name in [name for name in values if max(readers[name], default=0) == position]:
                del values[name]
    return filled


def _draw_filters(
    generator: np.random.Generator, looks: FilterLooks, operator: Weighted, shape: Sequence[int]
) -> Array:
    return looks.shape(operator, _draw(generator, shape, -FILTER_MAXIMUM))


def _draw(generator: np.random.Generator, shape: Sequence[int], low: int) -> Array:
    return generator.integers(low, FILTER_MAXIMUM, tuple(shape), np.int8, endpoint=True)


def _quantized(tensor: Tensor, parameters: QuantizationParameters) -> Tensor:
    return Tensor(tensor.name, tensor.shape, tensor.dtype, parameters, tensor.data)


def _read(graph: Graph, operator: Operator, values: Mapping[str, Array]) -> Values:
    """Return the values that an operator reads."""
    constants = {name: graph.tensors[name].data for name in operator.inputs}
    return {
        name: values[name] if constant is None else constant for name, constant in constants.items()
    }


def _choose(
    graph: Graph, operator: Operator, images: Sequence[Values], draw: DrawFilters
) -> dict[str, Tensor]:
    """Return an operator's output with its scale, and its weights."""
    match operator:
        case Conv2D() | DepthwiseConv2D() | FullyConnected():
            tensors, seen = _weigh(graph, operator, images, draw)
        case Add():
            tensors, seen = {}, _range_of_sums(graph, operator, images)
        case Mean():
            tensors, seen = {}, _range_of_means(graph, operator, images)
        case _:
            raise UnsupportedError(f"no random scales for the operator {operator.kind}")
    output = graph.tensors[operator.outputs[0]]
    tensors[output.name] = _quantized(output, choose_activation_parameters(seen.low, seen.high))
    return tensors


@dataclass(frozen=True, slots=True, eq=False)
class _Statistics:
    """Of the sums of products of a layer, by output channel."""

    mean: RealArray
    deviation: RealArray
    low: IntArray
    high: IntArray


def _weigh(
    graph: Graph, operator: Weighted, images: Sequence[Values], draw: DrawFilters
) -> tuple[dict[str, Tensor], ValueRange]:
    """Return filters and bias that normalize a layer, and the range of its real output."""
    filters, input_scale = graph.tensors[operator.filters], graph.tensors[operator.input].scale
    drawn = filters.with_data(draw(operator, filters.shape))
    found = _observe(graph.with_changes(tensors={filters.name: drawn}), operator, images)
    is_rectified = operator.activation is Activation.RELU6
    mean, deviation = _RECTIFIED_TARGET if is_rectified else _LINEAR_TARGET
    scales = (deviation / (input_scale * found.deviation)).astype(np.float32)
    steps = input_scale * scales.astype(np.float64)
    bias = np.rint(mean / steps - found.mean).astype(np.int32)
    tensors = _weights(operator, drawn, bias, scales, input_scale)
    if is_rectified:
        return tensors, _RECTIFIED
    low, high = ((sums + bias) * steps for sums in (found.low, found.high))
    return tensors, ValueRange(_MARGIN * float(low.min()), _MARGIN * float(high.max()))


def _weights(
    operator: Weighted,
    filters: Tensor,
    bias: npt.NDArray[np.int32],
    scales: npt.NDArray[np.float32],
    input_scale: float,
) -> dict[str, Tensor]:
    """Return filters and bias with the parameters that the 8-bit specification wants."""
    axis = channel_axis(operator)
    listed = tuple(float(scale) for scale in (scales[:1] if axis is None else scales))
    parameters = QuantizationParameters(listed, (0,) * len(listed), axis)
    of_bias = choose_bias_parameters(input_scale, parameters)
    assert operator.bias is not None
    return {
        filters.name: _quantized(filters, parameters),
        operator.bias: Tensor(operator.bias, bias.shape, DType.INT32, of_bias, bias),
    }


def _sums(graph: Graph, operator: Weighted, values: Mapping[str, Array]) -> IntArray:
    """Return the sums of products, a row for each position."""
    read = _read(graph, operator, values)
    match operator:
        case Conv2D():
            sums = conv_2d_sums(graph, operator, read)
        case DepthwiseConv2D():
            sums = depthwise_conv_2d_sums(graph, operator, read)
        case FullyConnected():
            sums = fully_connected_sums(graph, operator, read)
    return sums.reshape(-1, sums.shape[-1])


def _observe(graph: Graph, operator: Weighted, images: Sequence[Values]) -> _Statistics:
    """Return the statistics over all images; with one scale for the tensor, one deviation."""
    parts = []
    count = 0
    for values in images:
        sums = _sums(graph, operator, values)
        count += len(sums)
        # Within the limits of a network that can be built, squares add up to less than 2**62.
        parts.append((sums.sum(0), np.square(sums).sum(0), sums.min(0), sums.max(0)))
    totals, squares, low, high = (np.stack(part) for part in zip(*parts, strict=True))
    mean = totals.sum(0) / count
    variance = np.maximum(squares.sum(0) / count - np.square(mean), 0.0)
    # math.fsum rounds once, whatever the order.
    typical = math.sqrt(math.fsum(variance) / len(variance))
    if channel_axis(operator) is None:
        deviation = np.full(len(variance), typical)
    else:
        deviation = np.maximum(np.sqrt(variance), _DEVIATION_SHARE_MIN * typical)
    return _Statistics(mean, np.maximum(deviation, 1.0), low.min(0), high.max(0))


def _range_of_sums(graph: Graph, operator: Add, images: Sequence[Values]) -> ValueRange:
    return _range(
        [
            _real(graph, operator.left, values) + _real(graph, operator.right, values)
            for values in images
        ]
    )


def _range_of_means(graph: Graph, operator: Mean, images: Sequence[Values]) -> ValueRange:
    source = graph.tensors[operator.input]
    count = math.prod(source.shape[axis] for axis in operator.axes)
    means = []
    for values in images:
        centered = values[operator.input].astype(np.int64) - source.zero_point
        means.append(centered.sum(axis=operator.axes) / count * source.scale)
    return _range(means)


def _real(graph: Graph, name: str, values: Values) -> RealArray:
    tensor = graph.tensors[name]
    return (values[name].astype(np.float64) - tensor.zero_point) * tensor.scale


def _range(values: Sequence[RealArray]) -> ValueRange:
    return ValueRange(
        min(float(value.min()) for value in values), max(float(value.max()) for value in values)
    )
