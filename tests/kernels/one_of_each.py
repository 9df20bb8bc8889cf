"""For each kernel of the catalogue a graph that selection lowers to it: nothing is drawn."""

from collections.abc import Callable
from typing import Any

import numpy as np

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Activation, AverageRounding, Operator
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor
from penstock.kernels.kernel_set import WINOGRAD_TILES, KernelSet, is_dsp_kernel, is_mve_kernel
from penstock.kernels.selection.winograd import SMALL

_TYPES = {
    "s8": DType.INT8,
    "u8": DType.UINT8,
    "s16": DType.INT16,
    "s32": DType.INT32,
    "f32": DType.FLOAT32,
}
_IMAGE = (1, 4, 4, 2)
_UNARY = {"input": "x", "output": "y"}
_BINARY = {"left": "x", "right": "z", "output": "y"}


def _tensor(
    name: str, shape: tuple[int, ...], dtype: DType, scale: float = 0.5, point: int = 0
) -> Tensor:
    if dtype is DType.FLOAT32:
        return Tensor(name, shape, dtype)
    return Tensor(name, shape, dtype, QuantizationParameters.per_tensor(scale, point))


def _weights(name: str, shape: tuple[int, ...], dtype: DType = DType.INT8) -> Tensor:
    count = int(np.prod(shape))
    data = (np.arange(count) % 11 - 5).astype(dtype.numpy).reshape(shape)
    return _tensor(name, shape, dtype, 0.125).with_data(data)


def _graph(operator: Operator, *tensors: Tensor) -> Graph:
    given = [name for name in operator.inputs if name in ("x", "z")]
    return Graph.build("one", tensors, [operator], given, operator.outputs)


def _weighted(
    kind: type[Any],
    filters: tuple[int, ...],
    output: tuple[int, ...],
    dtype: DType,
    output_scale: float = 0.5,
    source: tuple[int, ...] | None = None,
    **attributes: Any,
) -> Graph:
    source = source or ((1, 6) if kind is ops.FullyConnected else _IMAGE)
    return _graph(
        kind(filters="w", **_UNARY, **attributes),
        _tensor("x", source, dtype),
        _weights("w", filters),
        _tensor("y", output, dtype, output_scale),
    )


def _svdf(dtype: DType) -> Graph:
    state = Tensor("s", (1, 8), dtype, QuantizationParameters.per_tensor(0.25, 0), is_variable=True)
    operator = ops.Svdf(
        input="x", feature_weights="f", time_weights="t", state="s", output="y", rank=1
    )
    return _graph(
        operator,
        _tensor("x", (1, 3), DType.INT8),
        _weights("f", (4, 3)),
        _weights("t", (4, 2), dtype),
        state,
        _tensor("y", (1, 4), DType.INT8),
    )


def _binary(kind: type[Any], dtype: DType, **attributes: bool) -> Graph:
    tensors = [_tensor(name, (2, 3), dtype) for name in "xzy"]
    return _graph(kind(**_BINARY, **attributes), *tensors)


def _pool(kind: type[Any], dtype: DType, **attributes: Any) -> Graph:
    return _graph(
        kind(filter=(2, 2), **_UNARY, **attributes),
        _tensor("x", _IMAGE, dtype),
        _tensor("y", (1, 3, 3, 2), dtype),
    )


def _mean(dtype: DType) -> Graph:
    operator = ops.Mean(axes=(1, 2), keep_dims=False, **_UNARY)
    return _graph(operator, _tensor("x", _IMAGE, dtype), _tensor("y", (1, 2), dtype))


def _pad() -> Graph:
    operator = ops.Pad(paddings=((0, 1), (2, 0)), **_UNARY)
    return _graph(operator, _tensor("x", (2, 3), DType.INT8), _tensor("y", (3, 5), DType.INT8))


def _transpose() -> Graph:
    operator = ops.Transpose(permutation=(1, 0), **_UNARY)
    return _graph(operator, _tensor("x", (2, 3), DType.INT8), _tensor("y", (3, 2), DType.INT8))


def _elements(
    kind: type[Any],
    source: DType,
    output: DType,
    scale: float = 0.25,
    point: int = 0,
    **attributes: Any,
) -> Graph:
    return _graph(
        kind(**_UNARY, **attributes),
        _tensor("x", (3, 40), source),
        _tensor("y", (3, 40), output, scale, point),
    )


def _conversions() -> dict[str, Graph]:
    pairs = ["f32_s8", "f32_u8", "f32_s16"]
    pairs += ["s8_s16", "s8_s32", "s16_s8", "s16_s16", "s16_s32", "s32_s8", "s32_s16"]
    cases = {f"quantize_{pair}": (ops.Quantize, pair) for pair in pairs}
    cases |= {f"dequantize_{name}_f32": (ops.Dequantize, f"{name}_f32") for name in _INTEGERS}
    return {
        name: _elements(kind, *(_TYPES[part] for part in pair.split("_")))
        for name, (kind, pair) in cases.items()
    }


_INTEGERS = ("s8", "u8", "s16")
_NARROW: dict[str, Callable[[DType], Graph]] = {
    "conv_2d": lambda d: _weighted(ops.Conv2D, (3, 2, 2, 2), (1, 3, 3, 3), d),
    "depthwise_conv_2d": lambda d: _weighted(ops.DepthwiseConv2D, (1, 2, 2, 4), (1, 3, 3, 4), d),
    # Filters of more than twice the stride: the last outputs lie beyond the last input.
    "transpose_conv_2d": lambda d: _weighted(
        ops.TransposeConv2D, (3, 5, 5, 2), (1, 11, 11, 3), d, stride=(2, 2)
    ),
    "fully_connected": lambda d: _weighted(ops.FullyConnected, (4, 6), (1, 4), d),
    "add": lambda d: _binary(ops.Add, d),
    "mul": lambda d: _binary(ops.Mul, d),
    "maximum": lambda d: _binary(ops.Maximum, d),
    "minimum": lambda d: _binary(ops.Minimum, d),
    "average_pool_2d": lambda d: _pool(ops.AveragePool2D, d),
    "max_pool_2d": lambda d: _pool(ops.MaxPool2D, d),
    "mean": _mean,
}
"""Kernels that exist for int8 and for int16."""

