"""Lowering of operators with memory."""

from penstock.ir.dtype import DType
from penstock.ir.integer_parameters import svdf_parameters
from penstock.ir.macs import operator_macs
from penstock.ir.operators import Svdf
from penstock.kernels.kernel_graph import ConstantArgument, KernelCall, StructArgument
from penstock.kernels.selection.site import Site, struct

_KERNELS = {DType.INT8: "ps_svdf_s8", DType.INT16: "ps_svdf_state_s16_s8"}


def lower_svdf(site: Site, operator: Svdf) -> list[KernelCall]:
    """Lower SVDF; the state is an argument that the kernel both reads and writes."""
    _check_types(site, operator)
    bias = ConstantArgument(None) if operator.bias is None else site.read(operator.bias, "bias")
    arguments = (
        _params(site, operator),
        site.read(operator.input, "input"),
        site.read(operator.feature_weights, "feature_weights"),
        site.read(operator.time_weights, "time_weights"),
        bias,
        site.write(operator.state),
        site.write(operator.output),
    )
    kernel = _KERNELS[site.tensor(operator.state).dtype]
    return [site.call(kernel, arguments, macs=operator_macs(site.graph, operator))]


def _check_types(site: Site, operator: Svdf) -> None:
    byte_tensors = (operator.input, operator.feature_weights, operator.output)
    times, state = site.tensor(operator.time_weights), site.tensor(operator.state)
    bytes_only = {site.tensor(name).dtype for name in byte_tensors} == {DType.INT8}
    if not bytes_only or times.dtype is not state.dtype or state.dtype not in _KERNELS:
        raise site.unsupported_types(
            operator.input,
            operator.feature_weights,
            operator.time_weights,
            operator.state,
            operator.output,
        )
    site.require_zero_point_0(operator.feature_weights, operator.time_weights)
    if state.dtype is DType.INT16:
        site.require_zero_point_0(operator.state)


def _params(site: Site, operator: Svdf) -> StructArgument:
    parameters = svdf_parameters(site.graph, operator)
    filters, memory = site.tensor(operator.time_weights).shape
    return struct(
        "ps_svdf_params",
        {
            "batches": site.tensor(operator.input).shape[0],
            "input_channels": site.tensor(operator.feature_weights).shape[1],
            "units": filters // operator.rank,
            "rank": operator.rank,
            "memory": memory,
            "input_offset": -parameters.input_zero_point,
            "feature_multiplier": parameters.feature.multiplier,
            "feature_shift": parameters.feature.shift,
            "state_offset": parameters.state_zero_point,
            "output_offset": parameters.output_zero_point,
            "output_multiplier": parameters.output.multiplier,
            "output_shift": parameters.output.shift,
            "activation_min": parameters.activation_min,
            "activation_max": parameters.activation_max,
        },
    )
