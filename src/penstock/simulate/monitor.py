"""The native half of the virtual board: compiles it when needed, and counts with it."""

import ctypes
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path

from penstock.boards.board import PeripheralRange
from penstock.simulate.firmware import Firmware, Function
from penstock.simulate.layouts import check_layouts
from penstock.simulate.monitor_records import AddressRange, FunctionRecord, MonitorRecord
from penstock.toolchain import cached_shared_library

(
    STOP_NONE,
    STOP_LIMIT,
    STOP_ACCESS,
    STOP_EXCEPTION,
    STOP_UNDEFINED,
    STOP_UNALIGNED,
    STOP_STACK,
    STOP_TIMING,
    STOP_ASLEEP,
    STOP_MEMORY,
) = range(10)
"""``stop_reason`` of monitor.c."""

_SOURCES = (
    "monitor.c",
    "watch.c",
    "addresses.c",
    "registers.c",
    "polling.c",
    "thumb.c",
    "lookup.c",
    "stream.c",
    "timing.c",
    "access.c",
    "fetch.c",
    "system.c",
    "counters.c",
    "cache.c",
    "dma.c",
    "dma_bus.c",
    "dma_stream.c",
    "dma_mdma.c",
    "dma_gpdma.c",
    "interrupts.c",
    "sanitizer.c",
    "sanitizer_cache.c",
    "sanitizer_dma.c",
    "timeline.c",
    "layouts.c",
)

_FLAGS = ("-pthread", "-O3", "-fno-semantic-interposition")
"""Nobody else gives these functions other meanings, so that calls between files may be direct."""

ELSEWHERE = "(elsewhere)"
"""Name under which instructions outside all known functions are counted."""


@cache
def load_native() -> ctypes.CDLL:
    """Return the compiled callbacks; raises ToolError without a C compiler."""
    with resources.as_file(resources.files("penstock.simulate") / "native") as folder:
        sources = [Path(folder) / name for name in _SOURCES]
        library = cached_shared_library("monitor", sources, [Path(folder)], flags=_FLAGS)
    native = ctypes.CDLL(str(library))
    check_layouts(native)
    return native


class Monitor:
    """Counts and limits what the firmware executes, and records why it stopped."""

    def __init__(
        self, firmware: Firmware, peripherals: Sequence[PeripheralRange], engine: ctypes.CDLL
    ) -> None:
        """Prepare the callbacks' data; ``engine`` is Unicorn's own library."""
        self._native = load_native()
        self._functions = firmware.functions
        self.slot_count = 2 + max(
            (f.operator for f in self._functions if f.operator is not None), default=-1
        )
        self._function_records = _function_records(self._functions)
        self._peripheral_records = (AddressRange * len(peripherals))(
            *(AddressRange(p.base, p.base + p.size_bytes) for p in peripherals)
        )
        self._operator_instructions = (ctypes.c_uint64 * self.slot_count)()
        self.record = MonitorRecord(
            start=_address_of(engine, "uc_emu_start"),
            stop=_address_of(engine, "uc_emu_stop"),
            read_memory=_address_of(engine, "uc_mem_read"),
            map_memory=_address_of(engine, "uc_mem_map"),
            control=_address_of(engine, "uc_ctl"),
            add_hook=_address_of(engine, "uc_hook_add"),
            delete_hook=_address_of(engine, "uc_hook_del"),
            read_register=_address_of(engine, "uc_reg_read"),
            functions=self._function_records,
            function_count=len(self._function_records),
            peripherals=self._peripheral_records,
            peripheral_count=len(peripherals),
            operator_instructions=self._operator_instructions,
        )

    def callback(self, name: str) -> int:
        """Return the address of ``ps_monitor_<name>``."""
        return _address_of(self._native, f"ps_monitor_{name}")

    def run(self, engine: object, address: int) -> None:
        """Run until something stops the core; the record says what."""
        self._native.ps_monitor_run(engine, ctypes.c_uint64(address), ctypes.byref(self.record))

    def prepare(self, instruction_limit: int) -> None:
        """Forget why the firmware stopped, and allow so many further instructions."""
        self.record.reason = STOP_NONE
        self.record.limit = self.record.instructions + instruction_limit

    def guard(self, start: int, end: int) -> None:
        """Stop at accesses of ``[start, end)`` while the stack pointer is below ``end``."""
        self.record.space.guard_start, self.record.space.guard_end = start, end

    def interrupt(self) -> None:
        """Make the firmware stop at the next block; may be called from another thread."""
        self.record.limit = 0

    def clear_counts(self) -> None:
        """Count from zero again."""
        self._native.ps_monitor_settle(ctypes.byref(self.record))
        self.record.instructions = 0
        for slot in range(len(self._operator_instructions)):
            self._operator_instructions[slot] = 0
        for record in self._function_records:
            record.instructions = 0

    @property
    def current_operator(self) -> int | None:
        """Index of the operator that runs or was running."""
        slot = int(self.record.operator_slot)
        return slot - 1 if slot else None

    @property
    def instructions(self) -> int:
        """Instructions executed so far, those whose condition failed included."""
        return int(self.record.instructions)

    def operator_instructions(self) -> dict[int, int]:
        """Return instructions by operator index; operators that did not run are left out."""
        counts = self._operator_instructions
        return {slot - 1: counts[slot] for slot in range(1, len(counts)) if counts[slot]}

    def function_instructions(self) -> dict[str, int]:
        """Return instructions by function, most first; callees count for themselves."""
        self._native.ps_monitor_settle(ctypes.byref(self.record))
        totals: dict[str, int] = {}
        names = [*(function.name for function in self._functions), ELSEWHERE]
        for name, record in zip(names, self._function_records, strict=True):
            if record.instructions:
                totals[name] = totals.get(name, 0) + record.instructions
        return dict(sorted(totals.items(), key=lambda item: -item[1]))

    def close(self) -> None:
        """Release native memory."""
        self._native.ps_monitor_free(ctypes.byref(self.record))


def _address_of(library: ctypes.CDLL, name: str) -> int:
    address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    assert address is not None
    return address


def _function_records(functions: Sequence[Function]) -> "ctypes.Array[FunctionRecord]":
    slots = [0 if f.operator is None else f.operator + 1 for f in functions]
    records = [
        FunctionRecord(f.start, f.end, slot) for f, slot in zip(functions, slots, strict=True)
    ]
    return (FunctionRecord * (len(records) + 1))(*records)
