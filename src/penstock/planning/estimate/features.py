"""How often each part of a kernel runs in a call, from the call's parameters alone.

A feature is a count of something in the C's loop nest: pixels, blocks of channels, dot products,
steps of an inner loop. What each costs depends on core and compiler (`coefficients`); how often it
happens does not.
"""

from collections.abc import Callable

from penstock.errors import GraphError
from penstock.kernels.catalogue import CATALOGUE
from penstock.kernels.kernel_graph import KernelCall, KernelGraph
from penstock.planning.estimate import dsp, elementary, int4, sparse, weighted, winograd
from penstock.planning.estimate.call_view import CallView, view_call
from penstock.planning.estimate.weighted import Features

_BY_HEADER: dict[str, Callable[[CallView], Features]] = {
    "conv_2d": weighted.conv_2d,
    "depthwise_conv_2d": weighted.depthwise_conv_2d,
    "transpose_conv_2d": weighted.transpose_conv_2d,
    "fully_connected": weighted.fully_connected,
    "conv_2d_dsp": dsp.conv_2d,
    "conv_2d_winograd_2x2": winograd.conv_2d,
    "conv_2d_winograd_4x4": winograd.conv_2d,
    "depthwise_conv_2d_dsp": dsp.depthwise_conv_2d,
    "fully_connected_dsp": dsp.fully_connected,
    "conv_2d_int4": int4.conv_2d,
    "conv_2d_int4_dsp": dsp.conv_2d,
    "fully_connected_int4": int4.fully_connected,
    "fully_connected_int4_dsp": int4.fully_connected_dsp,
    "conv_2d_sparse": sparse.conv_2d,
    "conv_2d_sparse_dsp": sparse.conv_2d_by_eight,
    "fully_connected_sparse": sparse.fully_connected,
    "fully_connected_sparse_dsp": sparse.fully_connected,
    "svdf": weighted.svdf,
    "elementwise": elementary.walking,
    "add_dsp": elementary.adding,
    "pool_2d": elementary.pool_2d,
    "pool_2d_dsp": elementary.pool_2d_by_fours,
    "mean": elementary.mean,
    "quantize": elementary.counting,
    "activation": elementary.counting,
    "softmax": elementary.softmax,
}
_BY_NAME: dict[str, Callable[[CallView], Features]] = {
    "ps_strided_copy": elementary.strided_copy,
    "ps_pad": elementary.pad,
    "ps_table_u8": elementary.walking,
}


def call_features(program: KernelGraph, call: KernelCall) -> Features:
    """Return how often each part of a call's kernel runs; parts that do not run are left out.

    Raises:
        GraphError: nobody has said how the kernel's loops go.
    """
    name = call.kernel.name
    count = _BY_NAME.get(name)
    if count is None and name in CATALOGUE:
        count = _BY_HEADER.get(call.kernel.header.removeprefix("penstock/").removesuffix(".h"))
    if count is None:
        raise GraphError(f"the estimate does not know the loops of {name}")
    found = count(view_call(program, call))
    return {feature: value for feature, value in found.items() if value}
