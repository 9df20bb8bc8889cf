"""The arrays of the kernels with weights, from the parameters of a call."""

from collections.abc import Sequence
from dataclasses import replace

from penstock.ir.tensor import Array
from penstock.planning.estimate.access_parts import (
    LINE_BYTES,
    WORD_BYTES,
    element_bytes,
    output,
    parameters,
    repeated,
    window_hops,
    window_input,
    with_turns,
)
from penstock.planning.estimate.accesses import Access, Hop, Role, Sweep, forward
from penstock.planning.estimate.call_view import CallView
from penstock.planning.estimate.windows import (
    Axis,
    count_patches,
    transposed_axis,
    window_axis,
)


def conv_2d(view: CallView) -> list[Access]:
    """Return the arrays of a convolution."""
    rows, columns = window_axis(view, "height", "top"), window_axis(view, "width", "left")
    return _convolution(view, rows, columns, 1)


def transpose_conv_2d(view: CallView) -> list[Access]:
    """Return the arrays of a transposed convolution."""
    rows, columns = transposed_axis(view, "height", "top"), transposed_axis(view, "width", "left")
    # Neighbours use other taps: the same ones come back after a stride.
    return _convolution(view, rows, columns, view.number("stride_width"))


def _convolution(view: CallView, rows: Axis, columns: Axis, period: int) -> list[Access]:
    patches = count_patches(rows, columns)
    visits = view.number("batches") * patches.pixels
    channels, depth = view.number("output_channels"), view.number("filter_channels")
    groups = view.number("groups")
    own, singles = divmod(channels // groups, view.block)
    blocks = groups * (own + singles)
    taps = patches.taps / patches.pixels
    steps = view.number("batches") * patches.taps * depth
    sweeps = _filter_sweeps(view, taps * depth, visits, period)
    size = view.number("filter_height") * view.number("filter_width") * depth
    source = window_input(view, patches, visits, blocks // groups, steps * blocks)
    inner = (
        _filters(view, visits, sweeps, steps * channels, size, groups * singles / channels),
        replace(source, hops=window_hops(view, patches, depth)),
    )
    return _products(view, visits, blocks, inner)


def depthwise_conv_2d(view: CallView) -> list[Access]:
    """Return the arrays of a depthwise convolution: every block of channels has its own taps."""
    patches = count_patches(window_axis(view, "height", "top"), window_axis(view, "width", "left"))
    images, channels = view.number("batches"), view.number("output_channels")
    visits = images * patches.pixels
    is_blocked = view.call.kernel.name.endswith("_s8")
    per_input = channels // view.number("input_channels")
    block = 4 if is_blocked and (per_input == 1 or per_input % 4 == 0) else 1
    blocks = channels // block + channels % block
    taps = patches.taps / patches.pixels
    steps = images * patches.taps
    filters = Access(
        Role.WEIGHTS,
        visits,
        (
            *_again(taps * channels, visits),
            Sweep(taps * max(blocks - channels / LINE_BYTES, 0), block, channels, 1 / blocks),
        ),
        steps * channels,
        hops=(Hop(1 - 1 / block, 1), Hop(1 / block, channels - block + 1)),
        burst=block,
    )
    run = block if per_input == 1 else 1  # a block of one input reads each tap once
    reads = steps * (channels if per_input == 1 else blocks)
    source = window_input(view, patches, visits, 1, reads)
    source = replace(source, hops=window_hops(view, patches, run), burst=run)
    return _products(view, visits, blocks, (filters, with_turns(source, taps, blocks, run)))


def fully_connected(view: CallView) -> list[Access]:
    """Return the arrays of a fully connected layer."""
    rows, depth = view.number("batches"), view.number("input_channels")
    channels = view.number("output_channels")
    blocks = channels // view.block + channels % view.block
    singles = channels % view.block / channels
    size = element_bytes(view)
    sweeps = _again(depth * channels, rows)
    inner = (
        _filters(view, rows, sweeps, rows * depth * channels, depth, singles),
        repeated(Role.ARENA, rows, depth * size, blocks, size),
    )
    return _products(view, rows, blocks, inner)


def _products(view: CallView, visits: int, blocks: int, inner: Sequence[Access]) -> list[Access]:
    """Return the arrays of a kernel whose inner loop gives a block of channels of a visit.

    Args:
        view: the call.
        visits: how often the outer loop goes round.
        blocks: how often the inner loop begins in a visit.
        inner: what it uses.
    """
    channels = view.number("output_channels")
    outer = (
        *per_channel(view, visits, channels, blocks),
        output(view, visits, channels, channels / blocks),
    )
    rounds = visits * blocks
    return [
        replace(parameters(view, visits), is_inner=False, rounds=rounds),
        *(replace(access, rounds=rounds) for access in inner),
        *(replace(access, is_inner=False, rounds=rounds) for access in outer),
    ]


def _filters(
    view: CallView,
    visits: int,
    sweeps: tuple[Sweep, ...],
    reads: int,
    size_bytes: int,
    singles: float,
) -> Access:
    """Return the filters of dot products: a block reads one element of each of its filters in turn.

    Args:
        view: the call.
        visits: how often the loop goes round.
        sweeps: what each visit touches.
        reads: elements.
        size_bytes: of one filter.
        singles: share of the filters that are not in blocks.
    """
    together = 1 - singles
    hops = (
        Hop(singles, 1),
        Hop(together * (view.block - 1) / view.block, size_bytes),
        Hop(together / view.block, (view.block - 1) * size_bytes),
    )
    burst = 1 / (singles + together / view.block)
    return Access(Role.WEIGHTS, visits, sweeps, reads, hops=hops, burst=burst)


def _filter_sweeps(
    view: CallView, used_bytes: float, visits: int, period: int
) -> tuple[Sweep, ...]:
    """Return the sweeps of the filters, of each of which a pixel uses so many bytes on average."""
    channels = view.number("output_channels")
    size = (
        view.number("filter_height") * view.number("filter_width") * view.number("filter_channels")
    )
    if used_bytes * period > size / 2:
        return _again(used_bytes * channels, visits, period)
    new = min(period, visits) / visits
    piece = used_bytes * period  # taps of neighbours lie between one another
    return (
        Sweep(new * channels / period, piece, size, None),
        Sweep((1 - new) * channels / period, piece, size, period),
    )


def _again(size_bytes: float, visits: int, period: int = 1) -> tuple[Sweep, ...]:
    """Return the sweeps of an array that visits go over as a whole, the same part each period."""
    new = min(period, visits) / visits
    return (
        Sweep(new, size_bytes, size_bytes, None),
        Sweep(1 - new, size_bytes, size_bytes, period),
    )


def per_channel(view: CallView, visits: int, channels: int, blocks: int) -> list[Access]:
    """Return bias, multipliers and shifts: a little of each in every block of channels."""
    found = []
    for position in (3, 4, 5):
        array = view.constant(position)
        if array is not None:
            # A block begins with all of its biases; multipliers and shifts take turns.
            burst = channels / blocks if position == 3 else 1.0
            found.append(_channel_array(array, visits, channels, blocks, burst))
    return found


def _channel_array(array: Array, visits: int, channels: int, blocks: int, burst: float) -> Access:
    piece = array.nbytes / blocks
    return Access(
        Role.WEIGHTS,
        visits,
        (
            *_again(array.nbytes, visits),
            Sweep(max(blocks - array.nbytes / LINE_BYTES, 0), min(piece, 4), piece, 1 / blocks),
        ),
        visits * channels * max(1, array.itemsize // WORD_BYTES),
        element_bytes=min(array.itemsize, WORD_BYTES),
        hops=forward(min(array.itemsize, WORD_BYTES)),
        burst=burst,
    )
