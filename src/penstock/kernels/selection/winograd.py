"""Lowering of 3x3 convolutions to exact integer Winograd F(2x2, 3x3) and F(4x4, 3x3).

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from penstock.ir.dtype import DType
from penstock.ir.integer_parameters import Convolution
from penstock.ir.limits import WIDE_CONSTANTS_MAX
from penstock.ir.macs import operator_macs
from penstock.kernels.kernel_graph import KernelCall, ScratchArgument, StructArgument
from penstock.kernels.kernel_set import KernelSet
from penstock.kernels.selection.dsp import LANES, channel_scaling, channel_sums
from penstock.kernels.selection.site import Site


@dataclass(frozen=True, slots=True)
class Variant:
    """A size of patches.

    Attributes:
        tile: side of the outputs that a patch makes.
        kernel: C name.
        filter_transform: G of the paper, its rows multiplied so that it is integers, ``[side, 3]``.
        product_limit: sums of products with inputs that count from -128 on are below; None where
            nothing but `_SUM_LIMIT` matters.
        offset: what the transform of patches adds to the first channel of each two.
    """

    tile: int
    kernel: str
    filter_transform: npt.NDArray[np.int64]
    product_limit: int | None
    offset: int

    @property
    def side(self) -> int:
        """Return the side of a patch of the input."""
        return self.tile + 2

    @property
    def positions(self) -> int:
        """Return how many pixels a patch has."""
        return self.side**2


SMALL = Variant(
    2,
    "ps_conv_2d_winograd_2x2_dsp_s8",
    np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]], np.int64),
    product_limit=None,
    offset=0,
)
LARGE = Variant(
    4,
    "ps_conv_2d_winograd_4x4_dsp_s8",
    np.array(
        [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 12]],
        np.int64,
    ),
    product_limit=1 << 25,
    offset=255 * 50,
)
VARIANTS = {variant.kernel: variant for variant in (LARGE, SMALL)}
"""By the name of the kernel."""
_SUM_LIMIT = 1 << 29
"""Bias included: twice a sum is held in 32 bits, and 2x2 outputs come four times as large."""
_INPUT_OFFSET = 128
"""What the larger patches add to the input, so that it is not negative."""
_INPUT_CHANNELS_MIN = 8
_OUTPUT_CHANNELS_MIN = 8
_PIXELS_MIN = 36
"""Below these, what the transforms take is more than what they save."""
_SCRATCH_BYTES = 40 * 1024
_PATCHES_MAX = 32
_SLACK_WORDS = 4
_SKEW_WORDS = 9
"""PS_WINOGRAD_SKEW."""
_OTHER_CONSTANTS = 1 << 18
"""Elements of more than one byte that are left for the rest of a program."""
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
    """Lower CONV_2D; None where the conditions of the kernels do not hold."""
    fields = {name: value for name, value in params.fields if isinstance(value, int)}
    data = site.tensor(operator.filters).data
    depth, channels = fields["input_channels"], fields["output_channels"]
    pixels = fields["output_height"] * fields["output_width"]
    if (
        site.kernels is KernelSet.REFERENCE
        or data is None
        or site.tensor(operator.input).dtype is not DType.INT8
        or any(fields[name] != value for name, value in _FIXED.items())
        or depth % LANES != 0
        or depth < _INPUT_CHANNELS_MIN
        or channels < _OUTPUT_CHANNELS_MIN
        or pixels < _PIXELS_MIN
    ):
        return None
    offset = data.astype(np.int64) + fields["filter_offset"]
    room = WIDE_CONSTANTS_MAX - _OTHER_CONSTANTS - site.pool.wide_count
    allowed = [
        variant
        for variant in VARIANTS.values()
        if variant.tile in site.winograd and _filter_elements(variant, fields) <= room
    ]
    for variant in allowed:
        constants = _constants(site, operator, variant, offset)
        if constants is not None:
            return _call(site, operator, params, variant, constants)
    return None


def _constants(
    site: Site, operator: Convolution, variant: Variant, offset: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int32]] | None:
    """Return filters and scaling; None where sums or filters are too large for the variant."""
    data = site.tensor(operator.filters).data
    assert data is not None
    filters = data.reshape(len(data), -1).astype(np.int64)
    scaling = channel_scaling(site, operator, filters)
    sums = channel_sums(site, operator, filters)
    if scaling is None or sums is None or not fits_int16(variant, offset):
        return None
    fits = sums[1].max() < _SUM_LIMIT
    if variant.product_limit is not None:
        flat = offset.reshape(len(offset), -1)
        fits &= 2 * _INPUT_OFFSET * np.abs(flat).sum(axis=1).max() < variant.product_limit
        bias = scaling[:, 0] - _INPUT_OFFSET * flat.sum(axis=1)
        scaling = np.concatenate([bias[:, None].astype(np.int32), scaling[:, 1:]], axis=1)
    return (transform_filters(offset, variant), scaling) if fits else None


def _call(
    site: Site,
    operator: Convolution,
    params: StructArgument,
    variant: Variant,
    constants: tuple[npt.NDArray[np.int16], npt.NDArray[np.int32]],
) -> KernelCall:
    fields = {name: value for name, value in params.fields if isinstance(value, int)}
    pairs = fields["input_channels"] // 2
    held = _held_patches(variant, pairs, _patches(variant, fields))
    arguments = (
        replace(params, fields=tuple({**dict(params.fields), "scratch_pixels": held}.items())),
        site.read(operator.input, "input"),
        site.constant("filters", constants[0]),
        site.constant("scaling", constants[1]),
        ScratchArgument(),
        site.write(operator.output),
    )
    return site.call(
        variant.kernel,
        arguments,
        macs=operator_macs(site.graph, operator),
        scratch_bytes=_scratch_bytes(variant, pairs, held),
    )


def _filter_elements(variant: Variant, fields: Mapping[str, int]) -> int:
    channels = -(-fields["output_channels"] // LANES) * LANES
    return variant.positions * channels * (fields["input_channels"] + 2)


def _patches(variant: Variant, fields: Mapping[str, int]) -> int:
    height, width = fields["output_height"], fields["output_width"]
    return -(-height // variant.tile) * -(-width // variant.tile)


def _scratch_bytes(variant: Variant, pairs: int, patches: int) -> int:
    outputs = max(variant.positions * LANES * patches, variant.positions * pairs // 2)
    held = variant.positions * (pairs * patches + _SKEW_WORDS)
    return 4 * (LANES + LANES * pairs + held + _SLACK_WORDS + outputs)


def _held_patches(variant: Variant, pairs: int, patches: int) -> int:
    """Return how many patches are computed together: an even number, about the same each time."""
    each = 4 * variant.positions * (pairs + LANES)
    room = max(min(_SCRATCH_BYTES // each, _PATCHES_MAX), 2)
    times = -(-patches // room)
    held = -(-patches // times)
    return held + held % 2


def fits_int16(variant: Variant, filters: npt.NDArray[np.int64]) -> bool:
    """Return whether transformed filters fit; those of 8 bits with a zero point may not."""
    most = np.abs(variant.filter_transform).sum(axis=1).max() ** 2
    return bool(np.abs(filters).max(initial=0) * most < 1 << 15)


def transform_filters(
    filters: npt.NDArray[np.int64], variant: Variant = SMALL
) -> npt.NDArray[np.int16]:
    """Return filters in the order of penstock/conv_2d_winograd_2x2.h or conv_2d_winograd_4x4.h.

    Args:
        filters: ``[channels, 3, 3, depth]``, without their zero points; depth a multiple of 4.
        variant: the size of patches.

    Returns:
        ``[blocks, positions, depth / 2, 4, 2]``; with an offset, one more in the third dimension
        before them: int32, what the sums of each of four begin with.
    """
    channels, _, _, depth = filters.shape
    blocks = -(-channels // LANES)
    padded = np.zeros((blocks * LANES, 3, 3, depth), np.int64)
    padded[:channels] = filters
    transform = variant.filter_transform
    at = np.einsum("iy,jx,oyxc->oijc", transform, transform, padded).astype(np.int16)
    # Of each four channels the first and third are a pair, and the second and fourth.
    pairs = at.reshape(blocks, LANES, variant.positions, depth // 4, 2, 2).swapaxes(4, 5)
    ordered = pairs.reshape(blocks, LANES, variant.positions, depth // 2, 2).transpose(
        0, 2, 3, 1, 4
    )
    if variant.offset:
        firsts = ordered[..., 0].astype(np.int64).sum(axis=2)
        starts = np.ascontiguousarray((-variant.offset * firsts).astype(np.int32)).view(np.int16)
        starts = starts.reshape(blocks, variant.positions, 1, LANES, 2)
        ordered = np.concatenate([starts, ordered], axis=2)
    return np.ascontiguousarray(ordered)
