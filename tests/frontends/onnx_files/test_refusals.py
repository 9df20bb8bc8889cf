"""What cannot be read or translated is refused with the file, the node and what to do."""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason="needs the extra 'onnx'")

from onnx import TensorProto, helper  # noqa: E402

from penstock.design.quantization import quantize_source  # noqa: E402
from penstock.design.reading import read_source  # noqa: E402
from penstock.errors import (  # noqa: E402
    InputError,
    ModelFormatError,
    PenstockError,
    ToolError,
    UnsupportedError,
)
from tests.frontends.onnx_files.models import OnnxModel, read  # noqa: E402
from tests.frontends.onnx_files.networks import mobilenet  # noqa: E402

IMAGE = (1, 4, 8, 8)


def one(kind: str, *inputs: str, opset: int = 17, **attributes: Any) -> Callable[[], Any]:
    """Return what makes a model of one node on an image."""

    def make() -> Any:
        m = OnnxModel(IMAGE, opset=opset)
        return m.build(m.node(kind, "x", *inputs, **attributes), rank=4)

    return make


def with_constants(make: Callable[[OnnxModel], str], shape: Any = IMAGE, rank: int = 4) -> Any:
    def build() -> Any:
        m = OnnxModel(shape)
        return m.build(make(m), rank=rank)

    return build


