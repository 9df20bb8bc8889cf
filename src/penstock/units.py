"""How quantities are shown to people."""

import re
from math import floor, log10

_BINARY_PREFIXES = ("B", "KiB", "MiB", "GiB")
_SMALL_PREFIXES = ("", "m", "µ", "n")


_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(us|µs|ms|s)")
_SECONDS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
_SIZE = re.compile(r"([0-9]+)([KM]?)")
MULTIPLES = {"": 1, "K": 1024, "M": 1024 * 1024}


def read_duration(text: str) -> float | None:
    """Return the seconds of a time above 0 with its unit, such as ``100ms``; None of other text."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0:
        return None
    return float(match[1]) * _SECONDS[match[2]]


def read_size(text: str) -> int | None:
    """Return the bytes of a size above 0, such as ``512K``; None of other text."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or not int(match[1]):
        return None
    return int(match[1]) * MULTIPLES[match[2]]


def format_bytes(size_bytes: int) -> str:
    """Return a size as text with a binary prefix: ``1536`` is ``1.5 KiB``."""
    value = float(size_bytes)
    for prefix in _BINARY_PREFIXES:
        if value < 1024 or prefix == _BINARY_PREFIXES[-1]:
            return f"{size_bytes} B" if prefix == "B" else f"{value:.1f} {prefix}"
        value /= 1024
    raise AssertionError("unreachable")


def format_count(count: int) -> str:
    """Return a count as text with a decimal prefix: ``300775552`` is ``300.8 M``."""
    for limit, suffix in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= limit:
            return f"{count / limit:.1f} {suffix}"
    return str(count)


def format_seconds(seconds: float, digits: int = 4) -> str:
    """Return a time in s, ms, µs or ns, without an exponent: ``0.01234`` is ``12.34 ms``."""
    return _format_scaled(seconds, "s", digits)


def format_duration(seconds: float) -> str:
    """Return how long something takes a person who waits, in s, min or h: ``150`` is ``2 min``."""
    minutes = seconds / 60
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} min" if minutes < 60 else f"{minutes / 60:.1f} h"


def format_joules(joules: float, digits: int = 3) -> str:
    """Return an energy in J, mJ, µJ or nJ, without an exponent: ``1.17e-7`` is ``117 nJ``."""
    return _format_scaled(joules, "J", digits)


def _format_scaled(value: float, unit: str, digits: int) -> str:
    """Return a few significant digits with the prefix that leaves one to three before the point."""
    if value <= 0:
        return f"0 {unit}"
    # What rounds up to the next power of ten has that one's prefix and digits.
    exponent = floor(log10(float(f"{value:.{digits - 1}e}")))
    step = min(max(-(exponent // 3), 0), len(_SMALL_PREFIXES) - 1)
    decimals = max(digits - 1 - (exponent + 3 * step), 0)
    text = f"{value * 1000**step:.{decimals}f}"
    if decimals:
        text = text.rstrip("0").rstrip(".")
    return f"{text} {_SMALL_PREFIXES[step]}{unit}"


def format_ordinal(number: int) -> str:
    """Return a place in a row: ``2`` is ``2nd``."""
    teens = number % 100 in (11, 12, 13)
    suffix = "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
