"""What a tile of a call touches, and the parameters that make its kernel touch just that.

It follows from the call as a whole, and from which rows and filters a tile says that it computes.
This shares no code with the planner.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from penstock.errors import GraphError
from penstock.ir.tensor import Array, Tensor
from penstock.kernels.kernel_graph import (
    ConstantArgument,
    FieldValue,
    KernelCall,
    KernelGraph,
    ScratchArgument,
    StructArgument,
    TensorArgument,
)
from penstock.planning.overlays.program import Block, TileCall

Offsets = npt.NDArray[np.int64]
_RUN_ELEMENTS = 64
_FILTERS = 2
_READ_BEHIND = 3
"""Bytes that kernels without zeros may read behind a channel."""
_BY_FILTER = ("ps_conv_2d_", "ps_fully_connected_")
_RUN_STRIDES = (
    ("left_strides", "right_strides", "output_strides"),
    ("input_strides", "", "output_strides"),
)
"""By position of the argument behind the parameters, what says how its elements follow."""


def check_call(program: KernelGraph, tile: TileCall, who: str) -> None:
    """Check that a tile has every argument of its call, where such a thing can be, and no other.

    Raises:
        GraphError: the tile is wrong, which is a bug of ours.
    """
    call = program.calls[tile.step]
    _check_ranges(program, tile, who)
    for position, argument in enumerate(call.arguments):
        what = f"argument {position} of {who}"
        address = tile.addresses.get(position)
        if isinstance(argument, StructArgument):
            wanted = _expected_params(program, tile) if position == 0 else argument
            if address is not None or tile.params.get(position) != wanted:
                raise GraphError(f"{what} are not the parameters of what it computes")
            continue
        if position in tile.params:
            raise GraphError(f"{what} is no parameters")
        if (address is not None) != _is_needed(call, argument) and not _is_empty(program, argument):
            raise GraphError(f"{what} " + ("has no address" if address is None else "is nothing"))
        if address is not None and address.block not in _homes(program, argument):
            raise GraphError(f"{what} cannot be in {address.block.value}")
    if not {*tile.params, *tile.addresses} <= set(range(len(call.arguments))):
        raise GraphError(f"{who} has more arguments than its kernel")


def _check_ranges(program: KernelGraph, tile: TileCall, who: str) -> None:
    call = program.calls[tile.step]
    numbers = _numbers(call)
    is_one_image = numbers.get("batches", (1,)) == (1,)
    lines = numbers.get("output_height", (0,))[0] if is_one_image else 0
    if "extents" in numbers:
        last, unit = numbers["extents"][-1], _run_elements(program, tile)
        lines = -(-last // unit)
    is_by_filter = call.kernel.name.startswith(_BY_FILTER) and is_one_image
    channels = numbers.get("output_channels", (0,))[0] if is_by_filter else 0
    if tile.rows is not None and tile.lines is not None:
        raise GraphError(f"{who} has rows of two kinds")
    if _is_in_fours(call) and _splits_four(tile.filters, channels):
        raise GraphError(f"{who} computes part of four channels that belong together")
    for what, part, count in (("rows", tile.band, lines), ("filters", tile.filters, channels)):
        if part is not None and not 0 <= part.start < part.stop <= count:
            raise GraphError(f"{who} computes {what} {part} of {count}")


def _is_in_fours(call: KernelCall) -> bool:
    """Return whether the filters of four channels lie between one another."""
    return "_dsp_" in call.kernel.name or "_mve_" in call.kernel.name


def _splits_four(filters: range | None, channels: int) -> bool:
    """Return whether a range of channels begins or ends within four of them."""
    if filters is None:
        return False
    return filters.start % 4 != 0 or (filters.stop % 4 != 0 and filters.stop != channels)


def _is_needed(call: KernelCall, argument: object) -> bool:
    if isinstance(argument, ConstantArgument):
        return argument.constant is not None
    return call.scratch_bytes > 0 if isinstance(argument, ScratchArgument) else True


def _is_empty(program: KernelGraph, argument: object) -> bool:
    """Return whether nobody minds if there is an address."""
    return isinstance(argument, TensorArgument) and not _tensor(program, argument).size_bytes


def _homes(program: KernelGraph, argument: object) -> frozenset[Block]:
    if isinstance(argument, ConstantArgument):
        return frozenset(Block) - {Block.STATE}
    if isinstance(argument, TensorArgument) and _tensor(program, argument).is_variable:
        return frozenset({Block.STATE})
    return frozenset({Block.ARENA, Block.TIGHT, Block.FAR})


def _expected_params(program: KernelGraph, tile: TileCall) -> StructArgument:
    """Return the parameters of a tile."""
    call = program.calls[tile.step]
    struct = call.arguments[0]
    assert isinstance(struct, StructArgument)
    fields: dict[str, FieldValue] = dict(struct.fields)
    numbers = _numbers(call)
    rows = tile.band
    if rows is not None and "extents" in numbers:
        last, unit = numbers["extents"][-1], _run_elements(program, tile)
        taken = min(rows.stop * unit, last) - rows.start * unit
        fields["extents"] = (*numbers["extents"][:-1], taken)
    elif rows is not None:
        top = _first_row(numbers, rows)
        fields["output_height"] = len(rows)
        fields["input_height"] = len(_seen_rows(numbers, rows))
        fields["padding_top"] = max(-top, 0)
    if tile.filters is not None:
        fields["output_channels"] = len(tile.filters)
    return StructArgument(struct.ctype, tuple(fields.items()))


def touched(program: KernelGraph, tile: TileCall, position: int) -> Offsets:
    """Return the offsets, in a whole tensor or constant, of the bytes that a tile touches."""
    call = program.calls[tile.step]
    argument = call.arguments[position]
    if isinstance(argument, ConstantArgument):
        assert argument.constant is not None
        array = program.constants[argument.constant]
        every, element = np.arange(array.nbytes, dtype=np.int64), array.itemsize
    else:
        assert isinstance(argument, TensorArgument)
        tensor = _tensor(program, argument)
        every, element = np.arange(tensor.size_bytes, dtype=np.int64), tensor.dtype.size_bytes
    lines = tile.band
    if not every.size or (lines is None and tile.filters is None):
        return every
    numbers = _numbers(call)
    if "extents" in numbers:
        unit = _run_elements(program, tile) * element
        return _part_of_run(every, unit, numbers, lines, position)
    if isinstance(argument, ConstantArgument):
        if tile.filters is None or every.size == element:
            return every
        return _channel_bytes(program, call, tile.filters, position)
    if argument.is_written:
        height = numbers.get("output_height", (1,))[0]
        channels = _tensor(program, argument).shape[-1]
        cube = every.reshape(height, -1, channels, element)
        return cube[_slice(lines), :, _slice(tile.filters)].reshape(-1)
    if lines is None:
        return every
    rows = _seen_rows(numbers, lines)
    return _split(every, numbers["input_height"][0])[_slice(rows)].reshape(-1)


def _channel_bytes(
    program: KernelGraph, call: KernelCall, filters: range, position: int
) -> Offsets:
    """Return which bytes of a constant belong to some output channels."""
    argument = call.arguments[position]
    assert isinstance(argument, ConstantArgument)
    assert argument.constant is not None
    array = program.constants[argument.constant]
    every, count = np.arange(array.nbytes), _numbers(call)["output_channels"][0]
    if position == _FILTERS and "_sparse_" in call.kernel.name:
        starts = _channel_starts(array, count)
        return every[starts[filters.start] : starts[filters.stop] + _READ_BEHIND]
    if (_is_in_fours(call) and position == _FILTERS) or "_conv_2d_mve_" in call.kernel.name:
        # Four filters lie between one another.
        quads = range(filters.start // 4, (filters.stop + 3) // 4)
        return _split(every, (count + 3) // 4)[_slice(quads)].reshape(-1)
    return _split(every, count)[_slice(filters)].reshape(-1)


def _channel_starts(stream: Array, count: int) -> list[int]:
    """Return where each channel without its zeros begins, and the last one ends."""
    starts = [0]
    for _ in range(count):
        low, high = stream[starts[-1] : starts[-1] + 2].tolist()
        starts.append(starts[-1] + 2 + 3 * (low + 256 * (high % 16)))
    return starts


def _part_of_run(
    every: Offsets,
    unit_bytes: int,
    numbers: Mapping[str, tuple[int, ...]],
    lines: range | None,
    position: int,
) -> Offsets:
    assert lines is not None
    names = next(names for names in _RUN_STRIDES if names[0] in numbers)
    name = names[position - 1]
    if not name or not numbers[name][-1]:
        return every
    return every[unit_bytes * lines.start : unit_bytes * lines.stop]


def _run_elements(program: KernelGraph, tile: TileCall) -> int:
    """Return the elements of a row of what has none: of the image, in a chain."""
    if tile.lines is None:
        return _RUN_ELEMENTS
    call = program.calls[tile.step]
    shape = program.graph.tensors[call.writes[0]].shape
    return _numbers(call)["extents"][-1] // shape[1]


def _first_row(numbers: Mapping[str, tuple[int, ...]], rows: range) -> int:
    """Return the input row that the first tap of the first row is on; it may be padding."""
    return rows.start * numbers["stride_height"][0] - numbers["padding_top"][0]


def _seen_rows(numbers: Mapping[str, tuple[int, ...]], rows: range) -> range:
    """Return the input rows from the first that output rows may see to the last."""
    reach = (numbers["filter_height"][0] - 1) * numbers.get("dilation_height", (1,))[0]
    first = _first_row(numbers, rows)
    last = first + (len(rows) - 1) * numbers["stride_height"][0] + reach
    start, stop = max(first, 0), min(last + 1, numbers["input_height"][0])
    return range(start, stop) if start < stop else range(0)


def _split(every: Offsets, count: int) -> Offsets:
    return every.reshape(count, -1)


def _slice(part: range | None) -> slice:
    return slice(None) if part is None else slice(part.start, part.stop)


def _tensor(program: KernelGraph, argument: TensorArgument) -> Tensor:
    return program.graph.tensors[argument.tensor]


def _numbers(call: KernelCall) -> dict[str, tuple[int, ...]]:
    """Return the whole numbers among a call's parameters."""
    struct = call.arguments[0] if call.arguments else None
    fields = struct.fields if isinstance(struct, StructArgument) else ()
    return {
        name: value if isinstance(value, tuple) else (value,)
        for name, value in fields
        if isinstance(value, int | tuple)
    }
