"""DMA drivers copy on the virtual boards, in the time that controllers and memories take."""

import ctypes
import random
from importlib import resources
from pathlib import Path

import pytest

from penstock.boards import load_board
from penstock.boards.copying import dma_controller
from penstock.errors import SimulationError, ToolError
from penstock.toolchain import (
    WARNING_FLAGS,
    compile_shared_library,
    find_host_compiler,
    find_target_compiler,
)
from tests.simulate.dma_firmware import COPY, DmaBoard, Flag, dma_board, free_range, reached
from tests.timed_boards import TIMED_BOARDS

BOARDS = TIMED_BOARDS


def copy_and_compare(virtual: DmaBoard, chance: random.Random, size_max: int) -> None:
    """Copy between random memories at random offsets; the bytes around stay as they were."""
    regions = reached(virtual.board)
    source_region = chance.choice(regions)
    destination_region = chance.choice([region for region in regions if region.is_writable])
    source_base, source_room = free_range(source_region, 0)
    destination_base, destination_room = free_range(destination_region, 1)
    room = min(source_room, destination_room, size_max)
    size = chance.choice([0, 1, 15, chance.randrange(64), chance.randrange(room - 128)])
    source = source_base + chance.randrange(64)
    destination = destination_base + 32 + chance.randrange(32)
    content = chance.randbytes(size)
    around = chance.randbytes(size + 64)
    virtual.memory.write(source, content)
    virtual.memory.write(destination - 32, around)
    flags = COPY | Flag.READ | (Flag.WRITE_DESTINATION if chance.random() < 0.5 else Flag(0))
    channel = chance.randrange(3) if dma_controller(virtual.board) is not None else 0
    total, status, _ = virtual.run(flags, destination, source, size, channel=channel)
    assert status == 0
    assert total == sum(content)
    found = virtual.memory.read(destination - 32, size + 64)
    assert found == around[:32] + content + around[32 + size :]


@pytest.mark.parametrize("board", BOARDS)
def test_copies_arrive_whole_between_all_memories(board: str) -> None:
    chance = random.Random(board)
    with dma_board(board) as virtual:
        for _ in range(40):
            copy_and_compare(virtual, chance, 6000)


def test_a_copy_beyond_the_item_limit_goes_on_in_pieces() -> None:
    with dma_board("stm32f746g-disco") as virtual:
        source, _ = free_range(virtual.board.region("qspi"), 0)
        destination, _ = free_range(virtual.board.region("sdram"), 0)
        content = random.Random(1).randbytes(150_001)
        virtual.memory.write(source, content)
        _, status, _ = virtual.run(COPY, destination + 3, source, len(content))
        assert status == 0
        assert virtual.memory.read(destination + 3, len(content)) == content
        assert virtual.virtual.dma is not None
        sizes = [transfer.size_bytes for transfer in virtual.virtual.dma.transfers()]
        assert sizes == [65_504, 65_504, 18_944]


@pytest.mark.parametrize(
    ("board", "banks"),
    [("nucleo-u575zi-q", ("sram2", "sram3")), ("stm32f469i-disco", ("sram1", "sram2"))],
)
def test_a_copy_goes_on_in_the_bank_that_follows(board: str, banks: tuple[str, str]) -> None:
    with dma_board(board) as virtual:
        left, right = (virtual.board.region(name) for name in banks)
        assert left.base + left.size_bytes == right.base
        content = random.Random(3).randbytes(4096)
        source, _ = free_range(virtual.board.region("flash"), 0)
        virtual.memory.write(source, content)
        across = right.base - 1024
        for destination in (across, across + 7):
            total, status, _ = virtual.run(COPY | Flag.READ, destination, source, len(content))
            assert (status, total) == (0, sum(content))
            assert virtual.memory.read(destination, len(content)) == content
        back, _ = free_range(left, 0)
        _, status, _ = virtual.run(COPY, back, across + 7, len(content))
        assert status == 0
        assert virtual.memory.read(back, len(content)) == content


def test_two_channels_run_at_once() -> None:
    with dma_board("nucleo-h743zi") as virtual:
        source, _ = free_range(virtual.board.region("flash"), 0)
        first, _ = free_range(virtual.board.region("dtcm"), 0)
        second, _ = free_range(virtual.board.region("axi_sram"), 0)
        content = random.Random(2).randbytes(8192)
        virtual.memory.write(source, content)
        flags = COPY | Flag.START_OTHER | Flag.WAIT_OTHER
        _, status, both = virtual.run(flags, first, source, len(content), probe=second)
        assert status == 0
        assert virtual.memory.read(first, len(content)) == content
        assert virtual.memory.read(second, len(content)) == content
        _, _, one = virtual.run(COPY, first, source, len(content))
        assert one < both < 2.3 * one  # one bus, and two set-ups


