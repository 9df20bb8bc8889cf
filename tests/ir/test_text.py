"""The text form reads back exactly, and what is no text form is refused line by line."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from graphs import sample_graph
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import InputError
from penstock.frontends.tflite import load_model
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import OPERATORS
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor
from penstock.ir.text import format_graph, parse_graph
from tests.golden import check_golden

GOLDEN = Path(__file__).parent / "golden" / "sample.txt"


def assert_same(left: Graph, right: Graph) -> None:
    """Compare everything, constants byte for byte."""
    assert (left.name, left.inputs, left.outputs) == (right.name, right.inputs, right.outputs)
    assert left.operators == right.operators
    assert list(left.tensors) == list(right.tensors)
    for name, tensor in left.tensors.items():
        other = right.tensors[name]
        for item in fields(Tensor):
            if item.name != "data":
                assert getattr(tensor, item.name) == getattr(other, item.name)
        assert (tensor.data is None) == (other.data is None)
        if tensor.data is not None and other.data is not None:
            assert tensor.data.tobytes() == other.data.tobytes()


def test_golden() -> None:
    check_golden(GOLDEN, format_graph(sample_graph()))


def test_inline_text_reads_back() -> None:
    graph = sample_graph()
    text = format_graph(graph, constants="inline")
    assert_same(parse_graph(text), graph)
    assert format_graph(parse_graph(text), constants="inline") == text


def test_blank_lines_and_comments_are_skipped() -> None:
    text = format_graph(sample_graph(), constants="inline")
    commented = "# a comment\n\n" + text.replace("\n", "\n\n# another\n")
    assert_same(parse_graph(commented), sample_graph())


@pytest.mark.shared
@pytest.mark.parametrize(
    "name",
    [
        "coral/split_concat.tflite",
        "imagenet_uint8/mobilenet_v1_0_25_128_quant.tflite",
        "mcunet/ptq_mnist_lenet-300-100.tflite",
        "mlperf_tiny/vww_96_gray_int8_history.tflite",
        "tflm/keyword_scrambled_8bit.tflite",
        "tflm/seanet/transpose_conv0.tflite",
    ],
)
def test_models_read_back(shared_dir: Path, name: str) -> None:
    graph = load_model(shared_dir / "models" / name)
    assert_same(parse_graph(format_graph(graph, constants="inline")), graph)


names = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters='"'), min_size=1)
float32 = st.floats(width=32, min_value=2.0**-60, max_value=2.0**60)


@settings(deadline=None)
@given(
    names,
    st.sampled_from([DType.INT8, DType.INT16, DType.INT32, DType.FLOAT32, DType.BOOL]),
    st.lists(st.integers(0, 3), max_size=3),
    st.lists(float32, min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_tensors_read_back(
    name: str, dtype: DType, shape: list[int], scales: list[float], random: object
) -> None:
    size = int(np.prod(shape)) * dtype.size_bytes
    content = bytes(random.randrange(256) for _ in range(size))
    if dtype is DType.BOOL:
        content = bytes(byte & 1 for byte in content)
    data = np.frombuffer(content, dtype.numpy).reshape(shape)
    quantization = (
        QuantizationParameters(tuple(scales), (0,) * len(scales), axis=1)
        if dtype.is_integer
        else None
    )
    tensor = Tensor(name, tuple(shape), dtype, quantization, data)
    graph = Graph.build("g", [tensor], [], [], [name])
    assert_same(parse_graph(format_graph(graph, constants="inline")), graph)


def test_elided_text_still_differs_where_constants_do() -> None:
    graph = sample_graph()
    filters = graph.tensors["filters"]
    changed = filters.data.copy()
    changed[3, 1, 1, 1] ^= 1
    other = graph.with_changes(tensors={"filters": filters.with_data(changed)})
    assert format_graph(other) != format_graph(graph)


def test_elided_text_cannot_be_read() -> None:
    with pytest.raises(InputError, match=r"line \d+ .* is elided") as refused:
        parse_graph(format_graph(sample_graph()))
    assert "constants='inline'" in refused.value.help


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "found 'nonsense', expected graph, tensor, inputs, outputs or op"),
        ('tensor "x" f64[1]', "unknown type 'f64'; known are i8, u8"),
        ('tensor "x" i8[1', "line 2"),
        ('tensor "x" i8[-1]', "negative dimension"),
        ('tensor "x" i8["1"]', "expected int, found '1'"),
        ("tensor 3 i8[1]", "expected str, found 3"),
        ('tensor "x" i8[1] colour=3', "unknown attributes colour"),
        ('tensor "x" i8[1] scale=[1.0, 2.0] zero_point=[0] axis=0', "as many zero points"),
        ('tensor "x" i8[1] scale=1.0', "zero_point"),
        ('tensor "x" i8[2] data=[1]', "reshape"),
        ('tensor "x" i8[1] data=[400]', "is outside i8"),
        ('tensor "x" i8[1] data=base64:!!', "no base64"),
        ('tensor "x" i8[3] data=base64:AAA', "no base64"),
        ('tensor "x" i8[1] variable=1', "expected bool, found 1"),
        ("inputs 3", "expected a name in quotes, found 3"),
        ("op TELEPORT", "unknown operator 'TELEPORT'; known are ADD, AVERAGE"),
        ('op RELU input="x" output="y" activation=swish', "'swish' is not a valid Activation"),
        ('op RELU input="x" output="y" volume=11', "RELU has no attribute volume"),
        ('op RELU input="x"', "missing"),
        ('op RELU input="x"output="y"', "expected key=value, found 'output="),
        ('op TRANSPOSE input="x" output="y" permutation=1', "expected a list, found 1"),
        ('op MAX_POOL_2D input="x" output="y" filter=[1]', "expected 2 values"),
        ('op SOFTMAX input="x" output="y" beta=true', "expected float, found True"),
        ("op CONV_2D " + "x=" + "[" * 100_000, "line 2"),
    ],
)
def test_bad_lines_are_named(line: str, message: str) -> None:
    with pytest.raises(InputError, match="line 2 of the graph's text") as refused:
        parse_graph(f"graph g\n{line}\n")
    assert message in refused.value.what


def test_texts_that_are_no_graph() -> None:
    with pytest.raises(InputError, match="no line 'graph NAME'"):
        parse_graph("")
    with pytest.raises(InputError, match="two tensors are named 'x'"):
        parse_graph('graph g\ntensor "x" i8[1]\ntensor "x" i8[1]\n')


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damaged_text_is_refused_or_read(data: st.DataObject) -> None:
    text = format_graph(sample_graph(), constants="inline")
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 20)))
    damaged = text[:start] + data.draw(st.text(max_size=5)) + text[stop:]
    try:
        assert isinstance(parse_graph(damaged), Graph)
    except InputError as error:
        assert error.what


def test_every_operator_has_a_kind_of_its_own() -> None:
    assert {cls.kind for cls in OPERATORS.values()} == set(OPERATORS)
    assert len(set(OPERATORS.values())) == len(OPERATORS)
