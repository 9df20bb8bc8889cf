"""Random operators that move elements."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from tests.interpreter.building import Builder, Draw

TYPES = st.sampled_from([DType.INT8, DType.INT16])


def _tensors(draw: Draw, rank: tuple[int, int] = (1, 4)) -> tuple[Builder, tuple[int, ...]]:
    build, dtype = Builder(draw), draw(TYPES)
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=rank[0], max_size=rank[1])))
    build.add("x", shape, dtype, scale=None)
    return build, shape


def _like(build: Builder, name: str, shape: tuple[int, ...]) -> str:
    first = build.tensors[0]
    return build.add(name, shape, first.dtype, quantization=first.quantization)


def pad(draw: Draw) -> Graph:
    build, shape = _tensors(draw)
    amounts = st.tuples(st.integers(0, 3), st.integers(0, 3))
    paddings = tuple(draw(amounts) for _ in shape)
    padded = zip(shape, paddings, strict=True)
    _like(build, "y", tuple(extent + sum(amount) for extent, amount in padded))
    value = draw(st.one_of(st.none(), st.integers(*build.tensors[0].dtype.range)))
    return build.graph(ops.Pad(input="x", output="y", paddings=paddings, value=value), "x")


def reshape(draw: Draw) -> Graph:
    build, shape = _tensors(draw)
    count = int(np.prod(shape))
    _like(build, "y", draw(st.sampled_from([(count,), (1, count), (count, 1, 1), shape[::-1]])))
    return build.graph(ops.Reshape(input="x", output="y"), "x")


def transpose(draw: Draw) -> Graph:
    build, shape = _tensors(draw)
    permutation = tuple(draw(st.permutations(range(len(shape)))))
    _like(build, "y", tuple(shape[axis] for axis in permutation))
    return build.graph(ops.Transpose(input="x", output="y", permutation=permutation), "x")


def strided_slice(draw: Draw) -> Graph:
    build, shape = _tensors(draw)
    begin, extents, strides = [], [], []
    for extent in shape:
        first = draw(st.integers(0, extent - 1))
        stride = draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
        room = (extent - first if stride > 0 else first + 1) + abs(stride) - 1
        begin.append(first)
        strides.append(stride)
        extents.append(draw(st.integers(1, room // abs(stride))))
    kept = tuple(extent for extent in extents if extent > 1 or draw(st.booleans()))
    _like(build, "y", kept)
    return build.graph(
        ops.StridedSlice(
            input="x", output="y", begin=tuple(begin), extents=tuple(extents),
            strides=tuple(strides),
        ),
        "x",
    )  # fmt: skip


def concatenation(draw: Draw) -> Graph:
    build, shape = _tensors(draw)
    axis = draw(st.integers(0, len(shape) - 1))
    names, total = ["x"], shape[axis]
    for number in range(draw(st.integers(1, 3))):
        extent = draw(st.integers(1, 5))
        total += extent
        joined = (*shape[:axis], extent, *shape[axis + 1 :])
        names.append(_like(build, f"x{number}", joined))
    _like(build, "y", (*shape[:axis], total, *shape[axis + 1 :]))
    operator = ops.Concatenation(operands=tuple(names), output="y", axis=axis)
    return build.graph(operator, *names)


def split(draw: Draw) -> Graph:
    build, shape = _tensors(draw)
    axis = draw(st.integers(0, len(shape) - 1))
    divisors = [count for count in range(1, shape[axis] + 1) if shape[axis] % count == 0]
    parts = draw(st.sampled_from(divisors))
    part = (*shape[:axis], shape[axis] // parts, *shape[axis + 1 :])
    names = tuple(_like(build, f"y{number}", part) for number in range(parts))
    return build.graph(ops.Split(input="x", results=names, axis=axis), "x")


def pack(draw: Draw) -> Graph:
    build, shape = _tensors(draw, (1, 3))
    axis, count = draw(st.integers(0, len(shape))), draw(st.integers(1, 4))
    names = ["x", *(_like(build, f"x{number}", shape) for number in range(1, count))]
    _like(build, "y", (*shape[:axis], count, *shape[axis:]))
    return build.graph(ops.Pack(operands=tuple(names), output="y", axis=axis), *names)


CASES: dict[str, Any] = {
    "pad": pad,
    "reshape": reshape,
    "transpose": transpose,
    "strided_slice": strided_slice,
    "concatenation": concatenation,
    "split": split,
    "pack": pack,
}
"""By name, a function that draws a graph of one operator."""
