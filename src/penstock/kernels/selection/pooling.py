"""Lowering of pooling and averages."""

from penstock.ir.dtype import DType
from penstock.ir.fixed_point import wrap_int32
from penstock.ir.integer_parameters import activation_range, mean_parameters
from penstock.ir.operators import AveragePool2D, AverageRounding, MaxPool2D, Mean
from penstock.kernels.kernel_graph import KernelCall
from penstock.kernels.kernel_set import KernelSet
from penstock.kernels.selection.site import SUFFIXES, Site, struct
from penstock.kernels.selection.views import RANK_MAX, dense_strides, merge_dimensions

_WINDOW_LIMITS = {DType.INT8: 1 << 22, DType.INT16: 1 << 15}
"""Elements of a window whose sum a 32-bit accumulator cannot be sure to hold."""


_FAST_CHANNELS, _FAST_WINDOW_MAX = 4, 255
"""Channels that are taken together, and elements whose sum 16 bits are sure to hold."""


def lower_average_pool_2d(site: Site, operator: AveragePool2D) -> list[KernelCall]:
    """Lower AVERAGE_POOL_2D."""
    dtype = _common_type(site, operator.input, operator.output)
    size = operator.filter[0] * operator.filter[1]
    if size >= _WINDOW_LIMITS[dtype]:
        raise site.unsupported(
            operator.input,
            f"windows of {size} elements, where the kernel sums less than {_WINDOW_LIMITS[dtype]}",
            "average in two steps",
        )
    if operator.rounding is AverageRounding.HALF_AWAY:
        if _is_fast(site, operator) and size <= _FAST_WINDOW_MAX:
            return [_pool(site, operator, "ps_average_pool_2d_dsp_s8")]
        return [_pool(site, operator, f"ps_average_pool_2d_{SUFFIXES[dtype]}")]
    if dtype is not DType.INT8:
        raise site.unsupported(
            operator.input, "halves rounded up in int16", "round halves away from zero"
        )
    return [_pool(site, operator, "ps_average_pool_2d_half_up_s8")]


def lower_max_pool_2d(site: Site, operator: MaxPool2D) -> list[KernelCall]:
    """Lower MAX_POOL_2D."""
    dtype = _common_type(site, operator.input, operator.output)
    if _is_fast(site, operator):
        return [_pool(site, operator, "ps_max_pool_2d_dsp_s8")]
    return [_pool(site, operator, f"ps_max_pool_2d_{SUFFIXES[dtype]}")]


def lower_mean(site: Site, operator: Mean) -> list[KernelCall]:
    """Lower MEAN."""
    dtype = _common_type(site, operator.input, operator.output)
    source = site.tensor(operator.input)
    strides = dense_strides(source.shape)
    axes = [
        [axis for axis in range(len(source.shape)) if (axis in operator.axes) is is_reduced]
        for is_reduced in (False, True)
    ]
    walks = [
        merge_dimensions([source.shape[axis] for axis in part], [strides[axis] for axis in part])
        for part in axes
    ]
    if walks[0] is None or walks[1] is None:
        raise site.unsupported(
            operator.input,
            f"more than {RANK_MAX} dimensions that cannot be merged",
            "reshape to fewer dimensions first",
        )
    parameters = mean_parameters(site.graph, operator)
    output_min, output_max = dtype.range
    params = struct(
        "ps_mean_params",
        {
            "kept_extents": walks[0][0],
            "kept_strides": walks[0][1],
            "reduced_extents": walks[1][0],
            "reduced_strides": walks[1][1],
            "sum_offset": int(wrap_int32(-parameters.count * parameters.input_zero_point)),
            "multiplier": parameters.scaling.multiplier,
            "shift": parameters.scaling.shift,
            "output_offset": parameters.output_zero_point,
            "output_min": output_min,
            "output_max": output_max,
        },
    )
    arguments = (params, site.read(operator.input, "input"), site.write(operator.output))
    return [site.call(f"ps_mean_{SUFFIXES[dtype]}", arguments)]


def _is_fast(site: Site, operator: AveragePool2D | MaxPool2D) -> bool:
    source = site.tensor(operator.input)
    return (
        site.kernels is not KernelSet.REFERENCE
        and source.dtype is DType.INT8
        and source.shape[3] % _FAST_CHANNELS == 0
    )


def _common_type(site: Site, source: str, target: str) -> DType:
    dtype = site.tensor(source).dtype
    if site.tensor(target).dtype is not dtype or dtype not in _WINDOW_LIMITS:
        raise site.unsupported_types(source, target)
    return dtype


def _pool(site: Site, operator: AveragePool2D | MaxPool2D, kernel: str) -> KernelCall:
    source, output = site.tensor(operator.input), site.tensor(operator.output)
    input_strides, output_strides = dense_strides(source.shape), dense_strides(output.shape)
    activation_min, activation_max = activation_range(output, operator.activation)
    params = struct(
        "ps_pool_2d_params",
        {
            "batches": source.shape[0],
            "channels": source.shape[3],
            "input_height": source.shape[1],
            "input_width": source.shape[2],
            "input_batch_stride": input_strides[0],
            "input_row_stride": input_strides[1],
            "input_column_stride": input_strides[2],
            "output_height": output.shape[1],
            "output_width": output.shape[2],
            "output_batch_stride": output_strides[0],
            "output_row_stride": output_strides[1],
            "output_column_stride": output_strides[2],
            "filter_height": operator.filter[0],
            "filter_width": operator.filter[1],
            "stride_height": operator.stride[0],
            "stride_width": operator.stride[1],
            "padding_top": operator.padding.top,
            "padding_left": operator.padding.left,
            "activation_min": activation_min,
            "activation_max": activation_max,
        },
    )
    arguments = (params, site.read(operator.input, "input"), site.write(operator.output))
    return site.call(kernel, arguments)
