"""Each fault that is planted in a program is found, and none is found in the program without."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from penstock.boards import Board, load_board
from penstock.boards.board import MemoryRegion
from penstock.boards.copying import dma_controller
from penstock.errors import SimulationError
from penstock.simulate.monitor import load_native
from penstock.simulate.sanitizer_records import FaultKind
from penstock.simulate.sanitizers import Checks, Sanitizers
from tests.simulate.dma_firmware import COPY, DmaBoard, Flag, dma_board, free_range, reached
from tests.simulate.dma_registers import mdma_copy, registers

NO_BOUNDS, ALL = Checks(bounds=False), Checks()
CACHED = ("stm32f746g-disco", "stm32f769i-disco", "nucleo-h743zi", "stm32h747i-disco")
UNCACHED = ("stm32f469i-disco", "nucleo-f446re", "nucleo-u575zi-q")
LIMITED = ("stm32f746g-disco", "stm32f769i-disco", "stm32f469i-disco")
"""Boards with a memory that their DMA does not reach."""

PREPARED = Flag.WRITE_SOURCE | COPY | Flag.READ


@dataclass(frozen=True)
class Job:
    """What :meth:`DmaBoard.run` takes."""

    flags: Flag
    destination: int
    source: int
    size_bytes: int
    probe: int = 0

    def run(self, virtual: DmaBoard) -> None:
        if Flag.READ_DESTINATION in self.flags:
            virtual.memory.write(self.destination, bytes(self.size_bytes))
        virtual.run(self.flags, self.destination, self.source, self.size_bytes, probe=self.probe)


@dataclass(frozen=True)
class Planted:
    """A program with one fault, the same without, and what the error must say."""

    name: str
    board: str
    faulty: Job
    clean: Job
    expected: str
    checks: Checks = NO_BOUNDS
    names_both: bool = True


def ram(board: Board, chance: random.Random, *, cached: bool = False) -> MemoryRegion:
    """Return a random memory that the DMA reaches; a cached one only where the core caches it."""
    tcm = ("tcm_data", "tcm_instruction")
    regions = [region for region in reached(board) if region.is_writable]
    if cached:
        regions = [r for r in regions if r.kind.value not in tcm and r.base < 0xC000_0000]
    return chance.choice(regions)


def ranges(board: Board, chance: random.Random, *, cached: bool = False) -> tuple[int, int, int]:
    """Return destination, source and size of a copy between random memories."""
    size = chance.randrange(256, 900)
    source, _ = free_range(ram(board, chance, cached=cached), 0)
    destination, _ = free_range(ram(board, chance, cached=cached), 1)
    return destination + chance.randrange(48), source + chance.randrange(48), size


def deleted_wait(board: str, chance: random.Random) -> Planted:
    destination, source, size = ranges(load_board(board), chance)
    use = chance.choice([Flag.READ, Flag.WRITE, Flag.WRITE_SOURCE_AFTER])
    clean = Job(Flag.WRITE_SOURCE | COPY | use, destination, source, size)
    compute = chance.choice([Flag(0), Flag.COMPUTE])
    flags = (clean.flags & ~Flag.WAIT & ~Flag.COMPUTE & ~Flag.INVALIDATE_AFTER) | compute
    faulty = Job(flags, destination, source, size)
    return Planted("deleted wait", board, faulty, clean, r"while .* channel \d+")


def missing_clean(board: str, chance: random.Random) -> Planted:
    destination, source, size = ranges(load_board(board), chance, cached=True)
    clean = Job(PREPARED, destination, source, size)
    faulty = Job(PREPARED & ~Flag.CLEAN_SOURCE, destination, source, size)
    return Planted(
        "missing clean", board, faulty, clean, "newest bytes may still be in the data cache"
    )


def missing_invalidate_before(board: str, chance: random.Random) -> Planted:
    destination, source, size = ranges(load_board(board), chance, cached=True)
    flags = PREPARED | Flag.WRITE_DESTINATION
    clean = Job(flags, destination, source, size)
    faulty = Job(flags & ~Flag.INVALIDATE_BEFORE, destination, source, size)
    return Planted("missing invalidate", board, faulty, clean, "below a cache line")


def missing_invalidate_after(board: str, chance: random.Random) -> Planted:
    destination, source, size = ranges(load_board(board), chance, cached=True)
    use, expected = chance.choice(
        [(Flag.READ, "holds what was there before"), (Flag.WRITE, "into a cache line from before")]
    )
    flags = Flag.WRITE_SOURCE | Flag.WRITE_DESTINATION | COPY | use
    clean = Job(flags, destination, source, size)
    # The lines are in the cache, as they are in memory, when the copy starts.
    stale = Flag.READ_DESTINATION | (flags & ~Flag.WRITE_DESTINATION)
    faulty = Job(
        stale & ~Flag.INVALIDATE_BEFORE & ~Flag.INVALIDATE_AFTER, destination, source, size
    )
    return Planted("stale line", board, faulty, clean, expected)


def unreachable_memory(board: str, chance: random.Random) -> Planted:
    described = load_board(board)
    destination, source, size = ranges(described, chance)
    seen = {region.name for region in reached(described)}
    hidden = [r for r in described.regions if r.name not in seen]
    other, _ = free_range(chance.choice(hidden), 0)
    clean = Job(PREPARED, destination, source, size)
    is_source = chance.random() < 0.5
    faulty = (
        Job(PREPARED, destination, other, size) if is_source else Job(PREPARED, other, source, size)
    )
    return Planted(
        "unreachable memory", board, faulty, clean, "no way to this memory", names_both=False
    )


def read_only_target(board: str, chance: random.Random) -> Planted:
    described = load_board(board)
    destination, source, size = ranges(described, chance)
    flash = next(r for r in described.regions if not r.is_writable)
    clean = Job(PREPARED, destination, source, size)
    # A head or tail would be the core's write, which is refused in another way.
    faulty = Job(PREPARED, flash.base + flash.size_bytes // 2, source, size // 32 * 32)
    return Planted("read-only target", board, faulty, clean, "is read-only", names_both=False)


def beyond_the_end(board: str, chance: random.Random) -> Planted:
    """The destination is shifted so far that the copy leaves its memory."""
    described = load_board(board)
    regions = [r for r in reached(described) if r.is_writable]
    ends = {region.base for region in described.regions}
    region = chance.choice([r for r in regions if r.base + r.size_bytes not in ends])
    _, source, size = ranges(described, chance)
    size = size // 32 * 32
    destination = region.base + region.size_bytes - size
    clean = Job(PREPARED & ~Flag.READ, destination - 256, source, size)
    shifted = destination + 32 * chance.randrange(1, size // 32)
    faulty = Job(PREPARED & ~Flag.READ, shifted, source, size)
    return Planted(
        "beyond the end", board, faulty, clean, "over the end of the memory", names_both=False
    )


def unwritten_source(board: str, chance: random.Random) -> Planted:
    """The source is shifted by 64 bytes or more, to where nothing was written."""
    destination, source, size = ranges(load_board(board), chance)
    flags = PREPARED & ~Flag.READ
    clean = Job(flags, destination, source, size)
    faulty = Job(flags & ~Flag.WRITE_SOURCE, destination, source, size)
    return Planted("unwritten source", board, faulty, clean, "nobody has written", names_both=False)


def unwritten_word(board: str, chance: random.Random) -> Planted:
    destination, source, size = ranges(load_board(board), chance)
    clean = Job(PREPARED | Flag.READ_PROBE, destination, source, size, probe=destination + 4)
    shifted = destination + size + 4 * chance.randrange(1, 16)
    faulty = Job(clean.flags, destination, source, size, probe=shifted)
    return Planted("unwritten word", board, faulty, clean, "nobody has written", names_both=False)


def overlapping_copies(board: str, chance: random.Random) -> Planted:
    destination, source, size = ranges(load_board(board), chance)
    apart = destination + 1024
    flags = PREPARED | Flag.START_OTHER | Flag.WAIT_OTHER
    clean = Job(flags, destination, source, size, probe=apart)
    shift = 32 * chance.randrange(4)
    faulty = Job(flags, destination, source, size, probe=destination + shift)
    return Planted("overlapping copies", board, faulty, clean, "while ")


def outside_the_arena(board: str, chance: random.Random) -> Planted:
    """Bounds are known: the copy's destination is shifted over an end of the arena."""
    with dma_board(board, ALL) as virtual:
        arena = virtual.arena
        weights = virtual.virtual.firmware.symbol("dmacases_weights")
    size = 32 * chance.randrange(8, 24)
    clean = Job(COPY | Flag.READ, arena + 1024, weights, size)
    shifted = arena + 8192 - size + chance.choice([1, 4, 31, 32, 64, 200])
    faulty = Job(COPY | Flag.READ, shifted, weights, size)
    return Planted("outside the arena", board, faulty, clean, "not the model's", ALL, False)


