"""The parts of small graphs for passes."""

import numpy as np

from penstock.ir import operators as ops
from penstock.ir.operators import NO_PADDING
from penstock.ir.quantization import QuantizationParameters
from tests.strategies import NetworkBuilder

Q = QuantizationParameters.per_tensor(0.5, -3)
OTHER = QuantizationParameters.per_tensor(0.25, 7)
SPATIAL = ((0, 0), (1, 0), (0, 1), (0, 0))


def start(shape=(1, 3, 3, 2), quantization=Q) -> tuple[NetworkBuilder, str]:
    network = NetworkBuilder()
    return network, network.input(shape, quantization)


def convolve(
    network,
    source,
    weights,
    bias=None,
    *,
    quantization=Q,
    scales=(0.25,),
    kind=ops.Conv2D,
    padding=NO_PADDING,
    **attributes,
) -> str:
    """Append a convolution with these filters; the size of its output follows."""
    filters = np.array(weights, np.int8)
    depthwise = kind is ops.DepthwiseConv2D
    axis = 3 if depthwise else 0
    many = len(scales) > 1
    parameters = QuantizationParameters(scales, (0,) * len(scales), axis if many else None)
    before = network.tensors[source].shape
    height = before[1] + padding.top + padding.bottom - filters.shape[1] + 1
    width = before[2] + padding.left + padding.right - filters.shape[2] + 1
    result = network.fresh((before[0], height, width, filters.shape[axis]), quantization)
    name = None if bias is None else network.bias(source, parameters, np.array(bias))
    return network.append(
        kind(
            input=source,
            filters=network.constant(filters, parameters),
            bias=name,
            output=result,
            padding=padding,
            **attributes,
        )
    )


def ones(count, channels=2, size=1):
    return np.ones((count, size, size, channels), np.int8)
