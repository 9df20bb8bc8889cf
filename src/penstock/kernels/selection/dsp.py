"""Lowering to kernels for cores that multiply two pairs of int16 in one instruction."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from penstock.ir.dtype import DType
from penstock.ir.fixed_point import Multiplier
from penstock.ir.integer_parameters import (
    Convolution,
    requantization_multipliers,
)
from penstock.ir.macs import operator_macs
from penstock.ir.operators import DepthwiseConv2D, FullyConnected
from penstock.ir.tensor import Array
from penstock.kernels.kernel_graph import KernelCall, ScratchArgument, StructArgument
from penstock.kernels.kernel_set import KernelSet
from penstock.kernels.selection.site import Site

LANES = 4
"""Output channels that are computed together."""
_SUM_LIMIT = 1 << 30
SHIFT_MAX = 22
_SCRATCH_BYTES = 16 * 1024
"""Of pixels at most, where two would do with less."""
_PIXELS_MAX, _CACHED_PIXELS_MAX = 128, 64
"""Cores that issue two instructions at a time have caches, which scratch shares with all else."""
_SLACK_WORDS = 4
_ROWS = 16
_FILTER_WORDS_MAX = 64
"""Limits of the depthwise kernel."""
_TRANSPOSED_BYTES_MAX = 16 * 1024
_CLEARLY_FASTER = 0.9
"""Transposed images: only small ones, which need not be parted, and not for nothing."""
_INT8_SPAN = 128


def lower_conv_2d(site: Site, operator: Convolution, params: StructArgument) -> KernelCall | None:
    """Lower CONV_2D; None where the conditions of the kernel do not hold.

    DEPTHWISE_CONV_2D as well, of a single channel: all of its filters see the same.
    """
    return lower_in_blocks(site, operator, params, "ps_conv_2d_dsp_s8", lambda packed: packed)


def lower_in_blocks(
    site: Site,
    operator: Convolution,
    params: StructArgument,
    kernel: str,
    store: Callable[[Array], Array],
) -> KernelCall | None:
    """Lower a convolution to a kernel that widens filters in blocks of four channels.

    Args:
        site: where.
        operator: which.
        params: parameters of kernels in plain C.
        kernel: C name.
        store: makes what the kernel reads of the filters that `pack_filters` returns.
    """
    fields = dict(params.fields)
    if site.kernels is KernelSet.REFERENCE or fields["groups"] != 1:
        return None
    data = site.tensor(operator.filters).data
    if data is None or site.tensor(operator.input).dtype is not DType.INT8:
        return None
    if isinstance(operator, DepthwiseConv2D):
        data = data.transpose(3, 1, 2, 0)
        fields["filter_channels"] = 1
    channels = data.shape[0]
    filters = data.reshape(channels, -1).astype(np.int64)
    scaling = channel_scaling(site, operator, filters)
    if scaling is None:
        return None
    packed = pack_filters(rests_last(data), filler=-_number(fields["filter_offset"]))
    words = packed.shape[1] // (2 * LANES)  # of a pixel: the pairs of taps
    pixels = _scratch_pixels(site, operator, words)
    spare = max(pixels, words // 2 + data.shape[1] + 2)
    scratch = 4 * (LANES * words + words * pixels + _SLACK_WORDS + spare)
    arguments = (
        replace(params, fields=tuple({**fields, "scratch_pixels": pixels}.items())),
        site.read(operator.input, "input"),
        site.constant("filters", store(packed)),
        site.constant("scaling", scaling),
        ScratchArgument(),
        site.write(operator.output),
    )
    macs = operator_macs(site.graph, operator)
    return site.call(kernel, arguments, macs=macs, scratch_bytes=scratch)


def lower_depthwise_conv_2d(
    site: Site, operator: Convolution, params: StructArgument
) -> KernelCall | None:
    """Lower DEPTHWISE_CONV_2D; None where the conditions of the kernel do not hold."""
    fields = {name: value for name, value in params.fields if isinstance(value, int)}
    data = site.tensor(operator.filters).data
    if (
        site.kernels is KernelSet.REFERENCE
        or data is None
        or site.tensor(operator.input).dtype is not DType.INT8
        or fields["input_channels"] == 1
        or fields["dilation_height"] != 1
        or fields["dilation_width"] != 1
    ):
        return None
    height, width = fields["filter_height"], fields["filter_width"]
    filters = np.moveaxis(data.reshape(height, width, -1), 2, 0)
    if _is_faster_transposed(fields):
        fields, filters = _transposed(fields), filters.swapaxes(1, 2)
        height, width = width, height
    scaling = channel_scaling(site, operator, filters.reshape(len(filters), -1).astype(np.int64))
    filter_words = height * (width // 2 + 1)
    if scaling is None or height > _ROWS or filter_words > _FILTER_WORDS_MAX:
        return None
    seen = (fields["output_width"] - 1) * fields["stride_width"] + width
    arguments = (
        replace(params, fields=tuple(fields.items())),
        site.read(operator.input, "input"),
        site.constant("filters", pack_depthwise_filters(filters, -fields["filter_offset"])),
        site.constant("scaling", scaling),
        ScratchArgument(),
        site.write(operator.output),
    )
    return site.call(
        "ps_depthwise_conv_2d_dsp_s8",
        arguments,
        macs=operator_macs(site.graph, operator),
        scratch_bytes=4 * LANES * _ROWS * (seen // 2 + 2),
    )


def _is_faster_transposed(fields: Mapping[str, int]) -> bool:
    """Return whether columns shall be taken for rows: four outputs of a row are computed together.

    Only where the whole image is small: transposed it cannot be parted by rows.
    """
    size = fields["input_height"] * fields["input_row_stride"]
    strides = fields["stride_height"], fields["stride_width"]
    if fields["filter_height"] != 3 or fields["filter_width"] != 3 or not set(strides) <= {1, 2}:
        return False
    height, width = fields["output_height"], fields["output_width"]
    as_is, transposed = _row_cycles(width) * height, _row_cycles(height) * width
    return size <= _TRANSPOSED_BYTES_MAX and transposed < _CLEARLY_FASTER * as_is


def _row_cycles(outputs: int) -> int:
    """Return about what a row of outputs takes a Cortex-M7, by fours and the last one or two."""
    fours, rest = divmod(outputs + 1, 4)
    return 60 * fours + 45 * (rest > 1) + 20


def _transposed(fields: Mapping[str, int]) -> dict[str, int]:
    """Return the fields of the same convolution with rows and columns exchanged."""
    exchange = {
        f"{prefix}_{name}": f"{prefix}_{other}"
        for prefix in ("input", "output", "filter", "stride", "dilation")
        for pair in (("height", "width"), ("row_stride", "column_stride"))
        for name, other in (pair, pair[::-1])
    } | {"padding_top": "padding_left", "padding_left": "padding_top"}
    return {name: fields[exchange.get(name, name)] for name in fields}


def pack_depthwise_filters(filters: Array, filler: int) -> Array:
    """Return filters in the order of penstock/depthwise_conv_2d_dsp.h.

    Args:
        filters: int8 ``[channels, height, width]``.
        filler: of taps that add nothing.

    Returns:
        int8 ``[channels, height, words, 4]``.
    """
    channels, height, width = filters.shape
    words = width // 2 + 1
    padded = np.full((channels, height, 2 * words + 1), filler, np.int8)
    padded[:, :, 1 : width + 1] = filters
    first = 2 * np.arange(words) + 1
    return np.ascontiguousarray(padded[:, :, first[:, None] + np.array([0, -1, 1, 0])])


def rests_last(filters: Array) -> Array:
    """Return the taps of filters, those last that are left of each row when it is cut into fours.

    Args:
        filters: int8 ``[channels, height, width, depth]``.

    Returns:
        int8 ``[channels, height * width * depth]``.
    """
    channels, height = filters.shape[:2]
    rows = filters.reshape(channels, height, -1)
    whole = rows.shape[2] // 4 * 4
    parts = rows[:, :, :whole], rows[:, :, whole:]
    return np.concatenate([part.reshape(channels, -1) for part in parts], axis=1)


def pack_filters(filters: Array, filler: int) -> Array:
    """Return filters in the order of penstock/conv_2d_dsp.h.

    Args:
        filters: int8 ``[channels, taps]``.
        filler: of taps that add nothing.

    Returns:
        int8 ``[blocks, bytes of a block]``.
    """
    channels, taps = filters.shape
    extents = (-(-channels // LANES) * LANES, -(-taps // 4) * 4)
    padded = np.full(extents, filler, np.int8)
    padded[:channels, :taps] = filters
    # In each four taps the second and third change places: (0, 2), (1, 3) are widened together.
    swapped = padded.reshape(extents[0], -1, 2, 2).swapaxes(2, 3).reshape(extents[0], -1, 2)
    # [block, half, channel of two, pair, tap of two] → [block, pair, half, tap, channel]
    blocks = swapped.reshape(-1, 2, 2, extents[1] // 2, 2).transpose(0, 3, 1, 4, 2)
    return np.ascontiguousarray(blocks.reshape(blocks.shape[0], -1))


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


def _scratch_pixels(site: Site, operator: Convolution, words: int) -> int:
    """Return how many pixels of so many words are widened together: an even number."""
    output = site.tensor(operator.output)
    most = _CACHED_PIXELS_MAX if site.kernels is KernelSet.DSP_DUAL else _PIXELS_MAX
    pixels = min(output.shape[1] * output.shape[2], most)
    fitting = min(_SCRATCH_BYTES // (4 * words), pixels)
    return max(fitting + fitting % 2, 2)


def channel_scaling(
    site: Site, operator: Convolution, filters: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32] | None:
    """Return how sums become outputs, ``[channels, 4]``; None where 32 bits are too few."""
    sums = channel_sums(site, operator, filters)
    if sums is None:
        return None
    factors = requantization_multipliers(site.graph, operator)
    if len(factors) == 1:
        factors = factors * len(filters)
    zero_point = site.tensor(operator.output).zero_point
    rows = [
        _row(int(bias), factor, int(bound), zero_point)
        for bias, factor, bound in zip(sums[0], factors, sums[1], strict=True)
    ]
    return None if None in rows else np.array(rows, np.int32)


def channel_sums(
    site: Site, operator: Convolution | FullyConnected, filters: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """Return what sums of each channel begin with, and how large they are at most.

    None where the kernels' conditions do not hold.
    """
    source = site.tensor(operator.input)
    zero_points = site.tensor(operator.filters).quantization
    filter_zero = 0 if zero_points is None else zero_points.zero_point[0]
    offset = filters - filter_zero
    given = None if operator.bias is None else site.tensor(operator.bias)
    if given is not None and (given.data is None or given.dtype is not DType.INT32):
        return None
    bias = np.zeros(len(filters), np.int64)
    if given is not None and given.data is not None:
        bias = given.data.astype(np.int64)
    bias = bias - source.zero_point * offset.sum(axis=1)
    bounds = np.abs(bias) + _INT8_SPAN * np.abs(offset).sum(axis=1)
    return None if bounds.max() >= _SUM_LIMIT else (bias, bounds)


def _row(
    bias: int, factor: Multiplier, bound: int, output_zero_point: int
) -> tuple[int, int, int, int] | None:
    """Return bias, multiplier, rounding and shift of a channel; None where they do not do."""
    multiplier, shift = factor.multiplier, -factor.shift
    if shift < 1:
        return None
    if shift > SHIFT_MAX:
        if bound >= 1 << (shift - 1):
            return None
        multiplier, shift = 0, 1  # sums that are always rounded to 0
    return bias, multiplier, (1 << (shift - 1)) + (output_zero_point << shift), shift
