"""The arrays of the kernels with the DSP extension, from the parameters of a call."""

from dataclasses import replace

from penstock.planning.estimate.access_parts import (
    LINE_BYTES,
    WORD_BYTES,
    output,
    parameters,
    repeated,
    window_hops,
)
from penstock.planning.estimate.accesses import Access, Hop, Role, Sweep, forward
from penstock.planning.estimate.call_view import CallView
from penstock.planning.estimate.dsp import LANES, ROWS, Bands, Features, bands, pixel_buffers
from penstock.planning.estimate.dsp import depthwise_conv_2d as depthwise_features
from penstock.planning.estimate.windows import count_patches, window_axis

FILTERS, SCALING = 2, 3
_SCALING_CYCLES = 15
"""From one output to the next, when their sums are there."""
_DOT_CYCLES = 2.5
"""From one word of a fully connected layer's filters to the next."""
_FIRST_FOURS, _LONG_FOURS = 4, 20
"""Of its filters: those that nobody asks for, at the beginning and at the end; where there are
fewer than the second number, nobody asks for the whole last block."""
_BESIDE_DOT_CYCLES = 10
"""Of work on a block, for each word of the constants of its outputs."""
_BETWEEN = 0.4
"""Of the misses of a visit, those that fall between two uses of the same scratch: what is filled
for the first time comes before all visits. Chosen once, between caches of 4 and of 16 KiB."""


