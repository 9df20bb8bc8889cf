"""How many filter taps lie inside the input: the clipping of ``penstock/window.h``, counted."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penstock.planning.estimate.call_view import CallView

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """One spatial dimension of a windowed kernel, by output position.

    Attributes:
        taps: filter taps inside the input, 0 where all are padding.
        clips_begin: positions whose window begins before the input.
        clips_end: positions whose window ends behind it.
    """

    taps: Counts
    clips_begin: int
    clips_end: int


def window_axis(view: CallView, dimension: str, edge: str) -> Axis:
    """Return an axis of a convolution or pooling call.

    Args:
        view: the call.
        dimension: ``height`` or ``width``.
        edge: where the padding is: ``top`` or ``left``.
    """
    taps, extent = view.number(f"filter_{dimension}"), view.number(f"input_{dimension}")
    dilation = view.number(f"dilation_{dimension}") if f"dilation_{dimension}" in view.fields else 1
    origin = np.arange(view.number(f"output_{dimension}")) * view.number(
        f"stride_{dimension}"
    ) - view.number(f"padding_{edge}")
    begins, ends = origin < 0, origin + (taps - 1) * dilation >= extent
    first = np.where(begins, (dilation - 1 - origin) // dilation, 0)
    end = np.where(ends, np.maximum((extent - origin + dilation - 1) // dilation, 0), taps)
    inside = np.maximum(end - np.minimum(first, end), 0)
    return Axis(inside, int(begins.sum()), int(ends.sum()))


def transposed_axis(view: CallView, dimension: str, edge: str) -> Axis:
    """Return an axis of a transposed convolution, where output positions gather their inputs."""
    taps, extent = view.number(f"filter_{dimension}"), view.number(f"input_{dimension}")
    stride = view.number(f"stride_{dimension}")
    position = np.arange(view.number(f"output_{dimension}")) + view.number(f"padding_{edge}")
    tap, at = position % stride, position // stride
    beyond = at >= extent
    tap = np.where(beyond, tap + (at - extent + 1) * stride, tap)
    at = np.where(beyond, extent - 1, at)
    available = np.minimum((taps - 1 - tap) // stride + 1, at + 1)
    return Axis(np.where(tap < taps, available, 0), 0, int(beyond.sum()))


@dataclass(frozen=True, slots=True)
class Patches:
    """Sums over the output positions of one image.

    Attributes:
        pixels: positions.
        rows: rows of taps inside the input.
        taps: taps inside the input.
        wide_rows: rows of two taps or more, whose loop goes round.
        tall_patches: positions with two rows or more.
        clipped: positions whose window is cut, once for each of the four edges that cut it.
    """

    pixels: int
    rows: int
    taps: int
    wide_rows: int
    tall_patches: int
    clipped: int


def count_patches(rows: Axis, columns: Axis) -> Patches:
    """Return the sums over all pairs of an output row and an output column."""
    height, width = len(rows.taps), len(columns.taps)
    reached_columns = int((columns.taps > 0).sum())
    return Patches(
        pixels=height * width,
        rows=int(rows.taps.sum()) * reached_columns,
        taps=int(rows.taps.sum() * columns.taps.sum()),
        wide_rows=int(rows.taps.sum() * (columns.taps > 1).sum()),
        tall_patches=int((rows.taps > 1).sum()) * reached_columns,
        clipped=(rows.clips_begin + rows.clips_end) * width
        + (columns.clips_begin + columns.clips_end) * height,
    )
