"""Kernel calls in parts: what a part of the output needs of each argument, and its parameters.

A tile is the same kernel with other parameters on windows of the same arguments. Whoever runs it
may leave the windows where they are, or copy them elsewhere first: nothing outside is touched. Rows
of inputs that two tiles need are in both windows: halos are read twice, never computed twice.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from penstock.kernels.kernel_graph import (
    ConstantArgument,
    FieldValue,
    KernelCall,
    KernelGraph,
    StructArgument,
    TensorArgument,
)
from penstock.kernels.selection.dsp import LANES
from penstock.kernels.sparse_filters import END_BYTES

_RUNS: Mapping[str, Mapping[str, int]] = {
    "pairwise": {"left_strides": 1, "right_strides": 2, "output_strides": 3},
    "table": {"input_strides": 1, "output_strides": 3},
}
"""Parameters by which kernels that work element by element are known, and arguments' positions."""
_IMAGE_RANK = 4
_RUN_ARGUMENTS = 4
_RUN_ELEMENTS = 64
"""A row of an operator without rows: elements enough for whole bursts of DMA."""
_SPATIAL = ("ps_conv_2d_", "ps_depthwise_conv_2d_", "ps_average_pool_2d_", "ps_max_pool_2d_")
_BY_FILTER = ("ps_conv_2d_", "ps_fully_connected_")
_IN_BLOCKS = (
    "ps_conv_2d_dsp_s8",
    "ps_conv_2d_int4_dsp_s8",
    "ps_fully_connected_int4_dsp_s8",
    "ps_conv_2d_winograd_2x2_dsp_s8",
    "ps_conv_2d_winograd_4x4_dsp_s8",
    "ps_fully_connected_dsp_s8",
    "ps_fully_connected_mve_s8",
)
"""Kernels whose filters come in blocks of `LANES` channels, the last one filled up."""
_ALL_IN_BLOCKS = ("ps_conv_2d_mve_s8",)
"""Kernels of which the other constants do as well."""
_PARAMS, _INPUT, _FILTERS = 0, 1, 2
"""Positions of arguments, in the order of the C declarations; the output is the last."""


