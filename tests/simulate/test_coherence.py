"""What the data cache may hold, lose or have too old is an error, whatever this run's cache did."""

import re
from collections.abc import Iterator

import pytest

from penstock.errors import SimulationError
from penstock.simulate.sanitizers import Checks
from tests.simulate.dma_firmware import DmaBoard, Flag, dma_board, free_range

BOARD = "stm32f746g-disco"
LINE_BYTES, WAYS, SETS = 32, 4, 32
DCIMVAC, DCISW, DCCMVAC = 0xE000_EF5C, 0xE000_EF60, 0xE000_EF68
DCCSW, DCCIMVAC, DCCISW = 0xE000_EF6C, 0xE000_EF70, 0xE000_EF74
"""ARMv7-M architecture reference manual, B2.2.7."""

UNCLEAN = "newest bytes may still be in the data cache"
START = Flag.START | Flag.WAIT
SIZE = 8192
"""Twice the data cache: not all of it can be dirty there at once."""


@pytest.fixture
def virtual() -> Iterator[DmaBoard]:
    with dma_board(BOARD, Checks(bounds=False)) as opened:
        yield opened


@pytest.fixture
def source(virtual: DmaBoard) -> int:
    return free_range(virtual.board.region("sdram"), 0)[0]


@pytest.fixture
def target(virtual: DmaBoard) -> int:
    return free_range(virtual.board.region("sram1"), 1)[0]


def alias_of(virtual: DmaBoard, address: int) -> int:
    sdram = virtual.board.region("sdram")
    return address - sdram.base + sdram.aliases[0]


def write(virtual: DmaBoard, address: int, size_bytes: int = SIZE) -> None:
    virtual.run(Flag.WRITE_SOURCE, 0, address, size_bytes)


def read(virtual: DmaBoard, address: int, size_bytes: int = SIZE) -> None:
    virtual.run(Flag.READ, address, 0, size_bytes)


def poke(virtual: DmaBoard, register: int, value: int) -> None:
    virtual.run(Flag.POKE, value, 0, 0, probe=register)


def poke_all(virtual: DmaBoard, register: int, ways: range = range(WAYS)) -> None:
    """Maintain the whole cache by set and way."""
    for way in ways:
        for index in range(SETS):
            poke(virtual, register, way << 30 | index * LINE_BYTES)


@pytest.mark.parametrize("offset", range(0, SIZE, 1024))
def test_a_clean_is_missed_in_every_part_of_a_long_buffer(
    virtual: DmaBoard, source: int, target: int, offset: int
) -> None:
    """Of a stream of stores, the cache holds the first lines only, and evicts them in time."""
    write(virtual, source)
    with pytest.raises(SimulationError, match=UNCLEAN):
        virtual.run(START, target, source + offset, 256)


def test_a_line_is_clean_once_the_program_has_cleaned_it(
    virtual: DmaBoard, source: int, target: int
) -> None:
    write(virtual, source)
    virtual.run(Flag.CLEAN_SOURCE | START, target, source + 4096, 256)
    write(virtual, source, 1)
    virtual.run(START, target, source + 4096, 256)
    with pytest.raises(SimulationError, match=UNCLEAN):
        virtual.run(START, target, source + 4096 + 256, 256)


@pytest.mark.parametrize("register", [DCCSW, DCCISW])
def test_cleaning_all_ways_of_all_sets_cleans_everything(
    virtual: DmaBoard, source: int, target: int, register: int
) -> None:
    write(virtual, source)
    poke_all(virtual, register)
    virtual.run(START, target, source, SIZE)
    write(virtual, source, 1)
    virtual.run(START, target, source + LINE_BYTES, 256)
    with pytest.raises(SimulationError, match=UNCLEAN):
        virtual.run(START, target, source, 256)


def test_what_is_written_after_all_was_cleaned_makes_nothing_else_dirty(
    virtual: DmaBoard, source: int
) -> None:
    write(virtual, source, 32)
    poke_all(virtual, DCCSW)
    write(virtual, source, 1)
    poke(virtual, DCIMVAC, source)
    read(virtual, source + 1, 31)
    lost(virtual, Flag.READ, source, 0, 1)


def test_a_word_may_lie_in_two_lines(virtual: DmaBoard, source: int, target: int) -> None:
    write(virtual, source, 64)
    virtual.run(Flag.CLEAN_SOURCE, 0, source, 64)
    poke(virtual, source + 30, 0x0102_0304)
    poke(virtual, DCCMVAC, source)
    virtual.run(START, target, source, 32)
    with pytest.raises(SimulationError, match=UNCLEAN):
        virtual.run(START, target, source, 64)


