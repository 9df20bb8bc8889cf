"""The virtual board's clock: what the native half is told, and what it has counted."""

import ctypes
import mmap
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from penstock.boards.board import Board
from penstock.boards.cores import core_facts
from penstock.boards.costs import TICKS_PER_CYCLE
from penstock.boards.memories import PAGE_BYTES
from penstock.boards.paths import is_accelerated, reaches_cache
from penstock.errors import SimulationError, UnsupportedError
from penstock.simulate.attributes import UNCACHED, Attributes, Mpu
from penstock.simulate.board_records import accelerator_record, cache_record, memory_records
from penstock.simulate.memory import BoardMemory
from penstock.simulate.pipeline import (
    Block,
    BranchKind,
    CoreTiming,
    PairRule,
    branch_cost,
    decode_block,
    edge_cost,
)
from penstock.simulate.timing_records import (
    ZONES_MAX,
    BlockRecord,
    Cause,
    CountersRecord,
    DescribeBlock,
    DescribeEdge,
    EdgeRecord,
    OnAttributes,
    OnUnaligned,
    TimingRecord,
    ZoneRecord,
)

_PAGE_COUNT = 1 << 20
SYSTEM_PAGE, TRACE_PAGE = 0xE000_E000, 0xE000_1000
"""System control space and data watchpoint unit: ARMv7-M ARM (DDI0403) B3.2 and C1.8."""

_WORD = struct.Struct("<I")
_CPUID_AT, _CCR_AT, _CLIDR_AT = 0xD00, 0xD14, 0xD78
_CCR_CACHES = 3 << 16
"""The enable bits of the data and the instruction cache: ARMv7-M ARM (DDI0403), B3.2.8."""
_CLIDR_LEVEL_1, _CLIDR_INSTRUCTION, _CLIDR_DATA = 0x0900_0000, 1, 2
"""Level 1 has caches, and which: Cortex-M7 TRM (DDI0489), 4.5.5."""

_BRANCHES = (
    BranchKind.NONE,
    BranchKind.CONDITIONAL,
    BranchKind.DIRECT,
    BranchKind.INDIRECT,
    BranchKind.RETURN,
)
"""In the order of ``ps_branch``."""

_PAIR_RULES = {PairRule.ALWAYS: 0, PairRule.OTHER_BANK: 1, PairRule.SAME_MEMORY: 2}
_REGISTERS = 0
"""Number of the memory that is none."""


if TYPE_CHECKING:
    from ctypes import _Pointer as Pointer


