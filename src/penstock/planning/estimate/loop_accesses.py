"""The arrays of each kernel, from the parameters of a call."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from penstock.ir.tensor import Array
from penstock.kernels.kernel_graph import (
    ConstantArgument,
    KernelCall,
    KernelGraph,
    StructArgument,
    TensorArgument,
)
from penstock.planning.estimate.accesses import Access, Role, Sweep, streamed
from penstock.planning.estimate.call_view import CallView, view_call
from penstock.planning.estimate.elementary import near_elements
from penstock.planning.estimate.windows import (
    Axis,
    Patches,
    count_patches,
    transposed_axis,
    window_axis,
)

_PARAMETER_BYTES = 4
_LITERAL_BYTES = 16
"""Addresses that the code of a call takes from beside it."""

_IN_RUNS = 0.9
"""Share of an input's reads that go on where the last one ended: all but the first of a run."""

_LINE_BYTES = 32
"""A line of most caches, where it matters how many blocks of channels share one."""

_BLOCKS = {"s8": 4, "s16": 2}
"""Output channels that an inner loop computes together, by the kernel's type."""


def call_accesses(program: KernelGraph, call: KernelCall) -> tuple[Access, ...]:
    """Return what a call reads and writes."""
    view = view_call(program, call)
    header = call.kernel.header.removeprefix("penstock/").removesuffix(".h")
    describe = _BY_HEADER.get(header, _once)
    return tuple(describe(view))


