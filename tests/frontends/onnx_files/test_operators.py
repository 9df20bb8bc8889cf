"""Single nodes with random attributes, against onnxruntime."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx", reason="needs the extra 'onnx'")
pytest.importorskip("onnxruntime", reason="needs the extra 'dev'")

from tests.frontends.onnx_files.models import (
    OnnxModel,
    channels_first,
    graph_outputs,
    onnxruntime_outputs,
    read,
)

Draw = Callable[..., Any]
Made = tuple[OnnxModel, str, int]
"""A model, the name of its output, and the output's dimensions."""
SIZES = st.integers(3, 9)


def geometry(draw: Draw, size: tuple[int, int], *, dilated: bool = True) -> dict[str, Any]:
    """Return strides, dilations and one of the kinds of padding; pads are below the window."""
    found: dict[str, Any] = {"strides": [draw(st.integers(1, 3)), draw(st.integers(1, 3))]}
    dilations = [1, 1]
    kind = draw(st.sampled_from(["pads", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    if dilated and kind == "pads":
        dilations = [draw(st.integers(1, 2)), draw(st.integers(1, 2))]
        found["dilations"] = dilations
    if kind == "pads":
        found["pads"] = [draw(st.integers(0, extent - 1)) for extent in (*size, *size)]
    else:
        found["auto_pad"] = kind
    return found


def convolution(draw: Draw) -> Made:
    groups, taken = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    channels = groups * draw(st.integers(1, 3))
    size = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    m = OnnxModel((1, groups * taken, draw(SIZES), draw(SIZES)), seed=draw(st.integers(0, 99)))
    filters = m.weights(channels, taken, *size)
    bias = [m.weights(channels)] if draw(st.booleans()) else []
    return m, m.node("Conv", "x", filters, *bias, group=groups, **geometry(draw, size)), 4


def pool(draw: Draw) -> Made:
    kind = draw(st.sampled_from(["MaxPool", "AveragePool"]))
    size = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    m = OnnxModel((1, draw(st.integers(1, 4)), draw(SIZES), draw(SIZES)))
    more = geometry(draw, size, dilated=False)
    if kind == "AveragePool":
        more["count_include_pad"] = draw(st.integers(0, 1))
    return m, m.node(kind, "x", kernel_shape=size, **more), 4


def gemm(draw: Draw) -> Made:
    inputs, outputs = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    m = OnnxModel(("batch", inputs), seed=draw(st.integers(0, 99)))
    is_turned = draw(st.integers(0, 1))
    shape = (outputs, inputs) if is_turned else (inputs, outputs)
    added = draw(st.sampled_from([(), (1,), (outputs,), (1, outputs)]))
    bias = [m.weights(*added)] if draw(st.booleans()) else []
    alpha, beta = draw(st.sampled_from([1.0, 0.5])), draw(st.sampled_from([1.0, -2.0]))
    made = m.node("Gemm", "x", m.weights(*shape), *bias, transB=is_turned, alpha=alpha, beta=beta)
    return m, made, 2


def binary(draw: Draw) -> Made:
    """A convolution's result with a constant of any shape that broadcasts to it, in any order."""
    m = OnnxModel((1, 2, 4, 3), seed=draw(st.integers(0, 99)))
    x = m.conv("x", 2, 5, 1)
    kind = draw(st.sampled_from(["Add", "Sub", "Mul", "Div", "Max", "Min"]))
    shape = [draw(st.sampled_from([1, extent])) for extent in (1, 5, 4, 3)]
    constant = m.constant(m.generator.uniform(0.5, 2, shape[draw(st.integers(0, 4)) :]))
    is_left = kind != "Div" and draw(st.booleans())
    return m, m.node(kind, *((constant, x) if is_left else (x, constant))), 4


def slices(draw: Draw) -> Made:
    shape = (1, draw(SIZES), draw(SIZES), draw(SIZES))
    m = OnnxModel(shape)
    axes = draw(st.permutations(range(4)))[: draw(st.integers(1, 3))]
    bounds = st.integers(-12, 12)
    starts, ends = ([draw(bounds) for _ in axes] for _ in range(2))
    steps = [draw(st.sampled_from([1, 2, -1, -2])) for _ in axes]
    for axis, *bound in zip(axes, starts, ends, steps, strict=True):
        assume(len(range(*slice(*bound).indices(shape[axis]))) > 0)
    given = [m.integers(*numbers) for numbers in (starts, ends, axes, steps)]
    return m, m.node("Slice", "x", *given), 4


def pads(draw: Draw) -> Made:
    m = OnnxModel((1, draw(SIZES), draw(SIZES), draw(SIZES)), opset=18)
    axes = draw(st.permutations(range(1, 4)))[: draw(st.integers(1, 3))]
    amounts = [draw(st.integers(0, 2)) for _ in range(2 * len(axes))]
    signed = [axis - draw(st.sampled_from([0, 4])) for axis in axes]
    return m, m.node("Pad", "x", m.integers(*amounts), "", m.integers(*signed)), 4


def means(draw: Draw) -> Made:
    m = OnnxModel((1, 4, 5, 6), opset=draw(st.sampled_from([13, 18])))
    axes = sorted(draw(st.permutations(range(4)))[: draw(st.integers(1, 3))])
    keeps = draw(st.integers(0, 1))
    rank = 4 if keeps else 4 - len(axes)
    if m.opset < 18:
        return m, m.node("ReduceMean", "x", axes=axes, keepdims=keeps), rank
    return m, m.node("ReduceMean", "x", m.integers(*axes), keepdims=keeps), rank


def turned(draw: Draw) -> Made:
    """Transposed, reshaped, joined with itself and cut, in any order of dimensions."""
    m = OnnxModel((1, 4, 6, 5))
    x = m.node("Transpose", m.conv("x", 4, 4, 1), perm=draw(st.permutations(range(4))))
    y = m.node("Transpose", "x", perm=draw(st.permutations(range(4))))
    y = m.node("Reshape", y, m.node("Shape", x))
    x = m.node("Concat", m.node("Add", x, y), x, axis=draw(st.integers(-4, 3)))
    x = m.node("Transpose", x, perm=draw(st.permutations(range(4))))
    return m, m.node("Flatten", x, axis=draw(st.integers(0, 4))), 2


CASES = {
    "convolution": convolution,
    "pool": pool,
    "gemm": gemm,
    "binary": binary,
    "slices": slices,
    "pads": pads,
    "means": means,
    "turned": turned,
}


@pytest.mark.parametrize("name", CASES)
def test_a_node_computes_what_onnxruntime_computes(name: str, tmp_path: Path) -> None:
    @settings(
        max_examples=60,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        made, output, rank = CASES[name](data.draw)
        model = made.build(output, rank=rank)
        sample = np.random.default_rng(0).normal(
            size=[d if d != "batch" else 1 for d in made.shape]
        )
        sample = sample.astype(np.float32)
        try:
            (expected,) = onnxruntime_outputs(model, sample)
        except Exception:
            assume(False)  # a window that does not fit, which other tests refuse
        (found,) = graph_outputs(read(model, tmp_path), sample)
        # An image comes with its channels last, what was turned as the file has it.
        assert any(
            value.shape == expected.shape and np.allclose(value, expected, rtol=1e-4, atol=1e-5)
            for value in (found, channels_first(found))
        )

    check()
