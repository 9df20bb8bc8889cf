"""How operators connect the channels (elements of the last dimension) of what they read and write.

Two kinds matter to dead channels. A *tied* operator computes each output channel from one channel
of each operand, so both exist or neither does. A *mixing* operator sums over input channels, which
it can do without one, and makes each output channel from its own filter, which can go too.
"""

from typing import TypeGuard

import numpy as np
import numpy.typing as npt

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Operator

IntArray = npt.NDArray[np.int64]
Mixing = ops.Conv2D | ops.TransposeConv2D | ops.FullyConnected
Weighted = Mixing | ops.DepthwiseConv2D
Binary = ops.Add | ops.Sub | ops.Mul | ops.Maximum | ops.Minimum
Unary = ops.Relu | ops.LeakyRelu | ops.Logistic | ops.Tanh | ops.HardSwish | ops.Quantize
Pool = ops.AveragePool2D | ops.MaxPool2D

QUANTIZED = (DType.INT8, DType.INT16)


def channel_ties(graph: Graph, operator: Operator) -> dict[str, IntArray] | None:
    """Return for each tied operand the channel of it that each output channel is made from.

    Operands whose last dimension is broadcast are missing; None for operators that do not keep
    channels apart.
    """
    if len(operator.outputs) != 1 or not graph.tensors[operator.outputs[0]].shape:
        return None
    channels = graph.tensors[operator.outputs[0]].shape[-1]
    if isinstance(operator, Binary):
        tied = [n for n in operator.inputs if graph.tensors[n].shape[-1:] == (channels,)]
        return {name: np.arange(channels) for name in tied}
    if not _keeps_channels_apart(graph, operator):
        return None
    name = operator.inputs[0]
    available = graph.tensors[name].shape[-1]
    if isinstance(operator, ops.DepthwiseConv2D):
        return {name: np.arange(channels) // (channels // available)}
    # Only a RESHAPE that merges dimensions into the last one has more channels than its input.
    return {name: np.arange(channels) % available}


def _keeps_channels_apart(graph: Graph, operator: Operator) -> bool:
    source = graph.tensors[operator.inputs[0]].shape if operator.inputs else ()
    result = graph.tensors[operator.outputs[0]].shape
    if not source or 0 in source:
        return False
    if isinstance(operator, ops.DepthwiseConv2D):
        return _has_constant_weights(graph, operator)
    if isinstance(operator, ops.Mean):
        return len(source) - 1 not in operator.axes
    if isinstance(operator, ops.Pad):
        return operator.paddings[-1] == (0, 0)
    if isinstance(operator, ops.Reshape):
        return operator.shape is None and result[-1] % source[-1] == 0
    return isinstance(operator, Unary | Pool)


def is_mixing(operator: Operator, graph: Graph) -> TypeGuard[Mixing]:
    """Return whether input and output channels of a mixing operator can go one by one."""
    if not isinstance(operator, Mixing) or not _has_constant_weights(graph, operator):
        return False
    tensors = graph.tensors
    if tensors[operator.output].shape[-1:] != tensors[operator.filters].shape[:1]:
        return False
    available, wanted = tensors[operator.input].shape[-1], tensors[operator.filters].shape[-1]
    if isinstance(operator, ops.FullyConnected):
        # Each of its inputs is a channel when several positions were flattened into one vector.
        return wanted % available == 0
    return wanted == available


def _has_constant_weights(graph: Graph, operator: Weighted) -> bool:
    tensors = graph.tensors
    if tensors[operator.input].dtype not in QUANTIZED:
        return False
    return all(tensors[name].is_constant for name in operator.inputs[1:])
