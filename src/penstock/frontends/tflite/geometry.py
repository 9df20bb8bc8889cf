"""Padding and slicing as TensorFlow Lite computes them from a model's attributes."""

from dataclasses import dataclass
from typing import Any

import tflite

from penstock.errors import ModelFormatError
from penstock.frontends.tflite.operator_view import OperatorView
from penstock.ir.operators import NO_PADDING, Padding2D


@dataclass(frozen=True, slots=True)
class Window:
    """Where a convolution's or pooling's window goes; all (height, width)."""

    filter: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Padding2D


def read_window(
    view: OperatorView,
    options: Any,
    image: tuple[int, int],
    filter_size: tuple[int, int],
    *,
    dilated: bool,
) -> Window:
    """Return the window of an operator that slides ``filter_size`` over ``image``."""
    stride = (int(options.StrideH()), int(options.StrideW()))
    dilation = (
        (int(options.DilationHFactor()), int(options.DilationWFactor())) if dilated else (1, 1)
    )
    for what, pair in (("stride", stride), ("dilation", dilation), ("filter", filter_size)):
        if min(pair) < 1:
            raise ModelFormatError(f"{view.where} has the {what} {list(pair)}; each must be ≥ 1")
    number = options.Padding()
    if number == tflite.Padding.VALID:
        return Window(filter_size, stride, dilation, NO_PADDING)
    if number != tflite.Padding.SAME:
        raise ModelFormatError(f"{view.where} has the unknown padding {number}")
    top, bottom = _same_padding(image[0], filter_size[0], stride[0], dilation[0])
    left, right = _same_padding(image[1], filter_size[1], stride[1], dilation[1])
    return Window(filter_size, stride, dilation, Padding2D(top, bottom, left, right))


def _same_padding(size: int, filter_size: int, stride: int, dilation: int) -> tuple[int, int]:
    """Return elements before and after, the odd one after."""
    count = -(-size // stride)
    total = max(0, (count - 1) * stride + (filter_size - 1) * dilation + 1 - size)
    return total // 2, total - total // 2


@dataclass(frozen=True, slots=True)
class SliceMasks:
    """Bit masks of a STRIDED_SLICE, one bit per entry of its vectors."""

    begin: int
    end: int
    ellipsis: int
    new_axis: int
    shrink: int


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice with all masks resolved; one entry per dimension of the input."""

    begin: tuple[int, ...]
    extents: tuple[int, ...]
    strides: tuple[int, ...]


def resolve_slice(
    view: OperatorView,
    shape: tuple[int, ...],
    begin: tuple[int, ...],
    end: tuple[int, ...],
    strides: tuple[int, ...],
    masks: SliceMasks,
) -> Slice:
    """Return begin, extent and stride for every dimension of ``shape``."""
    if not len(begin) == len(end) == len(strides):
        raise ModelFormatError(
            f"{view.where} has {len(begin)} begins, {len(end)} ends and {len(strides)} strides"
        )
    entries = _entries_per_dimension(view, len(shape), len(begin), masks)
    resolved = []
    for extent, entry in zip(shape, entries, strict=True):
        if entry is None:
            resolved.append((0, extent, 1))
            continue
        bit = 1 << entry
        resolved.append(
            _resolve_dimension(
                view,
                extent,
                (
                    None if masks.begin & bit else begin[entry],
                    None if masks.end & bit else end[entry],
                    strides[entry],
                ),
                shrink=bool(masks.shrink & bit),
            )
        )
    firsts, extents, steps = zip(*resolved, strict=True) if resolved else ((), (), ())
    return Slice(tuple(firsts), tuple(extents), tuple(steps))


def _entries_per_dimension(
    view: OperatorView, rank: int, count: int, masks: SliceMasks
) -> list[int | None]:
    """Return for each input dimension the vector entry that slices it; None means all of it."""
    is_ellipsis = [bool(masks.ellipsis >> entry & 1) for entry in range(count)]
    if sum(is_ellipsis) > 1:
        raise ModelFormatError(f"{view.where} has more than one ellipsis")
    consuming = [
        entry
        for entry in range(count)
        if not is_ellipsis[entry] and not masks.new_axis >> entry & 1
    ]
    if len(consuming) > rank:
        raise ModelFormatError(f"{view.where} slices {len(consuming)} of {rank} dimensions")
    position = is_ellipsis.index(True) if any(is_ellipsis) else count
    before = [entry for entry in consuming if entry < position]
    after = [entry for entry in consuming if entry > position]
    whole: list[int | None] = [None] * (rank - len(consuming))
    return [*before, *whole, *after]


def _resolve_dimension(
    view: OperatorView,
    extent: int,
    bounds: tuple[int | None, int | None, int],
    *,
    shrink: bool,
) -> tuple[int, int, int]:
    begin, end, stride = bounds
    if stride == 0:
        raise ModelFormatError(f"{view.where} has a stride of 0")
    if shrink:
        index = 0 if begin is None else begin + extent if begin < 0 else begin
        if not 0 <= index < extent or stride < 0:
            raise ModelFormatError(f"{view.where} takes element {begin} of a dimension of {extent}")
        return index, 1, 1
    indices = range(*slice(begin, end, stride).indices(extent))
    if not indices:
        raise view.refuse(f"takes no element ({begin}:{end}:{stride} of {extent})")
    return indices[0], len(indices), stride
