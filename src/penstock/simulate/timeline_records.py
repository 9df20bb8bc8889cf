"""The structures of native/timeline.h."""

import ctypes

from penstock.simulate.timing_records import CountersRecord


class MovedRecord(ctypes.Structure):
    """``ps_moved``."""

    _fields_ = (
        ("bytes_read", ctypes.c_uint64),
        ("bytes_written", ctypes.c_uint64),
        ("bytes_fetched", ctypes.c_uint64),
    )


class MarkRecord(ctypes.Structure):
    """``ps_mark``."""

    _fields_ = (("slot", ctypes.c_uint64), ("at", ctypes.c_uint64), ("left", CountersRecord))


class SleepRecord(ctypes.Structure):
    """``ps_sleep``."""

    _fields_ = (("begin", ctypes.c_uint64), ("end", ctypes.c_uint64))


class TimelineRecord(ctypes.Structure):
    """``ps_timeline``."""

    _fields_ = (
        ("marks", ctypes.POINTER(MarkRecord)),
        ("moved", ctypes.POINTER(MovedRecord)),
        ("mark_count", ctypes.c_uint64),
        ("mark_capacity", ctypes.c_uint64),
        ("sleeps", ctypes.POINTER(SleepRecord)),
        ("sleep_count", ctypes.c_uint64),
        ("sleep_capacity", ctypes.c_uint64),
        ("is_cut", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
    )
