"""Whatever a model contains, the C that names it is the C that was meant."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.codegen.constants import constant_array
from penstock.codegen.literals import c_comment, c_float, c_integer, c_string, c_value
from penstock.errors import GraphError


def _read_string(literal: str) -> bytes:
    assert literal[0] == literal[-1] == '"'
    body = literal[1:-1]
    assert re.fullmatch(r"(\\[0-7]{3}|[ -~])*", body)
    plain = re.sub(r"\\[0-7]{3}", "", body)
    assert not set(plain) & set('"\\?')
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), body).encode("latin-1")


@given(st.text(max_size=60))
def test_strings_hold_any_text(text: str) -> None:
    encodable = text.encode("utf-8", "ignore").decode()
    assert _read_string(c_string(encodable)) == encodable.encode()


@given(st.one_of(st.text(max_size=300), st.text(alphabet="*/\\?a", max_size=300)))
def test_comments_end_where_they_should(text: str) -> None:
    comment = c_comment(text)
    assert "*/" not in comment
    assert "/*" not in comment
    assert comment.isascii()
    assert len(comment) <= 72


def test_long_names_keep_both_ends() -> None:
    comment = c_comment("model/first" + "x" * 500 + "last/Relu6", 40)
    assert comment.startswith("model/first")
    assert comment.endswith("last/Relu6")
    assert "..." in comment


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_read_back_as_they_were(value: float) -> None:
    literal = c_float(value)
    assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?f?", literal)
    assert "." in literal or "e" in literal
    if literal.endswith("f"):
        assert float(np.float32(literal[:-1])) == value
    else:
        assert float(literal) == value


def test_numbers_that_c_has_no_literal_for() -> None:
    assert c_integer(-(2**31)) == "INT32_MIN"
    assert c_integer(-(2**63)) == "INT64_MIN"
    assert c_integer(-(2**31) + 1) == "-2147483647"
    with pytest.raises(GraphError, match="has no literal"):
        c_float(float("inf"))


def test_members_of_structures() -> None:
    assert [c_value(value) for value in (True, 3, 0.5, (1, -2))] == ["1", "3", "0.5f", "{1, -2}"]


@given(st.binary(min_size=1024, max_size=3000))
@settings(max_examples=30, deadline=None)
def test_long_byte_arrays_are_strings_of_the_same_bytes(content: bytes) -> None:
    array = constant_array("weights", np.frombuffer(content, np.int8))
    lines = array.initializer.strip().splitlines()
    assert b"".join(_read_string(line.strip()) for line in lines) == content
    assert (array.ctype, array.count) == ("int8_t", len(content))


@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", "<i4", "<i8", "<f4"])
def test_short_arrays_are_numbers(dtype: str) -> None:
    info = np.finfo(dtype) if dtype == "<f4" else np.iinfo(dtype)
    values = np.array([[info.min, 0], [1, info.max]], dtype)
    array = constant_array("numbers", values)
    body = array.initializer.strip("{}\n ")
    numbers = [number.strip() for number in body.split(",") if number.strip()]
    lowest = {"INT32_MIN": -(2**31), "INT64_MIN": -(2**63)}
    parse = float if dtype == "<f4" else int
    read = [lowest.get(number) or parse(number.rstrip("f")) for number in numbers]
    assert np.array_equal(np.array(read, dtype), values.reshape(-1))
    assert array.comment.endswith("2x2")


def test_an_empty_array_still_has_an_address() -> None:
    array = constant_array("nothing", np.zeros((0, 3), np.int8))
    assert (array.count, array.initializer) == (1, "{\n  0,\n}")


def test_an_element_type_that_kernels_do_not_have() -> None:
    with pytest.raises(GraphError, match="constant 'c' has element type complex64"):
        constant_array("c", np.zeros(2, np.complex64))
