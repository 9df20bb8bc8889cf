"""The boards of the package: real ones, nine with time and power, and honest about guesses."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

import pytest

from penstock.boards import Board, MemoryKind, board_names, load_board
from penstock.boards.costs import TICKS_PER_CYCLE, port_costs, region_costs
from tests.timed_boards import TIMED_BOARDS


@dataclass(frozen=True)
class Expected:
    """What the manuals say of a board's chip.

    Attributes:
        core: its name.
        mhz: of the core.
        caches: which there are.
        accelerated: memories behind a flash accelerator.
        dma: controllers, each with the core-coupled memories that it reaches.
        is_priced: whether its power and the energy of its external memories are known.
    """

    core: str
    mhz: int
    caches: str = ""
    accelerated: tuple[str, ...] = ()
    dma: Mapping[str, set[str]] = field(default_factory=dict)
    is_priced: bool = True


H7_DMA: Mapping[str, set[str]] = {"mdma": {"dtcm", "itcm"}, "dma1": set(), "dma2": set()}
F7_DMA: Mapping[str, set[str]] = {"dma2": {"dtcm"}}
SPLIT, FLASH = "instructions, data", ("flash",)
BOARDS = {
    "mps3-an547": Expected("cortex-m55", 32, is_priced=False),
    "nucleo-f446re": Expected("cortex-m4", 180, "", FLASH, {"dma2": set()}),
    "nucleo-h743zi": Expected("cortex-m7", 480, SPLIT, (), H7_DMA),
    "nucleo-h7a3zi-q": Expected("cortex-m7", 280, SPLIT, (), H7_DMA),
    "nucleo-l4r5zi": Expected("cortex-m4", 120, "", FLASH, {"dma1": set(), "dma2": set()}),
    "nucleo-u575zi-q": Expected("cortex-m33", 160, "unified", (), {"gpdma1": set()}),
    "stm32f469i-disco": Expected("cortex-m4", 180, "", FLASH, {"dma2": set()}),
    "stm32f746g-disco": Expected("cortex-m7", 216, SPLIT, FLASH, F7_DMA),
    "stm32f769i-disco": Expected("cortex-m7", 216, SPLIT, FLASH, F7_DMA),
    "stm32h747i-disco": Expected("cortex-m7", 400, SPLIT, (), H7_DMA),
}
"""The chips, by what their manuals say; a new board is a row here. The other tests of all boards
state what the format demands of any."""
CORE_COUPLED = (MemoryKind.TCM_DATA, MemoryKind.TCM_INSTRUCTION)


def test_the_boards_are_these() -> None:
    found = {name: described(load_board(name)) for name in board_names()}
    assert found == BOARDS


def described(board: Board) -> Expected:
    coupled = {region.name for region in board.regions if region.kind in CORE_COUPLED}
    caches = [] if board.instruction_cache is None else ["instructions"]
    if board.instruction_cache is not None and board.instruction_cache.holds_data:
        caches = ["unified"]
    return Expected(
        board.core.name,
        board.clock_hz // 10**6,
        ", ".join([*caches, *(["data"] if board.data_cache is not None else [])]),
        tuple(region.name for region in board.regions if region.accelerator is not None),
        {dma.name: coupled.intersection(dma.reaches) for dma in board.dma_controllers},
        board.power is not None and all(r.energy for r in board.regions if r.is_external),
    )


@pytest.mark.parametrize("name", board_names())
def test_every_source_is_used(name: str) -> None:
    text = (resources.files("penstock.boards") / "data" / f"{name}.toml").read_text("utf-8")
    sources = tomllib.loads(text)["sources"]
    assert [key for key in sources if f'source = "{key}"' not in text] == []


@pytest.mark.parametrize("name", TIMED_BOARDS)
def test_every_memory_has_a_cost(name: str) -> None:
    board = load_board(name)
    for region in board.regions:
        costs = region_costs(region, board)
        if region.kind in CORE_COUPLED:
            assert costs.word_read == costs.word_write == costs.line_read == costs.fetch == 0
        if region.is_external:
            assert 0 < costs.word_read < costs.line_read
    assert board.power is None or 0 < board.power.sleep_mw.value < board.power.run_mw.value


@pytest.mark.parametrize("name", board_names())
def test_a_program_may_wait_for_every_channel(name: str) -> None:
    for dma in load_board(name).dma_controllers:
        if dma.kind.is_modelled:
            assert len(dma.interrupts) == dma.channel_count


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


@pytest.mark.parametrize("name", TIMED_BOARDS)
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
