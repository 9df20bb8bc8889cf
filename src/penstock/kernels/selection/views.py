"""Tensors as extents and strides of the C library's rank (``penstock/iteration.h``)."""

from collections.abc import Sequence

RANK_MAX = 6


def dense_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the strides, in elements, of a tensor without gaps."""
    strides: list[int] = []
    step = 1
    for extent in reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(reversed(strides))


def broadcast_strides(shape: Sequence[int], output_shape: Sequence[int]) -> tuple[int, ...]:
    """Return strides that read a tensor as if it had the output's shape: 0 where it repeats."""
    leading = len(output_shape) - len(shape)
    padded = (1,) * leading + tuple(shape)
    strides = (0,) * leading + dense_strides(shape)
    return tuple(
        0 if extent == 1 else stride for extent, stride in zip(padded, strides, strict=True)
    )


def merge_dimensions(
    extents: Sequence[int], *strides: Sequence[int]
) -> tuple[tuple[int, ...], ...] | None:
    """Return extents and all strides with as few dimensions as walk the same elements.

    Dimensions of extent 1 vanish, and two adjacent ones become one where every tensor steps
    evenly across both. The result is filled up to `RANK_MAX` dimensions.

    Returns:
        Extents first, then each of ``strides``; None when more than `RANK_MAX` remain.
    """
    merged: list[tuple[int, tuple[int, ...]]] = []
    for extent, *steps in zip(extents, *strides, strict=True):
        if extent == 1:
            continue
        if merged and all(
            outer == inner * extent for outer, inner in zip(merged[-1][1], steps, strict=True)
        ):
            merged[-1] = (merged[-1][0] * extent, tuple(steps))
        else:
            merged.append((extent, tuple(steps)))
    missing = RANK_MAX - len(merged)
    if missing < 0:
        return None
    if not merged:
        # A single element: the strides are never used, but 1 lets kernels see adjacent elements.
        return ((1,) * RANK_MAX,) + ((0,) * (RANK_MAX - 1) + (1,),) * len(strides)
    rows = [(extent, *steps) for extent, steps in merged]
    filled = [(1,) + (0,) * len(strides)] * missing + rows
    return tuple(zip(*filled, strict=True))
