"""The structures of native/monitor.h and native/polling.h."""

import ctypes


class FunctionRecord(ctypes.Structure):
    """``function`` of native/monitor.h."""

    _fields_ = (
        ("start", ctypes.c_uint32),
        ("end", ctypes.c_uint32),
        ("operator_slot", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("instructions", ctypes.c_uint64),
    )


class AddressRange(ctypes.Structure):
    """``address_range`` of native/monitor.h."""

    _fields_ = (("start", ctypes.c_uint32), ("end", ctypes.c_uint32))


class AddressStepRecord(ctypes.Structure):
    """``ps_address_step`` of native/addresses.h."""

    _fields_ = (
        ("code", ctypes.c_uint8),
        ("target", ctypes.c_uint8),
        ("a", ctypes.c_uint8),
        ("b", ctypes.c_uint8),
        ("shift", ctypes.c_uint8),
        ("size", ctypes.c_uint8),
        ("alignment", ctypes.c_uint16),
        ("constant", ctypes.c_uint32),
    )


class AddressSpaceRecord(ctypes.Structure):
    """``ps_address_space`` of native/addresses.h."""

    _fields_ = (
        ("host_pages", ctypes.c_void_p),
        ("guard_start", ctypes.c_uint64),
        ("guard_end", ctypes.c_uint64),
    )


Derive = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_uint32, ctypes.c_uint32, ctypes.POINTER(AddressStepRecord)
)
"""``monitor.derive`` and ``monitor.derive_preloads`` of native/monitor.h."""


class MonitorRecord(ctypes.Structure):
    """``monitor`` of native/monitor.h."""

    _fields_ = (
        ("start", ctypes.c_void_p),
        ("stop", ctypes.c_void_p),
        ("read_memory", ctypes.c_void_p),
        ("map_memory", ctypes.c_void_p),
        ("read_register", ctypes.c_void_p),
        ("control", ctypes.c_void_p),
        ("add_hook", ctypes.c_void_p),
        ("delete_hook", ctypes.c_void_p),
        ("derive", Derive),
        ("derive_preloads", Derive),
        ("registers", ctypes.c_void_p),
        ("space", AddressSpaceRecord),
        ("access_hook", ctypes.c_size_t),
        ("functions", ctypes.POINTER(FunctionRecord)),
        ("function_count", ctypes.c_uint64),
        ("peripherals", ctypes.POINTER(AddressRange)),
        ("peripheral_count", ctypes.c_uint64),
        ("operator_instructions", ctypes.POINTER(ctypes.c_uint64)),
        ("limit", ctypes.c_uint64),
        ("instructions", ctypes.c_uint64),
        ("operator_slot", ctypes.c_uint64),
        ("return_address", ctypes.c_uint64),
        ("last_block", ctypes.c_uint64),
        ("reason", ctypes.c_uint64),
        ("access", ctypes.c_uint64),
        ("address", ctypes.c_uint64),
        ("size_bytes", ctypes.c_uint64),
        ("pc", ctypes.c_uint64),
        ("code", ctypes.c_void_p),
        ("changing", ctypes.c_uint64),
        ("may_compute", ctypes.c_uint32),
        ("is_computed", ctypes.c_uint32),
        ("clock", ctypes.c_void_p),
        ("blocks", ctypes.c_void_p),
        ("block_capacity", ctypes.c_uint64),
        ("block_count", ctypes.c_uint64),
    )


class PollingRecord(ctypes.Structure):
    """``polling`` of native/polling.h."""

    _fields_ = (
        ("read_memory", ctypes.c_void_p),
        ("write_memory", ctypes.c_void_p),
        ("address", ctypes.c_uint64),
        ("size_bytes", ctypes.c_uint64),
        ("count", ctypes.c_uint64),
        ("original", ctypes.c_uint32),
        ("random", ctypes.c_uint32),
        ("invented_count", ctypes.c_uint64),
    )
