"""Lowering of 3x3 convolutions to exact integer Winograd F(2x2, 3x3).

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
"""

import numpy as np
import numpy.typing as npt

from penstock.ir.dtype import DType
from penstock.ir.integer_parameters import Convolution
from penstock.ir.macs import operator_macs
from penstock.kernels.kernel_graph import KernelCall, ScratchArgument, StructArgument
from penstock.kernels.kernel_set import KernelSet
from penstock.kernels.selection.dsp import LANES, channel_scaling, channel_sums
from penstock.kernels.selection.site import Site

SIDE = 4
"""Of a patch of the input, which makes 2x2 outputs."""
_TRANSFORM = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]], np.int64)
"""G of the paper, doubled, which makes it integers."""
_SUM_LIMIT = 1 << 29
"""Sums are made four times as large."""
_INPUT_CHANNELS_MIN = 8
_OUTPUT_CHANNELS_MIN = 8
_PIXELS_MIN = 36
"""Below these, what the transforms take is more than what they save."""
_SCRATCH_BYTES = 40 * 1024
_PATCHES_MAX = 32
_SLACK_WORDS = 4
_SKEW_WORDS = 9
"""PS_WINOGRAD_SKEW."""
_FIXED = {
    "groups": 1,
    "filter_height": 3,
    "filter_width": 3,
    "stride_height": 1,
    "stride_width": 1,
    "dilation_height": 1,
    "dilation_width": 1,
}


def lower_conv_2d(site: Site, operator: Convolution, params: StructArgument) -> KernelCall | None:
    """Lower CONV_2D; None where the conditions of the kernel do not hold."""
    fields = {name: value for name, value in params.fields if isinstance(value, int)}
    data = site.tensor(operator.filters).data
    depth, channels = fields["input_channels"], fields["output_channels"]
    pixels = fields["output_height"] * fields["output_width"]
    if (
        site.kernels is KernelSet.REFERENCE
        or not site.winograd
        or data is None
        or site.tensor(operator.input).dtype is not DType.INT8
        or any(fields[name] != value for name, value in _FIXED.items())
        or depth % LANES != 0
        or depth < _INPUT_CHANNELS_MIN
        or channels < _OUTPUT_CHANNELS_MIN
        or pixels < _PIXELS_MIN
    ):
        return None
    filters = data.reshape(channels, -1).astype(np.int64)
    scaling = channel_scaling(site, operator, filters)
    sums = channel_sums(site, operator, filters)
    if scaling is None or sums is None or sums[1].max() >= _SUM_LIMIT:
        return None
    patches = -(-fields["output_height"] // 2) * -(-fields["output_width"] // 2)
    held = _held_patches(depth // 2, patches)
    offset = data.astype(np.int64) + fields["filter_offset"]
    arguments = (
        StructArgument(
            params.ctype, tuple({**dict(params.fields), "scratch_pixels": held}.items())
        ),
        site.read(operator.input, "input"),
        site.constant("filters", transform_filters(offset)),
        site.constant("scaling", scaling),
        ScratchArgument(),
        site.write(operator.output),
    )
    return site.call(
        "ps_conv_2d_winograd_dsp_s8",
        arguments,
        macs=operator_macs(site.graph, operator),
        scratch_bytes=_scratch_bytes(depth // 2, held),
    )


def _scratch_bytes(pairs: int, patches: int) -> int:
    outputs = max(SIDE**2 * LANES * patches, SIDE**2 * pairs // 2)
    held = SIDE**2 * (pairs * patches + _SKEW_WORDS)
    return 4 * (LANES * pairs + held + _SLACK_WORDS + outputs)


def _held_patches(pairs: int, patches: int) -> int:
    """Return how many patches are computed together: an even number, about the same each time."""
    each = 4 * SIDE**2 * (pairs + LANES)
    room = max(min(_SCRATCH_BYTES // each, _PATCHES_MAX), 2)
    times = -(-patches // room)
    held = -(-patches // times)
    return held + held % 2


def transform_filters(filters: npt.NDArray[np.int64]) -> npt.NDArray[np.int16]:
    """Return filters in the order of penstock/conv_2d_winograd.h.

    Args:
        filters: ``[channels, 3, 3, depth]``, without their zero points; depth a multiple of 4.

    Returns:
        ``[blocks, 16, depth / 2, 4, 2]``.
    """
    channels, _, _, depth = filters.shape
    blocks = -(-channels // LANES)
    padded = np.zeros((blocks * LANES, 3, 3, depth), np.int64)
    padded[:channels] = filters
    at = np.einsum("iy,jx,oyxc->oijc", _TRANSFORM, _TRANSFORM, padded).astype(np.int16)
    # Of each four channels the first and third are a pair, and the second and fourth.
    pairs = at.reshape(blocks, LANES, SIDE**2, depth // 4, 2, 2).swapaxes(4, 5)
    ordered = pairs.reshape(blocks, LANES, SIDE**2, depth // 2, 2).transpose(0, 2, 3, 1, 4)
    return np.ascontiguousarray(ordered)
