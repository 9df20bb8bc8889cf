"""The structures of native/timing.h."""

import ctypes
from enum import IntEnum

ZONES_MAX, BANKS_MAX, STORES_MAX, FILLS_MAX, HINTS_MAX = 64, 8, 8, 4, 16


class Cause(IntEnum):
    """Why a core waits: ``ps_cause``."""

    LOAD_USE = 0
    BRANCH = 1
    FETCH = 2
    ALIGNMENT = 3
    INTERNAL = 4
    EXTERNAL = 5
    STORE_BUFFER = 6
    DMA_WAIT = 7

    @property
    def label(self) -> str:
        """Its name in results, JSON and traces."""
        return self.name.lower()

    @property
    def is_of_memory(self) -> bool:
        """Whether other memories, or data elsewhere, would spare the wait."""
        return self in (
            Cause.FETCH,
            Cause.INTERNAL,
            Cause.EXTERNAL,
            Cause.STORE_BUFFER,
            Cause.DMA_WAIT,
        )


class CacheRecord(ctypes.Structure):
    """``ps_cache``."""

    _fields_ = (
        ("line_shift", ctypes.c_uint32),
        ("set_count", ctypes.c_uint32),
        ("way_count", ctypes.c_uint32),
        ("is_enabled", ctypes.c_uint32),
        ("random", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("tags", ctypes.c_void_p),
    )


class MemoryRecord(ctypes.Structure):
    """``ps_memory``."""

    _fields_ = (
        ("word_read", ctypes.c_int64),
        ("word_write", ctypes.c_int64),
        ("line_read", ctypes.c_int64),
        ("line_write", ctypes.c_int64),
        ("fetch", ctypes.c_int64),
        ("sequential_read", ctypes.c_int64),
        ("sequential_word", ctypes.c_int64),
        ("row_miss", ctypes.c_int64),
        ("row_shift", ctypes.c_uint32),
        ("bank_shift", ctypes.c_uint32),
        ("bank_count", ctypes.c_uint32),
        ("is_tightly_coupled", ctypes.c_uint32),
        ("is_external", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("free_at", ctypes.c_uint64),
        ("continues_at", ctypes.c_uint64),
        ("open_rows", ctypes.c_uint32 * BANKS_MAX),
        ("bytes_read", ctypes.c_uint64),
        ("bytes_written", ctypes.c_uint64),
        ("bytes_fetched", ctypes.c_uint64),
    )


class ZoneRecord(ctypes.Structure):
    """``ps_zone``."""

    _fields_ = (
        ("memory", ctypes.c_uint32),
        ("is_cached", ctypes.c_uint32),
        ("is_written_back", ctypes.c_uint32),
        ("is_allocated_by_writes", ctypes.c_uint32),
        ("is_device", ctypes.c_uint32),
        ("is_accelerated", ctypes.c_uint32),
    )


class EdgeRecord(ctypes.Structure):
    """``ps_edge``."""

    _fields_ = (
        ("previous", ctypes.c_uint32),
        ("ticks", ctypes.c_uint32),
        ("load_use_ticks", ctypes.c_uint32),
        ("step_ticks", ctypes.c_uint32),
        ("pair_mask", ctypes.c_uint64),
    )


class BlockRecord(ctypes.Structure):
    """``ps_block``."""

    _fields_ = (
        ("address", ctypes.c_uint32),
        ("size_bytes", ctypes.c_uint32),
        ("branch", ctypes.c_uint32),
        ("mispredict_cycles", ctypes.c_uint32),
        ("predictor", ctypes.c_uint32),
        ("edge_count", ctypes.c_uint32),
        ("edge_capacity", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("edges", ctypes.POINTER(EdgeRecord)),
    )


class FillRecord(ctypes.Structure):
    """``ps_fill``."""

    _fields_ = (("line", ctypes.c_uint64), ("ready_at", ctypes.c_uint64))


class HintRecord(ctypes.Structure):
    """``ps_hint``."""

    _fields_ = (("address", ctypes.c_uint32), ("before", ctypes.c_uint32))


class AcceleratorRecord(ctypes.Structure):
    """``ps_accelerator``."""

    _fields_ = (
        ("line_shift", ctypes.c_uint32),
        ("line_count", ctypes.c_uint32),
        ("prefetches", ctypes.c_uint32),
        ("next", ctypes.c_uint32),
        ("present", ctypes.c_void_p),
        ("order", ctypes.c_void_p),
        ("prefetched_line", ctypes.c_uint64),
        ("prefetch_ready", ctypes.c_uint64),
        ("line_reads", ctypes.c_uint64),
    )


class CountersRecord(ctypes.Structure):
    """``ps_counters``."""

    _fields_ = (("ticks", ctypes.c_uint64), ("stalls", ctypes.c_uint64 * len(Cause)))


DescribeBlock = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_uint32, ctypes.c_uint32, ctypes.POINTER(BlockRecord)
)
DescribeEdge = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_uint32, ctypes.c_uint32, ctypes.POINTER(EdgeRecord)
)
OnAttributes = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_uint32)
OnUnaligned = ctypes.CFUNCTYPE(
    None, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32
)


