"""Firmware as the virtual board sees it: bytes to load, symbols, and the operators' functions."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from elftools.common.exceptions import DWARFError, ELFError
from elftools.elf.elffile import ELFFile

from penstock.errors import InputError

_OPERATOR_FUNCTION = re.compile(r"(?P<model>\w+?)_op_(?P<index>\d{3,})_(?P<kind>\w+)")
_EM_ARM = "EM_ARM"


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes that are programmed into a memory.

    Attributes:
        address: where the programmer puts them, not where they may be copied to later.
        content: the bytes.
    """

    address: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Function:
    """A function's machine code, ``[start, end)``.

    Attributes:
        name: symbol.
        start: first address.
        end: address behind the last byte.
        operator: index of the operator that this function runs; None for all others.
    """

    name: str
    start: int
    end: int
    operator: int | None


@dataclass(frozen=True, slots=True)
class Firmware:
    """An ELF file that has been read.

    Attributes:
        path: where it was read.
        segments: what to load.
        symbols: address of each global or local symbol; the lowest bit of functions is cleared.
        functions: sorted, disjoint.
        sizes: extent in bytes of each symbol that has one.
    """

    path: Path
    segments: tuple[Segment, ...]
    symbols: Mapping[str, int]
    functions: tuple[Function, ...]
    sizes: Mapping[str, int] = field(default_factory=dict)

    def symbol(self, name: str) -> int:
        """Return a symbol's address.

        Raises:
            InputError: there is no such symbol.
        """
        if name not in self.symbols:
            raise InputError(
                f"{self.path.name} has no symbol '{name}'",
                help="link runtime/ports/harness.c and the port's start-up code into the firmware",
            )
        return self.symbols[name]

    def function_at(self, address: int) -> Function | None:
        """Return the function that contains an address."""
        position = bisect_right(self.functions, address, key=lambda f: f.start) - 1
        if position < 0 or address >= self.functions[position].end:
            return None
        return self.functions[position]

    def source_line(self, address: int) -> str | None:
        """Return ``file:line`` of an address as the debug information has it, if it has."""
        try:
            with self.path.open("rb") as stream:
                return _find_line(ELFFile(stream), address)
        except (OSError, ELFError, DWARFError, KeyError, AttributeError):
            return None  # a hint for the reader of an error; the error matters more


def read_firmware(path: Path) -> Firmware:
    """Read an ELF file for a 32-bit little-endian Arm core.

    Raises:
        InputError: the file cannot be read or is something else.
    """
    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            machine = elf["e_machine"]
            if machine != _EM_ARM or elf.elfclass != 32 or not elf.little_endian:
                raise InputError(
                    f"{path} is an ELF file for {machine}, {elf.elfclass} bits; "
                    "allowed is 32-bit little-endian Arm",
                    help="give what the compiler made for the microcontroller",
                )
            symbols = tuple(_symbols(elf))
            return Firmware(
                path=path,
                segments=tuple(_segments(elf)),
                symbols={name: value for name, value, _, _ in symbols},
                functions=_functions(symbols),
                sizes={name: size for name, _, size, _ in symbols if size},
            )
    except (OSError, ELFError) as error:
        raise InputError(
            f"{path} cannot be read as an ELF file: {error}",
            help="give the file that would be flashed, whole",
        ) from error


def _segments(elf: Any) -> Iterator[Segment]:
    for segment in elf.iter_segments("PT_LOAD"):
        if segment["p_filesz"]:
            yield Segment(segment["p_paddr"], segment.data())


def _symbols(elf: Any) -> Iterator[tuple[str, int, int, bool]]:
    """Yield name, address, extent in bytes, and whether it is a function."""
    table = elf.get_section_by_name(".symtab")
    for symbol in table.iter_symbols() if table else ():
        is_function = symbol["st_info"]["type"] == "STT_FUNC"
        is_named = bool(symbol.name) and not symbol.name.startswith("$")
        if is_named and symbol["st_shndx"] != "SHN_UNDEF":
            value = symbol["st_value"]
            yield symbol.name, value & ~1 if is_function else value, symbol["st_size"], is_function


def _functions(symbols: tuple[tuple[str, int, int, bool], ...]) -> tuple[Function, ...]:
    by_start: dict[int, tuple[str, int]] = {}
    for name, start, size_bytes, is_function in symbols:
        if is_function and size_bytes >= by_start.get(start, ("", -1))[1]:
            by_start[start] = (name, size_bytes)
    starts = [*sorted(by_start), 1 << 32]
    return tuple(
        _function(by_start[start][0], start, by_start[start][1], following)
        for start, following in pairwise(starts)
    )


def _function(name: str, start: int, size_bytes: int, following: int) -> Function:
    match = _OPERATOR_FUNCTION.fullmatch(name)
    end = min(start + size_bytes, following) if size_bytes else min(following, start + 4096)
    return Function(name, start, end, int(match["index"]) if match else None)


def _find_line(elf: Any, address: int) -> str | None:
    if not elf.has_dwarf_info():
        return None
    dwarf = elf.get_dwarf_info()
    for unit in dwarf.iter_CUs():
        program = dwarf.line_program_for_CU(unit)
        states = [e.state for e in program.get_entries() if e.state] if program else []
        for state, following in pairwise(states):
            is_inside = state.address <= address < following.address and not state.end_sequence
            if is_inside and program is not None:
                first = 0 if program["version"] >= 5 else 1
                entry = program["file_entry"][state.file - first]
                return f"{Path(entry.name.decode()).name}:{state.line}"
    return None
