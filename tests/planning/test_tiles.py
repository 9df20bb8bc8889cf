"""Tiles of a call compute, from their windows alone, what the whole call does."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.errors import UnsupportedError
from penstock.kernels.kernel_graph import (
    Argument,
    ConstantArgument,
    KernelCall,
    KernelGraph,
    ScratchArgument,
    StructArgument,
    TensorArgument,
)
from penstock.kernels.kernel_set import (
    WINOGRAD_TILES,
    Encoding,
    KernelSet,
    is_dsp_kernel,
    is_mve_kernel,
)
from penstock.kernels.selection import select_kernels
from penstock.planning.tiles import (
    Tile,
    filter_count,
    row_count,
    tile_filters,
    tile_part,
    tile_rows,
)
from tests.kernels.cases import CASES
from tests.kernels.driver import Memory, Program, call_function, pack_struct
from tests.kernels.encoded_cases import LOOKS, SEEDS, layer
from tests.litert import random_inputs

Parts = Callable[[KernelGraph, KernelCall, range], Tile]
PARTED = [
    "add",
    "add_by_shifts",
    "conv_2d",
    "winograd",
    "padded_points",
    "far_padding",
    "depthwise_conv_2d",
    "narrow_depthwise",
    "pool_2d",
    "fully_connected",
]
WHOLE = ["transpose_conv_2d", "softmax", "mean"]


def bytes_of(program: Program, argument: Argument) -> Any:
    if isinstance(argument, TensorArgument):
        return program.memory[program.root(argument.tensor)].bytes
    assert isinstance(argument, ConstantArgument)
    assert argument.constant is not None
    return program.constants[argument.constant].reshape(-1).view(np.uint8)


def run_tile(program: Program, call: KernelCall, tile: Tile) -> None:
    """Run a tile on copies of its windows, as overlays do; only its output goes back."""
    copies = {}
    for position, window in tile.windows.items():
        copies[position] = Memory(window.size_bytes)
        content = bytes_of(program, call.arguments[position])
        end = window.offset_bytes + window.size_bytes
        assert 0 <= window.offset_bytes <= end <= content.size
        copies[position].bytes[:] = content[window.offset_bytes : end]
    params = pack_struct(tile.params.fields)
    scratch = Memory(call.scratch_bytes)
    addresses = [
        params.ctypes.data
        if isinstance(argument, StructArgument)
        else scratch.address
        if isinstance(argument, ScratchArgument)
        else copies[position].address
        if position in copies
        else None
        for position, argument in enumerate(call.arguments)
    ]
    call_function(call.kernel.name, addresses)
    assert scratch.is_intact()
    assert all(copy.is_intact() for copy in copies.values())
    last = len(call.arguments) - 1
    window = tile.windows[last]
    content = bytes_of(program, call.arguments[last])
    content[window.offset_bytes : window.offset_bytes + window.size_bytes] = copies[last].bytes


def split(draw: Any, count: int, multiple: int = 1) -> list[range]:
    """Return ranges that begin at multiples of something."""
    most = (count - 1) // multiple
    cuts = sorted(draw(st.sets(st.integers(1, most), max_size=4)) if most else [])
    edges = [0, *(multiple * cut for cut in cuts), count]
    return [range(a, b) for a, b in pairwise(edges)]


def filters_multiple(call: KernelCall) -> int:
    name = call.kernel.name
    return 4 if is_dsp_kernel(name) or is_mve_kernel(name) else 1


def run_whole(name: str, draw: Any) -> tuple[Program, KernelGraph] | None:
    """Return an operator that has run as one call; None for one without a kernel."""
    graph = CASES[name](draw)
    kernels = draw(st.sampled_from([KernelSet.REFERENCE, KernelSet.DSP_SINGLE, KernelSet.MVE]))
    try:
        tiles = draw(st.sampled_from([WINOGRAD_TILES, WINOGRAD_TILES[1:]]))
        selected = select_kernels(graph, kernels, winograd=tiles)
    except UnsupportedError:
        return None
    program = Program(selected)
    program.run(random_inputs(graph, 1))
    return program, selected


@pytest.mark.parametrize("name", PARTED)
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_tiles_compute_what_the_whole_call_does(name: str, data: st.DataObject) -> None:
    drawn = run_whole(name, data.draw)
    if drawn is None:
        return
    program, selected = drawn
    (call,) = selected.calls
    parts = (
        (row_count(call), tile_rows, 1),
        (filter_count(call), tile_filters, filters_multiple(call)),
    )
    for count, part, multiple in parts:
        if count > 1:
            check(program, selected, call, part, split(data.draw, count, multiple))


def check(
    program: Program, selected: KernelGraph, call: KernelCall, part: Parts, ranges: list[range]
) -> None:
    output = program.memory[program.root(call.writes[0])].bytes
    expected = output.copy()
    output[:] = 0x5A
    for taken in ranges:
        run_tile(program, call, part(selected, call, taken))
    np.testing.assert_array_equal(output, expected)


@pytest.mark.parametrize("name", PARTED)
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_tiles_may_be_parts_of_rows_and_of_filters(name: str, data: st.DataObject) -> None:
    drawn = run_whole(name, data.draw)
    if drawn is None:
        return
    program, selected = drawn
    (call,) = selected.calls
    output = program.memory[program.root(call.writes[0])].bytes
    expected = output.copy()
    output[:] = 0x5A
    for rows in split(data.draw, row_count(call)):
        for filters in split(data.draw, filter_count(call), filters_multiple(call)):
            run_tile(program, call, tile_part(selected, call, rows, filters))
    np.testing.assert_array_equal(output, expected)


@settings(max_examples=80, deadline=None)
@given(SEEDS, st.sampled_from(list(Encoding)), st.booleans(), st.data())
def test_tiles_of_encoded_filters_compute_what_the_whole_call_does(
    seed: int, encoding: Encoding, has_dsp: bool, data: st.DataObject
) -> None:
    kernels = KernelSet.DSP_SINGLE if has_dsp else KernelSet.REFERENCE
    selected = select_kernels(layer(seed, LOOKS[encoding]), kernels, encodings=encoding)
    program = Program(selected)
    program.run(random_inputs(selected.graph, 1))
    (call,) = selected.calls
    for part, count, multiple in (
        (tile_rows, row_count(call), 1),
        (tile_filters, filter_count(call), filters_multiple(call)),
    ):
        if count > 1:
            check(program, selected, call, part, split(data.draw, count, multiple))


@pytest.mark.parametrize("name", WHOLE)
def test_what_cannot_be_parted_says_so(name: str) -> None:
    @settings(max_examples=10, deadline=None, derandomize=True, database=None)
    @given(st.data())
    def check_counts(data: st.DataObject) -> None:
        try:
            selected = select_kernels(CASES[name](data.draw))
        except UnsupportedError:
            return
        for call in selected.calls:
            assert (row_count(call), filter_count(call)) == (1, 1)

    check_counts()
