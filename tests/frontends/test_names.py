"""Names from files are unique, printable and, for models, C identifiers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tflite_models import FileModel, FileOperator, FileTensor, options

from penstock.frontends.tflite import read_model
from penstock.frontends.tflite.names import claim, identifier, printable, unique_names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("person_detect", "person_detect"),
        ("MobileNet V2 (1.0)", "mobilenet_v2_1_0"),
        ("2nd", "model_2nd"),
        ("float", "model_float"),
        ("class", "model_class"),
        ("main", "model_main"),
        ("___", "model"),
        ("", "model"),
        ("Größe", "gr_e"),
        ("日本語", "model"),
        ("a" * 300, "a" * 40),
    ],
)
def test_identifiers(text: str, expected: str) -> None:
    assert identifier(text) == expected


@given(st.text())
def test_every_identifier_is_one(text: str) -> None:
    name = identifier(text)
    assert name.isascii()
    assert name.isidentifier()
    assert name == name.lower()
    assert identifier(name) == name


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (b"conv/bias", "conv/bias"),
        (b'a"b\\c\nd\x00e', "a_b_c_d_e"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("größe".encode(), "größe"),
        (b"x" * 5000, "x" * 256),
        ("\u202egnp.exe".encode(), "_gnp.exe"),
    ],
)
def test_tensor_names_are_printable(encoded: bytes, expected: str) -> None:
    assert printable(encoded) == expected


@given(st.lists(st.sampled_from([b"", b"a", b"a#1", b"a#2", b"tensor_0", b"b\n", b"b_"])))
def test_tensor_names_are_unique(encoded: list[bytes]) -> None:
    names = unique_names(encoded)
    assert len(set(names)) == len(encoded)
    assert all(names)


def test_claimed_names_count_up() -> None:
    taken = {"x", "x.1"}
    assert claim("x", taken) == "x.2"
    assert claim("y", taken) == "y"
    assert taken == {"x", "x.1", "x.2", "y"}


def test_hostile_names_in_a_file() -> None:
    shape = [1, 2]
    model = FileModel(
        [
            FileTensor("left", shape, "int8", 0.1),
            FileTensor("right", shape, "int8", 0.1),
            FileTensor("sum", shape, "int8", 0.1),
        ],
        [FileOperator("ADD", ["left", "right"], ["sum"], options("AddOptions"))],
        ["left", "right"],
        ["sum"],
    )

    def rename(schema: object) -> None:
        for tensor in schema.subgraphs[0].tensors:
            tensor.name = b'same"\n */ int main() {'

    model.edit = rename
    graph = read_model(model.to_bytes(), "model")
    assert list(graph.tensors) == [
        "same__ */ int main() {",
        "same__ */ int main() {#1",
        "same__ */ int main() {#2",
    ]
