"""Kernels with strides work on parts of larger tensors, in place in these, without repacking."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.ir.graph import Graph
from penstock.ir.interpreter import run
from penstock.ir.tensor import Array
from penstock.kernels.kernel_graph import (
    ConstantArgument,
    FieldValue,
    KernelCall,
    KernelGraph,
    StructArgument,
    TensorArgument,
)
from penstock.kernels.selection import select_kernels
from tests.kernels.cases import ARITHMETIC
from tests.kernels.driver import call_function, pack_struct
from tests.litert import random_inputs

SPATIAL = ["conv_2d", "depthwise_conv_2d", "transpose_conv_2d", "pool_2d"]
GAP = 77


def _embed(value: Array, gaps: tuple[int, ...]) -> tuple[Array, Array]:
    """Return a view that holds the value inside a larger array, and that array."""
    block = np.full(
        [extent + gap for extent, gap in zip(value.shape, gaps, strict=True)], GAP, value.dtype
    )
    view = block[tuple(slice(0, extent) for extent in value.shape)]
    view[...] = value
    return view, block


def _element_strides(view: Array) -> tuple[int, ...]:
    return tuple(stride // view.itemsize for stride in view.strides)


def _execute(
    program: KernelGraph,
    call: KernelCall,
    changes: Mapping[str, FieldValue],
    tensors: Mapping[str, Array],
) -> None:
    """Call a kernel with changed parameters on arrays given by tensor name."""
    keep_alive, addresses = [], []
    for argument in call.arguments:
        if isinstance(argument, TensorArgument):
            array = tensors[argument.tensor]
        elif isinstance(argument, ConstantArgument):
            name = argument.constant
            array = None if name is None else program.constants[name]
        else:
            assert isinstance(argument, StructArgument)
            array = pack_struct([(n, changes.get(n, value)) for n, value in argument.fields])
        keep_alive.append(array)
        addresses.append(None if array is None else array.ctypes.data)
    call_function(call.kernel.name, addresses)


def _strides(prefix: str, view: Array) -> dict[str, FieldValue]:
    batch, row, column, _ = _element_strides(view)
    return {
        f"{prefix}_batch_stride": batch,
        f"{prefix}_row_stride": row,
        f"{prefix}_column_stride": column,
    }


def _draw_case(data: st.DataObject, name: str) -> tuple[KernelGraph, KernelCall, Array, Array]:
    graph: Graph = ARITHMETIC[name](data.draw)
    program = select_kernels(graph)
    (value,) = random_inputs(graph, data.draw(st.integers(0, 1000)))
    (expected,) = run(graph, [value])
    return program, program.calls[0], value, expected


@pytest.mark.parametrize("name", SPATIAL)
def test_spatial_kernel_skips_the_gaps_between_elements(name: str) -> None:
    @settings(max_examples=30, deadline=None, derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        program, call, value, expected = _draw_case(data, name)
        gaps = [tuple(data.draw(st.integers(0, 3)) for _ in range(4)) for _ in range(2)]
        source, _ = _embed(value, gaps[0])
        target, block = _embed(np.zeros_like(expected), gaps[1])
        changes = _strides("input", source) | _strides("output", target)
        _execute(program, call, changes, {"x": source, "y": target})
        np.testing.assert_array_equal(target, expected)
        target[...] = GAP
        assert (block == GAP).all()

    check()


def _tile_axis(
    axis: str, fields: Mapping[str, Any], first: int, end: int
) -> tuple[int, dict[str, FieldValue]]:
    """Return where a tile's input starts in one dimension, and the parameters that change."""
    side = {"height": "top", "width": "left"}[axis]
    stride, padding = fields[f"stride_{axis}"], fields[f"padding_{side}"]
    start = max(0, first * stride - padding)
    return start, {
        f"output_{axis}": end - first,
        f"input_{axis}": fields[f"input_{axis}"] - start,
        f"padding_{side}": padding - first * stride + start,
    }


@pytest.mark.parametrize("name", ["conv_2d", "depthwise_conv_2d", "pool_2d"])
def test_tiles_of_an_output_make_the_whole(name: str) -> None:
    @settings(max_examples=30, deadline=None, derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        program, call, value, expected = _draw_case(data, name)
        (struct,) = [a for a in call.arguments if isinstance(a, StructArgument)]
        fields = dict(struct.fields)
        output = np.full_like(expected, GAP)
        rows = sorted({0, data.draw(st.integers(0, expected.shape[1])), expected.shape[1]})
        columns = sorted({0, data.draw(st.integers(0, expected.shape[2])), expected.shape[2]})
        for top, bottom in itertools.pairwise(rows):
            for left, right in itertools.pairwise(columns):
                y, vertical = _tile_axis("height", fields, top, bottom)
                x, horizontal = _tile_axis("width", fields, left, right)
                if y >= value.shape[1] or x >= value.shape[2]:
                    y, x = min(y, value.shape[1] - 1), min(x, value.shape[2] - 1)
                source, target = value[:, y:, x:], output[:, top:bottom, left:right]
                _execute(program, call, vertical | horizontal, {"x": source, "y": target})
        np.testing.assert_array_equal(output, expected)

    check()


@pytest.mark.parametrize("name", ["add", "sub", "mul", "extremum"])
def test_elementwise_kernel_takes_any_strides(name: str) -> None:
    @settings(max_examples=30, deadline=None, derandomize=True)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        graph: Graph = ARITHMETIC[name](data.draw)
        program = select_kernels(graph)
        left, right = random_inputs(graph, data.draw(st.integers(0, 1000)))
        (expected,) = run(graph, [left, right])
        missing = 6 - expected.ndim
        arrays = {}
        changes: dict[str, FieldValue] = {"extents": (1,) * missing + expected.shape}
        for tensor, field, value in (
            ("a", "left_strides", left),
            ("b", "right_strides", right),
            ("y", "output_strides", np.zeros_like(expected)),
        ):
            gaps = tuple(data.draw(st.integers(0, 3)) for _ in value.shape)
            arrays[tensor], _ = _embed(value, gaps)
            view = np.broadcast_to(arrays[tensor], expected.shape)
            changes[field] = (0,) * missing + _element_strides(view)
        _execute(program, program.calls[0], changes, arrays)
        np.testing.assert_array_equal(arrays["y"], expected)

    check()
