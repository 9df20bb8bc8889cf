"""Structures and numbers that C and Python share are the same, and a difference is noticed."""

import ctypes
import re
from importlib import resources

import pytest

from penstock.simulate import layouts
from penstock.simulate.computed_accesses import PRELOADS_MAX, STEPS_MAX
from penstock.simulate.layouts import RECORDS, check_layouts, mirrored_layout, native_layouts
from penstock.simulate.monitor import load_native
from penstock.simulate.pipeline.addresses import VALUES_MAX, ZERO, Code

NATIVE = resources.files("penstock.simulate") / "native"
HEADERS = "".join(f.read_text("utf-8") for f in NATIVE.iterdir() if f.name.endswith(".h"))
UNSHARED = {"block", "ps_dma_layout", "ps_stream", "ps_thumb_summary"}
"""Which only C uses."""


@pytest.mark.parametrize("name", RECORDS)
def test_layouts_agree(name: str) -> None:
    assert native_layouts(load_native())[name] == mirrored_layout(RECORDS[name])


def test_every_shared_structure_is_compared() -> None:
    assert set(re.findall(r"typedef struct (\w+) {", HEADERS)) == RECORDS.keys() | UNSHARED


@pytest.mark.parametrize("name", RECORDS)
def test_members_have_the_names_of_c(name: str) -> None:
    """In the same order: two that changed places would not change the layout."""
    body = re.search(rf"typedef struct {name} {{\n(.*?)\n}} {name};", HEADERS, re.DOTALL)
    assert body is not None
    code = re.sub(r"/\*.*?\*/", "", body[1], flags=re.DOTALL)
    members = [
        (re.search(r"\(\*(\w+)\)", line) or re.search(r"(\w+)(?:\[\w+\])?$", line.strip()))
        for line in code.split(";")
        if line.strip()
    ]
    assert [member and member[1] for member in members] == [f[0] for f in RECORDS[name]._fields_]


def test_a_difference_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Longer(ctypes.Structure):
        _fields_ = (("begin", ctypes.c_uint64), ("middle", ctypes.c_uint64), ("end", ctypes.c_int))

    monkeypatch.setattr(layouts, "RECORDS", {**RECORDS, "ps_sleep": Longer})
    with pytest.raises(AssertionError, match=r"ps_sleep .* \(16, 8\), mirrored as \(24, 16\)"):
        check_layouts(load_native())


def test_programs_of_addresses_have_the_numbers_of_c() -> None:
    header = (NATIVE / "addresses.h").read_text("utf-8")
    limits, codes = re.findall(r"enum \w*\s?{\n(.*?)\n}", header, re.DOTALL)
    expected = {
        "VALUES_MAX": VALUES_MAX,
        "STEPS_MAX": STEPS_MAX,
        "PRELOADS_MAX": PRELOADS_MAX,
        "ZERO": ZERO,
    }
    assert numbers(limits) == expected
    assert numbers(codes) == {code.name: code.value for code in Code}


def numbers(enumeration: str) -> dict[str, int]:
    """Return the numbers of C's names, which begin with PS_."""
    return {name: int(value) for name, value in re.findall(r"PS_(\w+) = (\d+)", enumeration)}