def test_what_is_lost_may_begin_in_the_second_line_of_a_word(
    virtual: DmaBoard, source: int
) -> None:
    write(virtual, source, 64)
    poke(virtual, DCIMVAC, source + 32)
    with pytest.raises(SimulationError, match=f"wrote 32 bytes at {source + 32:#010x}"):
        virtual.run(Flag.READ_PROBE, 0, 0, 0, probe=source + 30)


def test_what_is_written_through_is_not_dirty(virtual: DmaBoard, source: int, target: int) -> None:
    timing = virtual.virtual.timing
    assert timing is not None
    timing._on_attributes(0xD9C, virtual.board.region("sdram").base | 1 << 4)
    timing._on_attributes(0xDA0, 3 << 24 | 1 << 17 | 22 << 1 | 1)
    write(virtual, source)
    virtual.run(START, target, source, SIZE)


def test_cleaning_some_ways_cleans_nothing(virtual: DmaBoard, source: int, target: int) -> None:
    """Where hardware has put a line, nobody knows."""
    write(virtual, source)
    poke_all(virtual, DCCSW, range(1, WAYS))
    with pytest.raises(SimulationError, match=UNCLEAN):
        virtual.run(START, target, source, 256)


def test_what_outside_has_written_is_not_dirty(virtual: DmaBoard, source: int, target: int) -> None:
    write(virtual, source)
    virtual.memory.write(source, bytes(SIZE))
    virtual.run(START, target, source, SIZE)


def test_cold_caches_are_clean(virtual: DmaBoard, source: int, target: int) -> None:
    write(virtual, source)
    assert virtual.virtual.timing is not None
    virtual.virtual.timing.chill()
    virtual.run(START, target, source, SIZE)


def lost(virtual: DmaBoard, flags: Flag, address: int, source: int, size_bytes: int) -> str:
    with pytest.raises(SimulationError, match="which is lost") as caught:
        virtual.run(flags, address, source, size_bytes)
    return str(caught.value)


def test_an_invalidated_write_is_lost_and_its_read_names_both(
    virtual: DmaBoard, source: int
) -> None:
    write(virtual, source, 64)
    poke(virtual, DCIMVAC, source + 4)
    text = lost(virtual, Flag.READ, source, 0, 64)
    assert re.match(
        rf"the core, operator 0 \(COPY\), reads 1 bytes at {source:#010x} in 'sdram' at cycle \d+, "
        rf"which is lost: the core, operator 0 \(COPY\), wrote 32 bytes at {source:#010x} in "
        r"'sdram' at cycle \d+ into the data cache, and the core, operator 0 \(COPY\), invalidated "
        r"the line uncleaned at cycle \d+",
        text,
    )
    cycles = [int(cycle) for cycle in re.findall(r"cycle (\d+)", text)]
    assert cycles[1] < cycles[2] < cycles[0]


def test_a_transfer_that_reads_a_lost_write_is_stopped(
    virtual: DmaBoard, source: int, target: int
) -> None:
    write(virtual, source)
    virtual.run(Flag.INVALIDATE_BEFORE, source + 4096, 0, 64)
    text = lost(virtual, Flag.CLEAN_SOURCE | START, target, source + 4096, 256)
    assert re.match(r"dma2 channel 0, started by operator 0 \(COPY\), reads 256 bytes", text)


def test_a_neighbor_in_an_invalidated_line_is_lost(virtual: DmaBoard, source: int) -> None:
    write(virtual, source + 28, 4)
    poke(virtual, DCIMVAC, source)
    lost(virtual, Flag.READ, source + 31, 0, 1)


def test_the_driver_loses_no_neighbor(virtual: DmaBoard, source: int) -> None:
    write(virtual, source, 96)
    virtual.run(Flag.INVALIDATE_BEFORE, source + 5, 0, 80)
    read(virtual, source, 5)
    read(virtual, source + 85, 11)
    lost(virtual, Flag.READ, source + 32, 0, 1)


def test_invalidating_by_set_and_way_loses_writes(virtual: DmaBoard, source: int) -> None:
    write(virtual, source, 32)
    poke_all(virtual, DCISW)
    lost(virtual, Flag.READ, source, 0, 1)


def test_what_is_overwritten_was_not_needed(virtual: DmaBoard, source: int, target: int) -> None:
    for operation in (Flag.WRITE_DESTINATION, Flag.CLEAN_SOURCE | START | Flag.INVALIDATE_AFTER):
        write(virtual, source, 64)
        virtual.run(Flag.INVALIDATE_BEFORE, source, 0, 64)
        write(virtual, target, 64)
        virtual.run(operation, source, target, 64)
        read(virtual, source, 64)
    write(virtual, source, 64)
    virtual.run(Flag.INVALIDATE_BEFORE, source, 0, 64)
    virtual.memory.write(source, bytes(64))
    read(virtual, source, 64)


