"""How often each part of the Winograd convolution runs, and its arrays."""

from dataclasses import dataclass, replace

from penstock.kernels.selection.winograd import VARIANTS, Variant
from penstock.planning.estimate.access_parts import WORD_BYTES, parameters
from penstock.planning.estimate.accesses import Access, Hop, Role, Sweep
from penstock.planning.estimate.call_view import CallView
from penstock.planning.estimate.dsp import LANES, Features, inside, limits
from penstock.planning.estimate.dsp_accesses import (
    FILTERS,
    SCALING,
    scattered,
    scratch,
    streamed_again,
)

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
    """How a convolution goes over its patches.

    Attributes:
        variant: the size of patches.
        sizes: patches of each filling of scratch, all images together.
        pairs: of input channels.
        blocks: of four output channels; the last may be smaller.
    """

    variant: Variant
    sizes: tuple[int, ...]
    pairs: int
    blocks: int

    @property
    def columns(self) -> int:
        """Pairs of patches, with those that are filled up."""
        return sum(-(-size // 2) for size in self.sizes)


def _runs(view: CallView) -> _Runs:
    variant = VARIANTS[view.call.kernel.name]
    across, down = (
        -(-view.number(f"output_{name}") // variant.tile) for name in ("width", "height")
    )
    held, total = view.number("scratch_pixels"), across * down
    sizes = [min(held, total - first) for first in range(0, total, held)]
    return _Runs(
        variant=variant,
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
    variant, positions = runs.variant, runs.variant.positions
    across = -(-view.number("output_width") // variant.tile)
    patches, pairs, blocks = 2 * runs.columns, runs.pairs, runs.blocks
    seen = [
        inside(view, *axis, variant.side, variant.tile).mean()
        for axis in (("width", "left"), ("height", "top"))
    ]
    edges = round(patches * (1 - seen[0] * seen[1]))
    channels = view.number("output_channels")
    lines = sum(_line_count(size, across) for size in runs.sizes)
    columns = runs.columns * blocks * positions
    outputs = view.number("batches") * view.number("output_height") * view.number("output_width")
    return {
        "call": 1,
        "filling": len(runs.sizes),
        "patch": patches,
        "patch_four": patches * pairs // 2,
        "edge_patch": edges,
        "edge_word": edges * positions * pairs // 2,
        "position": len(runs.sizes) * blocks * positions,
        "filter_four": len(runs.sizes) * blocks * positions * pairs,
        "columns": columns,
        "round": columns * -(-pairs // _ROUND_PAIRS),
        "step": columns * pairs,
        "line": lines * channels,
        "finish": sum(runs.sizes) * channels,
        **limits(view, outputs, channels),
    }


def accesses(view: CallView) -> list[Access]:
    """Return the arrays; a visit is a block of channels of filled scratch."""
    runs = _runs(view)
    fillings, blocks, pairs = len(runs.sizes), runs.blocks, runs.pairs
    visits = fillings * blocks
    held = 2 * runs.columns / fillings
    positions = runs.variant.positions
    products = runs.columns * blocks * positions * pairs
    return [
        replace(parameters(view, visits), is_inner=False),
        replace(streamed_again(view, FILTERS, fillings, blocks), is_inner=False),
        _patches(view, visits),
        _edges(view, visits),
        _transformed(runs, visits, held),
        scratch(visits, pairs * LANES, products * LANES, visits * positions * pairs * LANES),
        scratch(visits, positions * pairs * held, products * 2, 0),
        *_sums(runs, visits, held),
        replace(streamed_again(view, SCALING, fillings, blocks), is_inner=False),
        scattered(
            view,
            visits,
            sum(runs.sizes) * runs.variant.tile**2 / fillings,
            LANES,
            1,
            _FINISH_CYCLES,
        ),
    ]


def _transformed(runs: _Runs, visits: int, held: float) -> Access:
    """Return the patches as they are written: every other word of all positions, one by one.

    Args:
        runs: how the convolution goes over its patches.
        visits: how often the loop goes round.
        held: patches in scratch, on average.
    """
    positions, patches = runs.variant.positions, held / runs.blocks
    piece = 2 * runs.pairs * WORD_BYTES
    sweeps = (
        Sweep(patches / 2 * positions, piece, piece * held / 2, _LATER),
        Sweep(patches / 2 * positions, piece, piece * held / 2, 2 / held),
    )
    return Access(
        Role.SCRATCH,
        visits,
        sweeps,
        0,
        round(visits * patches * positions * runs.pairs),
        element_bytes=WORD_BYTES,
        hops=(Hop(1.0, piece * held / 2),),
        is_inner=False,
        write_pace=_TRANSFORM_CYCLES,
    )


def _sums(runs: _Runs, visits: int, held: float) -> tuple[Access, Access]:
    """Return the sums of a visit as they are written, and read line by line for each channel."""
    positions = runs.variant.positions
    size = positions * LANES * held * WORD_BYTES
    count = runs.columns * runs.blocks * positions * 2 * LANES
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
    words = _runs(view).variant.positions * view.number("input_channels") // WORD_BYTES
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
    """Return the input: patches share columns and rows with those beside them."""
    found, variant = conv_2d(view), _runs(view).variant
    whole = view.number("batches") * view.number("input_height") * view.number("input_row_stride")
    words = variant.positions * view.number("input_channels") // WORD_BYTES
    again = (variant.positions / variant.tile**2 - 1) * whole / visits
    # What is copied is read once, the rest for each two of four channels.
    reads = (2 * found["patch"] - found["edge_patch"]) * words
    return Access(
        Role.ARENA,
        visits,
        (Sweep(1, whole / visits, whole / visits, None), Sweep(1, again, again, 0.5)),
        reads,
        element_bytes=WORD_BYTES,
        hops=(Hop(1.0, view.number("input_column_stride")),),
        burst=4,
        is_inner=False,
    )
