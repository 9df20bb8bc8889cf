"""The memories of a board as buffers of this process, seen at the board's addresses."""

import mmap
from bisect import bisect_right
from collections.abc import Callable, Sequence
from ctypes import addressof, c_char, memmove, string_at
from dataclasses import dataclass

from penstock.boards.board import Board, MemoryRegion, PeripheralRange
from penstock.errors import SimulationError
from penstock.simulate.firmware import Firmware

_EXECUTE_NEVER = range(0xA000_0000, 0xE000_0000)
"""Device space of the ARMv7-M default memory map: no instruction is fetched from it."""


@dataclass(frozen=True, slots=True)
class Window:
    """Addresses at which a region is seen: its own or an alias.

    Attributes:
        base: first address.
        region: what is seen.
        host_address: of the region's first byte, in this process.
        is_executable: whether instructions may be fetched.
    """

    base: int
    region: MemoryRegion
    host_address: int
    is_executable: bool

    @property
    def end(self) -> int:
        """Address behind the last byte."""
        return self.base + self.region.size_bytes


class RegionBuffers:
    """A byte of this process for each byte of some regions, zero at first.

    Regions that are adjacent on the board are adjacent here, so that a transfer may run from one
    into the next.
    """

    def __init__(self, regions: Sequence[MemoryRegion]) -> None:
        """Reserve them; the operating system provides pages as they are touched."""
        self._buffers: list[mmap.mmap] = []
        self._addresses: dict[str, int] = {}
        for run in _adjacent_runs(regions):
            buffer = mmap.mmap(-1, sum(region.size_bytes for region in run))
            self._buffers.append(buffer)
            position = addressof(c_char.from_buffer(buffer))
            for region in run:
                self._addresses[region.name] = position
                position += region.size_bytes

    def address(self, name: str) -> int:
        """Return where the first byte of a region is in this process."""
        return self._addresses[name]


def _adjacent_runs(regions: Sequence[MemoryRegion]) -> list[list[MemoryRegion]]:
    runs: list[list[MemoryRegion]] = []
    for region in sorted(regions, key=lambda region: region.base):
        last = runs[-1][-1] if runs else None
        if last is not None and last.base + last.size_bytes == region.base:
            runs[-1].append(region)
        else:
            runs.append([region])
    return runs


class BoardMemory:
    """All memories of a board; aliases share their bytes. Unwritten bytes are zero."""

    def __init__(self, board: Board, registers: Sequence[PeripheralRange] | None = None) -> None:
        """Reserve the memories; the operating system provides pages as they are touched.

        Args:
            board: whose memories.
            registers: what behaves as memory beside them; None for all peripherals of the board.
        """
        self.board = board
        self.registers = tuple(board.peripherals if registers is None else registers)
        self._buffers = RegionBuffers(board.regions)
        windows = [
            Window(base, region, self._buffers.address(region.name), base not in _EXECUTE_NEVER)
            for region in board.regions
            for base in region.bases
        ]
        self.windows = tuple(sorted(windows, key=lambda window: window.base))
        self.on_write: Callable[[int, int], None] | None = None
        """Told address and extent of what :meth:`write` changes."""

    def window_at(self, address: int) -> Window | None:
        """Return the window that contains an address."""
        position = bisect_right(self.windows, address, key=lambda window: window.base) - 1
        if position < 0 or address >= self.windows[position].end:
            return None
        return self.windows[position]

    def read(self, address: int, size_bytes: int) -> bytes:
        """Return bytes as a debugger would; raises SimulationError outside the map."""
        return b"".join(string_at(host, size) for host, size in self._pieces(address, size_bytes))

    def write(self, address: int, content: bytes) -> None:
        """Write bytes as a programmer would, flash included; raises SimulationError outside."""
        position = 0
        for host, size in self._pieces(address, len(content)):
            memmove(host, content[position : position + size], size)
            position += size
        if self.on_write is not None:
            self.on_write(address, len(content))

    def read_word(self, address: int) -> int:
        """Return a little-endian word."""
        return int.from_bytes(self.read(address, 4), "little")

    def write_word(self, address: int, value: int) -> None:
        """Write a little-endian word."""
        self.write(address, value.to_bytes(4, "little"))

    def load(self, firmware: Firmware) -> None:
        """Program the firmware's segments; raises SimulationError when one lies outside the map."""
        for segment in firmware.segments:
            try:
                self.write(segment.address, segment.content)
            except SimulationError as error:
                raise SimulationError(
                    f"{firmware.path.name} holds {len(segment.content)} bytes for "
                    f"{segment.address:#010x}, which do not fit the memories of {self.board.name}",
                    help="link the firmware with the linker script of this board",
                ) from error

    def _pieces(self, address: int, size_bytes: int) -> list[tuple[int, int]]:
        """Return host addresses and extents; adjacent windows are one range to the caller."""
        pieces = []
        position, remaining = address, size_bytes
        while remaining > 0:
            window = self.window_at(position)
            if window is None:
                raise SimulationError(
                    f"{size_bytes} bytes at {address:#010x} are not in the memory map of "
                    f"{self.board.name}: nothing is at {position:#010x}"
                )
            size = min(remaining, window.end - position)
            pieces.append((window.host_address + position - window.base, size))
            position, remaining = position + size, remaining - size
        return pieces
