"""Firmware that copies with the DMA drivers, and the jobs that it takes."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntFlag
from functools import cache
from importlib import resources
from pathlib import Path
from tempfile import mkdtemp

from penstock.boards import Board, load_board
from penstock.boards.board import MemoryRegion
from penstock.boards.copying import dma_controller
from penstock.codegen.dma_board import dma_sources, emit_dma_board
from penstock.codegen.linker_script import emit_linker_script
from penstock.planning.execution_plan import Placement
from penstock.simulate import VirtualBoard
from penstock.simulate.sanitizers import Checks
from penstock.toolchain import WARNING_FLAGS, find_target_compiler, link_firmware

SOURCE = Path(__file__).with_name("dma_cases.c")
_JOB = struct.Struct("<9I")


class Flag(IntFlag):
    """``JOB_…`` of dma_cases.c."""

    WRITE_SOURCE = 1
    READ_DESTINATION = 2
    WRITE_DESTINATION = 4
    CLEAN_SOURCE = 8
    INVALIDATE_BEFORE = 16
    START = 32
    COMPUTE = 64
    WAIT = 128
    INVALIDATE_AFTER = 256
    READ = 512
    WRITE = 1024
    WRITE_SOURCE_AFTER = 2048
    START_OTHER = 4096
    WAIT_OTHER = 8192
    SLEEP = 16384
    READ_PROBE = 32768
    POKE = 65536
    PRELOAD = 131072


COPY = Flag.CLEAN_SOURCE | Flag.INVALIDATE_BEFORE | Flag.START | Flag.COMPUTE | Flag.WAIT
COPY |= Flag.INVALIDATE_AFTER
"""A copy with all that belongs to it."""


def placement(board: Board) -> Placement:
    """Weights and arena in external memory where there is any; the stack in the first RAM."""
    names = {region.name for region in board.regions}
    stack = next(region.name for region in board.regions if region.is_writable)
    arena = "sdram" if "sdram" in names else stack
    return Placement("flash", "qspi" if "qspi" in names else "flash", arena, stack)


@cache
def dma_firmware(board: Board, compiler: str = "gcc") -> Path:
    """Return firmware of dma_cases.c for a board."""
    runtime = Path(str(resources.files("penstock") / "runtime"))
    ports = runtime / "ports"
    folder = Path(mkdtemp(prefix="penstock_dma_"))
    (folder / "ps_dma_board.h").write_text(emit_dma_board(board))
    script = folder / "board.ld"
    script.write_text(emit_linker_script(board, placement(board)))
    elf = folder / "dma.elf"
    drivers = [ports / name for name in dma_sources(board)]
    link_firmware(
        [SOURCE, ports / "harness.c", ports / "cortex_m" / "startup.c", *drivers],
        script,
        elf,
        board.core,
        include_dirs=[runtime / "include", ports, ports / "dma", folder],
        compiler=find_target_compiler(board.core, compiler),
        flags=[*WARNING_FLAGS, "-O2", "-g"],
    )
    return elf


class DmaBoard:
    """A virtual board that takes jobs."""

    def __init__(self, board: Board, virtual: VirtualBoard) -> None:
        self.board, self.virtual, self.memory = board, virtual, virtual.memory
        self._job = virtual.firmware.symbol("dmacases_job")
        self.arena = virtual.firmware.symbol("dmacases_arena")

    def run(
        self,
        flags: Flag,
        destination: int,
        source: int,
        size_bytes: int,
        *,
        channel: int = 0,
        probe: int = 0,
    ) -> tuple[int, int, int]:
        """Run a job; returns its sum, status and cycles."""
        fields = (flags, channel, destination, source, size_bytes, probe, 0, 0, 0)
        self.memory.write(self._job, _JOB.pack(*fields))
        self.virtual.run_range(0, 1)
        total, status, cycles = _JOB.unpack(self.memory.read(self._job, _JOB.size))[6:]
        return total, status, cycles


@contextmanager
def dma_board(
    board: Board | str, checks: Checks | None = None, compiler: str = "gcc"
) -> Iterator[DmaBoard]:
    """Open a virtual board with the firmware, initialized."""
    found = load_board(board) if isinstance(board, str) else board
    chosen = Checks(bounds=False) if checks is None else checks
    with VirtualBoard(dma_firmware(found, compiler), found, checks=chosen) as virtual:
        virtual.init()
        yield DmaBoard(found, virtual)


def reached(board: Board) -> list[MemoryRegion]:
    """Return the memories that the driver's controller sees; all without one."""
    controller = dma_controller(board)
    if controller is None:
        return list(board.regions)
    return [board.region(name) for name in controller.reaches]


def free_range(region: MemoryRegion, half: int) -> tuple[int, int]:
    """Return address and extent of a part that the firmware leaves alone: there are two."""
    eighth = region.size_bytes // 8
    return region.base + (5 + half) * eighth, eighth
