"""Lowering to kernels whose filters have four bits."""

import math

import numpy as np
import numpy.typing as npt

from penstock.ir.dtype import DType
from penstock.ir.integer_parameters import (
    Convolution,
    fully_connected_scales,
    requantization_multipliers,
)
from penstock.ir.macs import operator_macs
from penstock.ir.nibbles import fits_nibbles, pack_nibbles
from penstock.ir.operators import FullyConnected
from penstock.ir.tensor import Array
from penstock.kernels.kernel_graph import KernelCall, ScratchArgument, StructArgument
from penstock.kernels.kernel_set import Encoding, KernelSet
from penstock.kernels.selection.dsp import LANES, lower_in_blocks, pack_filters
from penstock.kernels.selection.layer_constants import (
    bias_argument,
    multiplier_arguments,
    real_arguments,
)
from penstock.kernels.selection.real_scaling import real_scaling
from penstock.kernels.selection.site import Site

_TAPS_MAX = 4096
"""Of kernels for the DSP extension: 256 times 15 times 128 times that fits a word."""
_LOWEST = 8


def lower_conv_2d(site: Site, operator: Convolution, params: StructArgument) -> KernelCall | None:
    """Lower CONV_2D; None where filters shall be stored otherwise, or conditions do not hold."""
    fields = {name: value for name, value in params.fields if isinstance(value, int)}
    data = _nibbles(site, operator, fields)
    if data is None or fields["groups"] != 1:
        return None
    if site.kernels is not KernelSet.REFERENCE and data[0].size <= _TAPS_MAX:
        fast = lower_in_blocks(site, operator, params, "ps_conv_2d_int4_dsp_s8", halve_blocks)
        if fast is not None:
            return fast
    factors = requantization_multipliers(site.graph, operator)
    arguments = (
        params,
        site.read(operator.input, "input"),
        site.constant("filters", _by_channel(data)),
        bias_argument(site, operator),
        *multiplier_arguments(site, factors[: _count(factors, fields["multiplier_step"])]),
        ScratchArgument(),
        site.write(operator.output),
    )
    return site.call(
        "ps_conv_2d_int4_s8",
        arguments,
        macs=operator_macs(site.graph, operator),
        scratch_bytes=LANES * math.prod(data.shape[1:]),
    )


def lower_fully_connected(
    site: Site, operator: FullyConnected, params: StructArgument
) -> KernelCall | None:
    """Lower FULLY_CONNECTED; None as for `lower_conv_2d`."""
    fields = {name: value for name, value in params.fields if isinstance(value, int)}
    data = _nibbles(site, operator, fields)
    if data is None:
        return None
    if site.kernels is not KernelSet.REFERENCE:
        fast = _lower_dsp(site, operator, params, data)
        if fast is not None:
            return fast
    factors = fully_connected_scales(site.graph, operator)
    arguments = (
        params,
        site.read(operator.input, "input"),
        site.constant("filters", _by_channel(data)),
        bias_argument(site, operator),
        *real_arguments(site, factors[: _count(factors, fields["factor_step"])]),
        ScratchArgument(),
        site.write(operator.output),
    )
    return site.call(
        "ps_fully_connected_int4_s8",
        arguments,
        macs=operator_macs(site.graph, operator),
        scratch_bytes=LANES * data.shape[1],
    )


def _lower_dsp(
    site: Site, operator: FullyConnected, params: StructArgument, data: Array
) -> KernelCall | None:
    scaling = real_scaling(site, operator, data.astype(np.int64))
    if scaling is None or data.shape[1] > _TAPS_MAX:
        return None
    packed = halve_blocks(pack_filters(data, filler=0))
    arguments = (
        params,
        site.read(operator.input, "input"),
        site.constant("filters", packed),
        site.constant("scaling", scaling),
        ScratchArgument(),
        site.write(operator.output),
    )
    return site.call(
        "ps_fully_connected_int4_dsp_s8",
        arguments,
        macs=operator_macs(site.graph, operator),
        scratch_bytes=packed.shape[1],
    )


def halve_blocks(packed: Array) -> npt.NDArray[np.uint8]:
    """Return filters in the order of penstock/conv_2d_int4_dsp.h.

    Args:
        packed: those of penstock/conv_2d_dsp.h, ``[blocks, bytes of a block]``.
    """
    raised = (packed.astype(np.int16) + _LOWEST).astype(np.uint8)
    pairs = raised.reshape(len(packed), -1, 2, 4)
    return np.ascontiguousarray((pairs[:, :, 0] | pairs[:, :, 1] << 4).reshape(len(packed), -1))


def _nibbles(
    site: Site, operator: Convolution | FullyConnected, fields: dict[str, int]
) -> Array | None:
    """Return filters of four bits; None where there are none, or they are not asked for."""
    data = site.tensor(operator.filters).data
    if (
        site.encoding is not Encoding.INT4
        or data is None
        or site.tensor(operator.input).dtype is not DType.INT8
        or fields["filter_offset"] != 0
        or not fits_nibbles(data)
    ):
        return None
    return data


def _by_channel(data: Array) -> npt.NDArray[np.uint8]:
    """Return filters as penstock/nibbles.h says, ``[channels, bytes of a channel]``."""
    return np.stack([pack_nibbles(channel) for channel in data])


def _count(factors: tuple[object, ...], step: int) -> int:
    """Return how many factors a kernel reads."""
    return 1 + (len(factors) - 1) * step
