"""Lowering to kernels for Helium: conv_2d_mve.h, depthwise_conv_2d_mve.h, fully_connected_mve.h."""

import numpy as np
import numpy.typing as npt

from penstock.ir.dtype import DType
from penstock.ir.integer_parameters import Convolution, requantization_multipliers
from penstock.ir.macs import operator_macs
from penstock.ir.operators import DepthwiseConv2D, FullyConnected
from penstock.ir.tensor import Array
from penstock.kernels.kernel_graph import KernelCall, ScratchArgument, StructArgument
from penstock.kernels.kernel_set import KernelSet
from penstock.kernels.selection.dsp import LANES, channel_sums
from penstock.kernels.selection.real_scaling import real_scaling
from penstock.kernels.selection.site import Site

_VECTOR_BYTES = 16
_ADDRESS_BYTES = 8
"""On computers that check the code; on the cores half of it."""
_GROUP_ORDER = (0, 2, 1, 3)
"""Of channels in depthwise scaling: bottom and top halves of products of bottom and top bytes."""


def lower_conv_2d(site: Site, operator: Convolution, params: StructArgument) -> KernelCall | None:
    """Lower CONV_2D, or DEPTHWISE_CONV_2D of one channel; None where conditions do not hold."""
    data = _filters(site, operator, params)
    if data is None or dict(params.fields)["groups"] != 1:
        return None
    if isinstance(operator, DepthwiseConv2D):
        data = data.transpose(3, 1, 2, 0)
    taps = data.reshape(len(data), -1)
    scaling = _scaling(site, operator, taps.astype(np.int64))
    if scaling is None:
        return None
    arguments = (
        params,
        site.read(operator.input, "input"),
        site.constant("filters", pack_filters(taps)),
        site.constant("scaling", pack_scaling(scaling)),
        ScratchArgument(),
        site.write(operator.output),
    )
    return site.call(
        "ps_conv_2d_mve_s8",
        arguments,
        macs=operator_macs(site.graph, operator),
        scratch_bytes=taps.shape[1],
    )


def lower_depthwise_conv_2d(
    site: Site, operator: Convolution, params: StructArgument
) -> KernelCall | None:
    """Lower DEPTHWISE_CONV_2D; None where the conditions of the kernel do not hold."""
    fields = dict(params.fields)
    data = _filters(site, operator, params)
    if (
        data is None
        or fields["input_channels"] != fields["output_channels"]
        or fields["input_channels"] == 1
    ):
        return None
    taps = data.reshape(-1, data.shape[3])
    lowest = taps == np.iinfo(np.int8).min
    if (lowest[:-1] & lowest[1:]).any():
        return None  # the sum of two products would leave 16 bits
    scaling = _scaling(site, operator, taps.T.astype(np.int64))
    if scaling is None:
        return None
    arguments = (
        params,
        site.read(operator.input, "input"),
        site.constant("filters", pack_depthwise_filters(taps)),
        site.constant("scaling", pack_depthwise_scaling(scaling)),
        ScratchArgument(),
        site.write(operator.output),
    )
    return site.call(
        "ps_depthwise_conv_2d_mve_s8",
        arguments,
        macs=operator_macs(site.graph, operator),
        scratch_bytes=2 * _ADDRESS_BYTES * len(taps) + taps.shape[1],
    )


def lower_fully_connected(
    site: Site, operator: FullyConnected, params: StructArgument
) -> KernelCall | None:
    """Lower FULLY_CONNECTED; None where the conditions of the kernel do not hold."""
    data = _filters(site, operator, params)
    if data is None:
        return None
    scaling = real_scaling(site, operator, data.astype(np.int64))
    if scaling is None:
        return None
    arguments = (
        params,
        site.read(operator.input, "input"),
        site.constant("filters", pack_filters(data)),
        site.constant("scaling", scaling),
        site.write(operator.output),
    )
    macs = operator_macs(site.graph, operator)
    return site.call("ps_fully_connected_mve_s8", arguments, macs=macs)


def _filters(
    site: Site, operator: Convolution | FullyConnected, params: StructArgument
) -> Array | None:
    """Return the filters; None where Helium's kernels do not take such."""
    fields = dict(params.fields)
    data = site.tensor(operator.filters).data
    if (
        site.kernels is not KernelSet.MVE
        or site.tensor(operator.input).dtype is not DType.INT8
        or fields["filter_offset"] != 0
    ):
        return None
    return data


def _scaling(
    site: Site, operator: Convolution, filters: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32] | None:
    """Return bias, multiplier, left and right shift, ``[4, channels]``; None where sums wrap."""
    sums = channel_sums(site, operator, filters)
    if sums is None:
        return None
    factors = requantization_multipliers(site.graph, operator)
    if len(factors) == 1:
        factors = factors * len(filters)
    shifts = np.array([factor.shift for factor in factors])
    multipliers = [factor.multiplier for factor in factors]
    rows = sums[0], multipliers, np.maximum(shifts, 0), np.minimum(shifts, 0)
    return np.array(rows, np.int32)


def pack_filters(filters: Array) -> Array:
    """Return filters in the order of penstock/conv_2d_mve.h.

    Args:
        filters: int8 ``[channels, taps]``.

    Returns:
        int8 ``[blocks, steps, 4, 16]``.
    """
    channels, taps = filters.shape
    blocks, steps = -(-channels // LANES), -(-taps // _VECTOR_BYTES)
    padded = np.zeros((blocks * LANES, steps * _VECTOR_BYTES), np.int8)
    padded[:channels, :taps] = filters
    return np.ascontiguousarray(padded.reshape(blocks, LANES, steps, _VECTOR_BYTES).swapaxes(1, 2))


def pack_scaling(scaling: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return ``[4, channels]`` as ps_mve_scaling, ``[blocks, 4, 4]``."""
    channels = scaling.shape[1]
    # Of the last channel again: a shift of 0 would be one that takes longer.
    padded = np.pad(scaling, ((0, 0), (0, -channels % LANES)), mode="edge")
    return np.ascontiguousarray(padded.reshape(4, -1, LANES).swapaxes(0, 1))


def pack_depthwise_filters(taps: Array) -> Array:
    """Return int8 ``[taps, channels]`` as ``[blocks, taps, 16]``."""
    lanes = taps[:, _lanes(taps.shape[1])]
    return np.ascontiguousarray(lanes.reshape(len(taps), -1, _VECTOR_BYTES).swapaxes(0, 1))


def pack_depthwise_scaling(scaling: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return ``[4, channels]`` as ps_mve_scaling of every fourth channel, ``[blocks, 4, 4, 4]``."""
    lanes = scaling[:, _lanes(scaling.shape[1])]
    # [row, block, lane, group] → [block, group, row, lane]
    blocks = lanes.reshape(4, -1, LANES, LANES).transpose(1, 3, 0, 2)
    return np.ascontiguousarray(blocks[:, list(_GROUP_ORDER)])


def _lanes(channels: int) -> npt.NDArray[np.intp]:
    """Return which channel is in which lane of the blocks of a depthwise convolution."""
    if channels < _VECTOR_BYTES:
        return np.arange(_VECTOR_BYTES) % channels
    starts = [*range(0, channels - _VECTOR_BYTES, _VECTOR_BYTES), channels - _VECTOR_BYTES]
    return np.concatenate([np.arange(start, start + _VECTOR_BYTES) for start in starts])