@pytest.mark.parametrize("register", [DCCMVAC, DCCIMVAC])
def test_nothing_is_lost_that_was_cleaned(virtual: DmaBoard, source: int, register: int) -> None:
    write(virtual, source, 32)
    poke(virtual, register, source)
    poke(virtual, DCIMVAC, source)
    read(virtual, source, 32)


def test_lost_outputs_are_not_returned(virtual: DmaBoard) -> None:
    write(virtual, virtual.arena, 64)
    assert any(virtual.virtual.read_outputs()[0])
    poke(virtual, DCIMVAC, virtual.arena + 32)
    with pytest.raises(SimulationError, match="the core, outside all operators, reads 64 bytes"):
        virtual.virtual.read_outputs()


def test_a_transfer_reads_by_one_address_what_was_written_by_the_other(
    virtual: DmaBoard, source: int, target: int
) -> None:
    alias = alias_of(virtual, source)
    write(virtual, source, 256)
    virtual.run(Flag.CLEAN_SOURCE, 0, source, 256)
    virtual.run(START, target, alias, 256)
    write(virtual, source, 256)
    virtual.run(Flag.CLEAN_SOURCE, 0, alias, 256)  # other lines, as the cache sees it
    with pytest.raises(SimulationError, match=UNCLEAN):
        virtual.run(START, target, alias, 256)


def test_the_core_reads_by_one_address_what_was_written_by_the_other(
    virtual: DmaBoard, source: int
) -> None:
    write(virtual, source, 32)
    with pytest.raises(SimulationError, match=UNCLEAN):
        read(virtual, alias_of(virtual, source), 32)


def test_a_line_gets_too_old_by_a_write_to_the_other_address(
    virtual: DmaBoard, source: int
) -> None:
    alias = alias_of(virtual, source)
    virtual.memory.write(source, bytes(32))
    read(virtual, alias, 32)
    write(virtual, source, 32)
    virtual.run(Flag.CLEAN_SOURCE, 0, source, 32)
    read(virtual, source, 32)
    pattern = rf"before the core, operator 0 \(COPY\), wrote 32 bytes at {source:#010x}"
    with pytest.raises(SimulationError, match=pattern):
        read(virtual, alias, 32)


def test_a_line_gets_too_old_by_a_transfer_to_the_other_address(
    virtual: DmaBoard, source: int, target: int
) -> None:
    alias = alias_of(virtual, source)
    virtual.memory.write(source, bytes(64))
    virtual.memory.write(target, bytes(64))
    read(virtual, source, 64)
    virtual.run(START, alias, target, 64)
    read(virtual, alias, 64)
    with pytest.raises(SimulationError, match="holds what was there before"):
        read(virtual, source, 1)


def test_both_addresses_of_a_line_that_is_too_old_are_found(
    virtual: DmaBoard, source: int, target: int
) -> None:
    """Invalidating one of them does not mend the other."""
    alias = alias_of(virtual, source)
    virtual.memory.write(source, bytes(64))
    virtual.memory.write(target, bytes(64))
    read(virtual, source, 64)
    read(virtual, alias, 64)
    virtual.run(START, alias, target, 64)
    virtual.run(Flag.INVALIDATE_BEFORE, alias, 0, 64)
    read(virtual, alias, 64)
    with pytest.raises(SimulationError, match="holds what was there before"):
        read(virtual, source, 64)


def test_uncached_reads_do_not_see_what_is_dirty(virtual: DmaBoard, source: int) -> None:
    """The MPU's region of the SDRAM goes, so that 0xC0000000 is a device again."""
    write(virtual, source, 32)
    assert virtual.virtual.timing is not None
    virtual.virtual.timing._on_attributes(0xD94, 0)
    with pytest.raises(SimulationError, match=UNCLEAN):
        read(virtual, source, 32)


@pytest.mark.parametrize("offset", [-3, -1, 0, 2, 30])
def test_a_word_that_is_partly_stale_is_found(
    virtual: DmaBoard, source: int, target: int, offset: int
) -> None:
    """Wherever in the word the old bytes are."""
    write(virtual, source, 64)
    virtual.run(Flag.CLEAN_SOURCE, target, source, 64)
    write(virtual, target, 128)
    virtual.run(Flag.CLEAN_SOURCE, 0, target, 128)
    read(virtual, target, 128)
    virtual.run(START, target + 32, source, 64)
    with pytest.raises(SimulationError, match="holds what was there before"):
        virtual.run(Flag.READ_PROBE, 0, 0, 0, probe=target + 32 + offset)
