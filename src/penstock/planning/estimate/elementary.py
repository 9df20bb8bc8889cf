"""How often each part of the kernels without weights runs."""

import math
from collections.abc import Sequence

import numpy as np

from penstock.planning.estimate.call_view import CallView
from penstock.planning.estimate.weighted import Features
from penstock.planning.estimate.windows import count_patches, window_axis

_ONE_WAY_SHIFTS = ("headroom_shift", "left_right_shift", "right_right_shift")
_BYTE_VALUES = 256


def _walk(extents: Sequence[int]) -> Features:
    """Count the runs of a walk (``penstock/iteration.h``), their elements, and carries."""
    outer = extents[:-1]
    runs = math.prod(outer)
    carries = sum(math.prod(outer[:axis]) for axis in range(len(outer)))
    return {
        "run": runs,
        "carry": carries,
        "long_run": runs * (extents[-1] > 1),
        "element": runs * extents[-1],
    }


def _shifts(view: CallView, elements: int) -> Features:
    """Count rescalings by parameter and direction: the code of the two differs."""
    return {
        f"{'right' if value < 0 else 'left'}_{name}": elements
        for name, value in view.fields.items()
        if name.endswith("shift") and name not in _ONE_WAY_SHIFTS and isinstance(value, int)
    }


def walking(view: CallView) -> Features:
    """Count a kernel that walks over its tensors element by element."""
    walk = _walk(view.numbers("extents"))
    return {"call": 1, **walk, **_shifts(view, walk["element"])}


def adding(view: CallView) -> Features:
    """Count a sum by whether both operands have the same scale, and elements are adjacent."""
    walk = _walk(view.numbers("extents"))
    alike = "" if view.number("right_shift") else "alike_"
    steps = {view.numbers(f"{name}_strides")[-1] for name in ("left", "right", "output")}
    limits = view.number("activation_min"), view.number("activation_max")
    length = view.numbers("extents")[-1]
    fours = length // 4 if steps == {1} and limits == (-128, 127) else 0
    return {
        "call": 1,
        **walk,
        "element": 0,
        f"{alike}four": walk["run"] * fours,
        f"{alike}element": walk["element"] - walk["run"] * fours * 4,
    }


def counting(view: CallView) -> Features:
    """Count a kernel that goes over ``count`` adjacent elements."""
    elements = view.number("count")
    return {
        "call": 1,
        "long_run": int(elements > 1),
        "element": elements,
        **_shifts(view, elements),
    }


def strided_copy(view: CallView) -> Features:
    """Count a copy: bytes of adjacent elements go by memcpy, others one by one."""
    walk = _walk(view.numbers("extents"))
    size = view.number("element_bytes")
    steps = (view.numbers("input_strides")[-1], view.numbers("output_strides")[-1])
    found = {"call": 1, "run": walk["run"], "carry": walk["carry"]}
    if steps != (1, 1):
        return found | {
            "element": walk["element"],
            "element_byte": walk["element"] * size,
        }
    length = view.numbers("extents")[-1] * size
    starts = [view.number(f"{side}_start") * size for side in ("input", "output")]
    rest = math.gcd(*(step * size for step in view.numbers("input_strides")[:-1]), 4)
    rest = math.gcd(*(step * size for step in view.numbers("output_strides")[:-1]), rest)
    aligned = all(start % 4 == 0 for start in starts) and rest == 4
    kind = "aligned" if aligned else "unaligned"
    return found | {f"{kind}_copy": walk["run"], f"{kind}_byte": walk["run"] * length}


def pad(view: CallView) -> Features:
    """Count the filling of the output and the copy of the input."""
    elements, size = view.number("output_count"), view.number("element_bytes")
    filled = {"fill_byte": elements} if size == 1 else {"fill_element": elements}
    return strided_copy(view) | filled


def pool_2d(view: CallView) -> Features:
    """Count a pooling's pixels, outputs and taps."""
    patches = count_patches(window_axis(view, "height", "top"), window_axis(view, "width", "left"))
    images, channels = view.number("batches"), view.number("channels")
    each = images * channels
    return {
        "call": 1,
        "row": images * view.number("output_height"),
        "pixel": images * patches.pixels,
        "clip": images * patches.clipped,
        "output": each * patches.pixels,
        "tap_row": each * patches.rows,
        "tall": each * patches.tall_patches,
        "wide": each * patches.wide_rows,
        "step": each * patches.taps,
    }


_BY_FOURS = ("call", "row", "pixel", "clip")


def pool_2d_by_fours(view: CallView) -> Features:
    """Count the same where four channels are taken together, and columns by fours."""
    rows, columns = window_axis(view, "height", "top"), window_axis(view, "width", "left")
    groups = view.number("batches") * view.number("channels") // 4
    found = {name: value for name, value in pool_2d(view).items() if name in _BY_FOURS}
    is_joined = columns.taps * view.number("input_column_stride") == view.number("input_row_stride")
    lines = np.where(is_joined, 1, rows.taps[:, None])
    line = np.where(is_joined, np.multiply.outer(rows.taps, columns.taps), columns.taps)
    return found | {
        "four": groups * lines.size,
        "line": groups * int(lines.sum()),
        "step": groups * int((lines * (line // 4)).sum()),
        "rest": groups * int((lines * (line % 4)).sum()),
    }


def mean(view: CallView) -> Features:
    """Count an average's outputs and what each sums up."""
    kept, reduced = _walk(view.numbers("kept_extents")), _walk(view.numbers("reduced_extents"))
    outputs = kept["element"]
    return {
        "call": 1,
        "run": kept["run"],
        "output": outputs,
        "reduced_run": outputs * reduced["run"],
        "reduced_carry": outputs * reduced["carry"],
        "reduced_long_run": outputs * reduced["long_run"],
        "step": outputs * reduced["element"],
        **_shifts(view, outputs),
    }


def softmax(view: CallView) -> Features:
    """Count a softmax's rows and elements, and those near enough to the largest to matter.

    How many are near depends on the data: here values are as likely as one another.
    """
    rows = view.number("rows")
    elements = rows * view.number("columns")
    found = {"call": 1, "row": rows, "element": elements}
    if "table_size" in view.fields:
        found["near"] = near_elements(view)
    return found


def near_elements(view: CallView) -> int:
    """Return how many elements of an 8-bit softmax look into its table."""
    columns = view.number("columns")
    others = (columns - 1) * view.number("table_size") // _BYTE_VALUES
    return view.number("rows") * (1 + others)
