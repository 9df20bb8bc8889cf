"""Intel HEX: what is written can be read, and damage is named by its line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import InputError
from penstock.simulate.firmware import Segment
from penstock.simulate.intel_hex import parse_intel_hex
from tests.mutations import mutate
from tests.simulate.images import hex_record, hex_text

END = hex_record(1, 0, b"")


def parse(text: str) -> tuple[Segment, ...]:
    return parse_intel_hex(text.encode(), "a.hex").segments


def test_the_example_of_the_specification() -> None:
    text = ":10010000214601360121470136007EFE09D2190140\n:00000001FF\n"
    assert parse(text) == (Segment(0x100, bytes.fromhex("214601360121470136007EFE09D21901")),)


def test_bases_of_both_kinds_and_the_entry() -> None:
    text = hex_record(2, 0, b"\x12\x00") + hex_record(0, 5, b"a")
    text += hex_record(4, 0, b"\x08\x00") + hex_record(0, 0xFFFF, b"bc")
    text += hex_record(3, 0, b"\0\0\0\0") + hex_record(5, 0, b"\x08\x00\x01\x01") + "\n" + END
    content = parse_intel_hex(text.encode(), "a.hex")
    assert content.segments == (Segment(0x12005, b"a"), Segment(0x0800_FFFF, b"bc"))
    assert content.entry == 0x0800_0101


def test_adjacent_records_in_any_order_are_one_segment() -> None:
    text = hex_record(0, 2, b"cd") + hex_record(0, 0, b"ab") + hex_record(0, 9, b"z") + END
    assert parse(text) == (Segment(0, b"abcd"), Segment(9, b"z"))


def test_what_follows_the_end_record_is_not_read() -> None:
    assert parse(hex_record(0, 0, b"ab") + END + "anything") == (Segment(0, b"ab"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (hex_record(0, 0, b"ab"), "cut off: its end record is missing"),
        ("hello\n", "a.hex, line 1: a record begins with ':', found b'h'"),
        (END.replace("FF", "FE"), "line 1: checksum 0xfe found, 0xff computed"),
        ("\n:0000000\n", "line 2: not hexadecimal"),
        (":05000000AB50\n", "line 1: a record of 6 bytes, which does not fit"),
        (hex_record(7, 0, b""), "a record of type 7 with 0 bytes, which does not exist"),
        (hex_record(4, 0, b"\1"), "a record of type 4 with 1 bytes"),
        (
            hex_record(0, 0, b"ab") + hex_record(0, 1, b"c") + END,
            "says twice what is at 0x00000001",
        ),
        (
            hex_record(4, 0, b"\xff\xff") + hex_record(0, 0xFFFF, b"ab") + END,
            "line 2: data end at 0x100000001, beyond the 32-bit address space",
        ),
    ],
)
def test_damage_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert message in caught.value.what
    assert "objcopy -O ihex" in caught.value.help


segment_lists = st.lists(
    st.tuples(st.integers(1, 0x3_0000), st.binary(min_size=1, max_size=70)), min_size=1, max_size=6
)


@given(segment_lists, st.integers(0, 0xF000_0000))
def test_written_files_are_read_back(gaps: list[tuple[int, bytes]], start: int) -> None:
    segments = []
    for gap, content in gaps:
        segments.append(Segment(start + gap, content))
        start += gap + len(content)
    parsed = parse_intel_hex(hex_text(segments, 0x0800_0001), "a.hex")
    assert parsed.segments == tuple(segments)
    assert parsed.entry == 0x0800_0001


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 2**32))
def test_damaged_files_end_in_an_explanation(seed: int) -> None:
    whole = hex_text([Segment(0x0800_0000, bytes(range(200))), Segment(0x2000_0000, b"x" * 40)])
    try:
        parse_intel_hex(mutate(whole, seed), "a.hex")
    except InputError as error:
        assert error.what.startswith("a.hex")
        assert error.help
