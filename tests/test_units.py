"""Quantities as people read them."""

import pytest

from penstock.units import format_duration, format_joules, format_ordinal, format_seconds


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (12345.6, "12346 s"),
        (12.93, "12.93 s"),
        (0.99996, "1 s"),
        (0.1721, "172.1 ms"),
        (0.0015, "1.5 ms"),
        (0.099995, "100 ms"),
        (8.833e-7, "883.3 ns"),
        (4.63e-6, "4.63 µs"),
        (1e-10, "0.1 ns"),
        (0, "0 s"),
    ],
)
def test_times_have_the_prefix_that_suits_them(seconds: float, shown: str) -> None:
    assert format_seconds(seconds) == shown


def test_as_many_digits_as_asked_for() -> None:
    assert format_seconds(123.4, 2) == "123 s", "whole seconds are not rounded"
    assert format_seconds(1.234, 2) == "1.2 s"
    assert format_seconds(0.0999, 2) == "100 ms"


def test_energies_have_three_digits() -> None:
    assert format_joules(1.17e-7) == "117 nJ"
    assert format_joules(0.05634) == "56.3 mJ"
    assert format_joules(0.012) == "12 mJ"
    assert format_joules(1234) == "1234 J"


def test_ordinals() -> None:
    numbers = (1, 2, 3, 4, 11, 12, 13, 21, 22, 111, 123)
    ordinals = "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 111th 123rd"
    assert " ".join(map(format_ordinal, numbers)) == ordinals


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59, "59 s"), (90, "2 min"), (3540, "59 min"), (5400, "1.5 h")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