def core_outside_the_arena(board: str, chance: random.Random) -> Planted:
    with dma_board(board, ALL) as virtual:
        arena = virtual.arena
        weights = virtual.virtual.firmware.symbol("dmacases_weights")
    clean = Job(COPY | Flag.READ_PROBE, arena, weights, 8192, probe=arena + 64)
    shifted = arena + 8192 + 4 * chance.randrange(1, 64)
    faulty = Job(COPY | Flag.READ_PROBE, arena, weights, 8192, probe=shifted)
    return Planted("core outside the arena", board, faulty, clean, "not the model's", ALL, False)


def preload_of_what_is_being_copied(board: str, chance: random.Random) -> Planted:
    destination, source, size = ranges(load_board(board), chance, cached=True)
    flags = PREPARED | Flag.PRELOAD | Flag.READ
    clean = Job(flags, destination, source, size, probe=source + chance.randrange(size))
    within = destination + size // 2 + chance.randrange(size // 2)
    faulty = Job(flags, destination, source, size, probe=within)
    return Planted("preload of a destination", board, faulty, clean, "while ")


def preload_outside_the_arena(board: str, chance: random.Random) -> Planted:
    with dma_board(board, ALL) as virtual:
        arena = virtual.arena
        weights = virtual.virtual.firmware.symbol("dmacases_weights")
    clean = Job(COPY | Flag.PRELOAD, arena, weights, 8192, probe=weights + 8191)
    shifted = arena + 8192 + chance.randrange(256)
    faulty = Job(COPY | Flag.PRELOAD, arena, weights, 8192, probe=shifted)
    return Planted("preload outside", board, faulty, clean, "not the model's", ALL, False)


