"""How cores reach memories: read off the manuals' block diagrams for the boards that differ."""

from dataclasses import replace

import pytest

from penstock.boards import load_board
from penstock.boards.paths import (
    cache_of_data,
    is_accelerated,
    is_instruction_cache_on,
    is_on_core_bus,
    is_tightly_coupled,
    reaches_cache,
)
from penstock.boards.timing import Cache

F4, F7 = load_board("stm32f469i-disco"), load_board("stm32f746g-disco")
U5 = load_board("nucleo-u575zi-q")
UNIFIED = Cache(4096, 2, 32, holds_data=True, is_on_at_start=True)


@pytest.mark.parametrize(("region", "wanted"), [("dtcm", True), ("itcm", True), ("sram1", False)])
def test_tightly_coupled_memories_answer_at_once(region: str, wanted: bool) -> None:
    assert is_tightly_coupled(F7.region(region)) == wanted


def test_an_accelerator_works_at_some_addresses_or_at_all() -> None:
    flash = F7.region("flash")
    assert not is_accelerated(flash, 0x0800_0000)  # on the AXI bus, through the caches
    assert is_accelerated(flash, 0x0020_0000)  # on the ITCM bus
    assert is_on_core_bus(flash, 0x0020_0000)
    assert not is_on_core_bus(flash, 0x0800_0000)
    assert is_accelerated(F4.region("flash"), 0x0800_0000)
    assert not is_on_core_bus(F4.region("flash"), 0x0800_0000)  # DMA reads it there too
    assert not is_accelerated(F4.region("sdram"), 0xC000_0000)


def test_a_data_cache_is_before_everything_but_an_accelerator() -> None:
    flash = F7.region("flash")
    assert cache_of_data(F7, flash, 0x0800_0000) == F7.data_cache
    assert cache_of_data(F7, flash, 0x0020_0000) is None
    assert cache_of_data(F7, F7.region("sdram"), 0xC000_0000) == F7.data_cache


def test_a_cache_of_the_code_bus_is_before_low_addresses() -> None:
    assert cache_of_data(U5, U5.region("flash"), 0x0800_0000) == U5.instruction_cache
    assert cache_of_data(U5, U5.region("sram4"), 0x2800_0000) is None
    assert not reaches_cache(U5, U5.region("sram1"), 0x2000_0000)


def test_without_a_cache_there_is_none() -> None:
    assert cache_of_data(F4, F4.region("ccm"), 0x1000_0000) is None
    cached = replace(F4, instruction_cache=UNIFIED)
    assert cache_of_data(cached, F4.region("ccm"), 0x1000_0000) == cached.instruction_cache
    assert cache_of_data(cached, F4.region("flash"), 0x0800_0000) is None


def test_a_cache_of_instructions_alone_holds_no_data() -> None:
    alone = replace(F4, instruction_cache=replace(UNIFIED, holds_data=False))
    assert is_instruction_cache_on(alone)
    assert cache_of_data(alone, F4.region("ccm"), 0x1000_0000) is None


def test_a_cache_that_is_no_core_s_is_as_the_program_finds_it() -> None:
    off = replace(F4, instruction_cache=replace(UNIFIED, is_on_at_start=False))
    assert not is_instruction_cache_on(off)
    assert cache_of_data(off, F4.region("ccm"), 0x1000_0000) is None
    assert is_instruction_cache_on(U5)
    assert is_instruction_cache_on(F7), "start-up code turns it on"
    assert not is_instruction_cache_on(F4), "there is none"
