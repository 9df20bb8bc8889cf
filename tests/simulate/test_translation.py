"""The emulator translates code once: stores elsewhere do not make it forget."""

import pytest

from penstock.boards import Board, load_board
from penstock.boards.board import MemoryRegion
from tests.simulate.calibration.bench import Bench
from tests.simulate.pipeline.assembly import assemble_all
from tests.timed_boards import TIMED_BOARDS

EDGE_GENERATED = 32768  # UC_HOOK_EDGE_GENERATED
TURNS, PLACE = 300, 0x1AC0
LOOP = "str r3, [r1]; subs r0, r0, #1; bne 1b; bx lr"
FEW = 30


def writable(board: Board) -> list[MemoryRegion]:
    return [r for r in board.regions if r.is_writable and r.size_bytes > PLACE + 64]


@pytest.mark.parametrize("name", TIMED_BOARDS)
def test_stores_do_not_meet_code_at_the_same_offset(name: str) -> None:
    """Unicorn 2.1.3 confuses memories that were mapped before larger ones."""
    code = assemble_all([LOOP])[LOOP]
    board = load_board(name)
    flash = next(r for r in board.regions if not r.is_writable)
    with Bench(board) as bench:
        translated: list[None] = []
        bench.machine._uc.hook_add(EDGE_GENERATED, lambda *_: translated.append(None))
        bench.memory.write(flash.base + PLACE, code)
        for region in writable(board):
            bench.call(flash.base + PLACE, TURNS, region.base + PLACE)
        assert len(translated) < FEW * len(writable(board))


SLOW, FAST = "udiv r3, r3, r2; " * 40 + "bx lr", "nop; " * 80 + "bx lr"
COPY = "ldr r3, [r0], #4; str r3, [r1], #4; subs r2, r2, #4; bne 1b; bx lr"
BUFFER = 0x2000_4000


@pytest.mark.parametrize("turns", [1, 400])
def test_code_that_the_core_writes_has_the_time_of_what_it_is_now(turns: int) -> None:
    """Whether its block was watched before, or computed."""
    codes = assemble_all([SLOW, FAST, COPY])
    with Bench(load_board("stm32f746g-disco")) as bench:
        assert len(codes[SLOW]) == len(codes[FAST])
        alone = {}
        for text in (SLOW, FAST):
            alone[text] = bench.run(codes[text], "flash", warm=1).cycles
        for text in (SLOW, FAST, SLOW):
            source = bench.place(codes[text], "flash")
            bench.run(codes[COPY], "flash", source, BUFFER, len(codes[text]) + 2 & ~3)
            for _ in range(turns):
                found = bench.call(BUFFER).cycles
            assert found == pytest.approx(alone[text], rel=0.15), text
        assert alone[SLOW] > 3 * alone[FAST]