Plant = Callable[[str, random.Random], Planted]
KINDS: tuple[tuple[Plant, tuple[str, ...], int], ...] = (
    (deleted_wait, CACHED + UNCACHED, 8),
    (preload_of_what_is_being_copied, CACHED, 4),
    (preload_outside_the_arena, CACHED, 4),
    (missing_clean, CACHED, 8),
    (missing_invalidate_before, CACHED, 8),
    (missing_invalidate_after, CACHED, 8),
    (unreachable_memory, LIMITED, 5),
    (read_only_target, CACHED + UNCACHED, 2),
    (beyond_the_end, CACHED + UNCACHED, 3),
    (unwritten_source, CACHED + UNCACHED, 3),
    (unwritten_word, CACHED + UNCACHED, 3),
    (overlapping_copies, CACHED + UNCACHED, 4),
    (outside_the_arena, CACHED + UNCACHED, 3),
    (core_outside_the_arena, CACHED + UNCACHED, 2),
)


def planted() -> Iterator[Planted]:
    for plant, boards, count in KINDS:
        for board in boards:
            chance = random.Random(f"{plant.__name__} {board}")
            for _ in range(count):
                yield plant(board, chance)


def groups() -> list[tuple[Plant, str, int]]:
    return [(plant, board, count) for plant, boards, count in KINDS for board in boards]


def test_there_are_at_least_200_planted_faults() -> None:
    assert sum(count for _, _, count in groups()) >= 200


