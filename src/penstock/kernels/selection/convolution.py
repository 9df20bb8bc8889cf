"""Lowering of convolutions of all kinds and fully connected layers."""

import numpy as np

from penstock.ir.dtype import DType
from penstock.ir.integer_parameters import (
    Convolution,
    activation_range,
    fully_connected_scales,
    requantization_multipliers,
)
from penstock.ir.macs import operator_macs
from penstock.ir.operators import (
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    TransposeConv2D,
)
from penstock.kernels.kernel_graph import Argument, FieldValue, KernelCall
from penstock.kernels.selection import dsp, fully_connected, int4, mve, sparse, winograd
from penstock.kernels.selection.layer_constants import (
    constant_data,
    multiplier_arguments,
    real_arguments,
    weight_arguments,
)
from penstock.kernels.selection.site import SUFFIXES, Site, struct
from penstock.kernels.selection.views import dense_strides

Weighted = Convolution | FullyConnected

_FAST = {
    "conv_2d": (
        sparse.lower_conv_2d,
        int4.lower_conv_2d,
        mve.lower_conv_2d,
        winograd.lower_conv_2d,
        dsp.lower_conv_2d,
    ),
    "depthwise_conv_2d": (
        mve.lower_depthwise_conv_2d,
        mve.lower_conv_2d,
        dsp.lower_depthwise_conv_2d,
        dsp.lower_conv_2d,
    ),
}

_INT16_BIAS_LIMIT = 1 << 46
_INT16_SHIFT_MAX = 7
_SYMMETRIC_HELP = "quantize filters symmetrically"


def lower_conv_2d(site: Site, operator: Conv2D) -> list[KernelCall]:
    """Lower CONV_2D."""
    depth = site.tensor(operator.filters).shape[3]
    groups = site.tensor(operator.input).shape[3] // depth
    return _lower_spatial(site, operator, "conv_2d", operator.dilation, groups)


def lower_depthwise_conv_2d(site: Site, operator: DepthwiseConv2D) -> list[KernelCall]:
    """Lower DEPTHWISE_CONV_2D."""
    groups = site.tensor(operator.input).shape[3]
    return _lower_spatial(site, operator, "depthwise_conv_2d", operator.dilation, groups)


def lower_transpose_conv_2d(site: Site, operator: TransposeConv2D) -> list[KernelCall]:
    """Lower TRANSPOSE_CONV_2D."""
    return _lower_spatial(site, operator, "transpose_conv_2d", (1, 1), 1)


def lower_fully_connected(site: Site, operator: FullyConnected) -> list[KernelCall]:
    """Lower FULLY_CONNECTED: the input is rows as long as a filter."""
    suffix = _suffix(site, operator)
    channels, depth = site.tensor(operator.filters).shape
    factors = fully_connected_scales(site.graph, operator)
    if len(set(factors)) == 1:
        factors = factors[:1]
    _check_int16_bias(site, operator)
    params = struct(
        "ps_fully_connected_params",
        {
            "batches": site.tensor(operator.input).element_count // depth,
            "input_channels": depth,
            "output_channels": channels,
            **_quantization(site, operator, "factor_step", len(factors)),
        },
    )
    for lower_fast in (
        sparse.lower_fully_connected,
        int4.lower_fully_connected,
        mve.lower_fully_connected,
        fully_connected.lower_fully_connected,
    ):
        if (fast := lower_fast(site, operator, params)) is not None:
            return [fast]
    weights = (*weight_arguments(site, operator), *real_arguments(site, factors))
    return [_call(site, operator, f"ps_fully_connected_{suffix}", params, weights)]


def _lower_spatial(
    site: Site,
    operator: Convolution,
    name: str,
    dilation: tuple[int, int],
    groups: int,
) -> list[KernelCall]:
    suffix = _suffix(site, operator)
    source, output = site.tensor(operator.input), site.tensor(operator.output)
    filters = site.tensor(operator.filters)
    factors = requantization_multipliers(site.graph, operator)
    if len(set(factors)) == 1:
        factors = factors[:1]
    _check_int16_bias(site, operator)
    _check_int16_shift(site, operator, max(factor.shift for factor in factors))
    params = struct(
        "ps_conv_2d_params",
        {
            "batches": source.shape[0],
            **spatial_fields("input", source.shape),
            **spatial_fields("output", output.shape),
            "groups": groups,
            "filter_height": filters.shape[1],
            "filter_width": filters.shape[2],
            "filter_channels": filters.shape[3],
            "stride_height": operator.stride[0],
            "stride_width": operator.stride[1],
            "dilation_height": dilation[0],
            "dilation_width": dilation[1],
            "padding_top": operator.padding.top,
            "padding_left": operator.padding.left,
            **_quantization(site, operator, "multiplier_step", len(factors)),
            "scratch_pixels": 0,
        },
    )
    for lower_fast in _FAST.get(name, ()):
        if (fast := lower_fast(site, operator, params)) is not None:
            return [fast]
    weights = (*weight_arguments(site, operator), *multiplier_arguments(site, factors))
    return [_call(site, operator, f"ps_{name}_{suffix}", params, weights)]