def conv_2d(view: CallView) -> list[Access]:
    """Return the arrays of a convolution; a visit is a block of channels of a filled buffer."""
    buffers = pixel_buffers(view)
    fillings, blocks, words = len(buffers.sizes), buffers.blocks, buffers.tap_pairs
    visits = fillings * blocks
    pixels = sum(buffers.sizes)
    held = pixels / fillings
    pairs = sum(-(-size // 2) for size in buffers.sizes) * blocks
    return [
        replace(parameters(view, visits), is_inner=False),
        streamed_again(view, FILTERS, fillings, blocks),
        gathered(view, visits, held / view.number("output_width")),
        reread(
            scratch(visits, words * LANES, pairs * words * LANES, visits * words * LANES),
            pairs / visits,
        ),
        scratch(visits, held * words, pairs * words * 2, pixels * words),
        replace(streamed_again(view, SCALING, fillings, blocks), is_inner=False),
        scattered(view, visits, held, LANES, LANES, 1),
    ]


def gathered(view: CallView, visits: int, rows: float) -> Access:
    """Return the input of a convolution: what windows see for the first time, and then again.

    Args:
        view: the call.
        visits: how often the loop goes round.
        rows: of outputs that are computed together.
    """
    patches = count_patches(window_axis(view, "height", "top"), window_axis(view, "width", "left"))
    images, depth = view.number("batches"), view.number("filter_channels")
    seen = images * patches.taps * depth
    whole = images * view.number("input_height") * view.number("input_row_stride")
    fresh = min(whole, seen)
    again = (seen - fresh) / visits
    held = max(rows, 1.0)
    filling = visits / max(view.number("output_height") / held, 1)
    # Most of what comes again belongs to the next row of outputs, in the same filling of scratch.
    sweeps = (
        Sweep(1, fresh / visits, fresh / visits, None),
        Sweep(1, again / held, again / held, filling),
        Sweep(1, again * (1 - 1 / held), again, filling / held),
    )
    return Access(
        Role.ARENA,
        visits,
        sweeps if again else sweeps[:1],
        seen // WORD_BYTES,
        element_bytes=WORD_BYTES,
        hops=window_hops(view, patches, depth),
        is_inner=False,
    )


def scattered(
    view: CallView, visits: int, pixels: float, channels: int, together: int, pace: float
) -> Access:
    """Return an output of which each visit writes a few channels of many pixels.

    Args:
        view: the call.
        visits: how often the loop goes round.
        pixels: that a visit writes.
        channels: that a visit writes of each.
        together: channels among them that are written at once.
        pace: cycles from one to the next, about.
    """
    turns = channels // together
    step = view.number("output_column_stride")
    fresh = min(step, LINE_BYTES) and channels / max(min(step, LINE_BYTES), channels)
    sweeps = (
        Sweep(pixels * fresh, together, step, None),
        Sweep(pixels * max(turns - fresh, 0), together, step, 1 / turns),
    )
    return Access(
        Role.ARENA,
        visits,
        sweeps,
        0,
        round(visits * pixels * channels),
        hops=(Hop(1 - 1 / together, 1), Hop(1 / together, step)),
        burst=together,
        is_inner=False,
        write_pace=pace,
    )


def scratch(visits: int, words: float, reads: int, writes: int) -> Access:
    """Return a part of scratch that each visit goes over."""
    size = words * WORD_BYTES
    sweeps = (
        Sweep(1 / visits, size, size, None),
        Sweep(1 - 1 / visits, size, size, _BETWEEN),
    )
    return Access(
        Role.SCRATCH,
        visits,
        sweeps,
        reads,
        writes,
        element_bytes=WORD_BYTES,
        hops=forward(WORD_BYTES),
        burst=2,
    )


def reread(access: Access, times: float) -> Access:
    """Return an access whose bytes are read so often in each visit."""
    (first, *_) = access.sweeps
    again = Sweep(times - 1, first.size_bytes, first.size_bytes, 1 / times)
    return replace(access, sweeps=(*access.sweeps, again))


def streamed_again(view: CallView, position: int, times: int, visits: int) -> Access:
    """Return a constant that is gone over several times, some of it at each visit."""
    array = view.constant(position)
    size = 0 if array is None else array.nbytes
    piece = size / visits
    sweeps = (
        Sweep(1 / times, piece, piece, None),
        Sweep(1 - 1 / times, piece, piece, visits),
    )
    return Access(
        Role.WEIGHTS,
        times * visits,
        sweeps,
        times * size // WORD_BYTES,
        element_bytes=WORD_BYTES,
        hops=forward(WORD_BYTES),
        burst=LANES,
    )


def depthwise_conv_2d(view: CallView) -> list[Access]:
    """Return the arrays of a depthwise convolution; a visit is some channels of a band of rows."""
    found, go = depthwise_features(view), bands(view)
    images, channels = view.number("batches"), view.number("output_channels")
    groups, lanes = -(-channels // go.lanes), go.lanes
    visits = go.count * groups
    outputs = images * view.number("output_height") * view.number("output_width") / go.count
    widened = go.rows * groups * go.words
    pixels = 2 * widened / visits
    pixel = view.number("input_column_stride")
    fresh = min(lanes / min(LINE_BYTES, max(pixel, lanes)), 1.0)
    source = Access(
        Role.ARENA,
        visits,
        (
            Sweep(pixels * fresh, lanes, pixel, None),
            Sweep(pixels * (1 - fresh), lanes, pixel, 1),
        ),
        2 * widened * lanes // LANES,
        element_bytes=WORD_BYTES,
        hops=(Hop(1.0, pixel),),
        burst=2,
        is_inner=False,
    )
    planes = lanes * widened / visits
    return [
        replace(parameters(view, visits), is_inner=False),
        replace(streamed_again(view, FILTERS, go.count, groups), is_inner=False),
        source,
        _with_columns(
            scratch(visits, planes, _plane_reads(found, view), lanes * widened), view, go
        ),
        replace(streamed_again(view, SCALING, go.count, groups), is_inner=False),
        scattered(view, visits, outputs, lanes, 1, _SCALING_CYCLES),
    ]


def _with_columns(planes: Access, view: CallView, go: Bands) -> Access:
    """Return planes that each row of outputs of each channel goes over, column by column."""
    turns = go.lanes * max(view.number("batches") * view.number("output_height") / go.count, 1)
    words = go.words - 1
    column = LANES * ROWS * WORD_BYTES
    seen = view.number("filter_height") * WORD_BYTES
    again = Sweep((turns - 1) * words, seen, column, 1 / turns)
    return replace(planes, sweeps=(*planes.sweeps, again))


def _plane_reads(found: Features, view: CallView) -> int:
    """Return how many words of planes are loaded."""
    words = view.number("filter_height") * (view.number("filter_width") // 2 + 1)
    return (
        9 * found.get("four", 0)
        + 6 * found.get("two", 0)
        + 15 * found.get("four_apart", 0)
        + 9 * found.get("two_apart", 0)
        + words * (found.get("two_outputs", 0) + found.get("output", 0))
    )


def fully_connected(view: CallView) -> list[Access]:
    """Return the arrays of a fully connected layer; a visit is a row."""
    rows, depth = view.number("batches"), view.number("input_channels")
    channels = view.number("output_channels")
    blocks, fours = -(-channels // LANES), -(-depth // 4)
    missed = _FIRST_FOURS + (_FIRST_FOURS if fours >= _LONG_FOURS else fours)
    return [
        replace(parameters(view, rows), is_inner=False),
        replace(
            streamed_again(view, FILTERS, rows, blocks),
            preload_pace=_DOT_CYCLES,
            preloaded=1 - min(missed / (blocks * fours), 1),
        ),
        repeated(Role.ARENA, rows, depth, 1, WORD_BYTES),
        scratch(rows * blocks, depth / 2, rows * blocks * -(-depth // 2), rows * -(-depth // 2)),
        replace(
            streamed_again(view, SCALING, rows, blocks),
            is_inner=False,
            preload_pace=_BESIDE_DOT_CYCLES,
        ),
        replace(output(view, rows, channels, LANES), is_inner=False),
    ]
