"""Lowering to kernels whose filters are stored without their zeros."""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from penstock.ir.dtype import DType
from penstock.ir.integer_parameters import (
    Convolution,
    fully_connected_scales,
    requantization_multipliers,
)
from penstock.ir.macs import operator_macs
from penstock.ir.operators import FullyConnected
from penstock.kernels.kernel_graph import Argument, KernelCall, ScratchArgument, StructArgument
from penstock.kernels.kernel_set import Encoding, KernelSet
from penstock.kernels.selection.dsp import channel_scaling
from penstock.kernels.selection.layer_constants import (
    bias_argument,
    multiplier_arguments,
    real_arguments,
)
from penstock.kernels.selection.real_scaling import real_scaling
from penstock.kernels.selection.site import Site
from penstock.kernels.sparse_filters import SparseFilters, encode_sparse

PIXELS = 8
"""That the kernel for the DSP extension computes together."""
_ROW_BYTES = 2 * PIXELS
_SCRATCH_MAX_BYTES = 32 * 1024
"""Larger windows of many channels stay dense."""


def lower_conv_2d(site: Site, operator: Convolution, params: StructArgument) -> KernelCall | None:
    """Lower CONV_2D; None where filters are dense, or shall be, or the conditions do not hold."""
    fields = {name: value for name, value in params.fields if isinstance(value, int)}
    filters = _encode(site, operator, fields)
    if filters is None or fields["groups"] != 1:
        return None
    scaling = None
    if site.kernels is not KernelSet.REFERENCE:
        scaling = channel_scaling(site, operator, _taps(site, operator).astype(np.int64))
    if scaling is not None:
        constants: tuple[Argument, ...] = (site.constant("scaling", scaling),)
        name, scratch_bytes = "ps_conv_2d_sparse_dsp_s8", _scratch_bytes(fields)
        if scratch_bytes > _SCRATCH_MAX_BYTES:
            return None
        params = replace(params, fields=tuple({**fields, "scratch_pixels": PIXELS}.items()))
    else:
        factors = requantization_multipliers(site.graph, operator)
        factors = factors[: 1 + (len(factors) - 1) * fields["multiplier_step"]]
        constants = bias_argument(site, operator), *multiplier_arguments(site, factors)
        name, scratch_bytes = "ps_conv_2d_sparse_s8", _tap_count(fields)
    arguments = (
        params,
        site.read(operator.input, "input"),
        site.constant("filters", filters.stream),
        *constants,
        ScratchArgument(),
        site.write(operator.output),
    )
    return site.call(
        name,
        arguments,
        macs=operator_macs(site.graph, operator),
        scratch_bytes=scratch_bytes,
        filter_starts=filters.starts,
    )


def lower_fully_connected(
    site: Site, operator: FullyConnected, params: StructArgument
) -> KernelCall | None:
    """Lower FULLY_CONNECTED; None as for `lower_conv_2d`."""
    fields = {name: value for name, value in params.fields if isinstance(value, int)}
    filters = _encode(site, operator, fields)
    if filters is None:
        return None
    scaling = None
    if site.kernels is not KernelSet.REFERENCE:
        scaling = real_scaling(site, operator, _taps(site, operator).astype(np.int64))
    if scaling is not None:
        constants: tuple[Argument, ...] = (site.constant("scaling", scaling),)
        name = "ps_fully_connected_sparse_dsp_s8"
    else:
        factors = fully_connected_scales(site.graph, operator)
        factors = factors[: 1 + (len(factors) - 1) * fields["factor_step"]]
        constants = bias_argument(site, operator), *real_arguments(site, factors)
        name = "ps_fully_connected_sparse_s8"
    arguments = (
        params,
        site.read(operator.input, "input"),
        site.constant("filters", filters.stream),
        *constants,
        site.write(operator.output),
    )
    macs = operator_macs(site.graph, operator)
    return site.call(name, arguments, macs=macs, filter_starts=filters.starts)


def _encode(
    site: Site, operator: Convolution | FullyConnected, fields: dict[str, int]
) -> SparseFilters | None:
    """Return filters without their zeros; None where that is not asked for, or takes more bytes."""
    if (
        site.encoding is not Encoding.SPARSE
        or site.tensor(operator.filters).data is None
        or site.tensor(operator.input).dtype is not DType.INT8
        or fields["filter_offset"] != 0
    ):
        return None
    taps = _taps(site, operator)
    filters = encode_sparse(taps)
    return None if filters is None or filters.stream.size >= taps.size else filters


def _taps(site: Site, operator: Convolution | FullyConnected) -> npt.NDArray[np.int8]:
    data = site.tensor(operator.filters).data
    assert data is not None
    return data.reshape(len(data), -1).astype(np.int8)


def _tap_count(fields: dict[str, int]) -> int:
    return math.prod(fields[f"filter_{name}"] for name in ("height", "width", "channels"))


def _scratch_bytes(fields: dict[str, int]) -> int:
    """Return what penstock/conv_2d_sparse_dsp.h asks for, for any part of the output."""
    taps = -(-_tap_count(fields) // 4) * 4
    sees_itself = (
        fields["filter_height"] * fields["filter_width"] == 1
        and fields["padding_top"] + fields["padding_left"] == 0
        and (fields["output_height"] - 1) * fields["stride_height"] < fields["input_height"]
        and (fields["output_width"] - 1) * fields["stride_width"] < fields["input_width"]
    )
    spare = PIXELS * max(fields["output_channels"], 0 if sees_itself else taps)
    return _ROW_BYTES * taps + spare
