"""The memories of a board's file: extent, timing, accelerator, energy."""

from collections.abc import Mapping
from typing import Any

from penstock.boards.board import MemoryKind, MemoryRegion, PeripheralRange
from penstock.boards.power import MemoryEnergy
from penstock.boards.tables import Context, Table, wrong
from penstock.boards.timing import (
    Accelerator,
    InternalTiming,
    MemoryTiming,
    QspiTiming,
    SdramTiming,
)

ADDRESS_LIMIT = 1 << 32
CLOCK_HZ_MAX = 10**11
PAGE_BYTES = 4096
"""Memories begin and end at a multiple: protection and emulation work in pages."""

_CYCLES_MAX = 10_000
_CLOCKS_MAX = 1000
_NJ_PER_BYTE_MAX = 1000
_ROW_BYTES_MAX = 1 << 16
_BANKS_MAX = 8
_RANGE_KEYS = ("name", "base", "size_bytes")
_MEMORY_KEYS = (*_RANGE_KEYS, "kind", "is_writable", "is_external")
_MEMORY_TABLES = ("timing", "accelerator", "energy")
_INTERNAL_KEYS = (
    "word_read_cycles",
    "word_write_cycles",
    "line_read_cycles",
    "line_write_cycles",
    "fetch_cycles",
)
_SDRAM_KEYS = (
    "clock_hz",
    "width_bits",
    "cas_clocks",
    "row_to_column_clocks",
    "precharge_clocks",
    "line_controller_clocks",
    "word_controller_clocks",
    "write_share",
    "row_bytes",
    "bank_count",
)
_QSPI_KEYS = ("clock_hz", "bits_per_clock", "setup_clocks", "controller_clocks", "stream_share")
_ACCELERATOR_KEYS = ("instruction_lines", "data_lines", "line_bytes", "prefetches")


def read_region(values: Mapping[str, Any], where: str, context: Context) -> MemoryRegion:
    """Return the memory that a ``[[memory]]`` table describes.

    Raises:
        InputError: the table breaks a rule.
    """
    path = f"memory {values.get('name', '')}"
    table = Table(values, where, path, context, _MEMORY_KEYS, ("aliases", *_MEMORY_TABLES))
    name = table.text("name")
    kind = MemoryKind(table.choice("kind", [kind.value for kind in MemoryKind]))
    base, size_bytes = table.address("base"), table.integer("size_bytes", 1, ADDRESS_LIMIT)
    aliases = table.addresses("aliases") if table.has("aliases") else ()
    _check_pages(table.where, ("base", base), ("size_bytes", size_bytes))
    _check_pages(table.where, *(("aliases", alias) for alias in aliases))
    return MemoryRegion(
        name=name,
        kind=kind,
        base=base,
        size_bytes=size_bytes,
        is_writable=table.flag("is_writable"),
        is_external=table.flag("is_external"),
        aliases=aliases,
        provenance=table.provenance,
        timing=_timing(table, kind) if table.has("timing") else None,
        accelerator=_accelerator(table, (base, *aliases)) if table.has("accelerator") else None,
        energy=_energy(table) if table.has("energy") else None,
    )


def _check_pages(where: str, *entries: tuple[str, int]) -> None:
    for key, value in entries:
        if value % PAGE_BYTES:
            raise wrong(where, key, f"{value:#x}", f"a multiple of {PAGE_BYTES:#x}")


def read_peripheral(values: Mapping[str, Any], where: str, context: Context) -> PeripheralRange:
    """Return the registers that a ``[[peripheral]]`` table describes.

    Raises:
        InputError: the table breaks a rule.
    """
    table = Table(values, where, f"peripheral {values.get('name', '')}", context, _RANGE_KEYS)
    return PeripheralRange(
        name=table.text("name"),
        base=table.address("base"),
        size_bytes=table.integer("size_bytes", 1, ADDRESS_LIMIT),
        provenance=table.provenance,
    )


def _timing(memory: Table, kind: MemoryKind) -> MemoryTiming:
    if kind is MemoryKind.SDRAM:
        return _sdram_timing(memory.table("timing", _SDRAM_KEYS))
    if kind is MemoryKind.QSPI_FLASH:
        return _qspi_timing(memory.table("timing", _QSPI_KEYS))
    table = memory.table("timing", _INTERNAL_KEYS)
    return InternalTiming(**{key: table.number(key, 0, _CYCLES_MAX) for key in _INTERNAL_KEYS})


def _sdram_timing(table: Table) -> SdramTiming:
    return SdramTiming(
        clock_hz=table.integer("clock_hz", 1, CLOCK_HZ_MAX),
        width_bits=table.power_of_two("width_bits", 8, 64),
        cas_clocks=table.integer("cas_clocks", 1, 16),
        row_to_column_clocks=table.integer("row_to_column_clocks", 1, 64),
        precharge_clocks=table.integer("precharge_clocks", 1, 64),
        line_controller_clocks=table.number("line_controller_clocks", 0, _CLOCKS_MAX),
        word_controller_clocks=table.number("word_controller_clocks", 0, _CLOCKS_MAX),
        write_share=table.number("write_share", 0.01, 1),
        row_bytes=table.power_of_two("row_bytes", 64, _ROW_BYTES_MAX),
        bank_count=table.power_of_two("bank_count", 1, _BANKS_MAX),
    )


def _qspi_timing(table: Table) -> QspiTiming:
    return QspiTiming(
        clock_hz=table.integer("clock_hz", 1, CLOCK_HZ_MAX),
        bits_per_clock=table.power_of_two("bits_per_clock", 1, 32),
        setup_clocks=table.integer("setup_clocks", 0, _CLOCKS_MAX),
        controller_clocks=table.number("controller_clocks", 0, _CLOCKS_MAX),
        stream_share=table.number("stream_share", 0.01, 1),
    )


def _accelerator(memory: Table, bases: tuple[int, ...]) -> Accelerator:
    table = memory.table("accelerator", _ACCELERATOR_KEYS, ("bases",))
    used = table.addresses("bases") if table.has("bases") else ()
    for base in used:
        if base not in bases:
            known = ", ".join(f"{known:#010x}" for known in bases)
            raise wrong(table.where, "bases", f"{base:#010x}", f"any of {known}")
    return Accelerator(
        instruction_lines=table.integer("instruction_lines", 1, 4096),
        data_lines=table.integer("data_lines", 0, 4096),
        line_bytes=table.power_of_two("line_bytes", 4, 256),
        prefetches=table.flag("prefetches"),
        bases=used,
    )


def _energy(memory: Table) -> MemoryEnergy:
    table = memory.table("energy", ("read_nj_per_byte", "write_nj_per_byte"))
    return MemoryEnergy(
        read_nj_per_byte=table.band("read_nj_per_byte", _NJ_PER_BYTE_MAX),
        write_nj_per_byte=table.band("write_nj_per_byte", _NJ_PER_BYTE_MAX),
    )
