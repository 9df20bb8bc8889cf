"""The structures of native/dma.h."""

import ctypes

CHANNELS_MAX, REGISTERS_MAX, INTERRUPT_WORDS = 16, 32, 16


class PortRecord(ctypes.Structure):
    """``ps_dma_port``."""

    _fields_ = (
        ("burst_read", ctypes.c_int64),
        ("single_read", ctypes.c_int64),
        ("word_read", ctypes.c_int64),
        ("word_write", ctypes.c_int64),
        ("prefetch_bytes", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("ready_at", ctypes.c_uint64),
        ("busy_until", ctypes.c_uint64),
    )


class WindowRecord(ctypes.Structure):
    """``ps_window``."""

    _fields_ = (
        ("base", ctypes.c_uint32),
        ("size_bytes", ctypes.c_uint32),
        ("memory", ctypes.c_uint32),
        ("is_writable", ctypes.c_uint32),
        ("is_tightly_coupled", ctypes.c_uint32),
        ("controllers", ctypes.c_uint32),
        ("bytes", ctypes.c_void_p),
        ("shadow", ctypes.c_void_p),
    )


class SideRecord(ctypes.Structure):
    """``ps_dma_side``."""

    _fields_ = (
        ("start", ctypes.c_uint32),
        ("address", ctypes.c_uint32),
        ("width_bytes", ctypes.c_uint32),
        ("burst_bytes", ctypes.c_uint32),
        ("step", ctypes.c_int32),
        ("reserved", ctypes.c_uint32),
        ("window", ctypes.c_void_p),
    )


class TransferRecord(ctypes.Structure):
    """``ps_dma_transfer``."""

    _fields_ = (
        ("source", SideRecord),
        ("destination", SideRecord),
        ("size_bytes", ctypes.c_uint32),
        ("done_bytes", ctypes.c_uint32),
        ("priority", ctypes.c_uint32),
        ("state", ctypes.c_uint32),
        ("fifo_bytes", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("started_at", ctypes.c_uint64),
        ("ended_at", ctypes.c_uint64),
        ("slot", ctypes.c_uint64),
    )


class ChannelRecord(ctypes.Structure):
    """``ps_dma_channel``."""

    _fields_ = (
        ("registers", ctypes.c_uint32 * REGISTERS_MAX),
        ("flags", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("transfer", TransferRecord),
    )


class LegRecord(ctypes.Structure):
    """``ps_dma_leg``."""

    _fields_ = (
        ("at", ctypes.c_uint64),
        ("done_bytes", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
    )


class ControllerRecord(ctypes.Structure):
    """``ps_dma_controller``."""

    _fields_ = (
        ("kind", ctypes.c_uint32),
        ("base", ctypes.c_uint32),
        ("channel_count", ctypes.c_uint32),
        ("copies_memory", ctypes.c_uint32),
        ("items_max", ctypes.c_uint32),
        ("fifo_bytes", ctypes.c_uint32),
        ("clock", ctypes.c_int64),
        ("item", ctypes.c_int64),
        ("page", ctypes.c_void_p),
        ("clock_enable", ctypes.c_void_p),
        ("clock_enable_mask", ctypes.c_uint32),
        ("number", ctypes.c_uint32),
        ("interrupts", ctypes.c_uint32 * CHANNELS_MAX),
        ("current", ctypes.c_int32),
        ("round_bytes", ctypes.c_uint32),
        ("event_at", ctypes.c_uint64),
        ("reading", LegRecord),
        ("writing", LegRecord),
        ("channels", ChannelRecord * CHANNELS_MAX),
    )


class FinishedRecord(ctypes.Structure):
    """``ps_dma_record``."""

    _fields_ = (
        ("controller", ctypes.c_uint32),
        ("channel", ctypes.c_uint32),
        ("source", ctypes.c_uint32),
        ("destination", ctypes.c_uint32),
        ("size_bytes", ctypes.c_uint32),
        ("slot", ctypes.c_uint32),
        ("started_at", ctypes.c_uint64),
        ("ended_at", ctypes.c_uint64),
    )


class DmaRecord(ctypes.Structure):
    """``ps_dma``."""

    _fields_ = (
        ("timing", ctypes.c_void_p),
        ("windows", ctypes.POINTER(WindowRecord)),
        ("window_count", ctypes.c_uint64),
        ("ports", ctypes.POINTER(PortRecord)),
        ("controllers", ctypes.POINTER(ControllerRecord)),
        ("controller_count", ctypes.c_uint64),
        ("records", ctypes.POINTER(FinishedRecord)),
        ("record_count", ctypes.c_uint64),
        ("record_capacity", ctypes.c_uint64),
        ("pending", ctypes.c_uint32 * INTERRUPT_WORDS),
        ("asserted", ctypes.c_uint32 * INTERRUPT_WORDS),
        ("enabled", ctypes.c_uint32 * INTERRUPT_WORDS),
        ("has_event", ctypes.c_uint32),
        ("is_cut", ctypes.c_uint32),
    )
