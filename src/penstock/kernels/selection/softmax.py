"""Lowering of softmax."""

import numpy as np

from penstock.ir.dtype import DType
from penstock.ir.integer_parameters import softmax_int16_scaling, softmax_parameters
from penstock.ir.interpreter.interpolation import interpolation_table
from penstock.ir.interpreter.requantization import scale_int32
from penstock.ir.interpreter.softmax import exp_on_negative_values
from penstock.ir.operators import LogSoftmax, Softmax
from penstock.kernels.kernel_graph import Argument, KernelCall
from penstock.kernels.selection.site import Site, struct

_COLUMNS_MAX = {DType.INT8: 4095, DType.INT16: 65535}
"""Longest row whose sum of exponentials cannot overflow."""


def lower_softmax(site: Site, operator: Softmax) -> list[KernelCall]:
    """Lower SOFTMAX."""
    source, output = site.tensor(operator.input), site.tensor(operator.output)
    types = (source.dtype, output.dtype)
    if types == (DType.FLOAT32, DType.FLOAT32):
        return [_lower_float32(site, operator, "ps_softmax_f32", operator.beta)]
    columns = source.shape[-1]
    if source.dtype in _COLUMNS_MAX and columns > _COLUMNS_MAX[source.dtype]:
        raise site.unsupported(
            operator.input,
            f"rows of {columns} elements, where {source.dtype.value} softmax sums at most "
            f"{_COLUMNS_MAX[source.dtype]}",
            "leave softmax out of the model: the largest logit is the same class",
        )
    if types == (DType.INT8, DType.INT8):
        return [_lower_int8(site, operator, "ps_softmax_s8", ((operator.input, operator.output),))]
    if types == (DType.INT8, DType.INT16):
        return [_lower_int8(site, operator, "ps_softmax_s8_s16", ())]
    if types == (DType.INT16, DType.INT16):
        return [_lower_int16(site, operator)]
    raise site.unsupported_types(operator.input, operator.output)


def lower_log_softmax(site: Site, operator: LogSoftmax) -> list[KernelCall]:
    """Lower LOG_SOFTMAX, on float32 only."""
    types = {site.tensor(name).dtype for name in (operator.input, operator.output)}
    if types != {DType.FLOAT32}:
        raise site.unsupported_types(operator.input, operator.output)
    return [_lower_float32(site, operator, "ps_log_softmax_f32", 1.0)]


def _rows(site: Site, operator: Softmax | LogSoftmax) -> dict[str, int]:
    source = site.tensor(operator.input)
    columns = source.shape[-1] if source.shape else 1
    return {"rows": source.element_count // columns, "columns": columns}


def _lower_int8(
    site: Site, operator: Softmax, kernel: str, in_place: tuple[tuple[str, str], ...]
) -> KernelCall:
    parameters = softmax_parameters(site.graph, operator)
    size = min(256, 1 - parameters.difference_min)
    exponentials = exp_on_negative_values(scale_int32(-np.arange(size), parameters.scaling))
    params = struct("ps_softmax_params", {**_rows(site, operator), "table_size": size})
    arguments: tuple[Argument, ...] = (
        params,
        site.read(operator.input, "input"),
        site.constant("exponentials", exponentials.astype(np.int32)),
        site.write(operator.output),
    )
    return site.call(kernel, arguments, in_place=in_place)


def _lower_int16(site: Site, operator: Softmax) -> KernelCall:
    scaling = softmax_int16_scaling(site.graph, operator)
    exponentials = interpolation_table(np.exp, (-10.0, 0.0))
    reciprocals = interpolation_table(lambda x: 1.0 / (1.0 + x), (0.0, 1.0))
    params = struct(
        "ps_softmax_s16_params",
        {**_rows(site, operator), "multiplier": scaling.multiplier, "shift": scaling.shift},
    )
    arguments: tuple[Argument, ...] = (
        params,
        site.read(operator.input, "input"),
        site.constant("exponentials", exponentials.astype(np.int16)),
        site.constant("reciprocals", reciprocals.astype(np.int16)),
        site.write(operator.output),
    )
    return site.call("ps_softmax_s16", arguments)


def _lower_float32(
    site: Site, operator: Softmax | LogSoftmax, kernel: str, beta: float
) -> KernelCall:
    if not beta >= 0.0:
        raise site.unsupported(
            operator.input, f"beta {beta}, where softmax takes beta ≥ 0", "negate the input instead"
        )
    params = struct("ps_softmax_f32_params", {**_rows(site, operator), "beta": float(beta)})
    arguments = (params, site.read(operator.input, "input"), site.write(operator.output))
    return site.call(kernel, arguments, in_place=((operator.input, operator.output),))