def find(virtual: DmaBoard, job: Job) -> str | None:
    try:
        job.run(virtual)
    except SimulationError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("plant", "board", "count"),
    groups(),
    ids=[f"{plant.__name__}-{board}" for plant, board, _ in groups()],
)
def test_every_planted_fault_is_found_and_the_clean_program_runs(
    plant: Plant, board: str, count: int
) -> None:
    chance = random.Random(f"{plant.__name__} {board}")
    cases = [plant(board, chance) for _ in range(count)]
    with dma_board(board, cases[0].checks) as virtual:
        for case in cases:
            assert find(virtual, case.clean) is None, case
    for case in cases:
        with dma_board(board, case.checks) as virtual:
            found = find(virtual, case.faulty)
        assert found is not None, case
        assert re.search(case.expected, found), (case, found)
        assert "operator 0 (COPY)" in found
        assert re.search(r"0x[0-9a-f]{8} in ('\w+'|no memory)", found), found
        if case.names_both:
            assert len(re.findall(r"cycle \d+", found)) >= 2, found
            assert found.count("operator 0 (COPY)") == 2, found


def test_a_channel_that_nobody_waited_for_is_not_started_again() -> None:
    with dma_board("stm32f746g-disco", NO_BOUNDS) as virtual:
        assert dma_controller(virtual.board) is not None
        destination, source, size = ranges(virtual.board, random.Random(1))
        flags = Flag.WRITE_SOURCE | Flag.CLEAN_SOURCE | Flag.START
        virtual.run(flags, destination, source, size)
        with pytest.raises(SimulationError, match=r"set up anew|nobody has looked"):
            virtual.run(Flag.START, destination, source, size)


def test_a_transfer_reads_nothing_but_what_is_the_models() -> None:
    with dma_board("stm32f746g-disco", ALL) as virtual:
        arena, copy = virtual.arena, Flag.START | Flag.WAIT
        virtual.memory.write(arena, bytes(8192 + 64))
        virtual.run(copy, arena, arena + 8192 - 1024, 1024)
        pattern = r"operator 0 \(COPY\), reads 1024 bytes .* which is not the model's"
        with pytest.raises(SimulationError, match=pattern):
            virtual.run(copy, arena, arena + 8192 - 992, 1024)


def test_a_transfer_does_not_read_what_another_is_writing() -> None:
    with dma_board("stm32f746g-disco", NO_BOUNDS) as virtual:
        sdram, sram = virtual.board.region("sdram"), virtual.board.region("sram1")
        first, between, last = free_range(sdram, 0)[0], free_range(sram, 0)[0], sram.base + 65_536
        virtual.memory.write(first, bytes(4096))
        virtual.run(Flag.START, between, first, 4096)
        pattern = r"channel 1, .* reads 64 bytes .* while dma2 channel 0, .* writes 4096 bytes"
        with pytest.raises(SimulationError, match=pattern):
            virtual.run(Flag.START, last, between + 4032, 64, channel=1)


def test_each_line_of_a_burst_is_watched() -> None:
    """An MDMA reads 128 bytes at once, of which a part is written."""
    with registers("nucleo-h743zi") as opened:
        source, target = opened.board.region("axi_sram").base, opened.board.region("sram1").base
        sanitizers = Sanitizers(
            opened.memory, opened.dma, opened.timing.record, load_native(), NO_BOUNDS
        )
        opened.memory.write(source, bytes(128 + 32))
        for first in (source, source + 128):
            assert not sanitizers.has_fault
            mdma_copy(opened, target, first, 128, burst_log2=4)
            opened.advance()
            opened.read(0x40)
            opened.write(0x44, 0x1F)
        assert sanitizers.record.fault.kind == FaultKind.UNWRITTEN
        assert sanitizers.record.fault.actor.address == source + 128 + 32
        sanitizers.close()


def test_without_sanitizers_the_same_programs_run() -> None:
    with dma_board("stm32f746g-disco", Checks(unwritten=False, bounds=False)) as virtual:
        case = unwritten_word("stm32f746g-disco", random.Random(2))
        assert find(virtual, case.faulty) is None
