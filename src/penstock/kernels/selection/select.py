"""Chooses a kernel for each operator of a graph."""

from collections.abc import Callable, Mapping
from typing import Any

from penstock.errors import UnsupportedError
from penstock.ir import operators as ops
from penstock.ir.graph import Graph
from penstock.ir.limits import WIDE_CONSTANTS_MAX
from penstock.kernels.kernel_graph import KernelCall, KernelGraph
from penstock.kernels.kernel_set import WINOGRAD_TILES, Encoding, KernelSet
from penstock.kernels.selection import (
    activation,
    convolution,
    elementwise,
    movement,
    pooling,
    recurrent,
    softmax,
)
from penstock.kernels.selection.site import ConstantPool, Site

_TENSOR_BYTES_MAX = (1 << 31) - 1

_LOWERINGS: dict[type[ops.Operator], Callable[[Site, Any], list[KernelCall]]] = {
    ops.Conv2D: convolution.lower_conv_2d,
    ops.DepthwiseConv2D: convolution.lower_depthwise_conv_2d,
    ops.TransposeConv2D: convolution.lower_transpose_conv_2d,
    ops.FullyConnected: convolution.lower_fully_connected,
    ops.Svdf: recurrent.lower_svdf,
    ops.Add: elementwise.lower_sum,
    ops.Sub: elementwise.lower_sum,
    ops.Mul: elementwise.lower_mul,
    ops.Maximum: elementwise.lower_extremum,
    ops.Minimum: elementwise.lower_extremum,
    ops.AveragePool2D: pooling.lower_average_pool_2d,
    ops.MaxPool2D: pooling.lower_max_pool_2d,
    ops.Mean: pooling.lower_mean,
    ops.Pad: movement.lower_pad,
    ops.Reshape: movement.lower_reshape_of_constant,
    ops.Transpose: movement.lower_transpose,
    ops.StridedSlice: movement.lower_strided_slice,
    ops.Concatenation: movement.lower_concatenation,
    ops.Split: movement.lower_split,
    ops.Pack: movement.lower_pack,
    ops.Quantize: activation.lower_quantize,
    ops.Dequantize: activation.lower_dequantize,
    ops.Relu: activation.lower_relu,
    ops.LeakyRelu: activation.lower_leaky_relu,
    ops.Logistic: activation.lower_sigmoid,
    ops.Tanh: activation.lower_sigmoid,
    ops.HardSwish: activation.lower_hard_swish,
    ops.Softmax: softmax.lower_softmax,
    ops.LogSoftmax: softmax.lower_log_softmax,
}


def select_kernels(
    graph: Graph,
    kernels: KernelSet = KernelSet.REFERENCE,
    *,
    winograd: tuple[int, ...] | Mapping[int, tuple[int, ...]] = WINOGRAD_TILES,
    encodings: Mapping[int, Encoding] | Encoding | None = None,
) -> KernelGraph:
    """Return the graph as a program of kernel calls.

    RESHAPE moves no byte: its output becomes an alias of its input. CONCATENATION, PACK and SPLIT
    become a call for each part; the first call that writes to a concatenation starts its life.

    Args:
        graph: what is to be computed.
        kernels: what the core has instructions for.
        winograd: sides of the outputs that Winograd convolutions may make together, the larger
            ones first: filters take eight to nine times the room with 4, and 3.6 times with 2;
            empty for none. A mapping says it of each operator by its position, none by default.
        encodings: how filters are stored where they can be, otherwise as int8; a mapping says it of
            some operators by their positions.

    Raises:
        UnsupportedError: no kernel takes an operator's element types, quantization or shapes, or
            the constants are more than C is made for.
    """
    pool = ConstantPool()
    calls: list[KernelCall] = []
    aliases: dict[str, str] = {}
    for position, operator in enumerate(graph.operators):
        tiles = winograd.get(position, ()) if isinstance(winograd, Mapping) else winograd
        encoding = encodings.get(position) if isinstance(encodings, Mapping) else encodings
        site = Site(graph, position, operator, pool, kernels, tiles, encoding)
        _check_sizes(site)
        if isinstance(operator, ops.Reshape) and not graph.tensors[operator.input].is_constant:
            _check_reshape(site, operator)
            aliases[operator.output] = operator.input
        else:
            calls.extend(_lower(site))
    _check_constants(pool)
    return KernelGraph(graph, tuple(calls), pool.arrays, aliases)


def _lower(site: Site) -> list[KernelCall]:
    lowering = _LOWERINGS.get(type(site.operator))
    if lowering is None:
        raise site.unsupported(
            site.operator.outputs[0],
            "the operator has no kernel",
            "export the model with fixed shapes, so that it is computed at compile time",
        )
    return lowering(site, site.operator)


def _check_reshape(site: Site, operator: ops.Reshape) -> None:
    if operator.shape is not None:
        raise site.unsupported(
            operator.shape, "a shape computed at run time", "export the model with fixed shapes"
        )


def _check_sizes(site: Site) -> None:
    for name in (*site.operator.inputs, *site.operator.outputs):
        tensor = site.tensor(name)
        if tensor.element_count == 0:
            raise _size_error(site, name, "it has no elements")
        if tensor.size_bytes > _TENSOR_BYTES_MAX:
            raise _size_error(site, name, f"it has {tensor.size_bytes} bytes, 2^31 or more")


def _check_constants(pool: ConstantPool) -> None:
    if pool.wide_count > WIDE_CONSTANTS_MAX:
        raise UnsupportedError(
            f"the program's constants of more than one byte each (biases, multipliers, 16-bit "
            f"data) have {pool.wide_count} elements together, the limit is {WIDE_CONSTANTS_MAX}",
            help="store large constants as int8",
        )


def _size_error(site: Site, name: str, reason: str) -> UnsupportedError:
    return site.unsupported(name, reason, "check the shapes of the model's inputs")
