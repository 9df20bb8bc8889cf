"""How often each part of the kernels without zeros runs, and their arrays."""

from dataclasses import replace

from penstock.kernels.sparse_filters import count_pairs
from penstock.planning.estimate.access_parts import output, parameters, repeated
from penstock.planning.estimate.accesses import Access, Role, Sweep, forward
from penstock.planning.estimate.call_view import CallView
from penstock.planning.estimate.dsp import Features, PixelBuffers, limits, pixel_buffers
from penstock.planning.estimate.dsp_accesses import (
    gathered,
    reread,
    scattered,
    scratch,
    streamed_again,
)
from penstock.planning.estimate.weighted import count_shifts
from penstock.planning.estimate.weighted_accesses import per_channel

_FILTERS, _SCALING = 2, 3
_PAIR_BYTES = 3
_ROW_WORDS = 4
_SHORT_PAIRS = 2
"""Of a channel, which the loop takes in one turn."""
_OUTPUT_CYCLES = 4
"""From one output to the next, when their sums are there."""


def _pairs_by_channel(view: CallView) -> list[int]:
    stream = view.constant(_FILTERS)
    assert stream is not None
    return count_pairs(stream, view.number("output_channels"))


def _pairs(view: CallView) -> int:
    return sum(_pairs_by_channel(view))


def _lists(view: CallView) -> Features:
    """Count what the lists of all channels are, each gone through once."""
    counts = _pairs_by_channel(view)
    return {
        "channel": len(counts),
        "busy": sum(count > 0 for count in counts),
        "odd": sum(count % 2 for count in counts),
        "long": sum(count > _SHORT_PAIRS for count in counts),
        "pair": sum(counts),
    }


def _taps(view: CallView) -> int:
    size = view.number("filter_height") * view.number("filter_width")
    return size * view.number("filter_channels")


def _is_point(view: CallView) -> bool:
    return view.number("filter_height") * view.number("filter_width") == 1


def _gathering(view: CallView, pixels: int) -> Features:
    """Count pieces of windows that are copied, where a pixel sees more than one."""
    if _is_point(view):
        return {"point": pixels}
    pieces = pixels * view.number("filter_height") * view.number("filter_width")
    return {
        "gathered": pixels,
        "piece": pieces,
        "piece_word": pieces * (view.number("filter_channels") // 4),
    }


def conv_2d_by_eight(view: CallView) -> Features:
    """Count what is widened, and pairs of entries with eight pixels, or with a lone one."""
    buffers, lists, channels = pixel_buffers(view), _lists(view), view.number("output_channels")
    fours, rest = divmod(_taps(view), 4)
    lone = sum(size == 1 for size in buffers.sizes)
    fillings = len(buffers.sizes) - lone
    some = [size for size in buffers.sizes if 1 < size < view.number("scratch_pixels")]
    return {
        "call": 1,
        "filling": fillings,
        "wide_step": fillings * fours,
        "wide_rest": fillings * rest,
        **{name: fillings * count for name, count in lists.items()},
        "some": len(some),
        "some_pixel": sum(some),
        "some_byte": sum(some) * channels,
        "lone": lone,
        **{f"lone_{name}": lone * count for name, count in lists.items()},
        **_gathering(view, sum(buffers.sizes)),
        **limits(view, sum(buffers.sizes), channels),
    }


def conv_2d(view: CallView) -> Features:
    """Count pixels, their outputs, and pairs of entries."""
    pixels = view.number("batches") * view.number("output_height") * view.number("output_width")
    outputs = pixels * view.number("output_channels")
    left, changes = count_shifts(view)
    return {
        "call": 1,
        "row": view.number("batches") * view.number("output_height"),
        "output": outputs,
        "left_shift": pixels * left,
        "shift_change": pixels * changes,
        "bias": outputs * (view.constant(3) is not None),
        "busy": pixels * _lists(view)["busy"],
        "pair": pixels * _pairs(view),
        **_gathering(view, pixels),
    }


def fully_connected(view: CallView) -> Features:
    """Count rows, their outputs, and pairs of entries."""
    rows, channels = view.number("batches"), view.number("output_channels")
    lists = {name: rows * count for name, count in _lists(view).items() if name != "channel"}
    return {"call": 1, "row": rows, "output": rows * channels, **lists}


def _stream(view: CallView, visits: int) -> Access:
    """Return the filters, all of which each visit reads byte by byte."""
    array = view.constant(_FILTERS)
    assert array is not None
    size = array.nbytes
    sweeps = (
        Sweep(1 / visits, size, size, None),
        Sweep(1 - 1 / visits, size, size, 1),
    )
    return Access(Role.WEIGHTS, visits, sweeps, visits * size, hops=forward(1), burst=_PAIR_BYTES)


def conv_2d_by_eight_accesses(view: CallView) -> list[Access]:
    """Return the arrays of the kernel for the DSP extension; a visit is a filling of scratch."""
    buffers: PixelBuffers = pixel_buffers(view)
    visits, words = len(buffers.sizes), _ROW_WORDS * _taps(view)
    held, channels = sum(buffers.sizes) / visits, view.number("output_channels")
    times = max(2 * _pairs(view) / _taps(view), 1)
    rows = scratch(visits, words, round(visits * words * times), visits * words)
    return [
        replace(parameters(view, visits), is_inner=False),
        _stream(view, visits),
        gathered(view, visits, held / view.number("output_width")),
        reread(rows, times),
        replace(streamed_again(view, _SCALING, visits, 1), is_inner=False),
        scattered(view, visits, held, channels, 1, _OUTPUT_CYCLES),
    ]


def conv_2d_accesses(view: CallView) -> list[Access]:
    """Return the arrays of the kernel in plain C; a visit is a pixel."""
    pixels = view.number("batches") * view.number("output_height") * view.number("output_width")
    channels, taps = view.number("output_channels"), _taps(view)
    read = Access(
        Role.SCRATCH,
        pixels,
        (Sweep(1 / pixels, taps, taps, None), Sweep(1 - 1 / pixels, taps, taps, 1)),
        2 * pixels * _pairs(view),
        pixels * taps,
        hops=forward(1),
    )
    outer = (*per_channel(view, pixels, channels, channels), output(view, pixels, channels))
    return [
        replace(parameters(view, pixels), is_inner=False),
        _stream(view, pixels),
        gathered(view, pixels, 1 / view.number("output_width")),
        *(() if _is_point(view) else (read,)),
        *(replace(array, is_inner=False) for array in outer),
    ]


def _row_accesses(view: CallView) -> tuple[Access, Access, Access]:
    """Return parameters, filters and input of a fully connected layer; a visit is a row."""
    rows, depth = view.number("batches"), view.number("input_channels")
    times = max(2 * _pairs(view) // depth, 1)
    return (
        replace(parameters(view, rows), is_inner=False),
        _stream(view, rows),
        repeated(Role.ARENA, rows, depth, times, 1),
    )


def fully_connected_accesses(view: CallView) -> list[Access]:
    """Return the arrays of the kernel in plain C."""
    rows, channels = view.number("batches"), view.number("output_channels")
    outer = (*per_channel(view, rows, channels, channels), output(view, rows, channels))
    return [*_row_accesses(view), *(replace(array, is_inner=False) for array in outer)]


def fully_connected_dsp_accesses(view: CallView) -> list[Access]:
    """Return the arrays of the kernel for the DSP extension."""
    rows, channels = view.number("batches"), view.number("output_channels")
    outer = (
        streamed_again(view, _SCALING, rows, channels),
        output(view, rows, channels),
    )
    return [*_row_accesses(view), *(replace(array, is_inner=False) for array in outer)]
