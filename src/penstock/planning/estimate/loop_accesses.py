"""The arrays of each kernel, from the parameters of a call."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from penstock.kernels.kernel_graph import KernelCall, KernelGraph
from penstock.planning.estimate import (
    dsp_accesses,
    elementary_accesses,
    int4,
    sparse,
    weighted_accesses,
    winograd,
)
from penstock.planning.estimate.accesses import Access, Role
from penstock.planning.estimate.call_view import CallView, view_call

_BY_HEADER: dict[str, Callable[[CallView], Sequence[Access]]] = {
    "conv_2d": weighted_accesses.conv_2d,
    "depthwise_conv_2d": weighted_accesses.depthwise_conv_2d,
    "transpose_conv_2d": weighted_accesses.transpose_conv_2d,
    "fully_connected": weighted_accesses.fully_connected,
    "conv_2d_dsp": dsp_accesses.conv_2d,
    "conv_2d_winograd_2x2": winograd.accesses,
    "conv_2d_winograd_4x4": winograd.accesses,
    "depthwise_conv_2d_dsp": dsp_accesses.depthwise_conv_2d,
    "fully_connected_dsp": dsp_accesses.fully_connected,
    "conv_2d_int4": int4.conv_2d_accesses,
    "conv_2d_int4_dsp": dsp_accesses.conv_2d,
    "fully_connected_int4": int4.fully_connected_accesses,
    "fully_connected_int4_dsp": int4.fully_connected_dsp_accesses,
    "conv_2d_sparse": sparse.conv_2d_accesses,
    "conv_2d_sparse_dsp": sparse.conv_2d_by_eight_accesses,
    "fully_connected_sparse": sparse.fully_connected_accesses,
    "fully_connected_sparse_dsp": sparse.fully_connected_dsp_accesses,
    "add_dsp": elementary_accesses.adding,
    "svdf": elementary_accesses.svdf,
    "pool_2d": elementary_accesses.pool_2d,
    "pool_2d_dsp": elementary_accesses.pool_2d_by_fours,
    "mean": elementary_accesses.mean,
    "movement": elementary_accesses.movement,
    "softmax": elementary_accesses.softmax,
}


def call_accesses(program: KernelGraph, call: KernelCall) -> tuple[Access, ...]:
    """Return what a call reads and writes."""
    view = view_call(program, call)
    header = call.kernel.header.removeprefix("penstock/").removesuffix(".h")
    describe = _BY_HEADER.get(header, elementary_accesses.once)
    return tuple(_named(describe(view), program, call))


def _named(accesses: Sequence[Access], program: KernelGraph, call: KernelCall) -> Iterator[Access]:
    """Name activations and constants: each kind comes in the order of the call's arguments."""
    read = iter(program.aliases.get(name, name) for name in call.reads)
    written = iter(program.aliases.get(name, name) for name in call.writes)
    constants = iter(call.constants)
    for access in accesses:
        names = {Role.WEIGHTS: constants, Role.ARENA: read if access.reads else written}
        yield replace(access, array=next(names.get(access.role, iter(())), ""))
