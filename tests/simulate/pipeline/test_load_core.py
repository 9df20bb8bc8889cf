"""Cores as data: whole, sourced, and refused when they are not."""

import tomllib
from importlib import resources

import pytest

from penstock.boards.cores import core_facts, timed_cores
from penstock.errors import InputError, UnsupportedError
from penstock.simulate.pipeline import Kind, PairRule, load_core
from penstock.simulate.pipeline.load_core import parse_core

FILES = resources.files("penstock.simulate.pipeline") / "cores"


PIPELINES = sorted({core_facts(name).pipeline or "" for name in timed_cores()})


def test_cores_name_the_pipelines_that_there_are() -> None:
    assert [f"{name}.toml" for name in PIPELINES] == sorted(file.name for file in FILES.iterdir())


def text_of(name: str) -> str:
    return (FILES / f"{name}.toml").read_text("utf-8")


@pytest.mark.parametrize("name", timed_cores())
def test_every_kind_is_described(name: str) -> None:
    core = load_core(name)
    assert set(core.kinds) == set(Kind)
    assert all(timing.cycles + timing.cycles_per_register > 0 for timing in core.kinds.values())


@pytest.mark.parametrize("name", PIPELINES)
def test_every_source_is_used(name: str) -> None:
    text = text_of(name)
    for source in tomllib.loads(text)["sources"]:
        assert f'source = "{source}"' in text, source


def test_cores_differ_where_hardware_does() -> None:
    m4, m7, m33 = (load_core(f"cortex-{n}") for n in ("m4", "m7", "m33"))
    assert [core.memory.fetch_bytes for core in (m4, m7, m33)] == [4, 8, 4]
    assert [core.branch.is_predicted for core in (m4, m7, m33)] == [False, True, False]
    assert m7.memory.unaligned_load_cycles == 3.5
    assert m7.memory.store_buffer_entries == 5
    assert [core.memory.pair_rule for core in (m4, m7, m33)] == [
        PairRule.SAME_MEMORY,
        PairRule.OTHER_BANK,
        PairRule.ALWAYS,
    ]
    assert all(not timing.younger for timing in m4.kinds.values())


def test_pairing_on_m7() -> None:
    kinds = load_core("cortex-m7").kinds
    assert Kind.LOAD in kinds[Kind.LOAD].younger
    assert Kind.EXTEND not in kinds[Kind.ADD].younger
    assert Kind.ADD in kinds[Kind.EXTEND].younger
    assert not kinds[Kind.LOAD_PAIR].younger
    assert Kind.MULTIPLY not in kinds[Kind.STORE].younger
    assert Kind.ALU_SHIFTED not in kinds[Kind.SHIFT].younger
    assert Kind.SHIFT in kinds[Kind.ALU_SHIFTED].younger


def test_unknown_cores_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="on 'cortex-m55' is unknown; known are cortex-m3"):
        load_core("cortex-m55")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "cortex-m4"', 'nme = "cortex-m4"', "the file has the unknown key 'nme'"),
        ('name = "cortex-m4"', "", "the file lacks 'name'"),
        ("store_buffer_entries = 1", "", r"\[memory\] lacks 'store_buffer_entries'"),
        ("[branch]", "[branch]\nspeed = 1", r"\[branch\] has the unknown key 'speed'"),
        ('"multiply_add"', '"multply_add"', "'multply_add' is neither a kind of instruction nor"),
        ('kinds = ["divide"]', 'kinds = ["add"]', "add is described twice"),
        ('"bitfield", ', "", "describes bitfield"),
        ("any = 14", "all = 14", "has the unknown key 'all'"),
        ('source = "compendium"', 'source = "hearsay"', r"\[sources\] has no 'hearsay'"),
        ('confidence = "guess"', 'confidence = "sure"', "'sure' is none of"),
        ('"same_memory"', '"same_bank"', r"\[memory\]: 'same_bank' is none of always, other_bank"),
        ("entries = 1", "entries = 9", "'store_buffer_entries' is 9, allowed is an integer from 1"),
        ("entries = 1", "entries = 0", "'store_buffer_entries' is 0, allowed is an integer from 1"),
        ("[sources]", "[sources", "is no TOML"),
    ],
)
def test_wrong_files_are_refused(old: str, new: str, message: str) -> None:
    text = text_of("cortex-m4")
    assert old in text
    with pytest.raises(InputError, match=message):
        parse_core(text.replace(old, new, 1), where="cortex-m4.toml")
