"""Arrays that calls of several kernels have in common."""

from dataclasses import replace

from penstock.kernels.kernel_graph import StructArgument
from penstock.planning.estimate.accesses import Access, Hop, Role, Sweep, forward
from penstock.planning.estimate.call_view import CallView
from penstock.planning.estimate.windows import Patches

WORD_BYTES = 4
LINE_BYTES = 32
"""A line of most caches, where it matters how many blocks of channels share one."""

_LITERAL_BYTES = 16
"""Addresses that the code of a call takes from beside it."""


def element_bytes(view: CallView) -> int:
    """Return the bytes of an activation."""
    return 2 if view.call.kernel.name.endswith("_s16") else 1


def parameters(view: CallView, visits: int) -> Access:
    """Return the structures of parameters, which each visit looks into."""
    size = sum(
        WORD_BYTES * (len(value) if isinstance(value, tuple) else 1)
        for argument in view.call.arguments
        if isinstance(argument, StructArgument)
        for _, value in argument.fields
    )
    first = Sweep(1 / visits, size, 2 * size + 1, None)
    again = Sweep((visits - 1) / visits, size, size, 1)
    literals = Sweep(1 / visits, _LITERAL_BYTES, 2 * _LITERAL_BYTES + 1, None)
    sweeps = (first, again, literals)
    return Access(Role.CODE, visits, sweeps, visits * size // 4, element_bytes=4)


def window_input(
    view: CallView, patches: Patches, visits: int, blocks: float, reads: int
) -> Access:
    """Return the input of a kernel that slides a window: overlaps come back at the next visit."""
    size = element_bytes(view)
    pixel = view.number("input_column_stride") * size
    rows = patches.rows / patches.pixels
    columns = patches.taps / max(patches.rows, 1)
    height_step, width_step = view.number("stride_height"), view.number("stride_width")
    if view.call.kernel.name.startswith("ps_transpose"):
        height_step = width_step = 1
    row_bytes = view.number("input_row_stride") * size
    new = min(1.0, width_step / max(columns, 1))
    from_above = max(0.0, 1 - height_step / max(rows, 1))
    width = view.number("output_width")
    sweeps = [
        _strip(rows * (1 - from_above), columns, width_step, pixel, row_bytes, None),
        _strip(rows * from_above, columns, width_step, pixel, row_bytes, width),
        Sweep(rows * (1 - new), columns * pixel, row_bytes, 1),
        Sweep(rows * max(blocks - 1, 0), columns * pixel, row_bytes, 1 / max(blocks, 1)),
    ]
    kept = tuple(sweep for sweep in sweeps if sweep.stretches > 0)
    return Access(Role.ARENA, visits, kept, reads, element_bytes=size)


def _strip(
    rows: float, columns: float, step: int, pixel_bytes: int, row_bytes: int, interval: float | None
) -> Sweep:
    """Return what a window finds at its front edge, which leaves pixels out or goes on smoothly."""
    if step * pixel_bytes <= max(LINE_BYTES, columns * pixel_bytes):
        return Sweep(rows, step * pixel_bytes, row_bytes, interval, is_joined=True)
    return Sweep(rows, columns * pixel_bytes, row_bytes, interval)


def window_hops(view: CallView, patches: Patches, run: int) -> tuple[Hop, ...]:
    """Return the ways of a window over an input, of each tap of which a run is read."""
    size = element_bytes(view)
    rows = patches.rows / max(patches.taps, 1) / run
    columns = 1 / run - rows
    pixel, row_bytes = view.number("input_column_stride") * size, view.number("input_row_stride")
    return (
        Hop(1 - rows - columns, size),
        Hop(columns, max(pixel - (run - 1) * size, size)),
        Hop(rows, row_bytes * size),
    )


def with_turns(access: Access, taps: float, blocks: int, block: int) -> Access:
    """Return an access whose every tap is touched anew by each block of channels."""
    size = block * access.element_bytes
    pixel = blocks * size
    again = Sweep(taps * max(blocks - pixel / LINE_BYTES, 0), size, pixel, 1 / blocks)
    return replace(access, sweeps=(*access.sweeps, again))


def repeated(role: Role, visits: int, size_bytes: int, times: int, read_bytes: int) -> Access:
    """Return an array that each visit goes over several times, from beginning to end."""
    sweeps = (
        Sweep(1, size_bytes, size_bytes, None),
        Sweep(times - 1, size_bytes, size_bytes, 1 / times),
    )
    reads = visits * times * size_bytes // read_bytes
    return Access(role, visits, sweeps, reads, element_bytes=read_bytes, hops=forward(read_bytes))


def output(view: CallView, visits: int, channels: int, burst: float = 1.0) -> Access:
    """Return what each visit writes, so many elements without turning to another array."""
    element = element_bytes(view)
    size = channels * element
    sweeps = (Sweep(1, size, size, None),)
    writes = visits * channels
    return Access(Role.ARENA, visits, sweeps, 0, writes, element, forward(element), burst)
