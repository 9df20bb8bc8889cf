"""Caches, memory timing, DMA, power: read as written, refused when wrong, costed as published."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from penstock.boards import Confidence, MemoryKind, MemoryRegion, Provenance, parse_board
from penstock.boards.board import Board, Core
from penstock.boards.costs import TICKS_PER_CYCLE, region_costs
from penstock.boards.provenance import Band
from penstock.boards.timing import (
    Accelerator,
    Cache,
    DmaKind,
    InternalTiming,
    QspiTiming,
    SdramTiming,
)
from penstock.errors import InputError

VALID = """
title = "a board"
mcu = "PART"
port = "cortex_m"
[sources]
manual = "a manual"
bench = "a measurement"
[core]
name = "cortex-m7"
source = "manual"
confidence = "primary"
[clock]
hz = 1000
source = "manual"
confidence = "primary"
[instruction_cache]
size_bytes = 4096
ways = 2
line_bytes = 32
source = "manual"
confidence = "secondary"
[[memory]]
name = "flash"
kind = "flash"
base = 0x0800_0000
size_bytes = 0x1000
is_writable = false
is_external = false
aliases = [0x0020_0000]
source = "manual"
confidence = "secondary"
[memory.timing]
word_read_cycles = 7
word_write_cycles = 0
line_read_cycles = { value = 11.5, source = "bench", confidence = "fitted", fitted_to = "a rate" }
line_write_cycles = { value = 3, note = "of a line" }
fetch_cycles = 6.5
source = "manual"
confidence = "guess"
note = "of the table"
[memory.accelerator]
instruction_lines = 64
data_lines = 8
line_bytes = 16
prefetches = true
bases = [0x0020_0000]
source = "manual"
confidence = "primary"
[[memory]]
name = "sdram"
kind = "sdram"
base = 0xC000_0000
size_bytes = 0x1000
is_writable = true
is_external = true
source = "manual"
confidence = "primary"
[memory.timing]
clock_hz = 500
width_bits = 16
cas_clocks = 3
row_to_column_clocks = 2
precharge_clocks = 2
line_controller_clocks = 4
word_controller_clocks = 2
write_share = 0.95
row_bytes = 512
bank_count = 4
source = "manual"
confidence = "primary"
[memory.energy]
read_nj_per_byte = { value = 2, low = 1, high = 4 }
write_nj_per_byte = { value = 3, low = 1, high = 4 }
source = "manual"
confidence = "guess"
[[memory]]
name = "qspi"
kind = "qspi_flash"
base = 0x9000_0000
size_bytes = 0x1000
is_writable = false
is_external = true
source = "manual"
confidence = "primary"
[memory.timing]
clock_hz = 250
bits_per_clock = 4
setup_clocks = 24
controller_clocks = 4
stream_share = 1
source = "manual"
confidence = "primary"
[[peripheral]]
name = "bus"
base = 0x4000_0000
size_bytes = 0x1000
source = "manual"
confidence = "primary"
[[dma]]
name = "dma2"
kind = "stream"
base = 0x4000_0400
channel_count = 2
clock_hz = 1000
reaches = ["flash", "sdram"]
memory_to_memory = true
items_max = 65_535
fifo_bytes = 16
item_cycles = 7.4
interrupts = [56, 57]
clock_enable_address = 0x4000_0830
clock_enable_bit = 22
source = "manual"
confidence = "secondary"
[power]
run_mw = { value = 300, low = 200, high = 500 }
sleep_mw = { value = 100, low = 50, high = 200 }
source = "manual"
confidence = "primary"
"""

KNOWN = Provenance("a manual", Confidence.PRIMARY)


def parse(text: str) -> Board:
    return parse_board(text, name="mine", where="mine.toml")


def test_what_a_file_says_is_what_the_board_has() -> None:
    board = parse(VALID)
    assert (board.instruction_cache, board.data_cache) == (Cache(4096, 2, 32), None)
    flash = board.region("flash")
    assert flash.timing == InternalTiming(7, 0, 11.5, 3, 6.5)
    assert flash.accelerator == Accelerator(64, 8, 16, prefetches=True, bases=(0x0020_0000,))
    assert board.region("sdram").timing == SdramTiming(500, 16, 3, 2, 2, 4, 2, 0.95, 512, 4)
    assert board.region("qspi").timing == QspiTiming(250, 4, 24, 4, 1)
    energy = board.region("sdram").energy
    assert energy is not None
    assert (energy.read_nj_per_byte, energy.write_nj_per_byte) == (Band(2, 1, 4), Band(3, 1, 4))
    (dma,) = board.dma_controllers
    assert (dma.kind, dma.reaches, dma.item_cycles) == (DmaKind.STREAM, ("flash", "sdram"), 7.4)
    assert (dma.interrupts, dma.clock_enable_bit) == ((56, 57), 22)
    assert board.power is not None
    assert board.power.sleep_mw == Band(100, 50, 200)


def test_an_instruction_cache_may_hold_data_and_be_on() -> None:
    cache = parse(VALID.replace("ways = 2", "ways = 2\nholds_data = true")).instruction_cache
    assert cache == Cache(4096, 2, 32, holds_data=True)
    cache = parse(VALID.replace("ways = 2", "ways = 2\nis_on_at_start = true")).instruction_cache
    assert cache == Cache(4096, 2, 32, is_on_at_start=True)


def test_every_number_has_the_provenance_of_its_table_or_its_own() -> None:
    facts = {(fact.table, fact.key): fact for fact in parse(VALID).facts}
    timing = {
        key: fact.provenance
        for (table, key), fact in facts.items()
        if table == "memory flash timing"
    }
    of_table = Provenance("a manual", Confidence.GUESS, note="of the table")
    assert timing["word_read_cycles"] == timing["fetch_cycles"] == of_table
    assert timing["line_read_cycles"] == Provenance("a measurement", Confidence.FITTED, "a rate")
    assert timing["line_write_cycles"] == replace(of_table, note="of a line")
    assert facts["dma dma2", "reaches"].value == ("flash", "sdram")
    assert facts["power", "run_mw"].value == Band(300, 200, 500)
    assert facts["clock", "hz"].value == 1000


def test_a_number_from_another_chip_is_transferred() -> None:
    def provenance(keys: str) -> Provenance:
        facts = parse(VALID.replace('"a rate"', f'"a rate"{keys}')).facts
        return next(f.provenance for f in facts if f.provenance.fitted_to)

    assert not provenance("").is_transferred_to("STM32F746NGH6"), "measured on this one"
    known = provenance(', measured_on = ["STM32F746", "STM32F469"]')
    assert not known.is_transferred_to("STM32F746NGH6")
    assert not known.is_transferred_to("STM32F469NIH6")
    assert known.is_transferred_to("STM32F769NIH6")


def spoil(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new)


REFUSED = [
    (spoil("size_bytes = 4096", "size_bytes = 4000"), "[instruction_cache]: 'size_bytes' is 4000"),
    (spoil("size_bytes = 4096", "size_bytes = 6144"), "a power of two times 2 ways of 32 bytes"),
    (spoil("line_bytes = 32", "line_bytes = 24"), "a power of two from 8 to 256"),
    (spoil("size_bytes = 4096", "size = 4096"), "quantities carry their unit: 'size_bytes'"),
    (spoil("cas_clocks", "cas"), "'sdram', [timing]: unknown key 'cas'"),
    (spoil("cas_clocks", "cas"), "quantities carry their unit: 'cas_clocks'"),
    (spoil("cas_clocks", "cas_ns"), "quantities carry their unit: 'cas_clocks'"),
    (spoil("fetch_cycles", "fetch"), "quantities carry their unit: 'fetch_cycles'"),
    (spoil("clock_hz = 500", "clock_mhz = 500"), "quantities carry their unit: 'clock_hz'"),
    (spoil("hz = 1000\nsource", "frequency = 1000\nsource"), "quantities carry their unit: 'hz'"),
    (spoil("run_mw", "run_power"), "quantities carry their unit: 'run_mw'"),
    (spoil("read_nj_per_byte", "read_pj"), "carry their unit: 'read_nj_per_byte'"),
    (spoil("cas_clocks = 3", "cas_clocks = 3.5"), "'cas_clocks' is 3.5; allowed is an integer"),
    (spoil("cas_clocks = 3\n", ""), "key 'cas_clocks' is missing"),
    (spoil("width_bits = 16", "width_bits = 24"), "a power of two from 8 to 64"),
    (spoil("bank_count = 4", "bank_count = 9"), "an integer from 1 to 8"),
    (spoil("bank_count = 4", "bank_count = 3"), "'bank_count' is 3; allowed is a power of two"),
    (spoil("channel_count = 2", "channel_count = 9"), "is 9; allowed is 1 to 8 for kind 'stream'"),
    (lambda text: text.replace('"stream"', '"gpdma"').replace("fifo_bytes = 16", "fifo_bytes = 0"),
     "'fifo_bytes' is 0; allowed is an integer from 8 to 4096"),
    (lambda text: text.replace('"stream"', '"gpdma"').replace("fifo_bytes = 16", "fifo_bytes = 12"),
     "'fifo_bytes' is 12; allowed is a power of two"),
    (spoil("write_share = 0.95", "write_share = 95"), "a number from 0.01 to 1"),
    (spoil("write_share = 0.95", "write_share = nan"), "a number from 0.01 to 1"),
    (spoil("fetch_cycles = 6.5", "fetch_cycles = true"), "a number from 0 to 10000"),
    (spoil("fetch_cycles = 6.5", "fetch_cycles = -1"), "a number from 0 to 10000"),
    (spoil('source = "bench", ', ""), "'line_read_cycles': key 'source' is missing"),
    (spoil('source = "bench"', 'source = "lore"'), "'line_read_cycles': 'source' is 'lore'"),
    (spoil(', fitted_to = "a rate"', ""), "key 'fitted_to' is missing"),
    (spoil('"fitted"', '"guess"'), "'fitted_to' is there, but confidence is 'guess'"),
    (spoil('"a rate"', '"a rate", measured_on = "PART"'), "'measured_on' is 'PART'; allowed is a"),
    (spoil('note = "of a line"', 'source = "bench", confidence = "guess", measured_on = ["PART"]'),
     "'measured_on' is ['PART']; allowed is a list of microcontrollers, with confidence 'fitted'"),
    (spoil("value = 11.5, ", ""), "'line_read_cycles': key 'value' is missing"),
    (spoil("value = 11.5", "values = 11.5"), "did you mean 'value'?"),
    (spoil("[0x0020_0000]\nsource = \"manual\"\nconfidence = \"primary\"\n[[memory]]\nname = \"sd",
           "[0x0030_0000]\nsource = \"manual\"\nconfidence = \"primary\"\n[[memory]]\nname = \"sd"),
     "'bases' is '0x00300000'; allowed is any of 0x08000000, 0x00200000"),
    (spoil("prefetches = true", "prefetches = 1"), "true or false"),
    (spoil('kind = "stream"', 'kind = "edma"'), "one of stream, channel, mdma, gpdma"),
    (spoil('reaches = ["flash"', 'reaches = ["ccm"'), "any of flash, sdram, qspi"),
    (spoil('["flash", "sdram"]', '"flash"'), "a list of names"),
    (spoil("0x4000_0400", "0x5000_0400"), "0x50000400, found in no [[peripheral]]"),
    (spoil("[56, 57]", "[56]"), "'interrupts' is [56]; allowed is 2 numbers"),
    (spoil("[56, 57]", "[56, 480]"), "an integer from 0 to 479"),
    (spoil("clock_enable_bit = 22\n", ""), "key 'clock_enable_bit' is missing"),
    (spoil("clock_enable_address = 0x4000_0830\n", ""), "key 'clock_enable_address' is missing"),
    (spoil("{ value = 300, low = 200, high = 500 }", "300"), "low = 1, high = 3 }"),
    (spoil("low = 200", "low = 400"), "low <= value <= high"),
    (spoil("low = 200, ", ""), "'run_mw': key 'low' is missing"),
    (spoil("high = 500", 'high = "500"'), "'run_mw': 'high' is '500'"),
    (spoil("[power]\n", "[power]\nidle_mw = 1\n"), "unknown key 'idle_mw'"),
    (spoil("[instruction_cache]", "[data_cache]\nholds_data = true"), "unknown key 'holds_data'"),
    (spoil("ways = 2", "ways = 2\nis_on_at_start = 1"), "'is_on_at_start' is 1; allowed is true"),
    (spoil("[instruction_cache]", "[[instruction_cache]]"), "'instruction_cache' is [{"),
    (spoil("[memory.energy]", "[[memory.energy]]"), "'energy' is [{"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_wrong_timing_is_refused(change: Callable[[str], str], message: str) -> None:
    text = change(VALID)
    assert text != VALID
    with pytest.raises(InputError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("mine.toml")


def region(kind: MemoryKind, **of_timing: object) -> MemoryRegion:
    return MemoryRegion("it", kind, 0, 1 << 20, True, True, (), KNOWN, **of_timing)  # type: ignore[arg-type]


def board_with(core: str, clock_hz: int, memory: MemoryRegion, line_bytes: int = 32) -> Board:
    return Board(
        "mine", "a board", "PART", Core(core, None), clock_hz, "cortex_m", (memory,),
        data_cache=Cache(16384, 4, line_bytes),
    )  # fmt: skip


H723_SDRAM = SdramTiming(
    clock_hz=100_000_000,
    width_bits=16,
    cas_clocks=3,
    row_to_column_clocks=2,
    precharge_clocks=2,
    line_controller_clocks=3,
    word_controller_clocks=2,
    write_share=0.95,
    row_bytes=512,
    bank_count=4,
)


def test_sdram_costs_come_from_its_clocks() -> None:
    memory = region(MemoryKind.SDRAM, timing=H723_SDRAM)
    costs = region_costs(memory, board_with("cortex-m7", 480_000_000, memory))
    cycles_per_clock = 4.8
    assert costs.line_read == round((3 + 3 + 16) * cycles_per_clock * 256)
    assert costs.word_read == costs.sequential_word == round((3 + 2 + 2) * cycles_per_clock * 256)
    assert costs.fetch == round((3 + 2 + 4) * cycles_per_clock * 256), "8 bytes on a Cortex-M7"
    assert costs.row_miss == round((2 + 2) * cycles_per_clock * 256)
    assert (costs.row_bytes, costs.bank_count) == (512, 4)
    assert costs.sequential_read == costs.line_read
    narrow = region_costs(memory, board_with("cortex-m4", 480_000_000, memory))
    assert narrow.fetch == costs.word_read, "4 bytes on the others"


def test_sdram_rates_are_those_that_were_measured() -> None:
    """hpmicro/hpm_sdk issue 33; loops add 14 cycles a line, 1.5 a word, rows 4 clocks."""
    memory = region(MemoryKind.SDRAM, timing=H723_SDRAM)
    costs = region_costs(memory, board_with("cortex-m7", 480_000_000, memory))

    def megabytes_per_second(ticks: float, size_bytes: int) -> float:
        rows = costs.row_miss * size_bytes / 512
        return size_bytes * 480 * TICKS_PER_CYCLE / (ticks + rows)

    loop = 14 * TICKS_PER_CYCLE
    assert megabytes_per_second(costs.line_read + loop, 32) == pytest.approx(127.07, rel=0.05)
    word = costs.word_read + 1.5 * TICKS_PER_CYCLE
    assert megabytes_per_second(word, 4) == pytest.approx(54.18, rel=0.05)
    assert megabytes_per_second(costs.word_write, 4) == pytest.approx(187.08, rel=0.05)
    assert megabytes_per_second(costs.line_write, 32) == pytest.approx(187.25, rel=0.05)


def test_a_serial_flash_pays_its_setup_once() -> None:
    timing = QspiTiming(100_000_000, 4, 24, 4, 0.8)
    memory = region(MemoryKind.QSPI_FLASH, timing=timing)
    costs = region_costs(memory, board_with("cortex-m7", 200_000_000, memory))
    assert costs.sequential_read == round(64 / 0.8 * 2 * 256)
    assert costs.line_read == round((24 + 4 + 64 / 0.8) * 2 * 256)
    assert costs.sequential_word == round(8 / 0.8 * 2 * 256)
    assert costs.word_read == round((24 + 4 + 8 / 0.8) * 2 * 256)
    assert costs.fetch == round((24 + 4 + 16 / 0.8) * 2 * 256)
    assert (costs.word_write, costs.line_write, costs.row_bytes) == (0, 0, 0)


def test_lines_are_those_of_the_cache() -> None:
    memory = region(MemoryKind.QSPI_FLASH, timing=QspiTiming(1000, 8, 0, 0, 1))
    short = region_costs(memory, board_with("cortex-m33", 1000, memory, line_bytes=16))
    assert short.line_read == 16 * TICKS_PER_CYCLE
    bare = replace(board_with("cortex-m4", 1000, memory), data_cache=None)
    assert region_costs(memory, bare).line_read == 32 * TICKS_PER_CYCLE


def test_internal_costs_are_cycles_in_ticks() -> None:
    memory = region(MemoryKind.SRAM, timing=InternalTiming(7, 3, 10.5, 8, 6.5))
    costs = region_costs(memory, board_with("cortex-m7", 216_000_000, memory))
    assert (costs.word_read, costs.word_write, costs.fetch) == (7 * 256, 3 * 256, 1664)
    assert (costs.line_read, costs.line_write, costs.sequential_read) == (2688, 2048, 2688)


def test_a_memory_without_timing_says_what_is_missing() -> None:
    memory = region(MemoryKind.SRAM)
    with pytest.raises(InputError, match=r"board 'mine' does not say .* memory 'it'") as caught:
        region_costs(memory, board_with("cortex-m7", 1000, memory))
    assert "[memory.timing]" in caught.value.help
