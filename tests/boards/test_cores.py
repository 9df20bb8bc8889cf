"""Cores as data: known to what asks for them, and sourced."""

import tomllib
from importlib import resources

import pytest
from unicorn import arm_const

from penstock.boards import board_names, load_board
from penstock.boards.cores import check_simulated, core_facts, known_cores
from penstock.errors import UnsupportedError

NAMES = tuple(known_cores())
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


def test_what_can_be_timed_can_be_emulated_and_the_other_way_round() -> None:
    has_model = {n: hasattr(arm_const, f"UC_CPU_ARM_{n.upper().replace('-', '_')}") for n in NAMES}
    assert has_model == {name: known_cores()[name].pipeline is not None for name in NAMES}


def test_a_core_to_compile_for_only_is_refused_with_what_is_possible() -> None:
    check_simulated("cortex-m3")
    with pytest.raises(UnsupportedError, match=r"nobody has modelled .* 'cortex-m85'") as caught:
        check_simulated("cortex-m85")
    assert "one of cortex-m3, cortex-m4, cortex-m7, cortex-m33;" in caught.value.help


def test_every_source_is_used() -> None:
    for source in tomllib.loads(TEXT)["sources"]:
        assert f'source = "{source}"' in TEXT, source
