"""How often each part of the kernels with the DSP extension runs."""

from dataclasses import dataclass

import numpy as np

from penstock.planning.estimate.call_view import CallView

Features = dict[str, int]

LANES = 4
_ROUND_PAIRS = 8
"""Pairs of taps that the inner loop takes in a round."""
ROWS = 16
_INT8 = (-128, 127)


@dataclass(frozen=True, slots=True)
class PixelBuffers:
    """How a convolution goes over its outputs.

    Attributes:
        sizes: pixels of each filling of the buffer, all images together.
        tap_pairs: words of a pixel.
        blocks: of four output channels; the last may be smaller.
    """

    sizes: tuple[int, ...]
    tap_pairs: int
    blocks: int


def pixel_buffers(view: CallView) -> PixelBuffers:
    """Return the fillings of a convolution's buffer."""
    room, width = view.number("scratch_pixels"), view.number("output_width")
    height = view.number("output_height")
    is_dense = view.number("output_row_stride") == width * view.number("output_column_stride")
    runs = [width * height] if is_dense else [width] * height
    sizes = [min(room, run - start) for run in runs for start in range(0, run, room)]
    taps = view.number("filter_height") * view.number("filter_width")
    return PixelBuffers(
        sizes=tuple(sizes * view.number("batches")),
        tap_pairs=-(-taps * view.number("filter_channels") // 4) * 2,
        blocks=-(-view.number("output_channels") // LANES),
    )


def conv_2d(view: CallView) -> Features:
    """Count what is widened, and products of four channels with two pixels, or with a lone one."""
    buffers = pixel_buffers(view)
    channels, steps = view.number("output_channels"), buffers.tap_pairs
    whole, singles = divmod(channels, LANES)
    lone = 0 if view.number("filter_offset") else sum(size == 1 for size in buffers.sizes)
    sizes = [size for size in buffers.sizes if size > 1 or not lone]
    pairs, odd = sum(size // 2 for size in sizes), sum(size % 2 for size in sizes)
    blocks = (pairs + odd) * buffers.blocks
    found = {
        "call": 1,
        "filling": len(sizes),
        "block": len(sizes) * buffers.blocks,
        "filter_pair": len(sizes) * buffers.blocks * steps,
        "pair": blocks,
        "step": blocks * steps,
        "round": blocks * -(-steps // _ROUND_PAIRS),
        "rest": len(sizes) * (singles > 0) + whole * odd,
        "spare": (odd * whole * LANES) + singles * sum(sizes),
        "odd_step": odd * steps,
        "lone": lone,
        "lone_word": lone * steps,
        "lone_block": lone * buffers.blocks,
        "lone_step": lone * buffers.blocks * steps // 2,
        "lone_output": lone * channels,
        "limit": _limited(view) * sum(buffers.sizes) * channels,
    }
    return found | _gathered(view, buffers)


def _limited(view: CallView) -> int:
    return int((view.number("activation_min"), view.number("activation_max")) != _INT8)


def _gathered(view: CallView, buffers: PixelBuffers) -> Features:
    """Count how pixels are widened: two points together, whole rows, or byte by byte."""
    images, width = view.number("batches"), view.number("output_width")
    height, depth = view.number("output_height"), view.number("input_channels")
    pixels = images * width * height
    if _is_point(view):
        together = sum(_point_pairs(size, width) for size in buffers.sizes)
        return {
            "point_pair": together,
            "point_step": together * (depth // 4),
            "pixel": pixels - 2 * together,
            "row": pixels - 2 * together,
            **_widened(pixels - 2 * together, depth),
        }
    run = view.number("filter_width") * depth
    rows = view.number("filter_height")
    across, down = _inside(view, "width", "left"), _inside(view, "height", "top")
    adjacent = view.number("dilation_width") == 1 and view.number("input_column_stride") == depth
    seen = int(across.sum()) * adjacent
    direct = seen * int(down.sum()) * images if run % 4 == 0 else 0
    plain = images * seen * _rows_inside(view) - direct * rows
    other = pixels * rows - direct * rows - plain
    return {
        "pixel": pixels,
        "row": direct * rows,
        **_widened(direct * rows if run % 4 == 0 else 0, run),
        "copied_row": plain,
        "copied_word": plain * (run // 4),
        "copied_byte": plain * (run % 4),
        "edge_row": other,
        "edge_tap": other * view.number("filter_width"),
        "edge_word": other * view.number("filter_width") * (depth // 4),
        "edge_byte": other * view.number("filter_width") * (depth % 4),
        "late_pixel": pixels - direct,
        "late_long": (pixels - direct) * (buffers.tap_pairs // 8),
        "late_step": (pixels - direct) * (buffers.tap_pairs // 2 % 4),
    }


def _widened(runs: int, size_bytes: int) -> Features:
    """Count words that are widened: four together, and the rest."""
    return {"wide_long": runs * (size_bytes // 16), "wide_step": runs * (size_bytes % 16 // 4)}


def _is_point(view: CallView) -> bool:
    taps = view.number("filter_height") * view.number("filter_width")
    padding = view.number("padding_left") + view.number("padding_top")
    is_whole = view.number("input_channels") % LANES == 0
    return taps == 1 and view.number("stride_width") == 1 and is_whole and padding == 0


def _point_pairs(pixels: int, width: int) -> int:
    """Return how many pairs of pixels stand in one row of an image."""
    return pixels // 2 if width % 2 == 0 else max(pixels // 2 - pixels // width // 2, 0)


def _inside(view: CallView, dimension: str, edge: str) -> np.ndarray[tuple[int], np.dtype[np.bool]]:
    """Return for each output position whether its whole window is inside the input."""
    origin = np.arange(view.number(f"output_{dimension}")) * view.number(
        f"stride_{dimension}"
    ) - view.number(f"padding_{edge}")
    reach = (view.number(f"filter_{dimension}") - 1) * view.number(f"dilation_{dimension}")
    return (origin >= 0) & (origin + reach < view.number(f"input_{dimension}"))


def _rows_inside(view: CallView) -> int:
    """Return how many rows of windows are inside the input, in one column of outputs."""
    origin = np.arange(view.number("output_height")) * view.number("stride_height")
    taps = np.arange(view.number("filter_height")) * view.number("dilation_height")
    rows = origin[:, None] + taps[None, :] - view.number("padding_top")
    return int(((rows >= 0) & (rows < view.number("input_height"))).sum())


def depthwise_conv_2d(view: CallView) -> Features:
    """Count rows that are widened, and outputs by four and fewer."""
    images, channels = view.number("batches"), view.number("output_channels")
    height, width = view.number("output_height"), view.number("output_width")
    taps, stride = view.number("filter_height"), view.number("stride_height")
    outputs = (ROWS - taps) // stride + 1
    bands = -(-height // outputs)
    groups = -(-channels // LANES)
    widened = images * groups * ((height - bands) * stride + bands * taps)
    words = ((width - 1) * view.number("stride_width") + view.number("filter_width")) // 2 + 2
    rows = images * channels * height
    found = {
        "call": 1,
        "band": images * bands,
        "group": images * bands * groups,
        "row": widened,
        "row_word": widened * words,
        "lane_word": widened * words * (channels % LANES > 0) // groups,
        "channel": images * bands * channels,
        "limit": _limited(view) * rows * width,
    }
    if view.number("filter_width") == 3 == taps and view.number("stride_width") in (1, 2):
        four, two = divmod(width, 4)
        apart = "" if view.number("stride_width") == 1 else "_apart"
        return found | {
            f"line{apart}": rows,
            f"four{apart}": rows * (four + (two == 3)),
            f"two{apart}": rows * (two in (1, 2)),
        }
    filter_words = view.number("filter_width") // 2 + 1
    together = width // 2 if view.number("stride_width") == 1 else 0
    kind = {3: "three", 4: "four_words"}.get(filter_words, "any")
    alone = width - 2 * together
    return found | {
        "filter_word": images * bands * channels * taps * filter_words,
        "other_line": rows,
        "two_outputs": rows * together,
        "output": rows * alone,
        f"two_{kind}_row": rows * together * taps,
        f"one_{kind}_row": rows * alone * taps,
        "two_word": rows * together * taps * filter_words * (kind == "any"),
        "one_word": rows * alone * taps * filter_words * (kind == "any"),
    }


def fully_connected(view: CallView) -> Features:
    """Count rows that are widened, and products with four channels."""
    rows, depth = view.number("batches"), view.number("input_channels")
    channels = view.number("output_channels")
    blocks, steps = -(-channels // LANES), -(-depth // 4)
    return {
        "call": 1,
        "row": rows,
        "wide_step": rows * steps,
        "rest": rows * (depth % 4 > 0),
        "block": rows * blocks,
        "long_run": rows * blocks * (steps > 1),
        "step": rows * blocks * steps,
        "output": rows * channels,
    }
