"""How often each part of the Winograd convolution runs, and its arrays."""

from dataclasses import dataclass, replace

from penstock.kernels.selection.winograd import SIDE
from penstock.planning.estimate.access_parts import WORD_BYTES, parameters
from penstock.planning.estimate.accesses import Access, Hop, Role, Sweep
from penstock.planning.estimate.call_view import CallView
from penstock.planning.estimate.dsp import LANES, Features, inside, is_limited
from penstock.planning.estimate.dsp_accesses import (
    FILTERS,
    SCALING,
    scattered,
    scratch,
    streamed_again,
)

_POSITIONS = SIDE**2
_FINISH_CYCLES = 5
_TRANSFORM_CYCLES = 6
"""From one output, and from one word of a patch, to the next."""
_LATER = 0.5
"""Of the misses of a visit, those between two uses of what it writes anew. Chosen once, between
caches of 4 and of 16 KiB."""
_ROUND_PAIRS = 8
"""Pairs of channels that the inner loop takes in a round."""


@dataclass(frozen=True, slots=True)
class _Runs:
    """How a convolution goes over its patches of 2x2 outputs.

    Attributes:
        sizes: patches of each filling of scratch, all images together.
        pairs: of input channels.
        blocks: of four output channels; the last may be smaller.
    """

    sizes: tuple[int, ...]
    pairs: int
    blocks: int

    @property
    def columns(self) -> int:
        """Pairs of patches, with those that are filled up."""
        return sum(-(-size // 2) for size in self.sizes)


def _runs(view: CallView) -> _Runs:
    across, down = (-(-view.number(f"output_{name}") // 2) for name in ("width", "height"))
    held, total = view.number("scratch_pixels"), across * down
    sizes = [min(held, total - first) for first in range(0, total, held)]
    return _Runs(
        sizes=tuple(sizes * view.number("batches")),
        pairs=view.number("input_channels") // 2,
        blocks=-(-view.number("output_channels") // LANES),
    )


def _line_count(size: int, across: int) -> int:
    """Return about how many lines of patches a filling has, in one piece each."""
    return -(-size // across)


def conv_2d(view: CallView) -> Features:
    """Count what is transformed, and products of four filters with two patches at each position."""
    runs = _runs(view)
    across = -(-view.number("output_width") // 2)
    patches, pairs, blocks = 2 * runs.columns, runs.pairs, runs.blocks
    seen = [inside(view, *axis, SIDE, 2).mean() for axis in (("width", "left"), ("height", "top"))]
    edges = round(patches * (1 - seen[0] * seen[1]))
    channels = view.number("output_channels")
    lines = sum(_line_count(size, across) for size in runs.sizes)
    columns = runs.columns * blocks * _POSITIONS
    outputs = view.number("batches") * view.number("output_height") * view.number("output_width")
    return {
        "call": 1,
        "filling": len(runs.sizes),
        "patch": patches,
        "patch_four": patches * pairs // 2,
        "edge_patch": edges,
        "edge_word": edges * _POSITIONS * pairs // 2,
        "position": len(runs.sizes) * blocks * _POSITIONS,
        "filter_four": len(runs.sizes) * blocks * _POSITIONS * pairs,
        "columns": columns,
        "round": columns * -(-pairs // _ROUND_PAIRS),
        "step": columns * pairs,
        "line": lines * channels,
        "finish": sum(runs.sizes) * channels,
        "limit": is_limited(view) * outputs * channels,
    }


def accesses(view: CallView) -> list[Access]:
    """Return the arrays; a visit is a block of channels of filled scratch."""
    runs = _runs(view)
    fillings, blocks, pairs = len(runs.sizes), runs.blocks, runs.pairs
    visits = fillings * blocks
    held = 2 * runs.columns / fillings
    products = runs.columns * blocks * _POSITIONS * pairs
    return [
        replace(parameters(view, visits), is_inner=False),
        replace(streamed_again(view, FILTERS, fillings, blocks), is_inner=False),
        _patches(view, visits),
        _edges(view, visits),
        _transformed(visits, held / blocks, held, pairs),
        scratch(visits, pairs * LANES, products * LANES, visits * _POSITIONS * pairs * LANES),
        scratch(visits, _POSITIONS * pairs * held, products * 2, 0),
        *_sums(visits, held, runs.columns * blocks),
        replace(streamed_again(view, SCALING, fillings, blocks), is_inner=False),
        scattered(view, visits, sum(runs.sizes) * 4 / fillings, LANES, 1, _FINISH_CYCLES),
    ]


def _transformed(visits: int, patches: float, held: float, pairs: int) -> Access:
    """Return the patches as they are written: every other word of all positions, one by one.

    Args:
        visits: how often the loop goes round.
        patches: that are written in a visit, on average.
        held: patches in scratch.
        pairs: of channels.
    """
    piece = 2 * pairs * WORD_BYTES
    sweeps = (
        Sweep(patches / 2 * _POSITIONS, piece, piece * held / 2, _LATER),
        Sweep(patches / 2 * _POSITIONS, piece, piece * held / 2, 2 / held),
    )
    return Access(
        Role.SCRATCH,
        visits,
        sweeps,
        0,
        round(visits * patches * _POSITIONS * pairs),
        element_bytes=WORD_BYTES,
        hops=(Hop(1.0, piece * held / 2),),
        is_inner=False,
        write_pace=_TRANSFORM_CYCLES,
    )


def _sums(visits: int, held: float, columns: int) -> tuple[Access, Access]:
    """Return the sums of a visit as they are written, and read line by line for each channel."""
    size = _POSITIONS * LANES * held * WORD_BYTES
    count = columns * _POSITIONS * 2 * LANES
    written = Access(
        Role.SCRATCH,
        visits,
        (Sweep(1, size, size, _LATER),),
        0,
        count,
        element_bytes=WORD_BYTES,
        hops=(Hop(1.0, 2 * LANES * WORD_BYTES),),
        burst=2 * LANES,
        is_inner=False,
        write_pace=1,
    )
    again = (Sweep(LANES, size, size, 1 / (2 * LANES)),)
    read = replace(written, sweeps=again, reads=count, writes=0, burst=LANES, write_pace=0.0)
    return written, read


def _edges(view: CallView, visits: int) -> Access:
    """Return what is copied of patches that are not all within the input."""
    words = _POSITIONS * view.number("input_channels") // WORD_BYTES
    count = conv_2d(view)["edge_patch"] * words
    return Access(
        Role.SCRATCH,
        visits,
        (Sweep(2 * count / words / visits, words * WORD_BYTES, words * WORD_BYTES, 0.1),),
        2 * count,
        count,
        element_bytes=WORD_BYTES,
        hops=(Hop(1.0, view.number("input_channels")),),
        burst=4,
        is_inner=False,
    )


def _patches(view: CallView, visits: int) -> Access:
    """Return the input: each patch of 4x4 pixels shares half of its columns and rows."""
    found, depth = conv_2d(view), view.number("input_channels")
    whole = view.number("batches") * view.number("input_height") * view.number("input_row_stride")
    words = _POSITIONS * depth // WORD_BYTES
    # What is copied is read once, the rest for each two of four channels.
    reads = (2 * found["patch"] - found["edge_patch"]) * words
    return Access(
        Role.ARENA,
        visits,
        (
            Sweep(1, whole / visits, whole / visits, None),
            Sweep(1, 3 * whole / visits, 3 * whole / visits, 0.5),
        ),
        reads,
        element_bytes=WORD_BYTES,
        hops=(Hop(1.0, view.number("input_column_stride")),),
        burst=4,
        is_inner=False,
    )
