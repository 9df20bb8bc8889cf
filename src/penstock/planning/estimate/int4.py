"""How often each part of the kernels with filters of four bits runs, and their arrays."""

import math
from dataclasses import replace

from penstock.planning.estimate import dsp, dsp_accesses, weighted, weighted_accesses
from penstock.planning.estimate.accesses import Access
from penstock.planning.estimate.call_view import CallView
from penstock.planning.estimate.weighted import Features

_BLOCK = 4
_FILTERS = 1
"""Position among the accesses of kernels with weights."""
_BY_BLOCK = ("call", "row", "pixel", "clip", "group")
"""What the kernel for int8 does again for each four channels."""


def _in_blocks(view: CallView, found: Features, taps: int) -> Features:
    """Return the features of a kernel that is called for each four channels."""
    channels = view.number("output_channels")
    blocks = -(-channels // _BLOCK)
    again = {name: blocks * found[name] for name in _BY_BLOCK if name in found}
    packed = {"call": 1, "channel": channels, "nibble": channels * taps}
    return found | again | {"block_call": again["call"]} | packed


def conv_2d(view: CallView) -> Features:
    """Count what is unpacked, and a convolution of four channels again and again."""
    taps = math.prod(view.number(f"filter_{name}") for name in ("height", "width", "channels"))
    return _in_blocks(view, weighted.conv_2d(view), taps)


def fully_connected(view: CallView) -> Features:
    """Count what is unpacked, and a layer of four channels again and again."""
    return _in_blocks(view, weighted.fully_connected(view), view.number("input_channels"))


def _packed(accesses: list[Access], view: CallView) -> list[Access]:
    """Return accesses of which the filters are read once, two at a time."""
    array = view.constant(2)
    assert array is not None
    once = dsp_accesses.streamed_again(view, 2, 1, 1)
    once = replace(once, reads=array.nbytes, element_bytes=1, is_inner=False)
    return [*accesses[:_FILTERS], once, *accesses[_FILTERS + 1 :]]


def conv_2d_accesses(view: CallView) -> list[Access]:
    """Return the arrays of the convolution in plain C."""
    return _packed(weighted_accesses.conv_2d(view), view)


def fully_connected_accesses(view: CallView) -> list[Access]:
    """Return the arrays of the fully connected layer in plain C."""
    return _packed(weighted_accesses.fully_connected(view), view)


def fully_connected_dsp(view: CallView) -> Features:
    """Count rows that are widened, and products with four channels."""
    found = dsp.fully_connected(view)
    return {name: count for name, count in found.items() if name not in ("round", "limit")}


def fully_connected_dsp_accesses(view: CallView) -> list[Access]:
    """Return the arrays of the kernel for the DSP extension, which asks for nothing ahead."""
    found = dsp_accesses.fully_connected(view)
    return [replace(access, preload_pace=0.0) for access in found]
