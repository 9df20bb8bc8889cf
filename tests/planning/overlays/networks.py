"""Networks whose tensors are worth parting: larger than those of `tests.strategies`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import numpy as np

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import NO_PADDING, Activation, Padding2D
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor
from penstock.kernels.kernel_graph import KernelGraph
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from tests import strategies
from tests.strategies import SEEDS, NetworkBuilder, output_size

CHANNELS_MAX = 40
ELEMENTS_MAX = 12_000
SAME = Padding2D(1, 1, 1, 1)


def _float32(value: float) -> float:
    return float(np.float32(value))


class ChainBuilder(NetworkBuilder):
    """Layers by their geometry alone: weights and quantization come from a seed."""

    def __init__(self, seed: int, dtype: DType = DType.INT8) -> None:
        super().__init__(dtype)
        self.random = np.random.default_rng(seed)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.tensors[name].shape

    def quantization(self) -> QuantizationParameters:
        if self.dtype is DType.INT16:  # one for all, because concatenations do not rescale it
            return QuantizationParameters.per_tensor(_float32(1e-4), 0)
        scale, point = self.random.uniform(0.02, 0.08), self.random.integers(-128, 128)
        return QuantizationParameters.per_tensor(_float32(scale), int(point))

    def image(self, height: int, width: int, channels: int) -> str:
        return self.input((1, height, width, channels), self.quantization())

    def _filters(self, source: str, shape: tuple[int, ...], axis: int) -> dict[str, str | None]:
        data = self.random.integers(-127, 128, shape).astype(np.int8)
        reach = np.sqrt(data.size / shape[axis])
        scales = [_float32(s) for s in self.random.uniform(0.004, 0.01, shape[axis]) / reach]
        quantization = QuantizationParameters(
            tuple(scales), (0,) * len(scales), axis if len(scales) > 1 else None
        )
        filters, bias = self.constant(data, quantization), None
        if self.random.random() < 0.8:
            values = self.random.integers(-3000, 3000, shape[axis])
            bias = self.bias(source, quantization, values)
        return {"filters": filters, "bias": bias}

    def conv(
        self,
        source: str,
        count: int = 0,
        kernel: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
        padding: Padding2D = NO_PADDING,
        dilation: tuple[int, int] = (1, 1),
    ) -> str:
        """Append a convolution with ``count`` filters; 0 makes it depthwise, one for a channel."""
        before = self.shape(source)
        window = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
        size = output_size(before, window, stride, padding)
        if min(size) < 1:
            return source
        kind: Any = ops.Conv2D if count else ops.DepthwiseConv2D
        shape = (count, *kernel, before[3]) if count else (1, *kernel, before[3])
        activation = list(Activation)[self.random.integers(len(Activation))]
        return self.append(
            kind(
                **self._filters(source, shape, 0 if count else 3),
                input=source,
                output=self.fresh((before[0], *size, count or before[3]), self.quantization()),
                stride=stride,
                padding=padding,
                dilation=dilation,
                activation=activation,
            )
        )

    def dense(self, source: str, count: int) -> str:
        batch, depth = self.shape(source)
        weights = self._filters(source, (count, depth), 0)
        result = self.fresh((batch, count), self.quantization())
        return self.append(ops.FullyConnected(**weights, input=source, output=result))

    def sum(self, left: str, right: str) -> str:
        result = self.fresh(self.shape(left), self.quantization())
        return self.append(ops.Add(left=left, right=right, output=result))

    def scaled(self, source: str) -> str:
        """Append a product with a constant for each element."""
        shape, low_high = self.shape(source), self.dtype.range
        values = self.random.integers(*low_high, shape).astype(self.dtype.numpy)
        operand = self.constant(values, self.quantization())
        result = self.fresh(shape, self.quantization())
        return self.append(ops.Mul(left=source, right=operand, output=result))

    def join(self, left: str, right: str, axis: int) -> str:
        """Append a concatenation; operands of another quantization are copied with rescaling."""
        shape = list(self.shape(left))
        shape[axis] += self.shape(right)[axis]
        result = self.fresh(shape, self.tensors[left].quantization)
        return self.append(ops.Concatenation(operands=(left, right), output=result, axis=axis))

    def residual(self, source: str, wide: int, count: int, stride: int) -> str:
        """Append an inverted residual block: wider, depthwise, narrow, and a sum if it can be."""
        hidden = self.conv(source, wide)
        hidden = self.conv(hidden, kernel=(3, 3), stride=(stride, stride), padding=SAME)
        result = self.conv(hidden, count)
        if self.shape(result) == self.shape(source):
            return self.sum(source, result)
        return result

    def memory(self, source: str, units: int) -> str:
        """Append an SVDF layer, which has state."""
        batch, depth = self.shape(source)
        filters, steps = 2 * units, 3
        one = QuantizationParameters.per_tensor
        features = self.random.integers(-127, 128, (filters, depth)).astype(np.int8)
        times = self.random.integers(-3000, 3001, (filters, steps)).astype(np.int16)
        shape = (batch, filters * steps)
        state = Tensor(
            f"state{len(self.tensors)}", shape, DType.INT16, one(_float32(1e-3), 0), None, True
        )
        return self.append(
            ops.Svdf(
                input=source,
                feature_weights=self.constant(features, one(_float32(0.01), 0)),
                time_weights=self.constant(times, one(_float32(5e-4), 0)),
                state=self.add(state),
                output=self.fresh((batch, units), self.quantization()),
                rank=2,
            )
        )


@st.composite
def _conv(draw: st.DrawFn, network: ChainBuilder, source: str) -> str:
    sizes = st.integers(0, 2)
    return network.conv(
        source,
        draw(st.one_of(st.just(0), st.integers(1, 12), st.integers(13, CHANNELS_MAX))),
        draw(st.sampled_from([(1, 1), (3, 3), (3, 3), (5, 2), (1, 3)])),
        draw(st.sampled_from([(1, 1), (1, 1), (2, 2), (3, 1)])),
        draw(
            st.one_of(
                st.just(NO_PADDING), st.just(SAME), st.builds(Padding2D, sizes, sizes, sizes, sizes)
            )
        ),
        draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (2, 2)])),
    )


@st.composite
def _residual(draw: st.DrawFn, network: ChainBuilder, source: str) -> str:
    channels = network.shape(source)[3]
    wide = min(channels * draw(st.integers(1, 6)), CHANNELS_MAX)
    count = draw(st.sampled_from([channels, channels, 4, 9, 24]))
    return network.residual(source, wide, count, draw(st.sampled_from([1, 1, 1, 2])))


@st.composite
def _join(draw: st.DrawFn, network: ChainBuilder, source: str) -> str:
    """Concatenate with a convolution of the same, or with an earlier tensor."""
    shape = network.shape(source)
    axis = draw(st.sampled_from([1, 2, 3, 3]))
    fitting = [
        tensor.name
        for tensor in network.tensors.values()
        if len(tensor.shape) == 4 and tensor.data is None and tensor.shape[:axis] == shape[:axis]
        and tensor.shape[axis + 1 :] == shape[axis + 1 :]
    ]  # fmt: skip
    other = draw(st.sampled_from(fitting))
    if draw(st.booleans()):
        other = network.conv(source, shape[3])
    left, right = (network.tensors[name].quantization for name in (source, other))
    if network.dtype is DType.INT16 and left != right:
        return source
    return network.join(source, other, axis)


@st.composite
def _second_input(draw: st.DrawFn, network: ChainBuilder, source: str) -> str:
    other = network.input(network.shape(source), network.quantization())
    return network.sum(*draw(st.permutations([source, other])))


@st.composite
def _head(draw: st.DrawFn, network: ChainBuilder, source: str) -> str:
    batch, height, width, channels = network.shape(source)
    if draw(st.booleans()):
        result = network.fresh((batch, channels), network.quantization())
        source = network.append(ops.Mean(input=source, output=result, axes=(1, 2), keep_dims=False))
    else:
        source = network.reshape(source, (batch, height * width * channels))
    for _ in range(draw(st.integers(1, 3))):
        source = network.dense(source, draw(st.integers(1, 70)))
    if network.dtype is DType.INT8 and draw(st.integers(0, 3)) == 0:
        source = network.memory(source, draw(st.integers(1, 6)))
    return source


_BLOCKS: list[Callable[[ChainBuilder, str], st.SearchStrategy[str]]] = [
    _conv, _conv, _residual, _residual, _join, _second_input, strategies.sums, strategies.pads,
    strategies.pools, strategies.element_wise, strategies.movements,
]  # fmt: skip


@st.composite
def chains(draw: st.DrawFn, *, blocks_max: int = 5) -> Graph:
    """Draw blocks in a row, some of which read earlier tensors, or more inputs."""
    network = ChainBuilder(draw(SEEDS), draw(st.sampled_from([DType.INT8] * 4 + [DType.INT16])))
    extents = st.integers(3, 20)
    source = network.image(draw(extents), draw(extents), draw(st.integers(1, 16)))
    for _ in range(draw(st.integers(1, blocks_max))):
        is_too_large = int(np.prod(network.shape(source))) > ELEMENTS_MAX // 2
        if is_too_large or network.shape(source)[3] > CHANNELS_MAX // 2:
            source = network.conv(source, draw(st.integers(1, 8)), (3, 3), (2, 2), SAME)
        source = draw(draw(st.sampled_from(_BLOCKS))(network, source))
    if draw(st.booleans()):
        source = draw(_head(network, source))
    outputs = [source]
    written = [name for operator in network.operators for name in operator.outputs]
    if draw(st.integers(0, 3)) == 0:
        outputs = list(dict.fromkeys([*outputs, draw(st.sampled_from(written or [source]))]))
    return network.build(outputs)


def mobile_blocks(seed: int = 0, extent: int = 24) -> Graph:
    """A fixed network of the kind that overlays are for, on square images."""
    network = ChainBuilder(seed)
    source = network.conv(network.image(extent, extent, 3), 8, (3, 3), (2, 2), SAME)
    for wide, count, stride in ((24, 8, 1), (32, 12, 2), (40, 12, 1), (40, 16, 1)):
        source = network.residual(source, wide, count, stride)
    shape = network.shape(source)
    pooled = network.pool(
        ops.AveragePool2D, source, shape[1:3], (1, 1), NO_PADDING, Activation.NONE
    )
    flat = network.reshape(pooled, (1, shape[3]))
    return network.build([network.dense(network.dense(flat, 64), 10)])


def branches(seed: int = 0) -> Graph:
    """Two inputs and outputs, a concatenation, dilation, a product, a large dense layer, state."""
    network = ChainBuilder(seed)
    left, right = network.image(17, 15, 6), network.image(17, 15, 6)
    joined = network.join(network.conv(left, 9, (3, 3), (1, 1), SAME), right, 3)
    deep = network.conv(joined, 20, (3, 2), (2, 1), Padding2D(2, 1, 0, 1), (2, 1))
    deep = network.scaled(deep)
    pooled = network.pool(ops.MaxPool2D, deep, (3, 3), (2, 2), SAME, Activation.NONE)
    height, width, channels = network.shape(pooled)[1:]
    flat = network.reshape(pooled, (1, height * width * channels))
    return network.build([network.memory(network.dense(flat, 37), 5), deep])


def moves(seed: int = 0) -> Graph:
    """Operators that cannot be parted, between those that can, on tensors that are far away."""
    network = ChainBuilder(seed)
    source = network.conv(network.image(40, 40, 5), 14, (3, 3), (1, 1), SAME)
    first = source
    source = network.pad(source, ((0, 0), (2, 0), (1, 1), (0, 0)), None)
    source = network.conv(source, 0, (3, 3))
    shape = network.shape(source)
    turned = network.fresh((1, shape[2], shape[1], shape[3]), network.tensors[source].quantization)
    source = network.append(ops.Transpose(input=source, output=turned, permutation=(0, 2, 1, 3)))
    source = network.conv(source, 9, (3, 3), (2, 2), SAME)
    shrunken = network.conv(first, 9, (3, 3), (2, 2), SAME)
    joined = network.join(source, shrunken, 3)
    return network.build([network.conv(joined, 6, (1, 1))])


def lower(graph: Graph, name: str, *, optimized: bool = False) -> KernelGraph:
    """Return the kernel calls of a graph under a name of its own, for its C."""
    return select_kernels(replace(run_passes(graph) if optimized else graph, name=name))
