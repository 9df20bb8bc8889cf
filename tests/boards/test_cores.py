"""Cores as data: known to what asks for them, and sourced."""

import tomllib
from importlib import resources

import pytest

from penstock.boards import board_names, load_board
from penstock.boards.cores import core_facts, known_cores

TEXT = (resources.files("penstock.boards") / "cores.toml").read_text("utf-8")


@pytest.mark.parametrize("name", board_names())
def test_the_core_of_every_board_is_known(name: str) -> None:
    assert load_board(name).core.name in known_cores()


def test_cores_differ_where_hardware_does() -> None:
    assert core_facts("cortex-m7").fetch_bytes == 8
    assert [n for n, facts in known_cores().items() if facts.has_armv7m_mpu] == [
        "cortex-m3",
        "cortex-m4",
        "cortex-m7",
    ]


def test_some_cores_have_caches_of_their_own() -> None:
    found = [name for name, facts in known_cores().items() if facts.has_caches]
    assert found == ["cortex-m7", "cortex-m55", "cortex-m85"]


def test_a_core_that_nobody_described_has_no_time() -> None:
    assert core_facts("cortex-m99").pipeline is None


def test_every_source_is_used() -> None:
    for source in tomllib.loads(TEXT)["sources"]:
        assert f'source = "{source}"' in TEXT, source