def _parameters(view: CallView, visits: int) -> Access:
    """Return the structures of parameters, which each visit looks into."""
    size = sum(
        _PARAMETER_BYTES * (len(value) if isinstance(value, tuple) else 1)
        for argument in view.call.arguments
        if isinstance(argument, StructArgument)
        for _, value in argument.fields
    )
    first = Sweep(1 / visits, size, 2 * size + 1, None)
    again = Sweep((visits - 1) / visits, size, size, 1)
    literals = Sweep(1 / visits, _LITERAL_BYTES, 2 * _LITERAL_BYTES + 1, None)
    return Access(Role.CODE, visits, (first, again, literals), visits * size // 4, 4)


def _element_bytes(view: CallView) -> int:
    return 2 if view.call.kernel.name.endswith("_s16") else 1


def _conv_2d(view: CallView) -> list[Access]:
    rows, columns = window_axis(view, "height", "top"), window_axis(view, "width", "left")
    return _convolution(view, rows, columns, 1)


def _transpose_conv_2d(view: CallView) -> list[Access]:
    rows, columns = transposed_axis(view, "height", "top"), transposed_axis(view, "width", "left")
    # Neighbours use other taps: the same ones come back after a stride.
    return _convolution(view, rows, columns, view.number("stride_width"))


def _convolution(view: CallView, rows: Axis, columns: Axis, period: int) -> list[Access]:
    patches = count_patches(rows, columns)
    visits = view.number("batches") * patches.pixels
    channels, depth = view.number("output_channels"), view.number("filter_channels")
    groups, block = view.number("groups"), _BLOCKS[view.call.kernel.name.rsplit("_", 1)[1]]
    own, singles = divmod(channels // groups, block)
    blocks = groups * (own + singles)
    taps = patches.taps / patches.pixels
    steps = view.number("batches") * patches.taps * depth
    filters = Access(
        Role.WEIGHTS,
        visits,
        _filter_sweeps(view, taps * depth, visits, period),
        steps * channels,
        1,
        groups * singles / channels,
    )
    return [
        _parameters(view, visits),
        filters,
        _patch_input(view, patches, visits, blocks // groups, steps * blocks),
        *_per_channel(view, visits, channels, blocks),
        _output(view, visits, channels),
    ]


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


def _patch_input(
    view: CallView, patches: Patches, visits: int, blocks: float, reads: int
) -> Access:
    """Return the input of a kernel that slides a window: overlaps come back at the next visit."""
    size = _element_bytes(view)
    pixel = view.number("input_column_stride") * size
    rows = patches.rows / patches.pixels
    columns = patches.taps / max(patches.rows, 1)
    height_step, width_step = view.number("stride_height"), view.number("stride_width")
    if view.call.kernel.name.startswith("ps_transpose"):
        height_step = width_step = 1
    row_bytes = view.number("input_row_stride") * size
    fresh = min(1.0, width_step / max(columns, 1))
    from_above = max(0.0, 1 - height_step / max(rows, 1))
    width = view.number("output_width")
    sweeps = [
        Sweep(rows * fresh * (1 - from_above), columns * pixel, row_bytes, None),
        Sweep(rows * fresh * from_above, columns * pixel, row_bytes, width),
        Sweep(rows * (1 - fresh), columns * pixel, row_bytes, 1),
        Sweep(rows * max(blocks - 1, 0), columns * pixel, row_bytes, 1 / max(blocks, 1)),
    ]
    kept = tuple(sweep for sweep in sweeps if sweep.stretches > 0)
    return Access(Role.ARENA, visits, kept, reads, size, _IN_RUNS)


def _per_channel(view: CallView, visits: int, channels: int, blocks: int) -> list[Access]:
    """Return bias, multipliers and shifts: a little of each in every block of channels."""
    found = []
    for position in (3, 4, 5):
        array = view.constant(position)
        if array is not None:
            found.append(_channel_array(array, visits, channels, blocks))
    return found


def _channel_array(array: Array, visits: int, channels: int, blocks: int) -> Access:
    piece = array.nbytes / blocks
    return Access(
        Role.WEIGHTS,
        visits,
        (
            *_again(array.nbytes, visits),
            Sweep(max(blocks - array.nbytes / _LINE_BYTES, 0), min(piece, 4), piece, 1 / blocks),
        ),
        visits * channels,
        array.itemsize,
        0.0,
    )


def _output(view: CallView, visits: int, channels: int) -> Access:
    size = channels * _element_bytes(view)
    return Access(Role.ARENA, visits, (Sweep(1, size, size, None),), 0)


def _depthwise(view: CallView) -> list[Access]:
    patches = count_patches(window_axis(view, "height", "top"), window_axis(view, "width", "left"))
    images, channels = view.number("batches"), view.number("output_channels")
    visits = images * patches.pixels
    is_blocked = view.call.kernel.name.endswith("_s8")
    per_input = channels // view.number("input_channels")
    block = 4 if is_blocked and (per_input == 1 or per_input % 4 == 0) else 1
    blocks = channels // block + channels % block
    taps = patches.taps / patches.pixels
    steps = images * patches.taps
    share = 0.75 if block == 4 else 0.0
    filters = Access(
        Role.WEIGHTS,
        visits,
        (
            *_again(taps * channels, visits),
            Sweep(taps * max(blocks - channels / _LINE_BYTES, 0), block, channels, 1 / blocks),
        ),
        steps * channels,
        1,
        share,
    )
    return [
        _parameters(view, visits),
        filters,
        _with_turns(_patch_input(view, patches, visits, 1, steps * channels), taps, blocks, block),
        *_per_channel(view, visits, channels, blocks),
        _output(view, visits, channels),
    ]


def _with_turns(access: Access, taps: float, blocks: int, block: int) -> Access:
    """Return an access whose every tap is touched anew by each block of channels."""
    size = block * access.element_bytes
    pixel = blocks * size
    again = Sweep(taps * max(blocks - pixel / _LINE_BYTES, 0), size, pixel, 1 / blocks)
    return replace(access, sweeps=(*access.sweeps, again))


def _fully_connected(view: CallView) -> list[Access]:
    rows, depth = view.number("batches"), view.number("input_channels")
    channels = view.number("output_channels")
    block = _BLOCKS[view.call.kernel.name.rsplit("_", 1)[1]]
    blocks = channels // block + channels % block
    size = _element_bytes(view)
    filters = Access(
        Role.WEIGHTS,
        rows,
        _again(depth * channels, rows),
        rows * depth * channels,
        1,
        (channels % block) / channels,
    )
    source = Access(
        Role.ARENA,
        rows,
        (
            Sweep(1, depth * size, depth * size, None),
            Sweep(blocks - 1, depth * size, depth * size, 1 / blocks),
        ),
        rows * depth * blocks,
        size,
        _IN_RUNS,
    )
    return [
        _parameters(view, rows),
        filters,
        source,
        *_per_channel(view, rows, channels, blocks),
        _output(view, rows, channels),
    ]


def _pool_2d(view: CallView) -> list[Access]:
    patches = count_patches(window_axis(view, "height", "top"), window_axis(view, "width", "left"))
    images, channels = view.number("batches"), view.number("channels")
    visits = images * patches.pixels
    steps = images * patches.taps * channels
    source = _patch_input(view, patches, visits, 1, steps)
    taps = patches.taps / patches.pixels
    return [
        _parameters(view, visits),
        _with_turns(source, taps, channels, 1),
        _output(view, visits, channels),
    ]


def _mean(view: CallView) -> list[Access]:
    """Each output walks over what it averages; neighbours find the same lines."""
    outputs = math.prod(view.numbers("kept_extents"))
    reduced = math.prod(view.numbers("reduced_extents"))
    step = abs(view.numbers("reduced_strides")[-1]) * _element_bytes(view)
    size = _element_bytes(view)
    fresh = min(1.0, size / _LINE_BYTES) if step >= _LINE_BYTES else 1.0
    sweeps = (
        Sweep(reduced * fresh, size, step, None),
        Sweep(reduced * (1 - fresh), size, step, 1),
    )
    return [
        _parameters(view, outputs),
        Access(Role.ARENA, outputs, sweeps, outputs * reduced, size),
        _output(view, 1, outputs),
    ]


def _once(view: CallView) -> list[Access]:
    """Return the arrays of a kernel that goes over its operands once."""
    found = [_parameters(view, 1)]
    outputs = (view.program.graph.tensors[name].element_count for name in view.call.writes)
    elements = max(outputs, default=0)
    if "table_size" in view.fields:
        elements = near_elements(view)
    for argument in view.call.arguments:
        if isinstance(argument, TensorArgument):
            tensor = view.program.graph.tensors[argument.tensor]
            reads = 0 if argument.is_written else tensor.element_count
            found.append(streamed(Role.ARENA, tensor.size_bytes, reads, tensor.dtype.size_bytes))
        elif isinstance(argument, ConstantArgument) and argument.constant is not None:
            array = view.program.constants[argument.constant]
            found.append(_table(array, elements))
    return found


def _table(array: Array, elements: int) -> Access:
    """Return a constant that elements look into: no more of it than there are elements."""
    touched = Sweep(elements, array.itemsize, 2 * _LINE_BYTES, None)
    whole = Sweep(1, array.nbytes, array.nbytes, None)
    sweep = touched if elements * _LINE_BYTES < array.nbytes else whole
    return Access(Role.WEIGHTS, 1, (sweep,), elements, array.itemsize)


_BY_HEADER: dict[str, Callable[[CallView], Sequence[Access]]] = {
    "conv_2d": _conv_2d,
    "depthwise_conv_2d": _depthwise,
    "transpose_conv_2d": _transpose_conv_2d,
    "fully_connected": _fully_connected,
    "pool_2d": _pool_2d,
    "mean": _mean,
}
