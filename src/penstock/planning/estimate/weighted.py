"""How often each part of the kernels with weights runs."""

from collections.abc import Mapping

import numpy as np

from penstock.planning.estimate.call_view import CallView
from penstock.planning.estimate.windows import (
    Patches,
    count_patches,
    transposed_axis,
    window_axis,
)

Features = dict[str, int]


def conv_2d(view: CallView) -> Features:
    """Count a convolution's pixels, blocks of channels, dot products and their steps."""
    patches = count_patches(window_axis(view, "height", "top"), window_axis(view, "width", "left"))
    adjacent = view.number("dilation_width") == 1 and view.number("groups") == 1
    return _convolution(view, patches, adjacent=adjacent)


def transpose_conv_2d(view: CallView) -> Features:
    """Count a transposed convolution: the same inner loops, never over adjacent taps."""
    patches = count_patches(
        transposed_axis(view, "height", "top"), transposed_axis(view, "width", "left")
    )
    return _convolution(view, patches, adjacent=False)


def _convolution(view: CallView, patches: Patches, *, adjacent: bool) -> Features:
    images, groups = view.number("batches"), view.number("groups")
    depth = view.number("filter_channels")
    blocks, singles = divmod(view.number("output_channels") // groups, view.block)
    visits = images * groups
    runs = patches.rows if adjacent else patches.taps
    long_runs = runs if depth > 1 else patches.wide_rows * adjacent
    found = _pixels(view, patches)
    found["group"] = visits * patches.pixels
    found["mixed"] = visits * patches.pixels * (blocks > 0 and singles > 0)
    for name, count in (("block", blocks), ("single", singles)):
        found[name] = visits * count * patches.pixels
        found[f"{name}_row"] = visits * count * patches.rows
        found[f"{name}_tall"] = visits * count * patches.tall_patches
        found[f"{name}_wide"] = visits * count * patches.wide_rows * (not adjacent)
        found[f"{name}_run"] = visits * count * runs
        found[f"{name}_long_run"] = visits * count * long_runs
        found[f"{name}_step"] = visits * count * patches.taps * depth
    found["conflict_step"] = _conflicts(found["block_step"], view)
    if view.number("filter_offset") != 0:
        found["offset_group"] = visits * patches.pixels
        found["offset_run"] = visits * patches.taps
        found["offset_step"] = visits * patches.taps * depth
    return found


def _pixels(view: CallView, patches: Patches) -> Features:
    """Count what every pixel of a convolution of any kind needs, and its outputs."""
    images = view.number("batches")
    pixels = images * patches.pixels
    outputs = pixels * view.number("output_channels")
    left, changes = count_shifts(view)
    return {
        "call": 1,
        "row": images * view.number("output_height"),
        "pixel": pixels,
        "clip": images * patches.clipped,
        "output": outputs,
        "left_shift": pixels * left,
        "right_shift": outputs - pixels * left,
        "shift_change": pixels * changes,
        "bias": outputs * (view.constant(3) is not None),
        "wide_sum": outputs * _has_wide_sums(view),
    }


def _has_wide_sums(view: CallView) -> bool:
    """Return whether an int16 kernel rescales sums of 64 bits."""
    return view.call.kernel.name.endswith("_s16") and view.number("narrow_sums") == 0


def _conflicts(steps: int, view: CallView) -> int:
    """Return in how many steps bytes of adjacent filters lie in the same 32-bit bank.

    Two bytes d apart, going forward together, share the address bit that picks the bank in
    |4 - d mod 8| of 4 steps.
    """
    size = view.number("filter_height") * view.number("filter_width")
    return steps * abs(4 - size * view.number("filter_channels") % 8) // 4


def count_shifts(view: CallView) -> tuple[int, int]:
    """Return how many channels are shifted left, and how often the direction changes."""
    shifts = view.constant(5)
    channels = view.number("output_channels")
    if shifts is None:
        return 0, 0
    left = np.asarray(shifts, np.int64) >= 0
    if left.size == 1:
        return channels * int(left[0]), 0
    return int(left.sum()), int((left != np.roll(left, 1)).sum())


def depthwise_conv_2d(view: CallView) -> Features:
    """Count a depthwise convolution's pixels, blocks of channels and taps."""
    patches = count_patches(window_axis(view, "height", "top"), window_axis(view, "width", "left"))
    images, channels = view.number("batches"), view.number("output_channels")
    found = _pixels(view, patches)
    for name, count in _depthwise_blocks(view).items():
        found[name] = images * count * patches.pixels
        found[f"{name}_row"] = images * count * patches.rows
        found[f"{name}_tall"] = images * count * patches.tall_patches
        found[f"{name}_wide"] = images * count * patches.wide_rows
        found[f"{name}_step"] = images * count * patches.taps
    if view.number("filter_offset") != 0:
        found["offset_row"] = images * channels * patches.rows
        found["offset_step"] = images * channels * patches.taps
    return found


def _depthwise_blocks(view: CallView) -> Mapping[str, int]:
    channels = view.number("output_channels")
    per_input = channels // view.number("input_channels")
    is_s8 = view.call.kernel.name.endswith("_s8")
    if not is_s8 or (per_input != 1 and per_input % 4 != 0):
        return {"single": channels}
    blocks, singles = divmod(channels, 4)
    return {"block" if per_input == 1 else "shared": blocks, "single": singles}


def fully_connected(view: CallView) -> Features:
    """Count a fully connected layer's rows, blocks of channels and steps."""
    rows, depth = view.number("batches"), view.number("input_channels")
    channels = view.number("output_channels")
    blocks, singles = divmod(channels, view.block)
    found = {
        "call": 1,
        "row": rows,
        "output": rows * channels,
        "bias": rows * channels * (view.constant(3) is not None),
        "wide_sum": rows * channels * _has_wide_sums(view),
        "block": rows * blocks,
        "block_long_run": rows * blocks * (depth > 1),
        "block_step": rows * blocks * depth,
        "conflict_step": rows * blocks * depth * abs(4 - depth % 8) // 4,
        "single": rows * singles,
        "single_long_run": rows * singles * (depth > 1),
        "single_step": rows * singles * depth,
    }
    if view.number("filter_offset") != 0:
        found["offset_row"] = rows
        found["offset_step"] = rows * depth
    return found


def svdf(view: CallView) -> Features:
    """Count an SVDF's filters, their products with the input, and their histories."""
    batches, memory = view.number("batches"), view.number("memory")
    filters = batches * view.number("units") * view.number("rank")
    return {
        "call": 1,
        "unit": batches * view.number("units"),
        "filter": filters,
        "feature_step": filters * view.number("input_channels"),
        "time_step": filters * memory,
    }
