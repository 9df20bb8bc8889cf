"""Machine code on a virtual board, with nothing around it: what it takes, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from penstock.boards.board import Board
from penstock.simulate.firmware import Firmware, read_firmware
from penstock.simulate.machine import Machine
from penstock.simulate.memory import BoardMemory
from penstock.simulate.timing import Timing, Traffic

RETURN_ADDRESS = 0xF000_0000
LIMIT = 200_000_000
MPU_CTRL, MPU_RBAR, MPU_RASR = 0xD94, 0xD9C, 0xDA0
_ALIGNMENT = 64
_RAM = 0x2000_0000
_BARE = Firmware(Path("bench"), segments=(), symbols={}, functions=())


@dataclass(frozen=True)
class Measured:
    """What one call took.

    Attributes:
        cycles: of the core.
        stalls: cycles among them, by cause; causes without any are left out.
        traffic: bytes by memory; those without any are left out.
    """

    cycles: int
    stalls: Mapping[str, int] = field(default_factory=dict)
    traffic: Mapping[str, Traffic] = field(default_factory=dict)


class Bench:
    """A board whose caches are on, off or, for None, as after a reset; a context manager."""

    def __init__(
        self,
        board: Board,
        *,
        caches: bool | None = True,
        data_cache: bool = True,
        elf: Path | None = None,
    ) -> None:
        self.board, self.memory = board, BoardMemory(board)
        firmware = _BARE if elf is None else read_firmware(elf)
        self.memory.load(firmware)
        self.firmware = firmware
        self.machine = Machine(firmware, self.memory, board.core)
        assert self.machine.timing is not None
        self.timing: Timing = self.machine.timing
        self._placed: dict[tuple[bytes, str], int] = {}
        self._free: dict[str, int] = {}
        if caches is not None:
            self.timing.set_caches(caches)
        if not data_cache:
            self.timing.record.data_cache.is_enabled = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.machine.close()

    def set_mpu(self, base: int, size_log2: int, *, tex: int = 0, c: int = 0, b: int = 0) -> None:
        """Give a range attributes, as firmware does before it starts."""
        timing = self.timing
        timing._on_attributes(MPU_RBAR, base | 1 << 4)
        timing._on_attributes(MPU_RASR, tex << 19 | c << 17 | b << 16 | (size_log2 - 1) << 1 | 1)
        timing._on_attributes(MPU_CTRL, 5)

    def call(
        self, address: int, *arguments: int, stack_top: int | None = None, warm: int = 0
    ) -> Measured:
        """Call code that returns through lr; ``warm`` calls go before the one that counts."""
        top = self._stack_top() if stack_top is None else stack_top
        for _ in range(warm + 1):
            self.machine.monitor.clear_counts()
            self.timing.clear_counts()
            self.machine.prepare_call(top, RETURN_ADDRESS, arguments)
            self.machine.run(address, LIMIT)
            self.timing.raise_failure()
            assert self.machine.pc & ~1 == RETURN_ADDRESS, hex(self.machine.pc)
        total = self.timing.total()
        return Measured(
            total.cycles,
            {cause: cycles for cause, cycles in total.stalls.items() if cycles},
            {name: t for name, t in self.timing.traffic().items() if t != Traffic(0, 0, 0)},
        )

    def run(self, code: bytes, memory: str, *arguments: int, warm: int = 0) -> Measured:
        """Put code into a memory, beside what is there already, and call it."""
        return self.call(self.place(code, memory), *arguments, warm=warm)

    def place(self, code: bytes, memory: str) -> int:
        """Return the address of code in a memory; the emulator must not see it change."""
        if (code, memory) not in self._placed:
            address = self._free.get(memory, self.board.region(memory).base)
            self._free[memory] = address + -(-len(code) // _ALIGNMENT) * _ALIGNMENT
            self._placed[code, memory] = address
            self.memory.write(address, code)
        return self._placed[code, memory]

    def _stack_top(self) -> int:
        region = next(r for r in self.board.regions if r.base == _RAM)
        return region.base + region.size_bytes


def turns_of(bench: Bench, code: bytes, memory: str, turns: int, *arguments: int) -> Measured:
    """Return what further turns of a loop take, whose number of turns is in r0.

    What comes before and after the loop is taken out by counting twice as many turns, from cold
    caches both times. Cycles and stalls are those of ``turns`` turns; traffic is left out.
    """
    at = bench.place(code, memory)
    bench.timing.chill()
    once = bench.call(at, turns, *arguments)
    bench.timing.chill()
    twice = bench.call(at, 2 * turns, *arguments)
    stalls = {cause: n - once.stalls.get(cause, 0) for cause, n in twice.stalls.items()}
    return Measured(twice.cycles - once.cycles, {cause: n for cause, n in stalls.items() if n})
