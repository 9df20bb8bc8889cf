"""PLD: a Cortex-M7 fills lines of the data cache while it goes on."""

from collections.abc import Iterator

import pytest

from penstock.boards import load_board
from penstock.simulate.pipeline.addresses import Code
from penstock.simulate.pipeline.decode import decode_block
from penstock.simulate.pipeline.preloads import derive_preloads
from tests.simulate.calibration.bench import Bench, Measured
from tests.simulate.pipeline.assembly import assemble_all

BOARD = "stm32f746g-disco"
FLASH, SDRAM, DTCM = 0x0804_0000, 0xC000_0000, 0x2000_4000
LINES, LINE_BYTES = 1000, 32
LINE_CYCLES = 11  # of a fill from that board's flash
WORK = "nop.w; " * 40  # 20 cycles
AGAIN = "subs r0, r0, #1; bne 1b; bx lr"


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(load_board(BOARD)) as made:
        yield made


def run(bench: Bench, text: str, data: int = FLASH, lines: int = LINES) -> Measured:
    code = assemble_all([text + AGAIN])[text + AGAIN]
    bench.run(code, "itcm", 1, data + (1 << 17))  # the code is in the cache
    return bench.run(code, "itcm", lines, data)


def internal(measured: Measured) -> int:
    return measured.stalls.get("internal", 0)


def test_a_line_is_filled_behind_other_work(bench: Bench) -> None:
    plain = run(bench, f"ldr r3, [r1], #32; {WORK}")
    hinted = run(bench, f"pld [r1, #64]; ldr r3, [r1], #32; {WORK}", FLASH + 0x10000)
    assert internal(plain) == LINES * LINE_CYCLES
    assert internal(hinted) <= 4 * LINE_CYCLES  # the first ones, for which nobody asked before
    assert plain.cycles - hinted.cycles >= (LINE_CYCLES - 1) * (LINES - 3)
    more = hinted.traffic["flash"].read_bytes - plain.traffic["flash"].read_bytes
    assert more == 2 * LINE_BYTES  # what was asked for and never read


def test_what_comes_too_late_is_waited_for(bench: Bench) -> None:
    """Without work the fills themselves take the time, one after the other."""
    plain = run(bench, "ldr r3, [r1], #32; ")
    hinted = run(bench, "pld [r1, #64]; ldr r3, [r1], #32; ", FLASH + 0x10000)
    assert LINES * LINE_CYCLES <= hinted.cycles <= plain.cycles
    late = run(bench, f"pld [r1]; ldr r3, [r1], #32; {WORK}", FLASH + 0x20000)
    assert LINES * (LINE_CYCLES - 1) <= internal(late) <= LINES * LINE_CYCLES


def test_only_so_many_lines_are_filled_at_once(bench: Bench) -> None:
    three = run(bench, "pld [r1, #32]; pld [r1, #64]; pld [r1, #96]; add r1, #96; ", lines=10)
    assert 10 * LINE_CYCLES <= internal(three) <= 30 * LINE_CYCLES
    two = run(bench, f"pld [r1, #32]; pld [r1, #64]; add r1, #64; {WORK * 2}", FLASH + 0x10000, 10)
    assert internal(two) == 0
    text = f"pld [r1, #32]; pld [r1, #64]; pld [r1, #96]; add r1, #96; {WORK * 2}"
    third = run(bench, text, FLASH + 0x20000, 10)
    assert internal(third) == pytest.approx(10 * LINE_CYCLES, abs=12)  # for the first buffer


@pytest.mark.parametrize(
    ("text", "waited"),
    [
        (f"pld [r1]; ldr r4, [r2]; {WORK * 2}ldr r3, [r1], #32; ", 0),
        (f"ldr r4, [r2]; {WORK * 2}pld [r1]; ldr r3, [r1], #32; ", LINE_CYCLES),
    ],
    ids=["long before", "just before"],
)
def test_a_hint_acts_where_it_stands_among_accesses(bench: Bench, text: str, waited: int) -> None:
    code = assemble_all([text + AGAIN])[text + AGAIN]
    measured = bench.run(code, "itcm", LINES, FLASH, DTCM)
    assert internal(measured) == pytest.approx(LINES * waited, abs=LINES // 10)


def test_a_run_from_cold_caches_knows_nothing_of_earlier_hints(bench: Bench) -> None:
    text = f"pld [r1, #64]; ldr r3, [r1], #32; {AGAIN}"
    code = bench.place(assemble_all([text])[text], "itcm")
    seen = []
    for _ in range(3):
        bench.timing.chill()
        seen.append(bench.call(code, 2, FLASH))
    assert seen[0] == seen[1] == seen[2]


def test_more_hints_than_a_block_may_have_do_nothing(bench: Bench) -> None:
    many = "; ".join(f"pld [r1, #{32 * n}]" for n in range(17))
    assert derive_preloads(decode_block(assemble_all([many])[many], 0x0800_0000))
    text = f"{many}; {AGAIN}"
    code = assemble_all([text])[text]
    assert "flash" not in bench.run(code, "itcm", 10, FLASH).traffic


@pytest.mark.parametrize(
    "text",
    [
        "it eq; pldeq [r1, #64]",
        "str r1, [sp, #-8]; ldr r4, [sp, #-8]; pld [r4, #64]",
        "pli [r1, #64]",
    ],
)
def test_without_an_address_or_under_a_condition_a_hint_does_nothing(
    bench: Bench, text: str
) -> None:
    plain = run(bench, f"ldr r3, [r1], #32; {WORK}")
    hinted = run(bench, f"{text}; ldr r3, [r1], #32; {WORK}", FLASH + 0x10000)
    assert internal(plain) == internal(hinted)
    assert plain.traffic["flash"] == hinted.traffic["flash"]


def test_memory_that_no_cache_is_before_is_not_read_ahead(bench: Bench) -> None:
    hinted = run(bench, f"pld [r1, #64]; {WORK}", DTCM, lines=100)
    assert hinted.traffic == {}
    uncached = run(bench, f"pld [r1, #64]; {WORK}", SDRAM, lines=100)  # Device, by default
    assert "sdram" not in uncached.traffic
    with Bench(load_board(BOARD), data_cache=False) as other:
        code = assemble_all([f"pld [r1, #64]; {AGAIN}"]).popitem()[1]
        assert other.run(code, "itcm", 100, SDRAM).traffic == {}


def test_a_core_without_a_cache_ignores_hints() -> None:
    with Bench(load_board("stm32f469i-disco")) as bench:
        code = assemble_all([f"pld [r1, #64]; {AGAIN}"]).popitem()[1]
        assert "sdram" not in bench.run(code, "flash", 100, SDRAM).traffic


def test_hints_follow_from_what_was_in_memory_before(bench: Bench) -> None:
    text = f"ldr r4, [sp, #-8]; pld [r4, #64]; {WORK}str r1, [sp, #-8]; add r1, #32; "
    measured = run(bench, text)
    assert LINES - 2 <= measured.traffic["flash"].read_bytes / LINE_BYTES <= LINES


def test_hints_follow_from_registers_and_constants() -> None:
    text = "ldr r3, [r1], #4; pld [r1, #64]; add r2, r1, #8; ldm r2!, {r4, r5}; pld [r2, r0]"
    steps = derive_preloads(decode_block(assemble_all([text])[text], 0x0800_0000))
    hints = [step for step in steps if step.code is Code.PRELOAD]
    assert [(step.a, step.constant, step.size) for step in hints] == [(1, 68, 1), (1, 20, 3)]
    assert hints[1].b == 0