def test_the_core_sleeps_while_it_waits_and_no_longer() -> None:
    with dma_board("stm32f746g-disco") as virtual:
        source, _ = free_range(virtual.board.region("qspi"), 0)
        destination, _ = free_range(virtual.board.region("sram1"), 0)
        virtual.memory.write(source, bytes(16_384))
        timing, dma = virtual.virtual.timing, virtual.virtual.dma
        assert timing is not None
        assert dma is not None
        timing.clear_counts()
        _, _, cycles = virtual.run(COPY, destination, source, 16_384)
        (transfer,) = dma.transfers()
        slept = timing.total().stalls["dma_wait"]
        taken = transfer.ended - transfer.started
        assert 0.8 * taken < slept < taken < cycles < taken + 3000
        assert transfer.operator == 0


def test_nothing_that_could_wake_the_core_is_an_error() -> None:
    with dma_board("stm32f746g-disco") as virtual:
        with pytest.raises(SimulationError, match="sleeps for ever") as caught:
            virtual.run(Flag.SLEEP, 0, 0, 0)
        assert "operator 0 (COPY)" in str(caught.value)


def reading_cycles(virtual: DmaBoard, address: int, size_bytes: int) -> int:
    """Return how long the core takes to read bytes."""
    timing = virtual.virtual.timing
    assert timing is not None
    before = timing.cycles
    virtual.run(Flag.READ, address, 0, size_bytes)
    return timing.cycles - before


@pytest.mark.parametrize(
    ("board", "memory"), [("stm32f469i-disco", "sdram"), ("stm32f469i-disco", "sram3")]
)
def test_core_and_transfer_wait_for_each_others_bursts(board: str, memory: str) -> None:
    with dma_board(board) as virtual:
        source, _ = free_range(virtual.board.region(memory), 0)
        destination, _ = free_range(virtual.board.region("sram1"), 0)
        other = source + 8192
        virtual.memory.write(source, bytes(16_384))
        dma = virtual.virtual.dma
        assert dma is not None
        virtual.run(COPY, destination, source, 8192)
        quiet = reading_cycles(virtual, other, 512)
        quiet = reading_cycles(virtual, other, 512)
        virtual.run(Flag.START, destination, source, 8192)
        busy = reading_cycles(virtual, other, 512)
        virtual.run(Flag.WAIT, destination, source, 8192)
        alone, contended = (t.ended - t.started for t in dma.transfers())
        assert quiet * 1.01 < busy < quiet * 2.5
        delay = 1.01 if memory == "sdram" else 1.0  # single cycles fit between bursts
        assert alone * delay <= contended < alone + 1.1 * busy


@pytest.mark.parametrize("board", ["stm32f746g-disco", "nucleo-h743zi", "nucleo-u575zi-q"])
def test_the_drivers_are_the_same_under_clang(board: str) -> None:
    try:
        find_target_compiler(load_board(board).core, "zig")
    except ToolError as error:
        pytest.skip(str(error))
    chance = random.Random(board)
    with dma_board(board, compiler="zig") as virtual:
        for _ in range(10):
            copy_and_compare(virtual, chance, 3000)


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_memcpy_is_a_driver_for_any_c99_target(compiler: str, tmp_path: Path) -> None:
    try:
        host = find_host_compiler(compiler)
    except ToolError as error:
        pytest.skip(str(error))
    ports = Path(str(resources.files("penstock") / "runtime" / "ports" / "dma"))
    library = tmp_path / "copy.so"
    compile_shared_library(
        [ports / "memcpy" / "ps_dma.c"], library, [ports], compiler=host, flags=WARNING_FLAGS
    )
    native = ctypes.CDLL(str(library))
    target = ctypes.create_string_buffer(5)
    native.ps_dma_init()
    native.ps_dma_copy_start(0, target, b"penst", 5)
    assert native.ps_dma_wait(0) == 0
    assert target.raw == b"penst"


def test_channels_that_read_the_same_memory_slow_each_other_down() -> None:
    with dma_board("stm32f746g-disco") as virtual:
        source, _ = free_range(virtual.board.region("sdram"), 0)
        destination, _ = free_range(virtual.board.region("sram1"), 0)
        virtual.memory.write(source, bytes(32_768))
        dma = virtual.virtual.dma
        assert dma is not None
        virtual.run(COPY, destination, source, 4096)
        virtual.run(
            COPY & ~Flag.COMPUTE | Flag.START_OTHER | Flag.WAIT_OTHER,
            destination,
            source,
            4096,
            probe=destination + 8192,
        )
        alone, *together = (t.ended - t.started for t in dma.transfers())
        assert max(together) > 1.5 * alone
