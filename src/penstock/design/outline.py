"""The shapes that a width and a resolution make of a published network; no weights yet."""

from dataclasses import dataclass, field

import numpy as np

from penstock.design.published import NETWORKS, Block, NetworkOptions, round_channels
from penstock.errors import InputError
from penstock.frontends.tflite.reasonable import expect_reasonable_sizes, expect_reasonable_work
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.limits import FILE_BYTES_MAX
from penstock.ir.operators import (
    Activation,
    Add,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Mean,
    Operator,
    Padding2D,
)
from penstock.ir.tensor import Tensor
from penstock.units import format_bytes

IMAGE = "image"
SCORES = "scores"


def outline(options: NetworkOptions) -> Graph:
    """Return the network with int8 tensors, without scales, and with zeros for weights.

    The input ``image`` is ``[1, H, W, 3]``, the output ``scores`` ``[1, classes]``: what a softmax
    would make probabilities of.

    Raises:
        PenstockError: the network would be beyond `penstock.ir.limits`.
    """
    network, draft = NETWORKS[options.name], _Draft()
    value = draft.tensor(IMAGE, (1, options.resolution, options.resolution, 3))
    value = draft.convolution("stem", value, _scale(network.stem_channels, options), 3, stride=2)
    for number, block in enumerate(network.blocks):
        value = _add_block(draft, f"blocks.{number}", value, block, options)
    value = draft.convolution("head", value, _scale(network.head_channels, options))
    value = draft.average("pool", value)
    value = draft.convolution("features", value, _scale(network.feature_channels, options))
    draft.classify(SCORES, value, options.classes)
    graph = Graph.build(options.name, draft.tensors.values(), draft.operators, (IMAGE,), (SCORES,))
    _expect_reasonable(graph)
    return graph


def _scale(channels: int, options: NetworkOptions) -> int:
    return round_channels(channels * options.width)


def _add_block(
    draft: "_Draft", name: str, value: str, block: Block, options: NetworkOptions
) -> str:
    channels_in = draft.tensors[value].shape[3]
    channels = _scale(block.channels, options)
    result = value
    if block.expansion != 1:
        hidden = round_channels(channels_in * block.expansion)
        result = draft.convolution(f"{name}.expand", result, hidden)
    result = draft.depthwise(f"{name}.depthwise", result, block.stride)
    result = draft.convolution(f"{name}.project", result, channels, activation=Activation.NONE)
    if block.stride > 1 or channels != channels_in:
        return result
    return draft.add(name, value, result)


def _expect_reasonable(graph: Graph) -> None:
    """Refuse at once what would be refused as a file."""
    size_bytes = sum(tensor.size_bytes for tensor in graph.tensors.values() if tensor.is_constant)
    if size_bytes > FILE_BYTES_MAX:
        raise InputError(
            f"the weights would have {format_bytes(size_bytes)}, the limit of a model file is "
            f"{format_bytes(FILE_BYTES_MAX)}",
            help="choose a smaller width, or fewer classes",
        )
    expect_reasonable_sizes(graph)
    expect_reasonable_work(graph)


@dataclass
class _Draft:
    """The tensors and operators so far; every method returns the name of what it adds."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    operators: list[Operator] = field(default_factory=list)

    def tensor(self, name: str, shape: tuple[int, ...]) -> str:
        self.tensors[name] = Tensor(name, shape, DType.INT8)
        return name

    def convolution(
        self,
        name: str,
        value: str,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        activation: Activation = Activation.RELU6,
    ) -> str:
        shape = self.tensors[value].shape
        operator = Conv2D(
            input=value,
            filters=self._constant(f"{name}.filters", (channels, kernel, kernel, shape[3])),
            bias=self._constant(f"{name}.bias", (channels,), DType.INT32),
            output=self.tensor(name, _strided(shape, stride, channels)),
            stride=(stride, stride),
            padding=_same_padding(shape, kernel, stride),
            activation=activation,
            source=len(self.operators),
        )
        return self._append(operator)

    def depthwise(self, name: str, value: str, stride: int) -> str:
        shape = self.tensors[value].shape
        operator = DepthwiseConv2D(
            input=value,
            filters=self._constant(f"{name}.filters", (1, 3, 3, shape[3])),
            bias=self._constant(f"{name}.bias", (shape[3],), DType.INT32),
            output=self.tensor(name, _strided(shape, stride, shape[3])),
            stride=(stride, stride),
            padding=_same_padding(shape, 3, stride),
            activation=Activation.RELU6,
            source=len(self.operators),
        )
        return self._append(operator)

    def add(self, name: str, left: str, right: str) -> str:
        output = self.tensor(name, self.tensors[left].shape)
        return self._append(Add(left=left, right=right, output=output, source=len(self.operators)))

    def average(self, name: str, value: str) -> str:
        shape = self.tensors[value].shape
        output = self.tensor(name, (shape[0], 1, 1, shape[3]))
        return self._append(
            Mean(
                input=value,
                output=output,
                axes=(1, 2),
                keep_dims=True,
                source=len(self.operators),
            )
        )

    def classify(self, name: str, value: str, classes: int) -> str:
        depth = self.tensors[value].shape[3]
        operator = FullyConnected(
            input=value,
            filters=self._constant(f"{name}.filters", (classes, depth)),
            bias=self._constant(f"{name}.bias", (classes,), DType.INT32),
            output=self.tensor(name, (1, classes)),
            source=len(self.operators),
        )
        return self._append(operator)

    def _append(self, operator: Operator) -> str:
        self.operators.append(operator)
        return operator.outputs[0]

    def _constant(self, name: str, shape: tuple[int, ...], dtype: DType = DType.INT8) -> str:
        """Add zeros, which take no memory."""
        zeros = np.broadcast_to(np.zeros((), dtype.numpy), shape)
        self.tensors[name] = Tensor(name, shape, dtype, data=zeros)
        return name


def _strided(shape: tuple[int, ...], stride: int, channels: int) -> tuple[int, int, int, int]:
    return shape[0], -(-shape[1] // stride), -(-shape[2] // stride), channels


def _same_padding(shape: tuple[int, ...], kernel: int, stride: int) -> Padding2D:
    """Return TensorFlow Lite's "same" padding: of an odd total, the end gets one more."""
    sides = []
    for size in shape[1:3]:
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        sides += [total // 2, total - total // 2]
    return Padding2D(*sides)
