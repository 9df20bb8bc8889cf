"""The boards of the package: nine real ones, with time and power, and honest about guesses."""

import tomllib
from importlib import resources

import pytest

from penstock.boards import Board, Confidence, MemoryKind, board_names, load_board
from penstock.boards.costs import TICKS_PER_CYCLE, port_costs, region_costs

BOARDS = {
    "nucleo-f446re": ("cortex-m4", 180),
    "nucleo-h743zi": ("cortex-m7", 480),
    "nucleo-h7a3zi-q": ("cortex-m7", 280),
    "nucleo-l4r5zi": ("cortex-m4", 120),
    "nucleo-u575zi-q": ("cortex-m33", 160),
    "stm32f469i-disco": ("cortex-m4", 180),
    "stm32f746g-disco": ("cortex-m7", 216),
    "stm32f769i-disco": ("cortex-m7", 216),
    "stm32h747i-disco": ("cortex-m7", 400),
}
CORE_COUPLED = (MemoryKind.TCM_DATA, MemoryKind.TCM_INSTRUCTION)

every_board = pytest.mark.parametrize(
    "board", [load_board(name) for name in board_names()], ids=str
)


def test_the_boards_are_these() -> None:
    loaded = {name: load_board(name) for name in board_names()}
    assert {n: (b.core.name, b.clock_hz // 10**6) for n, b in loaded.items()} == BOARDS


@pytest.mark.parametrize("name", board_names())
def test_every_source_is_used(name: str) -> None:
    text = (resources.files("penstock.boards") / "data" / f"{name}.toml").read_text("utf-8")
    sources = tomllib.loads(text)["sources"]
    assert [key for key in sources if f'source = "{key}"' not in text] == []


@pytest.mark.parametrize("name", board_names())
def test_every_memory_has_a_cost(name: str) -> None:
    board = load_board(name)
    for region in board.regions:
        costs = region_costs(region, board)
        if region.kind in CORE_COUPLED:
            assert costs.word_read == costs.word_write == costs.line_read == costs.fetch == 0
        if region.is_external:
            assert costs.line_read > 8 * TICKS_PER_CYCLE
            assert costs.word_read < costs.line_read
            assert region.energy is not None
    assert board.power is not None
    assert 0 < board.power.sleep_mw.value < board.power.run_mw.value


@pytest.mark.parametrize("name", board_names())
def test_caches_are_those_of_the_core(name: str) -> None:
    board = load_board(name)
    has_instruction, has_data = {
        "cortex-m4": (False, False),
        "cortex-m7": (True, True),
        "cortex-m33": (True, False),
    }[board.core.name]
    assert (board.instruction_cache is not None, board.data_cache is not None) == (
        has_instruction,
        has_data,
    )
    accelerated = [r.name for r in board.regions if r.accelerator is not None]
    assert accelerated == ([] if board.core.name == "cortex-m33" or is_h7(board) else ["flash"])


def is_h7(board: Board) -> bool:
    return board.mcu.startswith("STM32H7")


@pytest.mark.parametrize("name", board_names())
def test_dma_reaches_core_coupled_memory_only_where_it_can(name: str) -> None:
    board = load_board(name)
    assert board.dma_controllers
    coupled = {region.name for region in board.regions if region.kind in CORE_COUPLED}
    for dma in board.dma_controllers:
        reached = coupled.intersection(dma.reaches)
        if dma.kind.value == "mdma":
            assert reached == {"dtcm", "itcm"}
        else:
            assert reached <= {"dtcm"} and not (reached and is_h7(board))
        assert len(dma.interrupts) == dma.channel_count


@pytest.mark.parametrize("name", board_names())
def test_what_was_fitted_says_to_what(name: str) -> None:
    fitted = [f for f in load_board(name).facts if f.provenance.confidence is Confidence.FITTED]
    assert fitted
    assert all(fact.provenance.fitted_to for fact in fitted)


def test_a_line_of_flash_costs_what_published_latencies_imply() -> None:
    """11 cycles of 280 MHz in 32 bytes, 13 of 120 MHz in 32, 6 of 160 MHz in 16: MLPerf Tiny."""
    costs = {}
    for name in ("nucleo-h7a3zi-q", "nucleo-l4r5zi", "nucleo-u575zi-q"):
        board = load_board(name)
        costs[name] = region_costs(board.region("flash"), board)
    assert costs["nucleo-h7a3zi-q"].line_read == 11 * TICKS_PER_CYCLE
    assert 2 * costs["nucleo-l4r5zi"].fetch == 13 * TICKS_PER_CYCLE
    assert costs["nucleo-u575zi-q"].line_read == 6 * TICKS_PER_CYCLE


def test_sdram_lines_take_what_was_derived_for_the_boards() -> None:
    """222, 157 and 170 ns, less the 12 of 121 cycles that the STM32H723 spent on the words."""
    for name, nanoseconds in (
        ("stm32f746g-disco", 222),
        ("stm32f769i-disco", 157),
        ("stm32h747i-disco", 170),
    ):
        board = load_board(name)
        cycles = region_costs(board.region("sdram"), board).line_read / TICKS_PER_CYCLE
        assert cycles * 1e9 / board.clock_hz == pytest.approx(nanoseconds - 25, rel=0.05)


WITHOUT_CACHE_LINE_BYTES = 32
"""Of which a board without caches states the cost of a line."""


@pytest.mark.parametrize("name", board_names())
def test_dma_reads_no_line_faster_than_the_core_fills_one(name: str) -> None:
    """Read-only memory of the chip, a burst of SDRAM, and what a serial flash reads in order."""
    board = load_board(name)
    cache = board.data_cache or board.instruction_cache
    words = (cache.line_bytes if cache else WITHOUT_CACHE_LINE_BYTES) / 4
    for region in board.regions:
        core, port = region_costs(region, board), port_costs(region, board)
        latency = 0 if port.prefetch_bytes else port.burst_read
        if region.is_external or not region.is_writable:
            rounding = words  # each word's ticks are rounded
            assert latency + words * port.word_read >= core.sequential_read - rounding
            assert port.single_read + port.word_read >= core.word_read - 2 or not latency


def test_dma_from_flash_pays_for_lines_of_the_chip() -> None:
    """6 cycles for 16 bytes on the U575, 11 for 32 on the H7A3, 13 for 32 on the L4R5."""
    for name, cycles, size_bytes in (
        ("nucleo-u575zi-q", 6, 16),
        ("nucleo-h7a3zi-q", 11, 32),
        ("nucleo-l4r5zi", 13, 32),
    ):
        board = load_board(name)
        port = port_costs(board.region("flash"), board)
        assert port.word_read * size_bytes / 4 == cycles * TICKS_PER_CYCLE
