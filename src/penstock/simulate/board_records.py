"""A board's numbers as the structures that the native half reads."""

import ctypes

from penstock.boards.board import Board, MemoryRegion
from penstock.boards.costs import region_costs
from penstock.boards.paths import is_tightly_coupled
from penstock.boards.timing import Accelerator, Cache
from penstock.simulate.timing_records import AcceleratorRecord, CacheRecord, MemoryRecord


def memory_records(board: Board) -> "ctypes.Array[MemoryRecord]":
    """Return the memories, behind one that is none: registers."""
    records = [MemoryRecord(), *(_memory_record(region, board) for region in board.regions)]
    return (MemoryRecord * len(records))(*records)


def _memory_record(region: MemoryRegion, board: Board) -> MemoryRecord:
    costs = region_costs(region, board)
    return MemoryRecord(
        word_read=costs.word_read,
        word_write=costs.word_write,
        line_read=costs.line_read,
        line_write=costs.line_write,
        fetch=costs.fetch,
        sequential_read=costs.sequential_read,
        sequential_word=costs.sequential_word,
        row_miss=costs.row_miss,
        row_shift=costs.row_bytes.bit_length() - 1 if costs.row_bytes else 0,
        # The FMC takes a bank's number from the top of the address: RM0385, 13.7.3.
        bank_shift=(region.size_bytes // max(costs.bank_count, 1)).bit_length() - 1,
        bank_count=max(costs.bank_count, 1),
        is_tightly_coupled=is_tightly_coupled(region),
        is_external=region.is_external,
    )


def cache_record(cache: Cache | None) -> CacheRecord:
    """Return a cache, off and empty; one without sets for None."""
    if cache is None:
        return CacheRecord()
    return CacheRecord(
        line_shift=cache.line_bytes.bit_length() - 1,
        set_count=cache.size_bytes // (cache.line_bytes * cache.ways),
        way_count=cache.ways,
    )


def accelerator_record(accelerator: Accelerator | None, kind: str) -> AcceleratorRecord:
    """Return the part of an accelerator for ``instruction`` or ``data``."""
    if accelerator is None:
        return AcceleratorRecord()
    lines = accelerator.instruction_lines if kind == "instruction" else accelerator.data_lines
    return AcceleratorRecord(
        line_shift=accelerator.line_bytes.bit_length() - 1,
        line_count=lines,
        prefetches=accelerator.prefetches and kind == "instruction",
    )
