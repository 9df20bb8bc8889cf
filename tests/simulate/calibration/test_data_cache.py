"""The data cache and the store buffer of a Cortex-M7: 16 KiB, 4 ways, 128 sets of 32-byte lines."""

from collections.abc import Iterator

import pytest

from penstock.boards import Board, load_board
from penstock.simulate.timing import Traffic
from tests.simulate.calibration.bench import Bench, Measured, turns_of
from tests.simulate.calibration.code import (
    POKE,
    READ,
    SET_MPU,
    WRITE,
    WRITE_8_WORDS,
    WRITE_BYTES,
    WRITE_ONCE,
    WRITE_ONE_WORD,
    assemble,
)

SRAM, DTCM, SDRAM = 0x2400_0000, 0x2000_0000, 0xC000_0000
SAME_SET = 4096
LINE_READ, WORD_READ, WORD_WRITE = 14, 10, 4
"""Cycles of the AXI SRAM of an STM32H743."""


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board("nucleo-h743zi")


@pytest.fixture
def bench(board: Board) -> Iterator[Bench]:
    with Bench(board) as opened:
        yield opened


def read(bench: Bench, count: int, address: int, stride: int) -> Measured:
    return bench.run(assemble(READ), "itcm", count, address, stride)


def write(bench: Bench, count: int, address: int, stride: int) -> Measured:
    return bench.run(assemble(WRITE), "itcm", count, address, stride)


@pytest.mark.parametrize(("stride", "misses"), [(4, 32), (8, 64), (16, 128), (32, 256), (64, 256)])
def test_misses_by_stride(bench: Bench, stride: int, misses: int) -> None:
    measured = read(bench, 256, SRAM, stride)
    assert measured.traffic == {"axi_sram": Traffic(misses * 32, 0, 0)}
    assert measured.stalls["internal"] == misses * LINE_READ


def test_what_fits_is_read_once(bench: Bench) -> None:
    assert read(bench, 512, SRAM, 32).traffic == {"axi_sram": Traffic(16384, 0, 0)}
    assert read(bench, 512, SRAM, 32).traffic == {}


def test_what_does_not_fit_is_read_again(bench: Bench) -> None:
    assert read(bench, 1024, SRAM, 32).traffic == {"axi_sram": Traffic(32768, 0, 0)}
    again = read(bench, 1024, SRAM, 32).traffic["axi_sram"].read_bytes
    assert 16384 < again < 32768, "random replacement keeps some"


def test_a_set_holds_four_lines(bench: Bench) -> None:
    assert read(bench, 4, SRAM, SAME_SET).traffic == {"axi_sram": Traffic(128, 0, 0)}
    assert read(bench, 4, SRAM, SAME_SET).traffic == {}
    read(bench, 1, SRAM + 4 * SAME_SET, 4)
    assert read(bench, 5, SRAM, SAME_SET).traffic["axi_sram"].read_bytes >= 32


def test_a_written_line_is_read_first_and_written_back_when_it_goes(bench: Bench) -> None:
    assert write(bench, 4, SRAM, SAME_SET).traffic == {"axi_sram": Traffic(128, 0, 0)}
    assert write(bench, 1, SRAM + 4 * SAME_SET, 4).traffic == {"axi_sram": Traffic(32, 32, 0)}


def test_stores_that_miss_go_on_at_the_speed_of_line_fills(bench: Bench) -> None:
    """A store waits in the buffer until its line is there; the buffer is soon full."""
    further = turns_of(bench, assemble(WRITE), "itcm", 100, SRAM, 64)
    assert further.cycles == 100 * LINE_READ
    assert further.stalls["store_buffer"] == pytest.approx(100 * (LINE_READ - 2), abs=5)


def test_a_stream_of_stores_stops_allocating_after_three_lines(bench: Bench) -> None:
    """Cortex-M7 TRM (DDI0489), 5.4: a processor that writes whole lines reads none."""
    assert write(bench, 64 * 8, SRAM, 4).traffic == {"axi_sram": Traffic(3 * 32, 61 * 32, 0)}


def test_firmware_makes_memory_write_through(bench: Bench) -> None:
    """Registers as the processor has them: MPU region 0, 512 KiB, TEX 0, C 1, B 0."""
    bench.run(assemble(SET_MPU), "itcm", 0xE000_ED94, SRAM | 1 << 4, 1 << 17 | 18 << 1 | 1)
    assert write(bench, 8, SRAM, 64).traffic == {"axi_sram": Traffic(0, 32, 0)}
    assert read(bench, 8, SRAM, 64).traffic == {"axi_sram": Traffic(8 * 32, 0, 0)}
    assert write(bench, 8, SRAM, 64).traffic == {"axi_sram": Traffic(0, 32, 0)}
    assert read(bench, 8, SRAM, 64).traffic == {}


