"""Accesses that need not be watched, because they are known before their block runs."""

from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from penstock.boards.memories import PAGE_BYTES
from penstock.simulate.memory import BoardMemory
from penstock.simulate.monitor_records import AddressStepRecord, Derive, MonitorRecord
from penstock.simulate.pipeline import Block
from penstock.simulate.pipeline.addresses import Code, Step, derive_addresses
from penstock.simulate.pipeline.preloads import derive_preloads

STEPS_MAX = 256
"""``PS_STEPS_MAX`` of native/addresses.h."""
PRELOADS_MAX = 16
"""``PS_PRELOADS_MAX``, likewise."""
WATCHED = -1

_PAGE_COUNT = 1 << 20
_WRITABLE = 1

if TYPE_CHECKING:
    from ctypes import _Pointer as Pointer


class ComputedAccesses:
    """Tells the monitor what blocks access; must live as long as it runs."""

    def __init__(self, memory: BoardMemory, block_at: Callable[[int], Block | None]) -> None:
        """Prepare for all memories; registers are always watched.

        Args:
            memory: what may be accessed.
            block_at: returns the code that runs at an address.
        """
        self._block_at = block_at
        self._pages = _host_pages(memory)
        self._derive = Derive(self._derive_steps)
        self._derive_preloads = Derive(self._derive_hints)

    def attach(self, record: MonitorRecord, registers: int | None) -> None:
        """Let a monitor compute accesses.

        Args:
            record: of the monitor.
            registers: where r0 to r14 are in this process; None lets all accesses be watched.
        """
        record.derive = self._derive
        record.derive_preloads = self._derive_preloads
        record.space.host_pages = self._pages.ctypes.data
        record.registers = registers
        record.may_compute = registers is not None

    def _derive_steps(
        self, address: int, size_bytes: int, records: "Pointer[AddressStepRecord]"
    ) -> int:
        block = self._block_at(address)
        if block is None or block.size_bytes != size_bytes:
            return WATCHED
        steps = derive_addresses(block)
        if steps is None or len(steps) > STEPS_MAX:
            return WATCHED
        return _write_steps(steps, records)

    def _derive_hints(
        self, address: int, size_bytes: int, records: "Pointer[AddressStepRecord]"
    ) -> int:
        block = self._block_at(address)
        if block is None or block.size_bytes != size_bytes:
            return 0
        steps = derive_preloads(block)
        hints = sum(step.code is Code.PRELOAD for step in steps)
        if hints > PRELOADS_MAX or len(steps) > STEPS_MAX:
            return 0
        return _write_steps(steps, records)


def _write_steps(steps: Sequence[Step], records: "Pointer[AddressStepRecord]") -> int:
    for index, step in enumerate(steps):
        records[index] = AddressStepRecord(*astuple(step))
    return len(steps)


def _host_pages(memory: BoardMemory) -> NDArray[np.uint64]:
    """Return for each page of addresses where it is in this process, plus 1 if it is writable."""
    pages = np.zeros(_PAGE_COUNT, np.uint64)
    for window in memory.windows:
        count = window.region.size_bytes // PAGE_BYTES
        first = window.base // PAGE_BYTES
        host = np.arange(count, dtype=np.uint64) * np.uint64(PAGE_BYTES)
        flags = _WRITABLE if window.region.is_writable else 0
        pages[first : first + count] = host + np.uint64(window.host_address + flags)
    return pages
