"""Rates and flags of DMA controllers, register by register."""

import ctypes
import random
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from penstock.boards.timing import QspiTiming
from tests.simulate.dma_registers import (
    QSPI_BASE,
    Registers,
    gpdma_copy,
    mdma_copy,
    registers,
    stream_copy,
    with_qspi,
)

LISR, LIFCR, S0CR, S0NDTR = 0x00, 0x08, 0x10, 0x14
TCIF0, HTIF0, TEIF0, FEIF0 = 1 << 5, 1 << 4, 1 << 3, 1 << 0
BYTE, HALF, WORD = 0, 1, 2
SINGLE, INC4, INC8, INC16 = range(4)
F746, F469 = "stm32f746g-disco", "stm32f469i-disco"


def qspi(clock_hz: int) -> QspiTiming:
    """A serial flash with the share of its peak that was fitted on H723 and U575."""
    return QspiTiming(
        clock_hz=clock_hz,
        bits_per_clock=4,
        setup_clocks=20,
        controller_clocks=4,
        stream_share=0.94,
    )


H723 = with_qspi("nucleo-h743zi", 550_000_000, qspi(91_666_667), 275_000_000)
U575 = with_qspi("nucleo-u575zi-q", 160_000_000, qspi(80_000_000), 160_000_000)


def stream_rate(board: str, source: str, width_log2: int, burst: int) -> float:
    """Return the rate in MB/s of a copy of 16 KB to internal RAM."""
    with registers(board) as opened:
        target = opened.board.region("sram1").base
        size = 16_384
        stream_copy(
            opened,
            target,
            opened.board.region(source).base,
            size >> width_log2,
            width_log2=width_log2,
            burst=burst,
        )
        opened.advance()
        (transfer,) = opened.dma.transfers()
        return opened.rate(transfer)


@pytest.mark.parametrize(("board", "measured"), [(F746, 29.09), (F469, 24.32)])
def test_streams_read_serial_flash_byte_by_byte_as_fast_as_measured(
    board: str, measured: float
) -> None:
    """mbed-ce/mbed-os pull request 456: QSPI to RAM by DMA, byte items, single bursts."""
    assert stream_rate(board, "qspi", BYTE, SINGLE) == pytest.approx(measured, rel=0.05)


def test_mdma_reads_serial_flash_as_fast_as_measured() -> None:
    """mbed-ce/mbed-os pull request 456: STM32H723, QUADSPI at 91.6 MHz."""
    with registers(H723) as opened:
        mdma_copy(opened, opened.board.region("axi_sram").base, QSPI_BASE, 65_536)
        opened.advance()
        (transfer,) = opened.dma.transfers()
        assert opened.rate(transfer) == pytest.approx(42.78, rel=0.05)


def test_gpdma_reads_serial_flash_as_fast_as_measured() -> None:
    """mbed-ce/mbed-os pull request 456: STM32U575, OCTOSPI at 80 MHz, four data lines."""
    with registers(U575) as opened:
        gpdma_copy(opened, opened.board.region("sram1").base, QSPI_BASE, 32_768)
        opened.advance()
        (transfer,) = opened.dma.transfers()
        assert opened.rate(transfer) == pytest.approx(37.74, rel=0.05)


@pytest.mark.parametrize("source", ["qspi", "sdram", "flash", "sram2"])
@pytest.mark.parametrize("board", [F746, F469])
def test_wide_items_and_bursts_are_faster_and_never_beyond_the_memory(
    board: str, source: str
) -> None:
    shapes = [(BYTE, SINGLE), (HALF, SINGLE), (WORD, SINGLE), (WORD, INC4)]
    rates = [stream_rate(board, source, width, burst) for width, burst in shapes]
    assert all(slow <= 1.001 * fast for slow, fast in pairwise(rates)), rates
    assert rates[-1] > 1.3 * rates[0]
    assert stream_rate(board, source, BYTE, INC16) > rates[0]
    peak = {"qspi": 54.0 if board == F746 else 45.0, "sdram": 432.0}.get(source, 1000.0)
    assert rates[-1] <= peak


def documented_rates() -> list[tuple[str, str, list[float]]]:
    """Return board, source and rates of each row of the table in docs/dma.md."""
    page = (Path(__file__).parents[2] / "docs" / "dma.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (stm32\S+), (\w+) \|(.*)\|$", page, re.MULTILINE)
    return [
        (board, source, [float(cell) for cell in rest.split("|")]) for board, source, rest in rows
    ]


