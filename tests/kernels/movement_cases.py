"""Random graphs of one operator that moves values and computes none."""

from typing import Any

from hypothesis import strategies as st

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from tests.interpreter.building import Builder, Draw

MOVED = st.sampled_from([DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.FLOAT32])


def _shape(draw: Draw, smallest: int = 1, rank_max: int = 5) -> tuple[int, ...]:
    return tuple(draw(st.lists(st.integers(1, 5), min_size=smallest, max_size=rank_max)))


def _quantization(build: Builder, dtype: DType) -> dict[str, Any]:
    if dtype is DType.FLOAT32:
        return {}
    return {"scale": build.scale(), "zero_point": build.zero_point(dtype)}


def pad(draw: Draw) -> Graph:
    build, dtype, shape = Builder(draw), draw(MOVED), _shape(draw)
    paddings = tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in shape)
    output = tuple(e + sum(p) for e, p in zip(shape, paddings, strict=True))
    quantization = _quantization(build, dtype)
    value = None if dtype is DType.FLOAT32 else draw(st.sampled_from([None, dtype.range[0], 5]))
    build.add("x", shape, dtype, **quantization)
    build.add("y", output, dtype, **quantization)
    return build.graph(ops.Pad(input="x", output="y", paddings=paddings, value=value), "x")


def transpose(draw: Draw) -> Graph:
    build, dtype, shape = Builder(draw), draw(MOVED), _shape(draw, rank_max=6)
    permutation = tuple(draw(st.permutations(range(len(shape)))))
    quantization = _quantization(build, dtype)
    build.add("x", shape, dtype, **quantization)
    build.add("y", tuple(shape[axis] for axis in permutation), dtype, **quantization)
    return build.graph(ops.Transpose(input="x", output="y", permutation=permutation), "x")


def strided_slice(draw: Draw) -> Graph:
    build, dtype, shape = Builder(draw), draw(MOVED), _shape(draw)
    begins, extents, strides = [], [], []
    for extent in shape:
        begin = draw(st.integers(0, extent - 1))
        stride = draw(st.sampled_from([-2, -1, 1, 1, 2, 3]))
        available = (extent - 1 - begin) // stride if stride > 0 else begin // -stride
        begins.append(begin)
        strides.append(stride)
        extents.append(draw(st.integers(1, available + 1)))
    quantization = _quantization(build, dtype)
    build.add("x", shape, dtype, **quantization)
    kept = tuple(e for e in extents if e > 1 or draw(st.booleans()))
    build.add("y", kept, dtype, **quantization)
    operator = ops.StridedSlice(
        input="x", output="y", begin=tuple(begins), extents=tuple(extents), strides=tuple(strides)
    )
    return build.graph(operator, "x")


def concatenation(draw: Draw) -> Graph:
    """Operands with the output's quantization or, for int8, their own."""
    build, dtype, shape = Builder(draw), draw(MOVED), _shape(draw)
    axis = draw(st.integers(0, len(shape) - 1))
    names = [f"x{number}" for number in range(draw(st.integers(1, 4)))]
    common = _quantization(build, dtype)
    total = 0
    for name in names:
        extent = draw(st.integers(1, 4))
        mixed = dtype is DType.INT8 and draw(st.booleans())
        quantization = _quantization(build, dtype) if mixed else common
        build.add(name, (*shape[:axis], extent, *shape[axis + 1 :]), dtype, **quantization)
        total += extent
    build.add("y", (*shape[:axis], total, *shape[axis + 1 :]), dtype, **common)
    return build.graph(ops.Concatenation(operands=tuple(names), output="y", axis=axis), *names)


def split(draw: Draw) -> Graph:
    build, dtype, shape = Builder(draw), draw(MOVED), _shape(draw)
    axis = draw(st.integers(0, len(shape) - 1))
    quantization = _quantization(build, dtype)
    names = [f"y{number}" for number in range(draw(st.integers(1, 4)))]
    extents = [draw(st.integers(1, 3)) for _ in names]
    build.add("x", (*shape[:axis], sum(extents), *shape[axis + 1 :]), dtype, **quantization)
    for name, extent in zip(names, extents, strict=True):
        build.add(name, (*shape[:axis], extent, *shape[axis + 1 :]), dtype, **quantization)
    return build.graph(ops.Split(input="x", results=tuple(names), axis=axis), "x")


def pack(draw: Draw) -> Graph:
    build, dtype, shape = Builder(draw), draw(MOVED), _shape(draw, 0, 4)
    axis = draw(st.integers(0, len(shape)))
    quantization = _quantization(build, dtype)
    names = [f"x{number}" for number in range(draw(st.integers(1, 4)))]
    for name in names:
        build.add(name, shape, dtype, **quantization)
    build.add("y", (*shape[:axis], len(names), *shape[axis:]), dtype, **quantization)
    return build.graph(ops.Pack(operands=tuple(names), output="y", axis=axis), *names)


CASES = {
    "pad": pad,
    "transpose": transpose,
    "strided_slice": strided_slice,
    "concatenation": concatenation,
    "split": split,
    "pack": pack,
}