class TimingRecord(ctypes.Structure):
    """``ps_timing``."""

    _fields_ = (
        ("describe_block", DescribeBlock),
        ("describe_edge", DescribeEdge),
        ("zone_of_page", ctypes.POINTER(ctypes.c_uint8)),
        ("zones", ZoneRecord * ZONES_MAX),
        ("memories", ctypes.POINTER(MemoryRecord)),
        ("memory_count", ctypes.c_uint64),
        ("counters", ctypes.POINTER(CountersRecord)),
        ("system_page", ctypes.c_void_p),
        ("trace_page", ctypes.c_void_p),
        ("on_attributes", OnAttributes),
        ("on_unaligned", OnUnaligned),
        ("instruction_cache", CacheRecord),
        ("data_cache", CacheRecord),
        ("instruction_accelerator", AcceleratorRecord),
        ("data_accelerator", AcceleratorRecord),
        ("unaligned_load", ctypes.c_int64),
        ("unaligned_store", ctypes.c_int64),
        ("subword_store", ctypes.c_int64),
        ("pair_rule", ctypes.c_uint32),
        ("predicts_branches", ctypes.c_uint32),
        ("fetch_bytes", ctypes.c_uint32),
        ("store_entries", ctypes.c_uint32),
        ("has_unified_cache", ctypes.c_uint32),
        ("has_core_caches", ctypes.c_uint32),
        ("fill_count", ctypes.c_uint32),
        ("has_failed", ctypes.c_uint32),
        ("now", ctypes.c_uint64),
        ("slot", ctypes.c_uint64),
        ("blocks", ctypes.POINTER(BlockRecord)),
        ("block_count", ctypes.c_uint64),
        ("block_capacity", ctypes.c_uint64),
        ("previous", ctypes.c_uint32),
        ("last_address", ctypes.c_uint32),
        ("last_memory", ctypes.c_uint32),
        ("access_index", ctypes.c_uint32),
        ("pair_mask", ctypes.c_uint64),
        ("step", ctypes.c_uint64),
        ("ahead", ctypes.c_uint64),
        ("stores", ctypes.c_uint64 * STORES_MAX),
        ("last_store", ctypes.c_uint64),
        ("next_store", ctypes.c_uint32),
        ("store_run_end", ctypes.c_uint32),
        ("store_run_bytes", ctypes.c_uint32),
        ("fills", FillRecord * FILLS_MAX),
        ("filled_at", ctypes.c_uint64),
        ("hints", HintRecord * HINTS_MAX),
        ("hint_count", ctypes.c_uint32),
        ("next_hint", ctypes.c_uint32),
        ("cycle_count", ctypes.c_uint32),
        ("systick_value", ctypes.c_uint32),
        ("systick_flag", ctypes.c_uint32),
        ("counted_at", ctypes.c_uint64),
        ("next_event", ctypes.c_uint64),
        ("dma", ctypes.c_void_p),
        ("sanitizer", ctypes.c_void_p),
        ("timeline", ctypes.c_void_p),
    )
