"""Lowering of functions of single elements, and between quantized and real values."""

import numpy as np

from penstock.ir.dtype import DType
from penstock.ir.integer_parameters import (
    leaky_relu_parameters,
    quantize_parameters,
    relu_parameters,
    sigmoid_int16_scaling,
)
from penstock.ir.interpreter.activations import SIGMOID_TABLE
from penstock.ir.operators import (
    Dequantize,
    HardSwish,
    LeakyRelu,
    Logistic,
    Quantize,
    Relu,
    Tanh,
)
from penstock.ir.parameter_types import RescaleParameters
from penstock.kernels.kernel_graph import KernelCall, StructArgument
from penstock.kernels.selection.movement import lower_by_table
from penstock.kernels.selection.site import SUFFIXES, Site, struct

_Unary = Dequantize | HardSwish | LeakyRelu | Logistic | Quantize | Relu | Tanh
_BYTES = {DType.INT8, DType.UINT8}
_RESCALED = {DType.INT8, DType.INT16, DType.INT32}


def lower_quantize(site: Site, operator: Quantize) -> list[KernelCall]:
    """Lower QUANTIZE from float32 or from another integer type."""
    source, output = site.tensor(operator.input), site.tensor(operator.output)
    if source.dtype in _BYTES and output.dtype in _BYTES:
        return lower_by_table(site, operator)
    if source.dtype is DType.FLOAT32 and output.dtype in {*_BYTES, DType.INT16}:
        kernel = f"ps_quantize_f32_{SUFFIXES[output.dtype]}"
        return [_call(site, operator, kernel, _real_params(site, operator.output))]
    if not {source.dtype, output.dtype} <= _RESCALED or source.dtype is output.dtype is DType.INT32:
        raise site.unsupported_types(operator.input, operator.output)
    for name in (operator.input, operator.output):
        if site.tensor(name).dtype is DType.INT32:
            site.require_zero_point_0(name)
    return [_rescale(site, operator, quantize_parameters(site.graph, operator))]


def lower_dequantize(site: Site, operator: Dequantize) -> list[KernelCall]:
    """Lower DEQUANTIZE."""
    source, output = site.tensor(operator.input), site.tensor(operator.output)
    if source.dtype not in {*_BYTES, DType.INT16} or output.dtype is not DType.FLOAT32:
        raise site.unsupported_types(operator.input, operator.output)
    kernel = f"ps_dequantize_{SUFFIXES[source.dtype]}_f32"
    return [_call(site, operator, kernel, _real_params(site, operator.input))]


def lower_relu(site: Site, operator: Relu) -> list[KernelCall]:
    """Lower RELU, RELU6 and RELU_N1_TO_1."""
    if _is_int16(site, operator):
        return [_rescale(site, operator, relu_parameters(site.graph, operator))]
    return _lower_bytes(site, operator)


def lower_leaky_relu(site: Site, operator: LeakyRelu) -> list[KernelCall]:
    """Lower LEAKY_RELU."""
    if not _is_int16(site, operator):
        return _lower_bytes(site, operator)
    parameters = leaky_relu_parameters(site.graph, operator)
    params = struct(
        "ps_leaky_relu_params",
        {
            "count": site.tensor(operator.output).element_count,
            "input_offset": -parameters.input_zero_point,
            "identity_multiplier": parameters.identity.multiplier,
            "identity_shift": parameters.identity.shift,
            "alpha_multiplier": parameters.alpha.multiplier,
            "alpha_shift": parameters.alpha.shift,
            "output_offset": parameters.output_zero_point,
            "output_min": parameters.output_min,
            "output_max": parameters.output_max,
        },
    )
    return [_call(site, operator, "ps_leaky_relu_s16", params)]


def lower_sigmoid(site: Site, operator: Logistic | Tanh) -> list[KernelCall]:
    """Lower LOGISTIC and TANH."""
    if not _is_int16(site, operator):
        return _lower_bytes(site, operator)
    site.require_zero_point_0(operator.input, operator.output)
    is_tanh = isinstance(operator, Tanh)
    scale = site.tensor(operator.input).scale
    multiplier, right_shift = sigmoid_int16_scaling(scale, (0, 1) if is_tanh else (0,))
    params = struct(
        "ps_sigmoid_params",
        {
            "count": site.tensor(operator.output).element_count,
            "multiplier": multiplier,
            "right_shift": right_shift,
        },
    )
    arguments = (
        params,
        site.read(operator.input, "input"),
        site.constant("table", SIGMOID_TABLE.astype(np.int32)),
        site.write(operator.output),
    )
    kernel = "ps_tanh_s16" if is_tanh else "ps_logistic_s16"
    return [site.call(kernel, arguments, in_place=((operator.input, operator.output),))]


def lower_hard_swish(site: Site, operator: HardSwish) -> list[KernelCall]:
    """Lower HARD_SWISH."""
    return _lower_bytes(site, operator)


def _is_int16(site: Site, operator: _Unary) -> bool:
    source, output = site.tensor(operator.input), site.tensor(operator.output)
    return source.dtype is output.dtype is DType.INT16


def _lower_bytes(site: Site, operator: _Unary) -> list[KernelCall]:
    names = (operator.input, operator.output)
    if any(site.tensor(name).dtype is not DType.INT8 for name in names):
        raise site.unsupported_types(*names)
    return lower_by_table(site, operator)


def _real_params(site: Site, quantized: str) -> StructArgument:
    tensor = site.tensor(quantized)
    return struct(
        "ps_quantize_params",
        {
            "count": tensor.element_count,
            "zero_point": tensor.zero_point,
            "scale": float(tensor.scale),
        },
    )


def _rescale(site: Site, operator: Quantize | Relu, parameters: RescaleParameters) -> KernelCall:
    source, output = site.tensor(operator.input), site.tensor(operator.output)
    params = struct(
        "ps_rescale_params",
        {
            "count": output.element_count,
            "input_offset": -parameters.input_zero_point,
            "multiplier": parameters.scaling.multiplier,
            "shift": parameters.scaling.shift,
            "output_offset": parameters.output_zero_point,
            "output_min": parameters.output_min,
            "output_max": parameters.output_max,
        },
    )
    kernel = f"ps_quantize_{SUFFIXES[source.dtype]}_{SUFFIXES[output.dtype]}"
    return _call(site, operator, kernel, params)


def _call(site: Site, operator: _Unary, kernel: str, params: StructArgument) -> KernelCall:
    source, output = site.tensor(operator.input), site.tensor(operator.output)
    arguments = (params, site.read(operator.input, "input"), site.write(operator.output))
    # Elements may shrink in place, but only to bytes: C compilers assume that stores of other
    # types leave elements of the input's type alone, and may reorder them.
    is_safe = output.dtype is source.dtype or output.dtype in _BYTES
    in_place = ((operator.input, operator.output),) if is_safe else ()
    return site.call(kernel, arguments, in_place=in_place)