@dataclass(frozen=True, slots=True)
class CycleCounts:
    """Time of a stretch of execution.

    Attributes:
        cycles: of the core.
        stalls: cycles among them that the core waited, by cause.
    """

    cycles: int
    stalls: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes that moved between a memory and the core, its caches or DMA controllers."""

    read_bytes: int
    written_bytes: int
    fetched_bytes: int


class Timing:
    """The clock of one virtual board."""

    def __init__(
        self, board: Board, core: CoreTiming, memory: BoardMemory, slots: int, native: ctypes.CDLL
    ) -> None:
        """Start at time 0 with cold, disabled caches.

        Args:
            board: whose memories and caches there are.
            core: how its core executes.
            memory: where code is read.
            slots: how many counters there are.
            native: the compiled callbacks.

        Raises:
            SimulationError: a memory of the board has no timing.
        """
        self._native, self._board, self._core, self._memory = native, board, core, memory
        self.failure: BaseException | None = None
        self._code: list[Block | None] = [None]
        self._by_address: dict[int, Block] = {}
        self._mpu = Mpu()
        self._memories = memory_records(board)
        self._counters = (CountersRecord * slots)()
        self._pages = {base: mmap.mmap(-1, PAGE_BYTES) for base in (SYSTEM_PAGE, TRACE_PAGE)}
        self._identify()
        self.record = self._build_record()
        if not native.ps_timing_open(ctypes.byref(self.record)):
            raise MemoryError
        self._zone_of_page = np.ctypeslib.as_array(self.record.zone_of_page, (_PAGE_COUNT,))
        self._set_zones()
        native.ps_stream_open.restype = ctypes.c_void_p
        self.clock: int | None = native.ps_stream_open(ctypes.byref(self.record))
        if self.clock is None:
            raise MemoryError

    def _build_record(self) -> TimingRecord:
        board, core = self._board, self._core
        flash = next((r for r in board.regions if r.accelerator is not None), None)
        accelerator = None if flash is None else flash.accelerator
        cache = board.instruction_cache
        record = TimingRecord(
            describe_block=DescribeBlock(self._describe_block),
            describe_edge=DescribeEdge(self._describe_edge),
            on_attributes=OnAttributes(self._on_attributes),
            on_unaligned=OnUnaligned(self._on_unaligned),
            memories=self._memories,
            memory_count=len(self._memories),
            counters=self._counters,
            system_page=self.register_pages[SYSTEM_PAGE],
            trace_page=self.register_pages[TRACE_PAGE],
            instruction_cache=cache_record(cache),
            data_cache=cache_record(board.data_cache),
            instruction_accelerator=accelerator_record(accelerator, "instruction"),
            data_accelerator=accelerator_record(accelerator, "data"),
            unaligned_load=_ticks(core.memory.unaligned_load_cycles),
            unaligned_store=_ticks(core.memory.unaligned_store_cycles),
            subword_store=_ticks(core.memory.subword_store_cycles),
            pair_rule=_PAIR_RULES[core.memory.pair_rule],
            predicts_branches=core.branch.is_predicted,
            fetch_bytes=core.memory.fetch_bytes,
            store_entries=core.memory.store_buffer_entries,
            has_unified_cache=cache is not None and cache.holds_data,
            has_core_caches=core_facts(board.core.name).has_caches,
            fill_count=core.memory.preload_fills,
        )
        record.instruction_cache.is_enabled = cache is not None and cache.is_on_at_start
        return record

    def _identify(self) -> None:
        """Fill the registers that say which core this is and what caches it has."""
        page = self._pages[SYSTEM_PAGE]
        _WORD.pack_into(page, _CPUID_AT, core_facts(self._board.core.name).cpuid)
        _WORD.pack_into(page, _CLIDR_AT, _cache_levels(self._board))

    @property
    def register_pages(self) -> dict[int, int]:
        """Address on the board of each page of registers, and in this process."""
        return {
            base: ctypes.addressof(ctypes.c_char.from_buffer(page))
            for base, page in self._pages.items()
        }

    def _set_zones(self) -> None:
        """Say anew what each page is: a memory, and how the core treats it."""
        numbers: dict[tuple[int, Attributes, bool], int] = {}
        self._zone_of_page[:] = _REGISTERS
        for number, region in enumerate(self._board.regions, 1):
            for base in region.bases:
                accelerated = is_accelerated(region, base)
                ranges = self._mpu.ranges(base, base + region.size_bytes)
                has_cache = reaches_cache(self._board, region, base)
                for start, end, attributes in ranges:
                    keeps = has_cache or attributes.is_device
                    key = (number, attributes if keeps else UNCACHED, accelerated)
                    zone = numbers.setdefault(key, len(numbers) + 1)
                    self._zone_of_page[start // PAGE_BYTES : -(-end // PAGE_BYTES)] = zone
        if len(numbers) >= ZONES_MAX:
            raise SimulationError(
                f"the MPU divides the memories into {len(numbers)} kinds, found at most "
                f"{ZONES_MAX - 1} in other firmware",
                help="set up fewer MPU regions",
            )
        for (memory, attributes, accelerated), zone in numbers.items():
            self.record.zones[zone] = ZoneRecord(
                memory,
                attributes.is_cached,
                attributes.is_written_back,
                attributes.is_allocated_by_writes,
                attributes.is_device,
                accelerated,
            )

    def _describe_block(self, address: int, size_bytes: int, record: "Pointer[BlockRecord]") -> int:
        try:
            block = self._decode(address, size_bytes)
        except UnsupportedError as error:
            # If these bytes are no code, the core will fault, which says more.
            self.failure = self.failure or error
            self._code.append(None)
            return 0
        except BaseException as error:
            return self._fail(error)
        branch = branch_cost(self._core, block)
        record.contents.branch = _BRANCHES.index(branch.kind)
        record.contents.mispredict_cycles = branch.mispredict_cycles
        self._by_address[address] = block
        self._code.append(block)
        return 0

    def _decode(self, address: int, size_bytes: int) -> Block:
        """The emulator cuts blocks at pages, even behind an IT."""
        before = self._code[self.record.previous]
        predicated = 0
        if before is not None and before.end == address:
            predicated = before.predicated_after
        return decode_block(self._memory.read(address, size_bytes), address, predicated)

    def block_at(self, address: int) -> Block | None:
        """Return the code that was last described at an address; None if that was none."""
        return self._by_address.get(address)

    def _describe_edge(self, previous: int, block: int, record: "Pointer[EdgeRecord]") -> int:
        try:
            after = self._code[block]
            if after is None:
                return 0
            cost = edge_cost(self._core, self._code[previous], after)
        except BaseException as error:
            return self._fail(error)
        record.contents.ticks = _ticks(cost.cycles)
        record.contents.load_use_ticks = _ticks(cost.load_use_cycles)
        record.contents.step_ticks = _ticks(cost.cycles / max(after.access_count, 1))
        record.contents.pair_mask = cost.pair_mask
        return 0

    def _on_attributes(self, offset: int, value: int) -> None:
        if not core_facts(self._board.core.name).has_armv7m_mpu:
            return  # the same addresses mean something else there
        try:
            self._mpu.write(offset, value)
            self._set_zones()
        except BaseException as error:
            self._fail(error)

    def _on_unaligned(self, address: int, size_bytes: int, is_write: int, block: int) -> None:
        window = self._memory.window_at(address)
        place = "in no memory" if window is None else f"in '{window.region.name}'"
        verb = "writes" if is_write else "reads"
        self._fail(
            SimulationError(
                f"the code at {block:#010x} {verb} {size_bytes} bytes at {address:#010x} {place}, "
                "which is no multiple of their size, and Device memory for the core",
                help="the core takes a usage fault there; set up an MPU region of Normal memory",
            )
        )

    def _fail(self, error: BaseException) -> int:
        """Keep an error that cannot cross the emulator; the controlling thread raises it."""
        self.failure = self.failure or error
        self.record.has_failed = 1
        return 1

    def settle(self) -> None:
        """Wait until all that the core has done is timed."""
        self._native.ps_stream_drain(ctypes.c_void_p(self.clock))

    def raise_failure(self) -> None:
        """Raise what went wrong when the native half last asked, if anything."""
        if self.failure is not None:
            raise self.failure

    def set_caches(self, on: bool, /) -> None:
        """Turn all caches on or off, as code that ran before would have done."""
        record = self.record
        for cache in (record.instruction_cache, record.data_cache):
            cache.is_enabled = on and cache.set_count > 0
        page = self._pages[SYSTEM_PAGE]
        (control,) = _WORD.unpack_from(page, _CCR_AT)
        # Programs read this register, change other bits and write it back.
        _WORD.pack_into(page, _CCR_AT, control & ~_CCR_CACHES | (_CCR_CACHES if on else 0))

    def chill(self) -> None:
        """Forget what earlier runs left in caches and predictors."""
        self._native.ps_timing_chill(ctypes.byref(self.record))

    def clear_counts(self) -> None:
        """Count from zero again; the clock and the caches stay as they are."""
        ctypes.memset(self._counters, 0, ctypes.sizeof(self._counters))
        for memory in self._memories:
            memory.bytes_read = memory.bytes_written = memory.bytes_fetched = 0

    @property
    def cycles(self) -> int:
        """Core cycles since reset."""
        return int(self.record.now) // TICKS_PER_CYCLE

    def total(self) -> CycleCounts:
        """Return the time since counting began."""
        return _counts(list(self._counters))

    def by_operator(self) -> dict[int, CycleCounts]:
        """Return times by index of the operator; those that did not run are left out."""
        counters = list(self._counters)[1:]
        return {index: _counts([c]) for index, c in enumerate(counters) if c.ticks}

    def traffic(self) -> dict[str, Traffic]:
        """Return what moved between each memory and the core, its caches or DMA controllers."""
        records = self._memories[1:]
        return {
            region.name: Traffic(m.bytes_read, m.bytes_written, m.bytes_fetched)
            for region, m in zip(self._board.regions, records, strict=True)
        }

    def close(self) -> None:
        """Release native memory."""
        self._native.ps_stream_close(ctypes.c_void_p(self.clock))
        self.clock = None
        self._native.ps_timing_close(ctypes.byref(self.record))


def _counts(records: Sequence[CountersRecord]) -> CycleCounts:
    ticks = sum(record.ticks for record in records)
    stalls = {
        cause.label: sum(record.stalls[cause] for record in records) // TICKS_PER_CYCLE
        for cause in Cause
    }
    return CycleCounts(ticks // TICKS_PER_CYCLE, stalls)


def _ticks(cycles: float | Fraction) -> int:
    return round(cycles * TICKS_PER_CYCLE)


def _cache_levels(board: Board) -> int:
    """Return CLIDR: 0 where the core has no caches of its own, whatever its chip has."""
    if not core_facts(board.core.name).has_caches:
        return 0
    kinds = _CLIDR_INSTRUCTION if board.instruction_cache is not None else 0
    kinds |= _CLIDR_DATA if board.data_cache is not None else 0
    return _CLIDR_LEVEL_1 | kinds if kinds else 0