@dataclass(frozen=True, slots=True)
class Window:
    """Bytes of one argument, from its first to its last that is touched."""

    offset_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a kernel call.

    Attributes:
        params: parameters of the part.
        windows: by position of the argument, for tensors and constants; the pointer to hand over is
            that of the window's first byte.
    """

    params: StructArgument
    windows: Mapping[int, Window]


@dataclass(frozen=True, slots=True)
class _Call:
    """A call whose first argument are its parameters, and the bytes of an element of each other."""

    all_fields: Mapping[str, FieldValue]
    ctype: str
    element_bytes: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def fields(self) -> dict[str, int]:
        return {name: value for name, value in self.all_fields.items() if isinstance(value, int)}

    @property
    def output(self) -> int:
        return len(self.sizes) - 1

    def whole(self) -> dict[int, Window]:
        """Return windows of all of every argument."""
        return {n: Window(0, size) for n, size in enumerate(self.sizes) if size}

    def params(self, changes: Mapping[str, int]) -> StructArgument:
        merged = {**self.all_fields, **changes}
        return StructArgument(self.ctype, tuple(merged.items()))


def row_count(call: KernelCall) -> int:
    """Return into how many rows of output a call can be parted; 1 for one that cannot.

    What works element by element on tensors of one shape has rows of 64 elements.
    """
    elements = _run_elements(call)
    if elements:
        return -(-elements // _RUN_ELEMENTS)
    fields = _fields(call)
    if not call.kernel.name.startswith(_SPATIAL) or fields.get("batches") != 1:
        return 1
    if fields["output_row_stride"] < fields["output_column_stride"]:
        return 1  # it takes columns for rows: these are nowhere in one piece
    return fields["output_height"]


def run_positions(call: KernelCall) -> frozenset[int]:
    """Return the arguments of which each run of elements needs its own; a constant may be one."""
    if not _run_elements(call):
        return frozenset()
    fields = _all_fields(call)
    return frozenset(n for strides, n in _run_strides(call).items() if _last(fields, strides))


def line_count(program: KernelGraph, call: KernelCall) -> int:
    """Return the rows of images that a call computes; 1 where it does not work row by row.

    What works element by element has those of its output, if all its tensors have that shape.
    """
    elements = _run_elements(call)
    if not elements:
        return row_count(call)
    tensors = [program.graph.tensors[name] for name in (*call.reads, *call.writes)]
    shapes = {tensor.shape for tensor in tensors}
    if (
        len(shapes) != 1
        or len(tensors) != len(call.reads) + 1
        or len(tensors[0].shape) != _IMAGE_RANK
    ):
        return 1
    (shape,) = shapes
    return shape[1] if shape[0] == 1 and math.prod(shape) == elements else 1


def input_rows(call: KernelCall, rows: range) -> range:
    """Return the rows of an input that some rows of the output need."""
    fields = _fields(call)
    if _run_elements(call):
        return rows
    return _reach(fields, rows)


def tile_lines(program: KernelGraph, call: KernelCall, rows: range) -> Tile:
    """Return the part of a call that computes some rows, of those that `line_count` counts."""
    if elements := _run_elements(call):
        each = elements // line_count(program, call)
        return _tile_runs(_view(program, call), call, rows.start * each, len(rows) * each)
    return tile_rows(program, call, rows)


def filter_count(call: KernelCall) -> int:
    """Return into how many channels of output a call can be parted; 1 for one that cannot.

    Depthwise convolutions cannot: their filters lie channel beside channel.
    """
    fields = _fields(call)
    is_grouped = fields.get("groups", 1) != 1
    if not call.kernel.name.startswith(_BY_FILTER) or fields.get("batches") != 1 or is_grouped:
        return 1
    return fields["output_channels"]


def tile_rows(program: KernelGraph, call: KernelCall, rows: range) -> Tile:
    """Return the part of a call that computes some rows of its output.

    Args:
        program: that the call is of.
        call: one that `row_count` parts.
        rows: not empty, within the output's rows.
    """
    view = _view(program, call)
    if elements := _run_elements(call):
        first = rows.start * _RUN_ELEMENTS
        return _tile_runs(view, call, first, min(rows.stop * _RUN_ELEMENTS, elements) - first)
    fields = view.fields
    seen = _reach(fields, rows)
    first = rows.start * fields["stride_height"] - fields["padding_top"]
    changes = {
        "input_height": len(seen),
        "output_height": len(rows),
        "padding_top": max(-first, 0),
    }
    windows = view.whole()
    windows[_INPUT] = _rows(view, _INPUT, "input", seen)
    windows[view.output] = _rows(view, view.output, "output", rows)
    return Tile(view.params(changes), windows)


def _tile_runs(view: _Call, call: KernelCall, first: int, taken: int) -> Tile:
    fields = _all_fields(call)
    windows = view.whole()
    for strides, position in _run_strides(call).items():
        if _last(fields, strides):
            element = view.element_bytes[position]
            windows[position] = Window(first * element, taken * element)
    extents = (*_numbers(fields, "extents")[:-1], taken)
    params = StructArgument(view.ctype, tuple({**fields, "extents": extents}.items()))
    return Tile(params, windows)


def tile_filters(program: KernelGraph, call: KernelCall, filters: range) -> Tile:
    """Return the part of a call that computes some channels of its output, at all places.

    The window of the output reaches from the first place to the last: between two places lie
    channels of other tiles.

    Args:
        program: that the call is of.
        call: one that `filter_count` parts.
        filters: not empty, within the output's channels; it begins, and ends if others follow, at a
            multiple of `LANES`.
    """
    view = _view(program, call)
    count, taken = view.fields["output_channels"], len(filters)
    windows = view.whole()
    for position in range(_FILTERS, view.output):
        size = view.sizes[position]
        if position == _FILTERS and call.filter_starts:
            begin, end = call.filter_starts[filters.start], call.filter_starts[filters.stop]
            windows[position] = Window(begin, end - begin + END_BYTES)
            continue
        if size == view.element_bytes[position] or not size:
            continue  # one value for all channels, or none at all
        is_in_blocks = position == _FILTERS and call.kernel.name in _IN_BLOCKS
        unit = LANES if is_in_blocks or call.kernel.name in _ALL_IN_BLOCKS else 1
        each = size // -(-count // unit)
        first, blocks = filters.start // unit, -(-taken // unit)
        windows[position] = Window(first * each, blocks * each)
    element = view.element_bytes[view.output]
    skipped = count - taken
    windows[view.output] = Window(
        filters.start * element, view.sizes[view.output] - skipped * element
    )
    return Tile(view.params({"output_channels": taken}), windows)


def tile_whole(program: KernelGraph, call: KernelCall) -> Tile:
    """Return the whole of a call as one tile; its other structures stay as they are."""
    view = _view(program, call)
    return Tile(view.params({}), view.whole())


def tile_part(program: KernelGraph, call: KernelCall, rows: range, filters: range) -> Tile:
    """Return the part of a call that computes some channels of some rows; ranges may be whole."""
    is_all_rows = len(rows) == row_count(call)
    if len(filters) == filter_count(call):
        return tile_whole(program, call) if is_all_rows else tile_rows(program, call, rows)
    part = tile_filters(program, call, filters)
    if is_all_rows:
        return part
    band = tile_rows(program, call, rows)
    output = len(call.arguments) - 1
    channels, lines = part.windows[output], band.windows[output]
    skipped = tile_whole(program, call).windows[output].size_bytes - channels.size_bytes
    window = Window(lines.offset_bytes + channels.offset_bytes, lines.size_bytes - skipped)
    windows = {**part.windows, _INPUT: band.windows[_INPUT], output: window}
    fields = {**_all_fields(call), **_changes(call, band), **_changes(call, part)}
    return Tile(StructArgument(band.params.ctype, tuple(fields.items())), windows)


def _reach(fields: Mapping[str, int], rows: range) -> range:
    stride, padding = fields["stride_height"], fields["padding_top"]
    reach = (fields["filter_height"] - 1) * fields.get("dilation_height", 1) + 1
    # Rows that see nothing but padding have an empty window.
    end = max(min((rows.stop - 1) * stride - padding + reach, fields["input_height"]), 0)
    return range(min(max(rows.start * stride - padding, 0), end), end)


def _changes(call: KernelCall, tile: Tile) -> dict[str, FieldValue]:
    whole = _all_fields(call)
    return {name: value for name, value in tile.params.fields if value != whole[name]}


def _rows(view: _Call, position: int, prefix: str, rows: range) -> Window:
    element = view.element_bytes[position]
    stride = view.fields[f"{prefix}_row_stride"] * element
    return Window(rows.start * stride, len(rows) * stride)


def _all_fields(call: KernelCall) -> dict[str, FieldValue]:
    params = call.arguments[_PARAMS] if call.arguments else None
    return dict(params.fields) if isinstance(params, StructArgument) else {}


def _fields(call: KernelCall) -> dict[str, int]:
    return {name: value for name, value in _all_fields(call).items() if isinstance(value, int)}


def _numbers(fields: Mapping[str, FieldValue], name: str) -> tuple[int, ...]:
    value = fields[name]
    assert isinstance(value, tuple)
    return value


def _last(fields: Mapping[str, FieldValue], name: str) -> int:
    return _numbers(fields, name)[-1]


def _run_strides(call: KernelCall) -> Mapping[str, int]:
    """Return the strides of a kernel that works element by element; empty for any other."""
    strides = {name for name in _all_fields(call) if name.endswith("_strides")}
    known = [run for run in _RUNS.values() if run.keys() == strides]
    return known[0] if known and len(call.arguments) == _RUN_ARGUMENTS else {}


def _run_elements(call: KernelCall) -> int:
    """Return the elements of a call that walks over them in one run; 0 for any other."""
    fields = _all_fields(call)
    strides = _run_strides(call)
    if not strides or fields.get("output_start"):
        return 0
    extents = _numbers(fields, "extents")
    is_run = all(extent == 1 for extent in extents[:-1]) and _last(fields, "output_strides") == 1
    return extents[-1] if is_run and {_last(fields, name) for name in strides} <= {0, 1} else 0


def _view(program: KernelGraph, call: KernelCall) -> _Call:
    params = call.arguments[_PARAMS]
    ctype = params.ctype if isinstance(params, StructArgument) else ""
    elements, sizes = [], []
    for argument in call.arguments:
        element, size = 0, 0
        if isinstance(argument, TensorArgument):
            tensor = program.graph.tensors[argument.tensor]
            element, size = tensor.dtype.numpy.itemsize, tensor.size_bytes
        elif isinstance(argument, ConstantArgument) and argument.constant is not None:
            array = program.constants[argument.constant]
            element, size = array.itemsize, array.nbytes
        elements.append(element)
        sizes.append(size)
    return _Call(_all_fields(call), ctype, tuple(elements), tuple(sizes))
