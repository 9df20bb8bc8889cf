"""Paddings, strides, dilations and slices of the file against LiteRT, byte for byte."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tflite_models import FileModel, FileOperator, FileTensor, options

from penstock.errors import PenstockError
from penstock.frontends.tflite import read_model
from penstock.ir.interpreter import run
from penstock.ir.tensor import Array
from tests.litert import LiteRT, random_inputs

SAME, VALID = 0, 1
PROFILE = settings(deadline=None, max_examples=60, derandomize=True)

sizes = st.integers(1, 9)
strides = st.integers(1, 3)


def window_count(size: int, window: int, stride: int, padding: int) -> int:
    return -(-size // stride) if padding == SAME else (size - window + stride) // stride


def check(model: FileModel, seed: int = 0) -> None:
    content = model.to_bytes()
    graph = read_model(content, "model")
    inputs = random_inputs(graph, seed)
    for ours, theirs in zip(run(graph, inputs), LiteRT(content).run(inputs), strict=True):
        np.testing.assert_array_equal(ours, theirs, strict=True)


@st.composite
def windows(draw: st.DrawFn, *, dilated: bool) -> dict[str, int]:
    """Return sizes, strides, dilations and padding for which the window fits."""
    chosen = {
        "height": draw(sizes),
        "width": draw(sizes),
        "filter_height": draw(st.integers(1, 4)),
        "filter_width": draw(st.integers(1, 4)),
        "stride_height": draw(strides),
        "stride_width": draw(strides),
        "dilation_height": draw(strides) if dilated else 1,
        "dilation_width": draw(strides) if dilated else 1,
        "padding": draw(st.sampled_from([SAME, VALID])),
    }
    for side in ("height", "width"):
        window = (chosen[f"filter_{side}"] - 1) * chosen[f"dilation_{side}"] + 1
        count = window_count(chosen[side], window, chosen[f"stride_{side}"], chosen["padding"])
        assume(count >= 1)
        chosen[f"count_{side}"] = count
    return chosen


def image(name: str, shape: list[int], scale: float = 0.05, zero_point: int = 3) -> FileTensor:
    return FileTensor(name, shape, "int8", scale, zero_point)


@PROFILE
@given(windows(dilated=True), st.booleans(), st.integers(1, 3), st.integers(0, 3))
def test_convolutions(window: dict[str, int], depthwise: bool, depth: int, fused: int) -> None:
    channels = depth * 2 if depthwise else 4
    builtin = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    rng = np.random.default_rng(depth)
    shape = [window["filter_height"], window["filter_width"]]
    shape = [1, *shape, channels] if depthwise else [channels, *shape, depth]
    scales = rng.uniform(0.004, 0.02, channels).astype(np.float32)
    table = options(
        "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions",
        padding=window["padding"],
        strideH=window["stride_height"],
        strideW=window["stride_width"],
        dilationHFactor=window["dilation_height"],
        dilationWFactor=window["dilation_width"],
        fusedActivationFunction=fused,
        **({"depthMultiplier": 2} if depthwise else {}),
    )
    model = FileModel(
        [
            image("x", [2, window["height"], window["width"], depth]),
            FileTensor(
                "w",
                shape,
                "int8",
                scales,
                axis=3 if depthwise else 0,
                data=rng.integers(-127, 128, shape),
            ),
            FileTensor(
                "b", [channels], "int32", scales * 0.05, data=rng.integers(-99, 99, channels)
            ),
            image("y", [2, window["count_height"], window["count_width"], channels], 0.04, -9),
        ],
        [FileOperator(builtin, ["x", "w", "b"], ["y"], table)],
        ["x"],
        ["y"],
    )
    check(model)


@PROFILE
@given(windows(dilated=False), st.sampled_from(["AVERAGE_POOL_2D", "MAX_POOL_2D"]))
def test_pools(window: dict[str, int], builtin: str) -> None:
    table = options(
        "Pool2DOptions",
        padding=window["padding"],
        strideH=window["stride_height"],
        strideW=window["stride_width"],
        filterHeight=window["filter_height"],
        filterWidth=window["filter_width"],
    )
    model = FileModel(
        [
            image("x", [1, window["height"], window["width"], 2]),
            image("y", [1, window["count_height"], window["count_width"], 2]),
        ],
        [FileOperator(builtin, ["x"], ["y"], table)],
        ["x"],
        ["y"],
    )
    check(model)


@PROFILE
@given(windows(dilated=False), st.integers(0, 2))
def test_transposed_convolutions(window: dict[str, int], extra: int) -> None:
    # Here height and width are the result's; the input has as many places as a window would.
    rng = np.random.default_rng(extra)
    result = [1, window["height"], window["width"], 3]
    shape = [3, window["filter_height"], window["filter_width"], 2]
    table = options(
        "TransposeConvOptions",
        padding=window["padding"],
        strideH=window["stride_height"],
        strideW=window["stride_width"],
    )
    model = FileModel(
        [
            FileTensor("s", [4], "int32", data=result),
            FileTensor("w", shape, "int8", 0.01, data=rng.integers(-127, 128, shape)),
            image("x", [1, window["count_height"], window["count_width"], 2]),
            image("y", result),
        ],
        [FileOperator("TRANSPOSE_CONV", ["s", "w", "x"], ["y"], table)],
        ["x"],
        ["y"],
    )
    check(model)


def sliced(
    shape: list[int], vectors: list[list[int]], masks: dict[str, int], out: list[int]
) -> FileModel:
    begin, end, step = vectors
    return FileModel(
        [
            image("x", shape),
            FileTensor("begin", [len(begin)], "int32", data=begin),
            FileTensor("end", [len(end)], "int32", data=end),
            FileTensor("step", [len(step)], "int32", data=step),
            image("y", out),
        ],
        [
            FileOperator(
                "STRIDED_SLICE",
                ["x", "begin", "end", "step"],
                ["y"],
                options("StridedSliceOptions", **masks),
            )
        ],
        ["x"],
        ["y"],
    )


def numpy_slice(data: Array, vectors: list[list[int]], masks: dict[str, int]) -> Array:
    """Return the slice by NumPy's own rules, which the masks spell in bits."""
    index: list[object] = []
    for entry, (begin, end, step) in enumerate(zip(*vectors, strict=True)):
        bit = 1 << entry
        if masks["ellipsisMask"] & bit:
            index.append(Ellipsis)
        elif masks["newAxisMask"] & bit:
            index.append(None)
        elif masks["shrinkAxisMask"] & bit:
            index.append(begin)
        else:
            index.append(
                slice(
                    None if masks["beginMask"] & bit else begin,
                    None if masks["endMask"] & bit else end,
                    step,
                )
            )
    return data[tuple(index)]


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.data())
def test_slices_with_all_masks(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    count = data.draw(st.integers(1, len(shape)))
    indices = st.lists(st.integers(-6, 6), min_size=count, max_size=count)
    step = st.lists(st.integers(-3, 3).filter(bool), min_size=count, max_size=count)
    vectors = [data.draw(indices), data.draw(indices), data.draw(step)]
    bits = st.integers(0, (1 << count) - 1)
    masks = {
        "beginMask": data.draw(bits),
        "endMask": data.draw(bits),
        "shrinkAxisMask": data.draw(bits),
        "ellipsisMask": data.draw(st.sampled_from([0, *(1 << bit for bit in range(count))])),
        "newAxisMask": data.draw(bits) if len(shape) < 3 else 0,
    }
    for entry in range(count):
        if masks["shrinkAxisMask"] >> entry & 1:
            # LiteRT lets the begin mask win and wants a step of 1 here; files have neither.
            masks["beginMask"] &= ~(1 << entry)
            vectors[2][entry] = 1
    source = np.arange(np.prod(shape), dtype=np.int8).reshape(shape)
    try:
        expected = numpy_slice(source, vectors, masks)
    except IndexError:
        assume(False)
    assume(expected.size > 0)
    content = sliced(shape, vectors, masks, list(expected.shape)).to_bytes()
    graph = read_model(content, "model")
    np.testing.assert_array_equal(run(graph, [source])[0], expected)


@pytest.mark.parametrize(
    ("vectors", "masks", "out"),
    [
        ([[0, 1, 0, 0], [1, 5, 4, 3], [1, 1, 1, 1]], {}, [1, 4, 4, 3]),
        ([[0, -1, 0, 0], [1, -9, 4, 3], [1, -2, 2, 1]], {}, [1, 3, 2, 3]),
        ([[0, 2], [0, 0], [1, 1]], {"endMask": 3}, [1, 4, 4, 3]),
        ([[0, 2, 0], [1, 3, 4], [1, 1, 1]], {"shrinkAxisMask": 2}, [1, 4, 3]),
        ([[0, 0, 1], [0, 2, 2], [1, 1, 1]], {"ellipsisMask": 1}, [1, 6, 2, 1]),
        ([[0, 2], [1, 9], [1, 1]], {"beginMask": 2, "shrinkAxisMask": 2}, [1, 4, 3]),
    ],
)
def test_slices_against_litert(
    vectors: list[list[int]], masks: dict[str, int], out: list[int]
) -> None:
    check(sliced([1, 6, 4, 3], vectors, masks, out))


def test_a_relative_end_counts_from_the_begin() -> None:
    model = sliced(
        [1, 6, 4, 3], [[0, 2, 1, 0], [1, 3, 2, 3], [1, 1, 1, 1]], {"offset": True}, [1, 3, 2, 3]
    )
    graph = read_model(model.to_bytes(), "model")
    (operator,) = graph.operators
    assert operator.begin == (0, 2, 1, 0)
    assert operator.extents == (1, 3, 2, 3)


@pytest.mark.parametrize(
    ("vectors", "masks", "message"),
    [
        ([[0], [1, 2], [1]], {}, "1 begins, 2 ends and 1 strides"),
        ([[0] * 5, [1] * 5, [1] * 5], {}, "slices 5 of 4 dimensions"),
        ([[0], [1], [0]], {}, "a stride of 0"),
        ([[0, 0], [1, 1], [1, 1]], {"ellipsisMask": 3}, "more than one ellipsis"),
        ([[1], [2], [1]], {"shrinkAxisMask": 1}, "takes element 1 of a dimension of 1"),
        ([[0, 3], [1, 3], [1, 1]], {}, "takes no element"),
    ],
)
def test_bad_slices(vectors: list[list[int]], masks: dict[str, int], message: str) -> None:
    with pytest.raises(PenstockError, match=message):
        read_model(sliced([1, 6, 4, 3], vectors, masks, [1]).to_bytes(), "model")