@pytest.mark.parametrize(("board", "source", "rates"), documented_rates())
def test_the_documented_rates_are_those_of_the_model(
    board: str, source: str, rates: list[float]
) -> None:
    shapes = [(BYTE, SINGLE), (HALF, SINGLE), (WORD, SINGLE), (BYTE, INC16), (WORD, INC4)]
    found = [round(stream_rate(board, source, width, burst), 1) for width, burst in shapes]
    assert found == rates


@pytest.fixture
def opened() -> Iterator[Registers]:
    with registers(F746) as found:
        yield found


def start(opened: Registers, items: int = 64, **shape: int) -> None:
    settings = {"width_log2": WORD, "burst": SINGLE, **shape}
    regions = opened.board
    stream_copy(
        opened, regions.region("sram1").base, regions.region("sram2").base, items, **settings
    )


def test_flags_say_how_far_a_stream_is(opened: Registers) -> None:
    content = random.Random(3).randbytes(256)
    source, target = opened.board.region("sram2").base, opened.board.region("sram1").base
    opened.memory.write(source, content)
    start(opened)
    assert opened.read(LISR) == 0
    assert opened.read(S0CR) & 1
    opened.advance(300)
    left = opened.read(S0NDTR)
    assert 0 < left <= 32
    assert opened.read(LISR) == HTIF0
    done = 256 - 4 * left
    assert opened.memory.read(target, 256) == content[:done] + bytes(256 - done)
    opened.advance()
    assert opened.read(LISR) == HTIF0 | TCIF0
    assert opened.read(S0NDTR) == 0
    assert not opened.read(S0CR) & 1
    assert opened.memory.read(target, 256) == content
    assert opened.is_pending(0)
    opened.write(LIFCR, TCIF0 | HTIF0)
    assert opened.read(LISR) == 0


def test_a_running_streams_registers_are_protected(opened: Registers) -> None:
    start(opened)
    before = opened.read(S0CR)
    opened.write(S0NDTR, 1)
    opened.write(S0CR, before & ~(3 << 11))
    assert opened.read(S0CR) == before
    assert opened.read(S0NDTR) == 64
    opened.write(S0CR, before & ~1)
    assert opened.read(LISR) & TCIF0, "a stream that is stopped says so"
    left = opened.read(S0NDTR)
    opened.advance(10_000)
    assert opened.read(S0NDTR) == left


@pytest.mark.parametrize(
    ("shape", "flag"),
    [
        ({"burst": INC4, "threshold": 0}, FEIF0),
        ({"burst": INC8}, FEIF0),
        ({"burst": INC4, "threshold": 2}, FEIF0),
        ({"items": 0}, 0),
    ],
)
def test_what_the_manual_forbids_does_not_start(
    opened: Registers, shape: dict[str, int], flag: int
) -> None:
    start(opened, **shape)
    assert opened.read(LISR) == flag
    assert not opened.read(S0CR) & 1


def test_a_memory_out_of_reach_is_a_transfer_error(opened: Registers) -> None:
    settings = {"width_log2": WORD, "burst": SINGLE}
    sram, itcm = opened.board.region("sram1").base, opened.board.region("itcm").base
    stream_copy(opened, itcm, sram, 16, **settings)
    assert opened.read(LISR) == TEIF0
    assert opened.is_pending(0)
    opened.write(LIFCR, 0x3D)
    stream_copy(opened, sram, 0x0020_0000, 16, **settings)
    assert opened.read(LISR) == TEIF0, "the ITCM's way to the flash is the core's"


def test_the_higher_priority_goes_first(opened: Registers) -> None:
    start(opened, 512)
    source, target = opened.board.region("sram2").base, opened.board.region("sram1").base
    stream_copy(opened, target + 8192, source, 512, width_log2=WORD, burst=SINGLE, stream=1)
    opened.write(0x28, opened.read(0x28) & ~1)
    opened.write(LIFCR, 0xFFFF_FFFF)
    opened.write(0x2C, 512)
    control = 2 << 6 | 1 << 9 | 1 << 10 | 2 << 11 | 2 << 13 | 3 << 16
    opened.write(0x28, control)
    opened.write(0x28, control | 1)
    opened.advance()
    assert [t.channel for t in opened.dma.transfers()] == [1, 1, 0]


def test_widths_are_packed_in_the_fifo(opened: Registers) -> None:
    content = random.Random(4).randbytes(256)
    source, target = opened.board.region("sram2").base, opened.board.region("sram1").base
    opened.memory.write(source, content)
    stream_copy(opened, target, source, 256, width_log2=BYTE, memory_width_log2=WORD, burst=SINGLE)
    opened.advance()
    assert opened.memory.read(target, 256) == content


