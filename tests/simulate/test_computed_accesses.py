"""Accesses that are computed cost what watched ones do; what cannot be computed is watched."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.boards import Board, load_board
from penstock.simulate import computed_accesses
from penstock.simulate.firmware import read_firmware
from penstock.simulate.machine import Machine
from penstock.simulate.memory import BoardMemory
from penstock.simulate.monitor import STOP_STACK
from penstock.simulate.pipeline.addresses import derive_addresses
from tests.simulate.calibration.bench import Bench
from tests.simulate.pipeline.assembly import assemble_all
from tests.simulate.test_counting import boot, command

BOARD = "stm32f746g-disco"
TABLE, TARGET, WORDS = 0x2000_4000, 0x2000_8000, 1000
SDRAM = 0xC000_0000
CYCLE_COUNTER, GPIO = 0xE000_1004, 0x4002_0000
LONG_OPERATORS = (0, 17, 18, 20)
LOOPS = {
    "bytes": "ldrsb r3, [r1], #1; ldrsb r4, [r2, #1]!; mla r5, r3, r4, r5; strb r5, [r1, #-1]",
    "words": "ldr r3, [r1], #4; str r3, [r2], #4; ldr r4, [sp, #-8]",
    "indexed": "and r3, r0, #0xfc; ldr r4, [r1, r3]; strh.w r4, [r2, r3, lsl #1]",
    "lists": "ldmia r1!, {r3, r4, r5, r6}; push {r3, r4, r5, r6}; pop {r3, r4}; add sp, #8",
    "floats": "vldr s0, [r1, #4]; vldmia r1!, {s1, s2}; vstr d0, [r2]; vadd.f32 s0, s1",
    "predicated": "cmp r0, #8; it eq; ldreq r3, [r1, r0]; strb r3, [r2, #3]",
    "preloads": "pld [r1, #64]; ldr r3, [r1], #4; pld [r2, r0]; ldr r4, [r2], #4; pld [r2, #-8]",
    "hints beside predicates": "cmp r0, #8; it eq; ldreq r3, [r1, r0]; pld [r2, #99]; ldr r4, [r2]",
    "pointers": "ldr r3, [r1, #4]; ldr r4, [r2], #4; uxtb r3, r3; ldr r5, [r2, r3, lsl #2]",
}
AGAIN = "; subs r0, r0, #1; bne 1b; bx lr"
FOLLOW = "ldr r3, [r1], #4; ldr r4, [r3]; str r4, [r2], #4" + AGAIN
"""Copies what a table of pointers points to."""
SHARED = "b 3f; 2: ldr r3, [r1, #4]; 3: ldr r4, [r1]; tst r0, #3; beq 4f; nop; 4: subs r0, r0, #1; "
SHARED += "beq 5f; tst r0, #1; bne 2b; b 3b; 5: bx lr"
"""Two blocks that end alike, and that become hot one after the other."""


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(load_board(BOARD)) as made:
        yield made


def watched() -> Bench:
    bench = Bench(load_board(BOARD))
    bench.machine.monitor.record.may_compute = 0
    return bench


def test_the_emulators_registers_are_found(bench: Bench) -> None:
    assert bench.machine.monitor.record.registers
    assert bench.machine.monitor.record.may_compute


@pytest.mark.parametrize("data", [TABLE, SDRAM])
@pytest.mark.parametrize("text", [*LOOPS.values(), SHARED], ids=[*LOOPS, "shared"])
def test_computed_accesses_take_the_time_of_watched_ones(
    bench: Bench, text: str, data: int
) -> None:
    whole = text if text == SHARED else text + AGAIN
    code = assemble_all([whole])[whole]
    with watched() as other:
        expected = other.run(code, "flash", 4000, data, data + 0x4000)
    assert bench.run(code, "flash", 4000, data, data + 0x4000) == expected


def test_what_loops_access_is_computed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    derived = []

    def derive(block: object) -> object:
        derived.append(derive_addresses(block))  # type: ignore[arg-type]
        return derived[-1]

    monkeypatch.setattr(computed_accesses, "derive_addresses", derive)
    text = LOOPS["bytes"] + AGAIN
    bench.run(assemble_all([text])[text], "flash", 250, TABLE, TARGET)
    assert derived == []  # what is rare stays watched
    bench.run(assemble_all([text])[text], "flash", 4000, TABLE, TARGET)
    assert [steps is not None for steps in derived] == [True]


@pytest.mark.parametrize("special", [CYCLE_COUNTER, GPIO])
@pytest.mark.parametrize("at", [10, 900])
def test_a_register_behind_a_pointer_is_watched(bench: Bench, special: int, at: int) -> None:
    """Although the block had accessed memory only, and had been computed, until then."""
    code = assemble_all([FOLLOW])[FOLLOW]
    seen = []
    with watched() as other:
        for board in (bench, other):
            for index in range(WORDS):
                pointer = special if index == at else TARGET + 4 * WORDS
                board.memory.write_word(TABLE + 4 * index, pointer)
            board.memory.write_word(TARGET + 4 * WORDS, 77)
            start_counter(board)
            measured = board.run(code, "flash", WORDS, TABLE, TARGET)
            values = [board.memory.read_word(TARGET + 4 * n) for n in range(WORDS)]
            assert values[:at] + values[at + 1 :] == [77] * (WORDS - 1)
            seen.append((measured, values[at]))
    assert seen[0] == seen[1]
    if special == CYCLE_COUNTER:
        assert seen[0][1] > 2 * at


def start_counter(bench: Bench) -> None:
    """DEMCR.TRCENA, then DWT_CTRL.CYCCNTENA: ARMv7-M ARM (DDI0403), C1.6.5 and C1.8.7."""
    text = "str r1, [r0]; movs r1, #1; str r1, [r2]; bx lr"
    code = assemble_all([text])[text]
    bench.run(code, "flash", 0xE000_EDFC, 1 << 24, 0xE000_1000)


CUT_BLOCKS = {
    "page": ".rept 2045; nop; .endr; lsls r4, r0, #31; itt eq; ldreq r3, [r1]; ldreq r4, [r1, #4]",
    "long": ".rept 509; nop; .endr; lsls r4, r0, #31; itt eq; ldreq r3, [r1]; ldreq r4, [r1, #4]",
}
AGAIN_FAR = "; subs r0, r0, #1; beq.w 9f; b.w 1b; 9: bx lr"


@pytest.mark.parametrize("shift", [0, 1, 2])
@pytest.mark.parametrize("text", CUT_BLOCKS.values(), ids=CUT_BLOCKS)
def test_what_an_it_makes_conditional_stays_so_in_the_next_block(
    bench: Bench, text: str, shift: int
) -> None:
    """The emulator ends a block at a page and at 512 instructions."""
    whole = text.replace("; lsls", "; nop" * shift + "; lsls", 1) + AGAIN_FAR
    code = assemble_all([whole])[whole]
    with watched() as other:
        expected = other.run(code, "flash", 999, TABLE, TARGET)
    found = bench.run(code, "flash", 999, TABLE, TARGET)
    assert found == expected
    assert found.traffic["dtcm"].read_bytes == 499 * 8


def test_a_stack_that_overflows_late_is_found(bench: Bench) -> None:
    text = "push {r3}; subs r0, r0, #1; bne 1b; bx lr"
    code = assemble_all([text])[text]
    found = []
    with watched() as other:
        for board in (bench, other):
            board.machine.monitor.guard(TABLE - 256, TABLE)
            board.machine.prepare_call(TABLE + 4000, 0xF000_0000, [5000])
            board.machine.run(board.place(code, "flash"), 1_000_000)
            record = board.machine.monitor.record
            found.append((record.reason, record.address))
    assert found[0] == found[1]
    assert found[0][0] == STOP_STACK
    assert TABLE - 8 <= found[0][1] < TABLE


def test_operators_take_the_same_time(elf: Path, board: Board) -> None:
    firmware = read_firmware(elf)
    times = []
    for may_compute in (True, False):
        memory = BoardMemory(board)
        machine = Machine(firmware, memory, board.core)
        machine.monitor.record.may_compute = may_compute
        boot(firmware, memory, machine)
        for operator in LONG_OPERATORS:
            command(firmware, memory, machine, 2, operator, operator + 1)
        assert machine.timing is not None
        times.append((machine.timing.by_operator(), machine.timing.traffic()))
        machine.close()
    assert times[0] == times[1]
    assert set(LONG_OPERATORS) <= set(times[0][0])
