"""Lowering of fully connected layers to the kernel for cores with the DSP extension."""

import numpy as np

from penstock.ir.dtype import DType
from penstock.ir.macs import operator_macs
from penstock.ir.operators import FullyConnected
from penstock.kernels.kernel_graph import KernelCall, ScratchArgument, StructArgument
from penstock.kernels.kernel_set import KernelSet
from penstock.kernels.selection.dsp import pack_filters
from penstock.kernels.selection.real_scaling import real_scaling
from penstock.kernels.selection.site import Site

_SECOND_SUM_LIMIT = 1 << 16
"""Of the filters of a channel: 128 times that fits the upper 24 bits of a word."""


def lower_fully_connected(
    site: Site, operator: FullyConnected, params: StructArgument
) -> KernelCall | None:
    """Lower FULLY_CONNECTED; None where the conditions of the kernel do not hold."""
    fields = {name: value for name, value in params.fields if isinstance(value, int)}
    data = site.tensor(operator.filters).data
    if (
        site.kernels is KernelSet.REFERENCE
        or data is None
        or site.tensor(operator.input).dtype is not DType.INT8
        or fields["filter_offset"] != 0
        or np.abs(data[1::2].astype(np.int64)).sum(axis=1).max(initial=0) >= _SECOND_SUM_LIMIT
    ):
        return None
    scaling = real_scaling(site, operator, data.astype(np.int64))
    if scaling is None:
        return None
    plain = pack_filters(data, filler=0)
    # 128 modulo 2^8 added to each first byte of two.
    packed = np.bitwise_xor(plain, np.resize(np.array([-128, 0], np.int8), plain.shape[1]))
    arguments = (
        params,
        site.read(operator.input, "input"),
        site.constant("filters", packed),
        site.constant("scaling", scaling),
        ScratchArgument(),
        site.write(operator.output),
    )
    return site.call(
        "ps_fully_connected_dsp_s8",
        arguments,
        macs=operator_macs(site.graph, operator),
        scratch_bytes=packed.shape[1] // 2,
    )