def spatial_fields(prefix: str, shape: tuple[int, ...]) -> dict[str, FieldValue]:
    """Return the fields that describe a dense ``[N, H, W, C]`` tensor to a convolution."""
    batch, row, column, _ = dense_strides(shape)
    return {
        f"{prefix}_height": shape[1],
        f"{prefix}_width": shape[2],
        f"{prefix}_channels": shape[3],
        f"{prefix}_batch_stride": batch,
        f"{prefix}_row_stride": row,
        f"{prefix}_column_stride": column,
    }


def _call(
    site: Site,
    operator: Weighted,
    kernel: str,
    params: Argument,
    weights: tuple[Argument, ...],
) -> KernelCall:
    arguments = (
        params,
        site.read(operator.input, "input"),
        *weights,
        site.write(operator.output),
    )
    return site.call(kernel, arguments, macs=operator_macs(site.graph, operator))


def _suffix(site: Site, operator: Weighted) -> str:
    """Return the kernel's type suffix; raise UnsupportedError where no kernel takes the types."""
    names = [operator.input, operator.filters, operator.output]
    types = tuple(site.tensor(name).dtype for name in names)
    bias = site.tensor(operator.bias).dtype if operator.bias is not None else None
    int8, int16 = DType.INT8, DType.INT16
    if types == (int8, int8, int8) and bias in (None, DType.INT32):
        return SUFFIXES[int8]
    if types == (int16, int8, int16) and bias in (None, DType.INT32, DType.INT64):
        return SUFFIXES[int16]
    if operator.bias is not None:
        names.append(operator.bias)
    raise site.unsupported_types(*names)


def _quantization(
    site: Site, operator: Weighted, step_name: str, factor_count: int
) -> dict[str, FieldValue]:
    """Return the fields of quantization, the last ones of the structure."""
    output = site.tensor(operator.output)
    activation_min, activation_max = activation_range(output, operator.activation)
    return {
        "input_offset": -site.tensor(operator.input).zero_point,
        "filter_offset": -_filter_zero_point(site, operator),
        "output_offset": output.zero_point,
        step_name: int(factor_count > 1),
        "narrow_sums": int(_has_narrow_sums(site, operator)),
        "activation_min": activation_min,
        "activation_max": activation_max,
    }


def _has_narrow_sums(site: Site, operator: Weighted) -> bool:
    """Return whether an int16 layer sums in 32 bits, as layers with an int32 bias do."""
    if operator.bias is None or site.tensor(operator.input).dtype is not DType.INT16:
        return False
    return site.tensor(operator.bias).dtype is DType.INT32


def _filter_zero_point(site: Site, operator: Weighted) -> int:
    filters = site.tensor(operator.filters)
    zero_points = set(filters.quantization.zero_point if filters.quantization else ())
    if len(zero_points) != 1:
        raise site.unsupported(
            operator.filters,
            f"{len(zero_points)} different zero points, where kernels take one",
            _SYMMETRIC_HELP,
        )
    if site.tensor(operator.input).dtype is DType.INT16:
        site.require_zero_point_0(operator.input, operator.output)
        if zero_points != {0}:
            raise site.unsupported(
                operator.filters, "a zero point with int16 activations", _SYMMETRIC_HELP
            )
    return zero_points.pop()


def _check_int16_shift(site: Site, operator: Convolution, largest_shift: int) -> None:
    is_wide = site.tensor(operator.input).dtype is DType.INT16
    is_wide = is_wide and not _has_narrow_sums(site, operator)
    if is_wide and largest_shift > _INT16_SHIFT_MAX:
        raise site.unsupported(
            operator.output,
            f"input scale times filter scale is 2^{largest_shift - 1} times the output scale or "
            f"more, where int16 kernels allow less than 2^{_INT16_SHIFT_MAX}",
            "quantize the output with a larger scale",
        )


def _check_int16_bias(site: Site, operator: Weighted) -> None:
    if operator.bias is None or site.tensor(operator.bias).dtype is not DType.INT64:
        return
    bias = constant_data(site, operator.bias).astype(np.int64)
    if bias.max() >= _INT16_BIAS_LIMIT or bias.min() <= -_INT16_BIAS_LIMIT:
        raise site.unsupported(
            operator.bias, "values of 2^46 and more", "check the scale of the bias"
        )
