"""Loops run as fast as they were published to run; each test names its source."""

from dataclasses import replace

import pytest

from penstock.boards import Board, load_board
from penstock.boards.timing import InternalTiming, SdramTiming
from tests.simulate.calibration.bench import Bench, Measured
from tests.simulate.calibration.conftest import Link

SDRAM = 0xC000_0000
MEGABYTE = 1 << 20
WORDS, HALVES = MEGABYTE // 4, MEGABYTE // 2
WRITE_BACK, UNCACHED = {"tex": 1, "c": 1, "b": 1}, {"tex": 1}


def run(bench: Bench, function: str, *arguments: int, warm: int = 0) -> Measured:
    return bench.call(bench.firmware.symbol(function), *arguments, warm=warm)


def megabytes_per_second(board: Board, measured: Measured) -> float:
    return MEGABYTE / (measured.cycles / board.clock_hz) / 1e6


@pytest.mark.parametrize("loop", ["words", "words_unrolled"])
@pytest.mark.parametrize(
    ("direction", "caches", "published"),
    [
        ("read", True, 127.07),
        ("read", False, 54.18),
        ("write", True, 187.25),
        ("write", False, 187.08),
    ],
)
def test_sdram_of_an_stm32h723(
    h723: Board, link: Link, loop: str, direction: str, caches: bool, published: float
) -> None:
    """hpmicro/hpm_sdk issue 33: 480 MHz, SDRAM of 16 bits at 100 MHz, data cache on and off.

    The constants of SDRAM are fitted to these four; the loops decide how much the core adds.
    """
    with Bench(h723, caches=caches, elf=link(h723, "itcm", "dtcm")) as bench:
        bench.set_mpu(SDRAM, 25, **WRITE_BACK)
        measured = run(bench, f"{direction}_{loop}", SDRAM, WORDS)
    assert megabytes_per_second(h723, measured) == pytest.approx(published, rel=0.05)


@pytest.fixture(scope="module")
def slow_f746() -> Board:
    """The board of micropython issue 4032: core at 192 MHz, SDRAM at 96 MHz."""
    board = load_board("stm32f746g-disco")
    sdram = board.region("sdram")
    assert isinstance(sdram.timing, SdramTiming)
    slow = replace(sdram, timing=replace(sdram.timing, clock_hz=96_000_000))
    regions = tuple(slow if r is sdram else r for r in board.regions)
    return replace(board, clock_hz=192_000_000, regions=regions)


@pytest.mark.parametrize(
    ("is_set_up", "published_ms", "off_by"), [(True, 27, 0.05), (False, 40, 0.15)]
)
def test_copy_within_the_sdram_of_an_stm32f746(
    slow_f746: Board, link: Link, is_set_up: bool, published_ms: float, off_by: float
) -> None:
    """micropython issue 4032: 1 MB in 27 ms, and in 40 ms before the MPU made SDRAM cacheable.

    A check of what the STM32H723 taught. Two rules of the virtual board were chosen by it: one bank
    follows the other in the address space, and reads in between end a stream of stores.
    """
    with Bench(slow_f746, elf=link(slow_f746, "itcm", "dtcm")) as bench:
        if is_set_up:
            bench.set_mpu(SDRAM, 23, **WRITE_BACK)
        measured = run(bench, "copy_words", SDRAM + MEGABYTE, SDRAM, WORDS)
    milliseconds = measured.cycles / slow_f746.clock_hz * 1e3
    assert milliseconds == pytest.approx(published_ms, rel=off_by)


@pytest.mark.parametrize(
    ("direction", "published", "off_by"), [("write", 182.9, 0.05), ("read", 21.5, 0.20)]
)
def test_half_words_in_the_sdram_of_an_stm32h743(
    h723: Board, link: Link, direction: str, published: float, off_by: float
) -> None:
    """mikrocontroller.net topic 571964: a loop over volatile 16-bit values.

    A check only: neither clocks nor CAS latency of that board are known, and what the virtual board
    reads is a fifth faster.
    """
    with Bench(h723, caches=False, elf=link(h723, "itcm", "dtcm")) as bench:
        bench.set_mpu(SDRAM, 25, **UNCACHED)
        measured = run(bench, f"{direction}_halves", SDRAM, HALVES)
    assert megabytes_per_second(h723, measured) == pytest.approx(published, rel=off_by)


@pytest.fixture(scope="module")
def h743_at_400() -> Board:
    """The clock of the data sheet's table: buses follow the core, flash keeps its nanoseconds."""
    board = load_board("nucleo-h743zi")
    flash = board.region("flash")
    assert isinstance(flash.timing, InternalTiming)
    fetch = flash.timing.fetch_cycles * 400e6 / board.clock_hz
    slow = replace(flash, timing=replace(flash.timing, fetch_cycles=fetch))
    regions = tuple(slow if r is flash else r for r in board.regions)
    return replace(board, clock_hz=400_000_000, regions=regions)


def cycles_of_work(board: Board, link: Link, code: str, data: str, **caches: bool) -> int:
    with Bench(board, elf=link(board, code, data), **caches) as bench:
        top = board.region(data).base + 0x1_0000
        return bench.call(bench.firmware.symbol("work"), 2, stack_top=top, warm=1).cycles


@pytest.mark.parametrize(
    ("code", "score"),
    [("itcm", 2012), ("flash", 593), ("axi_sram", 344), ("sram1", 472), ("sram4", 432)],
)
def test_where_code_of_an_stm32h743_lies(
    h743_at_400: Board, link: Link, code: str, score: int
) -> None:
    """DS12110 table 33: CoreMark by place of the code; with caches all of them reach 2012.

    The table varies the place of code only, hence data are taken to be in DTCM. The stalls of
    uncached fetches are fitted to these ratios, by this loop, which has CoreMark's ingredients.
    """
    fastest = cycles_of_work(h743_at_400, link, "itcm", "dtcm")
    cached = cycles_of_work(h743_at_400, link, code, "dtcm")
    uncached = cycles_of_work(h743_at_400, link, code, "dtcm", caches=False)
    assert cached == pytest.approx(fastest, rel=0.01)
    assert fastest / uncached == pytest.approx(score / 2012, rel=0.15)


def test_data_cache_of_an_stm32h743(link: Link) -> None:
    """mynewt-core issue 3656: CoreMark at 480 MHz, 2000 with data cache, 687 without.

    A check: where its data lay is not said; AXI SRAM is where that system puts them.
    """
    board = load_board("nucleo-h743zi")
    cached = cycles_of_work(board, link, "flash", "axi_sram")
    uncached = cycles_of_work(board, link, "flash", "axi_sram", data_cache=False)
    assert cached / uncached == pytest.approx(687 / 2000, rel=0.10)


def test_caches_of_an_stm32f723(link: Link) -> None:
    """blog.stratifylabs.dev, 2019-05-25: Dhrystone from flash, 245 DMIPS with caches, 49 without.

    The stall of an uncached fetch is fitted to it, by the loop of the other tests, on the sister
    die; both have 216 MHz and 7 wait states.
    """
    board = load_board("stm32f746g-disco")
    cached = cycles_of_work(board, link, "flash", "dtcm")
    uncached = cycles_of_work(board, link, "flash", "dtcm", caches=False)
    assert cached / uncached == pytest.approx(49 / 245, rel=0.05)
