"""Networks of operators side by side, for measuring: each reads an input of its own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import NO_PADDING, Activation, Padding2D
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Array, Tensor

Pair = tuple[int, int]
Shape = tuple[int, ...]

_INPUT_SCALE = {DType.INT8: 0.05, DType.INT16: 0.0002}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How the weights of a layer look.

    Attributes:
        gain: the real factor of requantization, on average; from 1/2 on, sums are shifted left.
        per_channel: whether each channel has a factor of its own, between half and twice that.
        zero_point: of the filters, as in legacy uint8 models.
        bias: whether there is one.
        wide_bias: whether an int16 layer has an int64 bias.
        activation: behind a convolution; RELU limits outputs to less than their type's range.
        density: the share of the filters that are not zero.
        bits: of the filters: 8, or 4.
    """

    gain: float = 0.002
    per_channel: bool = True
    zero_point: int = 0
    bias: bool = True
    wide_bias: bool = True
    activation: Activation = Activation.RELU
    density: float = 1.0
    bits: int = 8


PLAIN = Weights()


@dataclass
class NetworkBuilder:
    """Collects operators; each has inputs and outputs of its own.

    Attributes:
        dtype: element type of activations.
    """

    dtype: DType = DType.INT8
    _tensors: dict[str, Tensor] = field(default_factory=dict)
    _operators: list[ops.Operator] = field(default_factory=list)
    _inputs: list[str] = field(default_factory=list)
    _outputs: list[str] = field(default_factory=list)
    _random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def build(self, name: str) -> Graph:
        """Return the network."""
        return Graph.build(
            name, self._tensors.values(), self._operators, self._inputs, self._outputs
        )

    def tensor(
        self,
        shape: Sequence[int],
        dtype: DType | None = None,
        scale: float | None = None,
        zero_point: int = 0,
    ) -> str:
        """Add a computed tensor and return its name; float32 ones are not quantized."""
        chosen = dtype or self.dtype
        quantization = None
        if chosen is not DType.FLOAT32:
            step = scale or _INPUT_SCALE.get(chosen, 0.05)
            quantization = QuantizationParameters.per_tensor(float(np.float32(step)), zero_point)
        return self._add(Tensor(self._name(), tuple(shape), chosen, quantization))

    def input(
        self,
        shape: Sequence[int],
        dtype: DType | None = None,
        scale: float | None = None,
        zero_point: int = 0,
    ) -> str:
        """Add an input of the network and return its name."""
        name = self.tensor(shape, dtype, scale, zero_point)
        self._inputs.append(name)
        return name

    def operator(self, operator: ops.Operator) -> None:
        """Add an operator whose results leave the network."""
        self._operators.append(operator)
        self._outputs.extend(operator.outputs)

    def constant(self, array: Array, quantization: QuantizationParameters | None = None) -> str:
        """Add a constant and return its name."""
        dtype = DType.from_numpy(array.dtype)
        return self._add(Tensor(self._name(), array.shape, dtype, quantization, array))

    def state(self, shape: Sequence[int], dtype: DType) -> str:
        """Add a variable tensor and return its name."""
        quantization = QuantizationParameters.per_tensor(0.05, 0)
        return self._add(Tensor(self._name(), tuple(shape), dtype, quantization, is_variable=True))

    def shape(self, name: str) -> Shape:
        """Return a tensor's shape."""
        return self._tensors[name].shape

    def filters(self, shape: Shape, axis: int, gain: float, weights: Weights) -> str:
        """Add random int8 filters with scales that make the layer's factors near ``gain``."""
        high = (1 << (weights.bits - 1)) - 1
        low = -high if weights.zero_point == 0 else -high - 1
        data = self._random.integers(low, high, shape, dtype=np.int8, endpoint=True)
        if weights.density < 1.0:
            data[self._random.random(shape) >= weights.density] = 0
        count = shape[axis] if weights.per_channel else 1
        spread = np.exp2(self._random.uniform(-1, 1, count)) if count > 1 else np.ones(1)
        scales = tuple(float(np.float32(gain * factor)) for factor in spread)
        zero_points = (weights.zero_point,) * count
        return self.constant(
            data, QuantizationParameters(scales, zero_points, axis if count > 1 else None)
        )

    def bias(self, channels: int, source: str, filters: str, weights: Weights) -> str | None:
        """Add a random bias; None where the layer has none."""
        if not weights.bias:
            return None
        wide = self.dtype is DType.INT16 and weights.wide_bias
        values = self._random.integers(-1000, 1000, channels)
        scales = self._tensors[filters].quantization
        assert scales is not None
        step = self._tensors[source].scale
        quantization = QuantizationParameters(
            tuple(float(np.float32(step * scale)) for scale in scales.scale),
            (0,) * len(scales.scale),
            None if len(scales.scale) == 1 else 0,
        )
        return self.constant(values.astype(np.int64 if wide else np.int32), quantization)

    def conv_2d(
        self,
        shape: Shape,
        channels: int,
        filter_size: Pair,
        *,
        stride: Pair = (1, 1),
        dilation: Pair = (1, 1),
        padding: Padding2D = NO_PADDING,
        groups: int = 1,
        weights: Weights = PLAIN,
    ) -> None:
        """Add a convolution of an input ``[N, H, W, C]``."""
        source = self.input(shape, zero_point=self._offset())
        filters = self.filters(
            (channels, *filter_size, shape[3] // groups), 0, weights.gain, weights
        )
        size = output_size(shape, filter_size, stride, dilation, padding)
        self.operator(
            ops.Conv2D(
                input=source,
                filters=filters,
                bias=self.bias(channels, source, filters, weights),
                output=self._result((shape[0], *size, channels)),
                stride=stride,
                dilation=dilation,
                padding=padding,
                activation=weights.activation,
            )
        )

    def depthwise_conv_2d(
        self,
        shape: Shape,
        filter_size: Pair,
        *,
        per_input: int = 1,
        stride: Pair = (1, 1),
        padding: Padding2D = NO_PADDING,
        weights: Weights = PLAIN,
    ) -> None:
        """Add a depthwise convolution of an input ``[N, H, W, C]``."""
        channels = shape[3] * per_input
        source = self.input(shape, zero_point=self._offset())
        filters = self.filters((1, *filter_size, channels), 3, weights.gain, weights)
        size = output_size(shape, filter_size, stride, (1, 1), padding)
        self.operator(
            ops.DepthwiseConv2D(
                input=source,
                filters=filters,
                bias=self.bias(channels, source, filters, weights),
                output=self._result((shape[0], *size, channels)),
                stride=stride,
                padding=padding,
                activation=weights.activation,
            )
        )

    def transpose_conv_2d(
        self,
        shape: Shape,
        channels: int,
        filter_size: Pair,
        *,
        stride: Pair = (1, 1),
        weights: Weights = PLAIN,
    ) -> None:
        """Add a transposed convolution of an input ``[N, H, W, C]``, without padding."""
        source = self.input(shape, zero_point=self._offset())
        filters = self.filters((channels, *filter_size, shape[3]), 0, weights.gain, weights)
        size = [
            (extent - 1) * step + taps
            for extent, step, taps in zip(shape[1:3], stride, filter_size, strict=True)
        ]
        self.operator(
            ops.TransposeConv2D(
                input=source,
                filters=filters,
                bias=self.bias(channels, source, filters, weights),
                output=self._result((shape[0], *size, channels)),
                stride=stride,
            )
        )

    def fully_connected(
        self, rows: int, depth: int, channels: int, *, weights: Weights = PLAIN
    ) -> None:
        """Add a fully connected layer."""
        source = self.input((rows, depth), zero_point=self._offset())
        filters = self.filters((channels, depth), 0, weights.gain, weights)
        self.operator(
            ops.FullyConnected(
                input=source,
                filters=filters,
                bias=self.bias(channels, source, filters, weights),
                output=self._result((rows, channels)),
            )
        )

    def svdf(self, depth: int, units: int, rank: int, memory: int, state: DType) -> None:
        """Add one step of an SVDF."""
        count = units * rank
        source = self.input((1, depth), zero_point=self._offset())
        times = self._random.integers(-100, 100, (count, memory)).astype(state.numpy)
        quantization = QuantizationParameters.per_tensor(0.01, 0)
        self.operator(
            ops.Svdf(
                input=source,
                feature_weights=self.filters((count, depth), 0, 0.01, Weights(per_channel=False)),
                time_weights=self.constant(times, quantization),
                bias=self.constant(np.zeros(units, np.int32)),
                state=self.state((1, count * memory), state),
                output=self._result((1, units)),
                rank=rank,
            )
        )

    def _result(self, shape: Sequence[int]) -> str:
        return self.tensor(shape, zero_point=self._offset())

    def _offset(self) -> int:
        return 0 if self.dtype is DType.INT16 else 3

    def _name(self) -> str:
        return f"t{len(self._tensors)}"

    def _add(self, tensor: Tensor) -> str:
        self._tensors[tensor.name] = tensor
        return tensor.name


def output_size(
    shape: Shape, filter_size: Pair, stride: Pair, dilation: Pair, padding: Padding2D
) -> Pair:
    """Return rows and columns that a convolution or pooling gives."""
    before = (shape[1] + padding.top + padding.bottom, shape[2] + padding.left + padding.right)
    sizes = [
        (extent - (taps - 1) * apart - 1) // step + 1
        for extent, taps, apart, step in zip(before, filter_size, dilation, stride, strict=True)
    ]
    return sizes[0], sizes[1]


def element_count(shape: Sequence[int]) -> int:
    """Return how many elements a shape has."""
    return math.prod(shape)
