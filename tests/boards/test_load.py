"""Boards load from data, and bad data is refused with the place and the remedy."""

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.boards import (
    Confidence,
    MemoryKind,
    board_names,
    load_board,
    load_board_file,
    parse_board,
)
from penstock.errors import InputError

VALID = """
title = "a board"
mcu = "PART"
port = "cortex_m"
[sources]
manual = "a manual"
[core]
name = "cortex-m7"
fpu = "fpv5-sp-d16"
source = "manual"
confidence = "primary"
[clock]
hz = 1000
source = "manual"
confidence = "guess"
[[memory]]
name = "ram"
kind = "sram"
base = 0x2000_0000
size_bytes = 0x1000
is_writable = true
is_external = false
aliases = [0x3000_0000]
source = "manual"
confidence = "secondary"
[[peripheral]]
name = "bus"
base = 0x4000_0000
size_bytes = 0x1000
source = "manual"
confidence = "primary"
"""


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_board(text, name="mine", where="mine.toml")
    return str(caught.value)


def test_valid_text_becomes_a_board() -> None:
    board = parse_board(VALID, name="mine", where="mine.toml")
    assert (board.name, board.clock_hz, board.core.fpu) == ("mine", 1000, "fpv5-sp-d16")
    clock = next(fact for fact in board.facts if fact.table == "clock")
    assert (clock.key, clock.value, clock.provenance.confidence) == ("hz", 1000, Confidence.GUESS)
    ram = board.region("ram")
    assert (ram.bases, ram.kind, ram.provenance.source) == (
        (0x2000_0000, 0x3000_0000),
        MemoryKind.SRAM,
        "a manual",
    )
    assert ram.contains(0x2000_0FFF)
    assert ram.contains(0x3000_0000)
    assert not ram.contains(0x2000_1000)
    assert board.peripherals[0].base == 0x4000_0000


@pytest.mark.parametrize("name", board_names())
def test_every_board_of_the_package_loads(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    assert any(region.kind is MemoryKind.FLASH for region in board.regions)
    assert all(region.provenance.source for region in board.regions)


def test_f746_is_at_the_addresses_of_the_real_board() -> None:
    board = load_board("stm32f746g-disco")
    bases = {region.name: region.bases for region in board.regions}
    assert bases == {
        "itcm": (0,),
        "dtcm": (0x2000_0000,),
        "sram1": (0x2001_0000,),
        "sram2": (0x2004_C000,),
        "flash": (0x0800_0000, 0x0020_0000),
        "sdram": (0xC000_0000, 0x6000_0000),
        "qspi": (0x9000_0000,),
    }
    sram1 = board.region("sram1")
    assert sram1.base + sram1.size_bytes == board.region("sram2").base
    assert board.region("sdram").size_bytes == 8 << 20


def test_unknown_board_suggests_the_closest() -> None:
    with pytest.raises(InputError, match=r"no board 'STM32F746'.*the boards are .*nucleo") as error:
        load_board("STM32F746")
    assert "did you mean 'stm32f746g-disco'?" in error.value.help


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("stm32f747", "stm32f746g-disco"),
        ("h747i-disco", "stm32h747i-disco"),
        ("nucelo-u575zi", "nucleo-u575zi-q"),
        ("hots", "host"),
    ],
)
def test_the_board_that_was_meant_is_the_closest_of_its_family(name: str, meant: str) -> None:
    with pytest.raises(InputError) as error:
        load_board(name, others=("host",))
    assert f"did you mean '{meant}'?" in error.value.help


CASES: list[tuple[Callable[[str], str], str]] = [
    (lambda t: t.replace("size_bytes", "size"), "carry their unit: 'size_bytes'"),
    (lambda t: t.replace("hz = 1000", "mhz = 1"), r"[clock]: unknown key 'mhz'"),
    (lambda t: t.replace("is_writable", "is_writeable"), "did you mean 'is_writable'?"),
    (lambda t: t.replace('source = "manual"\nconfidence = "secondary"', ""), "'source' is missing"),
    (lambda t: t.replace('source = "manual"', 'source = "lore"'), "one of manual"),
    (lambda t: t.replace('"guess"', '"sure"'), "one of primary, secondary, guess"),
    (lambda t: t.replace('kind = "sram"', 'kind = "dram"'), "'kind' is 'dram'; allowed is one of"),
    (lambda t: t.replace("0x2000_0000", '"0x2000_0000"'), "an integer from 0x0"),
    (lambda t: t.replace("0x2000_0000", "-1"), "an integer from 0x0"),
    (lambda t: t.replace("= true", "= 1"), "allowed is true or false"),
    (lambda t: t.replace("[0x3000_0000]", "0x3000_0000"), "a list of addresses"),
    (
        lambda t: t.replace("0x1000\n", "0x2000\n", 1).replace("0x3000_0000", "0x2000_1000"),
        "'ram' (0x20000000 to 0x20002000) overlaps",
    ),
    (
        lambda t: t.replace("0x2000_0000", "0x2000_0400"),
        "'base' is '0x20000400'; allowed is a",
    ),
    (lambda t: t.replace("0x1000\n", "0x1800\n", 1), "'size_bytes' is '0x1800'; allowed is a mult"),
    (lambda t: t.replace("0x3000_0000", "0x3000_0010"), "'aliases' is '0x30000010'; allowed is a "),
    (
        lambda t: t.replace("0x1000\n", "0x2000\n", 1).replace("0x3000_0000", "0xFFFF_F000"),
        "beyond the 32-bit address space",
    ),
    (lambda t: t.replace('title = "a board"', ""), "key 'title' is missing"),
    (lambda t: t.replace('title = "a board"', "title = 3"), "a text that is not empty"),
    (lambda t: t.replace("[core]", "[[core]]"), "'core' is [{"),
    (
        lambda t: t.replace("cortex-m7", "cortex-m99"),
        "'name' is 'cortex-m99'; allowed is one of cortex-m3,",
    ),
    (lambda t: t.replace("[[memory]]", "[memory]"), "an array of tables"),
    (lambda t: t + t[t.index("[[peripheral]]") :], "two [[peripheral]] are named 'bus'"),
    (lambda t: t + "=", "is not TOML"),
]


@pytest.mark.parametrize(("spoil", "message"), CASES)
def test_bad_data_is_refused(spoil: Callable[[str], str], message: str) -> None:
    assert spoil(VALID) != VALID
    text = refusal(spoil(VALID))
    assert message in text
    assert text.startswith("mine.toml")


def test_a_file_of_the_user_loads(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(VALID)
    assert load_board_file(path).name == "mine"


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_board_file(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        load_board_file(tmp_path / "binary.toml")
