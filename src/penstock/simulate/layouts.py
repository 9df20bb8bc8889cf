"""Checks that the structures of the native half are mirrored as its compiler lays them out."""

import ctypes
from collections.abc import Iterator, Mapping

from penstock.simulate import (
    dma_records,
    monitor_records,
    sanitizer_records,
    timeline_records,
    timing_records,
)

RECORDS: Mapping[str, type[ctypes.Structure]] = {
    "function": monitor_records.FunctionRecord,
    "address_range": monitor_records.AddressRange,
    "monitor": monitor_records.MonitorRecord,
    "ps_address_step": monitor_records.AddressStepRecord,
    "ps_address_space": monitor_records.AddressSpaceRecord,
    "polling": monitor_records.PollingRecord,
    "ps_cache": timing_records.CacheRecord,
    "ps_memory": timing_records.MemoryRecord,
    "ps_zone": timing_records.ZoneRecord,
    "ps_edge": timing_records.EdgeRecord,
    "ps_block": timing_records.BlockRecord,
    "ps_fill": timing_records.FillRecord,
    "ps_hint": timing_records.HintRecord,
    "ps_accelerator": timing_records.AcceleratorRecord,
    "ps_counters": timing_records.CountersRecord,
    "ps_timing": timing_records.TimingRecord,
    "ps_dma_port": dma_records.PortRecord,
    "ps_window": dma_records.WindowRecord,
    "ps_dma_side": dma_records.SideRecord,
    "ps_dma_transfer": dma_records.TransferRecord,
    "ps_dma_channel": dma_records.ChannelRecord,
    "ps_dma_leg": dma_records.LegRecord,
    "ps_dma_controller": dma_records.ControllerRecord,
    "ps_dma_record": dma_records.FinishedRecord,
    "ps_dma": dma_records.DmaRecord,
    "ps_actor": sanitizer_records.ActorRecord,
    "ps_fault": sanitizer_records.FaultRecord,
    "ps_sanitizer": sanitizer_records.SanitizerRecord,
    "ps_moved": timeline_records.MovedRecord,
    "ps_mark": timeline_records.MarkRecord,
    "ps_sleep": timeline_records.SleepRecord,
    "ps_timeline": timeline_records.TimelineRecord,
}
"""Every mirrored structure, by its name in C."""

Layout = tuple[int, int]
"""Size and offset of the last member, in bytes."""


class _LayoutRecord(ctypes.Structure):
    """``layout`` of native/layouts.c."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("size_bytes", ctypes.c_uint64),
        ("last_offset", ctypes.c_uint64),
    )


def native_layouts(native: ctypes.CDLL) -> dict[str, Layout]:
    """Return how the compiler of the native half laid its structures out, by name."""
    return dict(_entries(native))


def _entries(native: ctypes.CDLL) -> Iterator[tuple[str, Layout]]:
    table = (_LayoutRecord * (len(RECORDS) + 1)).in_dll(native, "ps_layouts")
    for entry in table:
        if entry.name is None:
            return
        yield entry.name.decode(), (entry.size_bytes, entry.last_offset)


def mirrored_layout(record: type[ctypes.Structure]) -> Layout:
    """Return how a structure is laid out here."""
    last = record._fields_[-1][0]
    return ctypes.sizeof(record), getattr(record, last).offset


def check_layouts(native: ctypes.CDLL) -> None:
    """Refuse a native half whose structures are not those that are mirrored here.

    Raises:
        AssertionError: one has another size, or its last member another place.
    """
    mirrored = {name: mirrored_layout(record) for name, record in RECORDS.items()}
    found = native_layouts(native)
    for name in mirrored.keys() | found.keys():
        if mirrored.get(name) != found.get(name):
            raise AssertionError(
                f"structure {name} of the native half has size and last offset "
                f"{found.get(name)}, mirrored as {mirrored.get(name)}"
            )
