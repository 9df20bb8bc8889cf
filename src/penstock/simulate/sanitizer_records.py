"""The structures of native/sanitizer.h."""

import ctypes
from enum import IntEnum, IntFlag

WHAT_BYTES = 96


class ByteFlag(IntFlag):
    """What is known of a byte: ``PS_BYTE_…``."""

    WRITTEN = 1
    ALLOWED = 32


class FaultKind(IntEnum):
    """What went wrong: ``ps_fault_kind``."""

    NONE = 0
    RACE = 1
    STALE = 2
    UNCLEAN = 3
    DIRTY = 4
    OVERWRITE = 5
    UNWRITTEN = 6
    REACH = 7
    OUTSIDE = 8
    MISUSE = 9
    LOST = 10


class ActorRecord(ctypes.Structure):
    """``ps_actor``."""

    _fields_ = (
        ("is_dma", ctypes.c_uint32),
        ("controller", ctypes.c_uint32),
        ("channel", ctypes.c_uint32),
        ("is_write", ctypes.c_uint32),
        ("address", ctypes.c_uint32),
        ("size_bytes", ctypes.c_uint32),
        ("block", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("time", ctypes.c_uint64),
        ("slot", ctypes.c_uint64),
        ("ended_at", ctypes.c_uint64),
    )


class FaultRecord(ctypes.Structure):
    """``ps_fault``."""

    _fields_ = (
        ("kind", ctypes.c_uint32),
        ("has_other", ctypes.c_uint32),
        ("actor", ActorRecord),
        ("other", ActorRecord),
        ("loss", ActorRecord),
        ("what", ctypes.c_char * WHAT_BYTES),
    )


class SanitizerRecord(ctypes.Structure):
    """``ps_sanitizer``."""

    _fields_ = (
        ("shadow_of_page", ctypes.c_void_p),
        ("coherence", ctypes.c_void_p),
        ("checks_unwritten", ctypes.c_uint32),
        ("checks_bounds", ctypes.c_uint32),
        ("fault", FaultRecord),
    )