def test_firmware_makes_memory_uncached(bench: Bench) -> None:
    bench.run(assemble(SET_MPU), "itcm", 0xE000_ED94, SRAM | 1 << 4, 1 << 19 | 18 << 1 | 1)
    measured = read(bench, 100, SRAM, 4)
    assert measured.traffic == {"axi_sram": Traffic(400, 0, 0)}
    assert measured.stalls["internal"] == 100 * WORD_READ


def test_sdram_is_uncached_until_the_mpu_says_otherwise(h723: Board) -> None:
    """The default map has devices at 0xC0000000."""
    with Bench(h723) as bench:
        assert read(bench, 64, SDRAM, 4).traffic == {"sdram": Traffic(256, 0, 0)}
        bench.set_mpu(SDRAM, 25, tex=1, c=1, b=1)
        assert read(bench, 64, SDRAM, 4).traffic == {"sdram": Traffic(256, 0, 0)}
        assert read(bench, 64, SDRAM, 4).traffic == {}


def test_firmware_turns_the_data_cache_on(board: Board) -> None:
    """SCB_CCR, bit 16: ARMv7-M architecture reference manual, B3.2.8."""
    with Bench(board, caches=False) as bench:
        assert read(bench, 64, SRAM, 4).traffic == {"axi_sram": Traffic(256, 0, 0)}
        bench.run(assemble(POKE), "itcm", 0xE000_ED14, 1 << 16)
        read(bench, 64, SRAM, 4)
        assert read(bench, 64, SRAM, 4).traffic == {}


def test_a_line_that_is_cleaned_is_written_once(bench: Bench) -> None:
    """DCCMVAC and DCIMVAC: ARMv7-M architecture reference manual, B2.2.7."""
    write(bench, 1, SRAM, 4)
    clean, invalidate = 0xE000_EF68, 0xE000_EF5C
    assert bench.run(assemble(POKE), "itcm", clean, SRAM).traffic["axi_sram"].written_bytes == 32
    assert bench.run(assemble(POKE), "itcm", clean, SRAM).traffic == {}
    assert read(bench, 1, SRAM, 4).traffic == {}
    bench.run(assemble(POKE), "itcm", invalidate, SRAM)
    assert read(bench, 1, SRAM, 4).traffic == {"axi_sram": Traffic(32, 0, 0)}


def test_the_store_buffer_takes_five_stores(board: Board) -> None:
    """Each takes the bus 4 cycles. The sixth of 8 starts at cycle 6, when one has left at 5."""
    waits = {}
    for count in WRITE_ONCE:
        with Bench(board, caches=False) as bench:
            stalls = bench.run(assemble(WRITE_ONCE[count]), "itcm", 0, SRAM).stalls
            waits[count] = stalls.get("store_buffer", 0)
    assert (waits[5], waits[6]) == (0, 0)
    assert waits[8] == 5, "store 7 leaves for the second to drain, store 8 for the third"


def test_stores_go_on_at_the_speed_of_the_bus(board: Board) -> None:
    with Bench(board, caches=False) as bench:
        slow = turns_of(bench, assemble(WRITE_ONE_WORD), "itcm", 100, SRAM)
        fast = turns_of(bench, assemble(WRITE_ONE_WORD), "itcm", 100, DTCM)
    assert slow.cycles == 100 * WORD_WRITE
    assert (fast.cycles, fast.stalls) == (200, {})


def test_stores_into_fast_memory(bench: Bench) -> None:
    """jnk0le/random: bytes in order 2.4 cycles each, unaligned words 4, words 1."""
    words, unaligned = (assemble(WRITE_8_WORDS[n]) for n in (0, 1))
    assert turns_of(bench, assemble(WRITE_BYTES), "itcm", 100, DTCM).cycles == pytest.approx(
        100 * 8 * 2.4, abs=2
    )
    assert turns_of(bench, unaligned, "itcm", 100, DTCM).cycles == 100 * 8 * 4
    assert turns_of(bench, words, "itcm", 100, DTCM).stalls == {}


@pytest.mark.parametrize("offset", [28, 29, 30, 31])
def test_an_access_that_lies_in_two_lines_needs_both(bench: Bench, offset: int) -> None:
    lines = 64 if offset > 28 else 32
    assert read(bench, 32, SRAM + offset, 64).traffic == {"axi_sram": Traffic(lines * 32, 0, 0)}


@pytest.mark.parametrize(("offset", "lines"), [(28, 32), (30, 64)])
def test_a_store_that_lies_in_two_lines_allocates_both(
    bench: Bench, offset: int, lines: int
) -> None:
    assert write(bench, 32, SRAM + offset, 64).traffic == {"axi_sram": Traffic(lines * 32, 0, 0)}