_OTHERS: dict[str, Graph] = {
    "svdf_s8": _svdf(DType.INT8),
    "svdf_state_s16_s8": _svdf(DType.INT16),
    "add_shift_s16": _binary(ops.Add, DType.INT16, pot_scale_int16=True),
    "average_pool_2d_half_up_s8": _pool(
        ops.AveragePool2D, DType.INT8, rounding=AverageRounding.HALF_UP
    ),
    "strided_copy": _transpose(),
    "pad": _pad(),
    "table_u8": _elements(ops.Relu, DType.INT8, DType.INT8, activation=Activation.RELU6),
    "leaky_relu_s16": _elements(ops.LeakyRelu, DType.INT16, DType.INT16, alpha=0.25),
    "logistic_s16": _elements(ops.Logistic, DType.INT16, DType.INT16, 2.0**-15),
    "tanh_s16": _elements(ops.Tanh, DType.INT16, DType.INT16, 2.0**-15),
    "softmax_s8": _elements(ops.Softmax, DType.INT8, DType.INT8, 2.0**-8, -128),
    "softmax_s8_s16": _elements(ops.Softmax, DType.INT8, DType.INT16, 2.0**-16, -32768),
    "softmax_s16": _elements(ops.Softmax, DType.INT16, DType.INT16, 2.0**-15),
    "softmax_f32": _elements(ops.Softmax, DType.FLOAT32, DType.FLOAT32),
    "log_softmax_f32": _elements(ops.LogSoftmax, DType.FLOAT32, DType.FLOAT32),
}

_DSP: dict[str, Graph] = {
    "conv_2d_dsp_s8": _NARROW["conv_2d"](DType.INT8),
    "conv_2d_winograd_2x2_dsp_s8": _weighted(
        ops.Conv2D, (8, 3, 3, 8), (1, 6, 6, 8), DType.INT8, source=(1, 8, 8, 8)
    ),
    "conv_2d_winograd_4x4_dsp_s8": _weighted(
        ops.Conv2D, (8, 3, 3, 8), (1, 8, 8, 8), DType.INT8, source=(1, 10, 10, 8)
    ),
    "depthwise_conv_2d_dsp_s8": _weighted(
        ops.DepthwiseConv2D, (1, 2, 2, 2), (1, 3, 3, 2), DType.INT8
    ),
    # The factor is no power of two: no sum comes out halfway between two outputs.
    "fully_connected_dsp_s8": _weighted(
        ops.FullyConnected, (4, 6), (1, 4), DType.INT8, output_scale=0.7
    ),
    "add_dsp_s8": _binary(ops.Add, DType.INT8),
    **{
        f"{name}_dsp_s8": _graph(
            kind(filter=(2, 2), **_UNARY),
            _tensor("x", (1, 4, 4, 8), DType.INT8),
            _tensor("y", (1, 3, 3, 8), DType.INT8),
        )
        for name, kind in (("average_pool_2d", ops.AveragePool2D), ("max_pool_2d", ops.MaxPool2D))
    },
}


def _thinned(graph: Graph) -> Graph:
    """Return a graph of which all filters but each seventh are zero."""
    filters = graph.tensors["w"]
    assert filters.data is not None
    kept = np.arange(filters.data.size).reshape(filters.shape) % 7 == 0
    changed = filters.with_data(np.where(kept, filters.data, 0).astype(np.int8))
    return graph.with_changes(tensors={"w": changed})


_LAYERS = {
    "conv_2d": _NARROW["conv_2d"](DType.INT8),
    "fully_connected": _weighted(
        ops.FullyConnected, (4, 24), (1, 4), DType.INT8, output_scale=0.7, source=(1, 24)
    ),
}
_SPARSE = {
    f"{name}_sparse{dsp}_s8": _thinned(graph)
    for name, graph in _LAYERS.items()
    for dsp in ("", "_dsp")
}
_INT4 = {f"{name}_int4{dsp}_s8": graph for name, graph in _LAYERS.items() for dsp in ("", "_dsp")}
_MVE = {
    f"{name}_mve_s8": _DSP[f"{name}_dsp_s8"]
    for name in ("conv_2d", "depthwise_conv_2d", "fully_connected")
}

ONE_OF_EACH: dict[str, Graph] = {
    f"ps_{name}": graph
    for name, graph in {
        **{f"{name}_s8": build(DType.INT8) for name, build in _NARROW.items()},
        **{f"{name}_s16": build(DType.INT16) for name, build in _NARROW.items()},
        **_conversions(),
        **_OTHERS,
        **_DSP,
        **_MVE,
        **_SPARSE,
        **_INT4,
    }.items()
}
"""By the kernel's C name, a graph of one operator that calls it."""


def tiles_of(kernel: str) -> tuple[int, ...]:
    """Return tiles of Winograd convolutions among which a kernel is selected."""
    return (SMALL.tile,) if kernel == SMALL.kernel else WINOGRAD_TILES


def kernels_of(kernel: str) -> KernelSet:
    """Return kernels among which a kernel is selected."""
    if is_mve_kernel(kernel):
        return KernelSet.MVE
    return KernelSet.DSP_SINGLE if is_dsp_kernel(kernel) else KernelSet.REFERENCE
