"""How often each part of the kernels with the DSP extension runs."""

from dataclasses import dataclass

import numpy as np

from penstock.planning.estimate.call_view import CallView

Features = dict[str, int]
Mask = np.ndarray[tuple[int], np.dtype[np.bool]]
Counts = np.ndarray[tuple[int], np.dtype[np.int64]]

LANES = 4
_ROUND_PAIRS = 8
"""Pairs of taps that the inner loop takes in a round."""
ROWS = 16
"""Of four channels that a depthwise convolution widens; half as many of eight."""
_RGB_RUN = 9
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
    }
    return found | limits(view, sum(buffers.sizes), channels) | _gathered(view, buffers)


def is_limited(view: CallView) -> int:
    """Return 1 where outputs are limited to less than int8 has."""
    return int((view.number("activation_min"), view.number("activation_max")) != _INT8)


def limits(view: CallView, pixels: int, channels: int) -> Features:
    """Count what of output pixels is limited to a range: channels by fours, then the rest."""
    limited = is_limited(view) * pixels
    return {
        "limit_pixel": limited,
        "limit_four": limited * (channels // LANES),
        "limit_rest": limited * (channels % LANES),
    }


def _gathered(view: CallView, buffers: PixelBuffers) -> Features:
    """Count how pixels are widened: two points together, rows that are inside, or at an edge."""
    images, width = view.number("batches"), view.number("output_width")
    height, depth = view.number("output_height"), view.number("input_channels")
    pixels, rows = images * width * height, view.number("filter_height")
    run = view.number("filter_width") * depth
    lines = sum(-(-size // width) for size in buffers.sizes)
    if _is_point(view):
        if _is_joined(view):
            width, lines = pixels, len(buffers.sizes)
        together = sum(_point_pairs(size, width) for size in buffers.sizes)
        pixels -= 2 * together
        points = {
            "line": lines,
            "point_pair": together,
            "point_step": together * (depth // 8),
            "point_rest": together * (depth // 4 % 2),
        }
        return points | {"pixel": pixels} | _widened(pixels, run) | _rests(pixels, 1, run)
    across, down = (_taps_inside(view, *axis) for axis in (("width", "left"), ("height", "top")))
    all_across, all_down = across == view.number("filter_width"), down == rows
    adjacent = view.number("dilation_width") == 1 and view.number("input_column_stride") == depth
    whole = int(all_across.sum()) * int(all_down.sum()) * images * adjacent
    is_rgb, is_word = (rows, run) == (3, _RGB_RUN), run == LANES
    found = {"line": lines, "rgb_pixel" if is_rgb else "pixel": whole, "edge_pixel": pixels - whole}
    if not adjacent:
        taps = pixels * rows * view.number("filter_width")
        pieces = {
            "piece": taps,
            "piece_word": taps * (depth // 4),
            "piece_byte": taps * (depth % 4),
        }
        return found | pieces | _widened(pixels * rows, run) | _rests(pixels, rows, run)
    clipped = across[~all_across]
    cut, plain = (
        int((clipped > 0).sum()) * int(down.sum()) * images,
        int(all_across.sum()) * int(down[~all_down].sum()) * images,
    )
    copied = clipped * depth
    edges = {
        "padding_row": (pixels - whole) * rows - cut - plain,
        "filled_word": len(clipped) * height * images * -(-run // 4),
        "cut_row": cut,
        "copied_word": int((copied // 4).sum()) * int(down.sum()) * images,
        "copied_byte": int((copied % 4).sum()) * int(down.sum()) * images,
        "word_row": whole * rows * is_word,
    }
    ordinary = whole * (not is_rgb and not is_word)
    rests = pixels - whole * is_rgb
    return found | edges | _widened(cut + plain + ordinary * rows, run) | _rests(rests, rows, run)


def _taps_inside(view: CallView, dimension: str, edge: str) -> Counts:
    """Return for each output position how many rows or columns of its window are inside."""
    taps, step = view.number(f"filter_{dimension}"), view.number(f"dilation_{dimension}")
    origin = np.arange(view.number(f"output_{dimension}")) * view.number(
        f"stride_{dimension}"
    ) - view.number(f"padding_{edge}")
    at = origin[:, None] + step * np.arange(taps)
    return np.asarray(((at >= 0) & (at < view.number(f"input_{dimension}"))).sum(axis=1))


def _widened(rows: int, run: int) -> Features:
    """Count words of rows that are widened, four together or one by one."""
    is_long = run >= 16
    return {
        "row": rows,
        "long_row": rows * is_long,
        "wide_long": rows * (run // 16) * is_long,
        "wide_step": rows * (run % 16 // 4) * is_long,
        "short_step": rows * (run // 4) * (not is_long),
    }


def _rests(pixels: int, rows: int, run: int) -> Features:
    """Count bytes left of the rows of pixels, and words that are made of them."""
    rests = rows * (run % 4)
    return {
        "rest_byte": pixels * rests,
        "rest_pixel": pixels * (rests > 0),
        "rest_word": pixels * -(-rests // 4),
    }


def _is_point(view: CallView) -> bool:
    taps = view.number("filter_height") * view.number("filter_width")
    padding = view.number("padding_left") + view.number("padding_top")
    is_whole = view.number("input_channels") % LANES == 0
    last = (view.number("output_height") - 1) * view.number("stride_height")
    has_all = view.number("output_width") <= view.number("input_width") and last < view.number(
        "input_height"
    )
    return taps == 1 and view.number("stride_width") == 1 and is_whole and not padding and has_all


def _is_joined(view: CallView) -> bool:
    """Return whether the rows of points follow one another as a single row."""
    width, step = view.number("input_width"), view.number("input_column_stride")
    is_whole = view.number("output_width") == width and view.number("stride_height") == 1
    return is_whole and view.number("input_row_stride") == width * step


def _point_pairs(pixels: int, width: int) -> int:
    """Return how many pairs of pixels stand in one row of an image."""
    return pixels // 2 if width % 2 == 0 else max(pixels // 2 - pixels // width // 2, 0)


def inside(view: CallView, dimension: str, edge: str, reach: int, step: int) -> Mask:
    """Return for each so many-th output position whether what it reaches is inside the input."""
    origin = np.arange(0, view.number(f"output_{dimension}"), step) * view.number(
        f"stride_{dimension}"
    ) - view.number(f"padding_{edge}")
    return (origin >= 0) & (origin + reach <= view.number(f"input_{dimension}"))


@dataclass(frozen=True, slots=True)
class Bands:
    """How a depthwise convolution goes over its input.

    Attributes:
        count: bands of rows, all images together.
        rows: of the input that are widened, in all bands of all images.
        words: of a row in a plane, two columns each.
        lanes: channels that are widened together.
    """

    count: int
    rows: int
    words: int
    lanes: int


def bands(view: CallView) -> Bands:
    """Return the bands of a depthwise convolution."""
    height, taps = view.number("output_height"), view.number("filter_height")
    stride, top = view.number("stride_height"), view.number("padding_top")
    room = ROWS // 2 if (height - 1) * stride + taps <= ROWS // 2 else ROWS
    outputs = (room - taps) // stride + 1
    firsts = range(0, height, outputs)
    rows = 0
    for first in firsts:
        begin = first * stride - top
        end = begin + (min(outputs, height - first) - 1) * stride + taps
        rows += max(min(end, view.number("input_height")) - max(begin, 0), 0)
    seen = (view.number("output_width") - 1) * view.number("stride_width")
    images = view.number("batches")
    return Bands(
        count=images * len(firsts),
        rows=images * rows,
        words=(seen + view.number("filter_width")) // 2 + 2,
        lanes=LANES * ROWS // room,
    )


def _columns(view: CallView, found: Bands) -> tuple[int, int, int]:
    """Return of a row the words of padding and a pixel, of two pixels, and of the last one."""
    width, left = view.number("input_width"), view.number("padding_left")
    before = min(left // 2, found.words)
    odd = int(left % 2 > 0 and before < found.words)
    words = found.words - before - odd
    pairs = min((width - odd) // 2, words)
    return odd, pairs, int(words > pairs and (width - odd) % 2 > 0)


def depthwise_conv_2d(view: CallView) -> Features:
    """Count rows that are widened, and outputs by four and fewer."""
    images, channels = view.number("batches"), view.number("output_channels")
    height, width = view.number("output_height"), view.number("output_width")
    taps = view.number("filter_height")
    go = bands(view)
    groups, some = -(-channels // go.lanes), -(-(channels % go.lanes) // LANES)
    full, fours = channels // go.lanes, go.lanes // LANES
    odd, pairs, last = _columns(view, go)
    kind = "" if fours == 1 else "_of_eight"
    single = go.rows * (full * fours + some)
    rows = images * channels * height
    found = {
        "call": 1,
        "band": go.count,
        "band_row": go.rows,
        "group": go.count * groups,
        "row": go.rows * groups,
        f"pair{kind}": go.rows * full * pairs,
        "some_pair": go.rows * some * pairs,
        "odd": single * odd,
        "last": single * last,
        "odd_lane": go.rows * (odd + pairs + last) * (channels % LANES),
        "channel": go.count * channels,
        **limits(view, images * height * width, channels),
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
        "filter_word": go.count * channels * taps * filter_words,
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
    blocks, fours = -(-channels // LANES), -(-depth // 4)
    return {
        "call": 1,
        "row": rows,
        "wide_step": rows * fours,
        "rest": rows * (depth % 4),
        "block": rows * blocks,
        "round": rows * blocks * -(-fours // 4),
        "step": rows * blocks * fours,
        "output": rows * channels,
        "limit": is_limited(view) * rows * channels,
    }
