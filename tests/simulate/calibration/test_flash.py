"""Flash memories: lines, accelerators, instruction caches."""

import ctypes
from dataclasses import replace

import pytest

from penstock.boards import Board, load_board
from penstock.boards.timing import Cache
from penstock.simulate.timing import SYSTEM_PAGE, Traffic
from tests.simulate.calibration.bench import Bench, turns_of
from tests.simulate.calibration.code import LONG_LOOP, NARROW_CODE, POKE, READ, WIDE_CODE, assemble

FAR = 0x1_0000
CCR, CCR_INSTRUCTION_CACHE = 0xE000_ED14, 1 << 17
TURNS = 512


@pytest.mark.parametrize(
    ("name", "code", "ram", "line_bytes", "cycles"),
    [
        ("nucleo-h7a3zi-q", "itcm", "dtcm", 32, 11),
        ("nucleo-l4r5zi", "sram2", "sram1", 32, 13),
        ("nucleo-u575zi-q", "sram2", "sram1", 16, 6),
    ],
)
def test_lines_read_in_order(name: str, code: str, ram: str, line_bytes: int, cycles: int) -> None:
    """MLPerf Tiny: what the latencies of X-CUBE-AI's autoencoder imply for its weights in flash."""
    board = load_board(name)
    read = assemble(READ)
    with Bench(board) as bench:
        flash = turns_of(bench, read, code, TURNS, board.region("flash").base + FAR, 4)
        fast = turns_of(bench, read, code, TURNS, board.region(ram).base + FAR, 4)
    lines = TURNS * 4 // line_bytes
    ram_fills = fast.stalls.get("internal", 0)
    assert flash.cycles - (fast.cycles - ram_fills) == cycles * lines
    assert flash.stalls["internal"] == cycles * lines


@pytest.mark.parametrize(("text", "stall_of_line"), [(NARROW_CODE, 0), (WIDE_CODE, 2.5)])
def test_prefetch_hides_what_the_code_gives_it_time_for(text: str, stall_of_line: float) -> None:
    """A line of 16 bytes takes 6.5 cycles; 8 narrow instructions run 8, 4 wide ones run 4."""
    with Bench(load_board("nucleo-f446re")) as bench:
        measured = bench.run(assemble(text), "flash")
    lines = 8192 // 16
    assert measured.stalls["fetch"] == pytest.approx(stall_of_line * lines, abs=7)
    assert measured.traffic["flash"] == Traffic(0, 0, (lines + 1) * 16)


def test_the_accelerator_holds_64_lines() -> None:
    """1 KiB: a loop that fits stalls once."""
    loop = assemble(READ)
    with Bench(load_board("nucleo-f446re")) as bench:
        assert bench.run(loop, "flash", 10, 0x2000_0000, 4).stalls["fetch"] > 0
        assert "fetch" not in bench.run(loop, "flash", 10, 0x2000_0000, 4).stalls
        bench.run(assemble(WIDE_CODE), "flash")
        assert bench.run(loop, "flash", 10, 0x2000_0000, 4).stalls["fetch"] > 0


def test_the_instruction_cache_holds_what_fits() -> None:
    """16 KiB in two ways of 32-byte lines that are replaced at random; a line takes 19 cycles."""
    with Bench(load_board("nucleo-h743zi")) as bench:
        short, long = assemble(LONG_LOOP[8]), assemble(LONG_LOOP[20])
        cold = bench.run(short, "flash", 1)
        assert cold.stalls["fetch"] == 8192 // 32 * 19
        assert cold.traffic["flash"] == Traffic(0, 0, 8192)
        assert "fetch" not in bench.run(short, "flash", 1).stalls
        bench.timing.chill()
        assert bench.run(long, "flash", 1).traffic["flash"] == Traffic(0, 0, 20480)
        again = bench.run(long, "flash", 1).traffic["flash"].fetched_bytes
        assert 4 * 1024 < again < 20480


def test_without_caches_every_fetch_stalls() -> None:
    """8 bytes in 5.8 cycles; a block that goes on fetches none of them twice."""
    with Bench(load_board("nucleo-h743zi"), caches=False) as bench:
        measured = bench.run(assemble(WIDE_CODE), "flash")
    fetches = 8192 // 8 + 1
    assert measured.traffic["flash"] == Traffic(0, 0, fetches * 8)
    assert measured.stalls["fetch"] == pytest.approx(fetches * 5.8, abs=2)


def with_cache_of_code(name: str, *, is_on_at_start: bool) -> Board:
    """A board without accelerator whose flash has a cache of instructions alone, as an nRF52840."""
    board = load_board(name)
    regions = tuple(replace(region, accelerator=None) for region in board.regions)
    cache = Cache(2048, 2, 16, is_on_at_start=is_on_at_start)
    return replace(board, regions=regions, instruction_cache=cache, data_cache=None)


def test_a_cache_of_instructions_alone_holds_no_data() -> None:
    board = with_cache_of_code("nucleo-u575zi-q", is_on_at_start=True)
    with Bench(board) as bench:
        loop = assemble(READ)
        first = bench.run(loop, "flash", 8, board.region("flash").base + FAR, 0)
        again = bench.run(loop, "flash", 8, board.region("flash").base + FAR, 0)
    assert "fetch" in first.stalls and "fetch" not in again.stalls
    assert first.stalls["internal"] == again.stalls["internal"] == 8 * 5  # word_read_cycles


@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize("name", ["nucleo-f446re", "nucleo-u575zi-q"])
def test_a_cache_that_is_no_core_s_is_as_the_board_says(name: str, is_on: bool) -> None:
    """CCR of these cores has no bit for a cache, and writing it turns none on or off."""
    loop = assemble(READ)
    with Bench(with_cache_of_code(name, is_on_at_start=is_on), caches=None) as bench:
        bench.run(assemble(POKE), "flash", CCR, 0 if is_on else CCR_INSTRUCTION_CACHE)
        bench.run(loop, "flash", 8, 0x2000_0000, 4)
        assert ("fetch" in bench.run(loop, "flash", 8, 0x2000_0000, 4).stalls) is not is_on


def test_a_core_says_which_caches_it_has() -> None:
    """CLIDR of a Cortex-M7 (DDI0489, 4.5.5): bit 0 for instructions, bit 1 for data."""
    board = load_board("stm32f746g-disco")
    chips = (board, replace(board, data_cache=None), load_board("nucleo-u575zi-q"))
    found = []
    for chip in chips:
        with Bench(chip) as bench:
            address = bench.timing.register_pages[SYSTEM_PAGE] + 0xD78
            found.append(int.from_bytes(ctypes.string_at(address, 4), "little"))
    assert found == [0x0900_0003, 0x0900_0001, 0]
