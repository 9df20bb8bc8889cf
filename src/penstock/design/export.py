"""From a trained network to the intermediate representation."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from penstock.design.datasets import ImageArray
from penstock.design.networks import Classifier, ConvolutionUnit, InvertedResidual
from penstock.design.training import INFERENCE_BATCH, RealArray, to_network_input
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import (
    Activation,
    Add,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Mean,
    Operator,
    Padding2D,
    Softmax,
)
from penstock.ir.tensor import Array, Tensor
from penstock.quantize.observers import MinMaxObserver, ValueRange

IMAGE = "image"
PROBABILITIES = "probabilities"


def export_float_graph(network: Classifier, name: str) -> Graph:
    """Return the network as a float32 graph for one image, batch normalization folded.

    The input ``image`` is ``[1, H, W, 3]`` in [0, 1], the output ``probabilities``
    ``[1, classes]``. Every other computed tensor has the name of the module that computes it.
    """
    writer = _GraphWriter()
    resolution = network.spec.resolution
    value = writer.add_activation(IMAGE, (1, resolution, resolution, 3))
    value = _export_unit(writer, "stem", network.stem, value)
    for number, block in enumerate(network.blocks):
        assert isinstance(block, InvertedResidual)
        value = _export_block(writer, f"blocks.{number}", block, value)
    value = _export_unit(writer, "head", network.head, value)
    pooled = writer.add_activation("pool", (1, network.spec.head_channels))
    writer.operators.append(Mean(input=value, output=pooled, axes=(1, 2), keep_dims=False))
    scores = _export_classifier(writer, network.classify, pooled)
    output = writer.add_activation(PROBABILITIES, writer.tensors[scores].shape)
    writer.operators.append(Softmax(input=scores, output=output))
    return Graph.build(name, writer.tensors.values(), writer.operators, (IMAGE,), (PROBABILITIES,))


def observe_ranges(network: Classifier, images: ImageArray) -> dict[str, ValueRange]:
    """Return the range of each module's output over the images, under the module's name.

    Images are 8-bit ``[N, H, W, 3]``. The range of the input is all of [0, 1].
    """
    observer = MinMaxObserver()

    def observe(name: str, result: torch.Tensor) -> None:
        observer.observe(name, result.numpy())

    handles = [
        module.register_forward_hook(
            lambda _module, _inputs, result, name=name: observe(name, result)
        )
        for name, module in network.named_modules()
        if name and not isinstance(module, nn.ModuleList)
    ]
    network.eval()
    with torch.inference_mode():
        for batch in torch.from_numpy(images).split(INFERENCE_BATCH):
            network(to_network_input(batch))
    for handle in handles:
        handle.remove()
    return {**observer.ranges, IMAGE: ValueRange(0.0, 1.0)}


@dataclass
class _GraphWriter:
    """The graph as far as it is exported."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    operators: list[Operator] = field(default_factory=list)

    def add_activation(self, name: str, shape: Iterable[int]) -> str:
        self.tensors[name] = Tensor(name, tuple(shape), DType.FLOAT32)
        return name

    def add_constant(self, name: str, data: Array) -> str:
        self.tensors[name] = Tensor(
            name, data.shape, DType.FLOAT32, data=np.ascontiguousarray(data, np.float32)
        )
        return name


def _export_block(writer: _GraphWriter, name: str, block: InvertedResidual, value: str) -> str:
    result = _export_unit(writer, f"{name}.expand", block.expand, value)
    result = _export_unit(writer, f"{name}.depthwise", block.depthwise, result)
    result = _export_unit(writer, f"{name}.project", block.project, result)
    if not block.is_residual:
        return result
    total = writer.add_activation(name, writer.tensors[result].shape)
    writer.operators.append(Add(left=value, right=result, output=total))
    return total


def _export_unit(writer: _GraphWriter, name: str, unit: ConvolutionUnit, value: str) -> str:
    filters, bias = fold_normalization(unit.convolution, unit.normalization)
    stride, kernel = unit.convolution.stride[0], unit.convolution.kernel_size[0]
    _, height, width, _ = writer.tensors[value].shape
    is_depthwise = unit.convolution.groups > 1
    # PyTorch: [C_OUT, C_IN / groups, KH, KW].
    order = (1, 2, 3, 0) if is_depthwise else (0, 2, 3, 1)
    channels = filters.shape[0]
    operator_type = DepthwiseConv2D if is_depthwise else Conv2D
    output = writer.add_activation(name, (1, -(-height // stride), -(-width // stride), channels))
    writer.operators.append(
        operator_type(
            input=value,
            filters=writer.add_constant(f"{name}.filters", filters.transpose(order)),
            bias=writer.add_constant(f"{name}.bias", bias),
            output=output,
            stride=(stride, stride),
            padding=_same_padding((height, width), kernel, stride),
            activation=Activation.NONE if unit.is_linear else Activation.RELU6,
        )
    )
    return output


def _export_classifier(writer: _GraphWriter, layer: nn.Linear, value: str) -> str:
    output = writer.add_activation("classify", (1, layer.out_features))
    writer.operators.append(
        FullyConnected(
            input=value,
            filters=writer.add_constant("classify.filters", layer.weight.detach().numpy()),
            bias=writer.add_constant("classify.bias", layer.bias.detach().numpy()),
            output=output,
        )
    )
    return output


def fold_normalization(
    convolution: nn.Conv2d, normalization: nn.BatchNorm2d
) -> tuple[RealArray, RealArray]:
    """Return filters ``[C_OUT, C_IN / groups, KH, KW]`` and bias of both layers as one.

    Source: Jacob et al. 2018, section 3.2, equation 14.
    """
    mean, variance = normalization.running_mean, normalization.running_var
    assert mean is not None and variance is not None
    with torch.no_grad():
        factor = normalization.weight / torch.sqrt(variance + normalization.eps)
        filters = convolution.weight * factor[:, None, None, None]
        bias = normalization.bias - mean * factor
    return filters.numpy(), bias.numpy()


def _same_padding(extent: tuple[int, int], kernel: int, stride: int) -> Padding2D:
    """Return TensorFlow Lite's "same" padding, as `ConvolutionUnit` has it."""
    top, bottom = _split_padding(extent[0], kernel, stride)
    left, right = _split_padding(extent[1], kernel, stride)
    return Padding2D(top=top, bottom=bottom, left=left, right=right)


def _split_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