def test_time_of_registers_read_by_parts(opened: Registers) -> None:
    start(opened)
    opened.advance()
    opened.write(LIFCR, 0x3D, size_bytes=1)
    assert opened.read(LISR) == 0


def test_mdma_walks_repeated_blocks_and_lists() -> None:
    with registers("nucleo-h743zi") as opened:
        base = opened.board.region("axi_sram").base
        content = random.Random(5).randbytes(256)
        opened.memory.write(base, content)
        control = 2 | 2 << 2 | 2 << 4 | 2 << 6 | 2 << 8 | 2 << 10 | 31 << 18 | 3 << 28 | 1 << 30
        entry = base + 0x1000
        fields = (control, 64, base + 128, base + 0x2200, 0, 0, 0, 0, 0, 0)
        opened.memory.write(entry, b"".join(value.to_bytes(4, "little") for value in fields))
        for offset, value in (
            (0x10, control),
            (0x14, 32 | 1 << 20),
            (0x18, base),
            (0x1C, base + 0x2000),
            (0x20, 16 << 16 | 32),
            (0x24, entry),
            (0x0C, 1),
            (0x0C, 1 | 1 << 16),
        ):
            opened.write(0x40 + offset, value)
        opened.advance()
        assert opened.read(0x40) == 0b11110
        assert opened.memory.read(base + 0x2000, 32) == content[:32]
        assert opened.memory.read(base + 0x2030, 32) == content[64:96]
        assert opened.memory.read(base + 0x2200, 64) == content[128:192]


def mdma_reverse(opened: Registers, last: int, source: int, size_bytes: int) -> None:
    """Copy bytes from a source on to a target that goes down from its last byte."""
    control = 2 | 3 << 2 | (size_bytes - 1) << 18 | 1 << 28 | 1 << 30
    for offset, value in ((0x10, control), (0x14, size_bytes), (0x18, source), (0x1C, last)):
        opened.write(0x40 + offset, value)
    opened.write(0x40 + 0x0C, 1)
    opened.write(0x40 + 0x0C, 1 | 1 << 16)


@pytest.mark.parametrize(("last", "fits"), [(15, True), (14, False), (0, False)])
def test_mdma_goes_down_to_the_first_byte_of_a_memory(last: int, fits: bool) -> None:
    content = random.Random(7).randbytes(16)
    with registers("nucleo-h743zi") as opened:
        source, target = opened.board.region("axi_sram").base, opened.board.region("sram4").base
        opened.memory.write(source, content)
        mdma_reverse(opened, target + last, source, 16)
        opened.advance()
        assert bool(opened.read(0x40) & 1) is not fits, "TEIF"
        assert opened.memory.read(target, 16) == (content[::-1] if fits else bytes(16))


def test_mdma_needs_the_right_bus_for_a_tcm() -> None:
    with registers("nucleo-h743zi") as opened:
        mdma_copy(
            opened, opened.board.region("dtcm").base, opened.board.region("axi_sram").base, 128
        )
        assert opened.read(0x40) & 1, "TEIF"


def test_gpdma_walks_lists_and_refuses_odd_addresses() -> None:
    with registers("nucleo-u575zi-q") as opened:
        base = opened.board.region("sram1").base
        content = random.Random(6).randbytes(256)
        opened.memory.write(base, content)
        entry = base + 0x1000
        update = 1 << 29 | 1 << 28 | 1 << 27 | 1 << 16
        fields = (128, base + 64, base + 0x2100, 0)
        opened.memory.write(entry, b"".join(value.to_bytes(4, "little") for value in fields))
        opened.write(0x50, base & 0xFFFF_0000)
        opened.write(0x50 + 0x7C, update | entry & 0xFFFC)
        gpdma_copy(opened, base + 0x2000, base, 32)
        opened.advance()
        assert opened.read(0x60) & 0x101 == 0x101, "idle and complete"
        assert opened.memory.read(base + 0x2000, 32) == content[:32]
        assert opened.memory.read(base + 0x2100, 128) == content[64:192]
        opened.write(0x5C, 0x7F00)
        gpdma_copy(opened, base + 0x2001, base, 32)
        assert opened.read(0x60) & 1 << 10, "DTEF"


def test_registers_without_a_clock_do_nothing() -> None:
    with registers(F746) as opened:
        address = opened.controller.clock_enable_address
        assert address is not None
        page = opened.dma.register_pages[address & ~0xFFF]
        ctypes.c_uint32.from_address(page + (address & 0xFFF)).value = 0
        start(opened)
        assert opened.read(S0CR) == 0
