"""Core and DMA read one flash: each waits for the other; who reads another memory waits for nobody.

The loops are longer than what caches and accelerators hold, so that they are read from flash
again and again.
"""

from dataclasses import dataclass

import pytest

from penstock.boards import load_board
from penstock.boards.timing import DmaKind
from tests.simulate.calibration.bench import Bench
from tests.simulate.calibration.code import LONG_LOOP, READ, assemble
from tests.simulate.dma_registers import Registers, gpdma_copy, mdma_copy, stream_copy

ACCELERATED = 0x0020_0000
"""Where an STM32F746 sees its flash through the accelerator."""
WORD, INC4 = 2, 1


@dataclass(frozen=True)
class Core:
    """What runs, and how its board is set up.

    Attributes:
        board: a board's name.
        caches: whether L1 caches are on.
        kib: length of the loop.
        base: where the flash is seen, if not at its own address.
    """

    board: str
    caches: bool = True
    kib: int = 8
    base: int | None = None


CORES = (
    Core("stm32f469i-disco"),
    Core("stm32f746g-disco"),
    Core("stm32f746g-disco", base=ACCELERATED),
    Core("stm32f746g-disco", caches=False),
    Core("nucleo-h743zi", kib=20),
    Core("nucleo-h743zi", caches=False),
    Core("nucleo-u575zi-q", kib=20),
)


def open_registers(bench: Bench) -> Registers:
    assert bench.machine.dma is not None
    return Registers(bench.board, bench.memory, bench.timing, bench.machine.dma)


def start_copy(bench: Bench, memory: str) -> None:
    """Start a copy to SRAM1, as fast as the board's controller makes it."""
    opened, region = open_registers(bench), bench.board.region(memory)
    source = region.base + (region.size_bytes // 2 if memory == "flash" else 0)
    size_bytes = min(region.size_bytes, 61_440)
    target = bench.board.region("sram1").base + 4096
    match opened.controller.kind:
        case DmaKind.MDMA:
            mdma_copy(opened, target, source, size_bytes)
        case DmaKind.GPDMA:
            gpdma_copy(opened, target, source, size_bytes)
        case _:
            stream_copy(opened, target, source, size_bytes // 4, width_log2=WORD, burst=INC4)


def finish_copy(bench: Bench) -> float:
    """Let the copy end; returns the cycles that it took."""
    opened = open_registers(bench)
    opened.advance()
    (transfer,) = opened.dma.transfers()
    return transfer.ended - transfer.started


def loop_cycles(core: Core, bench: Bench) -> int:
    address = bench.place(assemble(LONG_LOOP[core.kib]), "flash")
    if core.base is not None:
        address += core.base - bench.board.region("flash").base
    return bench.call(address, 1).cycles


@dataclass(frozen=True)
class Times:
    """Cycles of a loop and of a copy: one after the other, and beside each other."""

    loop_alone: int
    copy_alone: float
    loop: int
    copy: float


def times(core: Core, memory: str) -> Times:
    """Return the times of the loop, and of a copy from a memory."""
    board = load_board(core.board)
    with Bench(board, caches=core.caches) as bench:
        loop_cycles(core, bench)
        loop_alone = loop_cycles(core, bench)
        start_copy(bench, memory)
        copy_alone = finish_copy(bench)
    with Bench(board, caches=core.caches) as bench:
        loop_cycles(core, bench)
        start_copy(bench, memory)
        return Times(loop_alone, copy_alone, loop_cycles(core, bench), finish_copy(bench))


@pytest.mark.parametrize("core", CORES, ids=str)
def test_code_in_a_flash_and_a_copy_from_it_slow_each_other(core: Core) -> None:
    found = times(core, "flash")
    assert 1.05 * found.loop_alone < found.loop < 5 * found.loop_alone
    waited = found.copy - found.copy_alone
    assert 0 < waited < found.loop, "the copy waits for reads of the loop, and only while it runs"


@pytest.mark.parametrize("core", CORES, ids=str)
def test_a_copy_between_other_memories_is_nobodys_business(core: Core) -> None:
    found = times(core, "sram2")
    assert (found.loop, found.copy) == (found.loop_alone, found.copy_alone)


@pytest.mark.parametrize("code", ["sram1", "sram3"])
def test_data_in_a_flash_are_waited_for_too(code: str) -> None:
    """The loop, in RAM, misses the accelerator at each read."""
    cycles = []
    for copies in (False, True):
        with Bench(load_board("stm32f469i-disco")) as bench:
            address = bench.place(assemble(READ), code)
            flash = bench.board.region("flash").base
            if copies:
                start_copy(bench, "flash")
            cycles.append(bench.call(address, 500, flash, 64).cycles)
    assert 1.05 * cycles[0] < cycles[1] < 3 * cycles[0]


@pytest.mark.parametrize("board", ["stm32f469i-disco", "nucleo-u575zi-q"])
def test_code_in_a_ram_waits_for_a_copy_into_it(board: str) -> None:
    """SRAM1 answers at once, but to one at a time."""
    with Bench(load_board(board)) as bench:
        address = bench.place(assemble(LONG_LOOP[8]), "sram1")
        quiet = bench.call(address, 1).cycles
        start_copy(bench, "flash")
        assert quiet < bench.call(address, 1).cycles < 2 * quiet


def test_the_accelerator_reads_ahead_beside_a_copy() -> None:
    """The copy waits for lines that the core has not asked for yet, too."""
    core = Core("stm32f469i-disco")
    with Bench(load_board(core.board)) as bench:
        bench.timing.record.instruction_accelerator.prefetches = 0
        loop_cycles(core, bench)
        start_copy(bench, "flash")
        without = loop_cycles(core, bench)
    assert times(core, "flash").loop < without