REFUSED: dict[str, tuple[Callable[[], Any], str, str]] = {
    "an unknown operator": (one("Det"), r"node 0 'n0' \(Det\) is unknown", "what is known: Add"),
    "an operator with a replacement": (one("Elu"), r"\(Elu\) is unknown here", "take LeakyRelu"),
    "several unknown operators": (
        with_constants(lambda m: m.node("Softplus", m.node("Elu", m.node("Elu", "x")))),
        r"node 0 'n0' \(Elu\) is unknown here, and so are 2 more: node 1 'n1' \(Elu\), "
        r"node 2 'n2' \(Softplus\)\n",
        r"take LeakyRelu .*\n  Softplus: take HardSwish",
    ),
    "a resize": (
        with_constants(lambda m: m.node("Resize", "x", "", m.constant([1, 1, 2, 2]))),
        r"\(Resize\) is unknown here",
        "nothing is resized",
    ),
    "a softmax over pixels": (one("Softmax", axis=3), "softmax over dimension 3", "last dimension"),
    "an old softmax": (one("Softmax", opset=11, axis=1), "several dimensions", "opset 13"),
    "a pool that rounds up": (
        one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        "rounds the size up",
        "round down",
    ),
    "a dilated pool": (one("MaxPool", kernel_shape=[2, 2], dilations=[2, 2]), "dilation", "pool"),
    "too large a window": (
        one("AveragePool", kernel_shape=[9, 9]),
        "a window of 9x9, which does not fit 8x8",
        "larger input",
    ),
    "an odd clip": (
        with_constants(lambda m: m.node("Clip", "x", m.constant(0.0), m.constant(3.0))),
        "clips to 0 … 3",
        "from 0 to 6",
    ),
    "slopes by channel": (
        with_constants(lambda m: m.node("PRelu", "x", m.weights(4, 1, 1))),
        "has 4 different slopes",
        "LeakyRelu",
    ),
    "a sum of three": (
        with_constants(lambda m: m.node("Max", "x", "x", "x")),
        r"\(Max\) has 3 inputs",
        "in a row",
    ),
    "padding with ones": (
        with_constants(lambda m: m.node("Pad", "x", m.integers(*(0, 1) * 4), m.constant(1.0))),
        "something else than 0",
        "zeros",
    ),
    "a mirrored border": (
        with_constants(lambda m: m.node("Pad", "x", m.integers(*(0, 1) * 4), mode="reflect")),
        "something else than 0",
        "zeros",
    ),
    "computed filters": (
        with_constants(
            lambda m: m.node("Conv", "x", m.node("Reshape", "x", m.integers(1, 4, 8, 8)))
        ),
        "takes 'reshape_0' from a computation",
        "constant",
    ),
    "a product of images": (
        with_constants(lambda m: m.node("MatMul", "x", "x")),
        "multiplies two computed matrices",
        "constant weights",
    ),
    "a quotient": (with_constants(lambda m: m.node("Div", "x", "x")), "divides by", "multiply"),
    "a sound": (
        with_constants(lambda m: m.node("Conv", "x", m.weights(2, 3, 5)), shape=(1, 3, 50), rank=3),
        "reads a tensor of 3 dimensions, an image has 4",
        r"\[N, C, 1, W\]",
    ),
    "a batch of 2": (
        with_constants(lambda m: m.node("Relu", "x"), shape=(2, 3)),
        "batch of 1",
        "example",
    ),
    "a symbolic height": (
        with_constants(lambda m: m.node("Relu", "x"), shape=("N", 3, "height", 8)),
        r"dimension 2 \('height'\) of the input 'x' has no fixed size",
        "make_dynamic_shape_fixed",
    ),
    "an unknown width": (
        with_constants(lambda m: m.node("Relu", "x"), shape=(None, 3, 8, None)),
        "dimension 3 of the input 'x' has no fixed size",
        "dynamic axes",
    ),
    "double precision": (
        lambda: OnnxModel(IMAGE, kind=TensorProto.DOUBLE).build("x"),
        "has the type DOUBLE",
        "float32",
    ),
    "a shape of another batch": (
        with_constants(lambda m: m.node("Reshape", "x", m.integers(2, 256))),
        r"makes \[2, 256\] of \[1, 4, 8, 8\]",
        "batch of 1",
    ),
    "an old opset": (one("Relu", opset=10), "has opset 10; 11 to", "newer opset"),
    "a constant that explodes": (
        with_constants(
            lambda m: m.node(
                "Add", "x", m.node("ConstantOfShape", m.integers(1, 4, 1 << 14, 1 << 14))
            )
        ),
        "a constant of more than 16777216 elements",
        "store the result",
    ),
    "filters of another depth": (
        with_constants(lambda m: m.node("Conv", "x", m.weights(2, 3, 1, 1))),
        r"filters \[2, 3, 1, 1\] in 1 groups for 4 channels",
        "do not fit",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_supported_is_refused_with_its_node(name: str, tmp_path: Path) -> None:
    make, reason, advice = REFUSED[name]
    model = make()
    if name == "double precision":
        model.graph.node.extend([helper.make_node("Relu", ["x"], ["y"])])
        model.graph.output[0].name = "y"
        model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    with pytest.raises(UnsupportedError, match=reason) as refused:
        read(model, tmp_path)
    assert refused.value.what.startswith("net.onnx: ")
    with pytest.raises(UnsupportedError, match=advice):
        raise UnsupportedError(refused.value.help)


def test_operators_of_other_vendors(tmp_path: Path) -> None:
    m = OnnxModel(IMAGE)
    model = m.build(m.node("FusedConv", "x", m.weights(2, 4, 1, 1), domain="com.microsoft"), rank=4)
    model.opset_import.extend([helper.make_opsetid("com.microsoft", 1)])
    with pytest.raises(
        UnsupportedError, match=r"\(com.microsoft.FusedConv\) is unknown"
    ) as refused:
        read(model, tmp_path)
    assert "the QDQ format" in refused.value.help


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "is no ONNX model"),
    "text": (b"# a README, not a model\n", "is no ONNX model"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(64), "is no ONNX model"),
    "a model cut short": (
        mobilenet().SerializeToString()[:-40],
        "no ONNX model, or a truncated one",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_are_no_models(name: str, tmp_path: Path) -> None:
    content, reason = BAD_FILES[name]
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFormatError, match=reason) as refused:
        read_source(path)
    assert refused.value.what.startswith("net.onnx: ") and refused.value.help


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_source(tmp_path / "net.onnx")


@pytest.mark.parametrize(("count", "ends"), [(5, r"\(Abs\)$"), (6, r"\(Abs\), …$")])
def test_no_more_than_five_others_are_named(count: int, ends: str, tmp_path: Path) -> None:
    m, value = OnnxModel((1, 3)), "x"
    for kind in ("Elu", "Exp", "Floor", "Sin", "Cos", "Abs", "Round")[: count + 1]:
        value = m.node(kind, value)
    with pytest.raises(UnsupportedError) as caught:
        read(m.build(value), tmp_path)
    assert re.search(
        rf", and so are {count} more: node 1 'n1' \(Exp\), .*{ends}", caught.value.what
    )


def test_a_normalization_by_nothing(tmp_path: Path) -> None:
    m = OnnxModel((1, 2, 4, 4))
    statistics = [m.constant(np.array(values)) for values in ((1, 1), (0, 0), (0, 0), (1, 0))]
    read(m.build(m.node("BatchNormalization", "x", *statistics), rank=4), tmp_path)


def test_nodes_out_of_order_break_the_format(tmp_path: Path) -> None:
    model = mobilenet()
    nodes = list(reversed(model.graph.node))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    with pytest.raises(ModelFormatError, match="breaks the rules of its format"):
        read(model, tmp_path)


def test_weights_in_another_file(tmp_path: Path) -> None:
    path, place = tmp_path / "net.onnx", "net.weights"
    onnx.save(mobilenet(), path, save_as_external_data=True, location=place, size_threshold=0)
    whole = read(mobilenet(), (tmp_path / "..").resolve())
    (tmp_path / ".." / "net.onnx").resolve().unlink()
    found = read_source(path).graph
    assert list(found.tensors) == list(whole.graph.tensors)
    for name, tensor in found.tensors.items():
        if tensor.data is not None:
            np.testing.assert_array_equal(tensor.data, whole.graph.tensors[name].data)
    shutil.move(tmp_path / place, tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"net.onnx: its weights are in the file 'net.weights'"):
        read_source(path)
    (tmp_path / place).write_bytes((tmp_path / "elsewhere").read_bytes()[:100])
    with pytest.raises(InputError, match=r"weights cannot be read from 'net.weights'"):
        read_source(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(value: float, tmp_path: Path) -> None:
    m = OnnxModel((1, 3))
    weights = np.ones((3, 2), np.float32)
    weights[1, 1] = value
    source = read(m.build(m.node("MatMul", "x", m.constant(weights))), tmp_path)
    with pytest.raises(InputError, match=r"'matmul_0.filters' have 1 of 6 values"):
        quantize_source(source, tmp_path)


def test_a_normalization_by_less_than_nothing(tmp_path: Path) -> None:
    m = OnnxModel((1, 2, 4, 4))
    statistics = [m.constant(np.array(values)) for values in ((1, 1), (0, 0), (0, 0), (1, -0.5))]
    model = m.build(m.node("BatchNormalization", "x", *statistics))
    with pytest.raises(UnsupportedError, match=r"normalizes by a variance of -0.5, allowed is 0"):
        read(model, tmp_path)


def test_a_missing_package_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx.save(mobilenet(), tmp_path / "net.onnx")
    for name in [name for name in sys.modules if name.startswith("penstock.frontends.onnx")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ToolError, match=r"an ONNX model needs the package 'onnx'") as refused:
        read_source(tmp_path / "net.onnx")
    assert re.fullmatch(r"install it with `.* -m pip install .*\[onnx\]'`", refused.value.help)


CONTENT = mobilenet().SerializeToString()


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"

    @settings(
        max_examples=150,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        content = bytearray(CONTENT)
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content)
        try:
            read_source(path)
        except PenstockError as error:
            assert error.what.startswith("net.onnx: ")

    check()
