"""Loads boards from TOML and refuses what is misspelt, lacks a unit or lacks a source."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import combinations, takewhile
from pathlib import Path
from typing import Any

from penstock.boards.board import Board, Core, MemoryRegion, PeripheralRange
from penstock.boards.cores import known_cores
from penstock.boards.devices import read_cache, read_dma, read_power
from penstock.boards.memories import ADDRESS_LIMIT, CLOCK_HZ_MAX, read_peripheral, read_region
from penstock.boards.tables import (
    Context,
    Table,
    check_keys,
    read_table,
    read_tables,
    read_text,
    wrong,
)
from penstock.boards.timing import Cache, DmaController
from penstock.errors import InputError, os_reason

Document = Mapping[str, Any]

_BOARD_KEYS = ("title", "mcu", "port", "sources", "core", "clock", "memory")
_OPTIONAL_BOARD_KEYS = (
    "peripheral",
    "instruction_cache",
    "data_cache",
    "dma",
    "power",
    "emulator",
)


def board_names() -> tuple[str, ...]:
    """Return the names that ``--board`` accepts, sorted; ``host`` is no board."""
    entries = (resources.files("penstock.boards") / "data").iterdir()
    return tuple(sorted(e.name[: -len(".toml")] for e in entries if e.name.endswith(".toml")))


def load_board(name: str, *, others: tuple[str, ...] = ()) -> Board:
    """Return the board of that name, or the one that a file described, if the name ends in .toml.

    Args:
        name: of a board, or the path of its file.
        others: names that are no boards but would have been right, for the error.

    Raises:
        InputError: no such board (the help names the closest), or the file is no board's.
    """
    names = board_names()
    if name.endswith(".toml"):
        return load_board_file(Path(name))
    if name not in names:
        known = (*names, *others)
        closest = _closest(name.lower(), known)
        hint = f"did you mean '{closest}'? " if closest else ""
        raise InputError(
            f"there is no board '{name}'; the boards are {', '.join(known)}",
            help=f"{hint}`penstock boards` lists them; a description of your own works too: "
            "--board my-board.toml (docs/boards.md says how)",
        )
    return _shipped(name)


@cache
def _shipped(name: str) -> Board:
    text = (resources.files("penstock.boards") / "data" / f"{name}.toml").read_text("utf-8")
    return parse_board(text, name=name, where=f"{name}.toml")


def _closest(name: str, known: Sequence[str]) -> str | None:
    """Return what begins most alike, then what is most alike: names begin with the family."""
    close = difflib.get_close_matches(name, known, n=len(known), cutoff=0.4)
    return max(close, key=lambda other: _common_prefix(name, other), default=None)


def _common_prefix(left: str, right: str) -> int:
    return sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False))
    )


def load_board_file(path: Path) -> Board:
    """Return the board that a TOML file describes; its name is the file's stem.

    Raises:
        InputError: the file cannot be read, is not TOML, or breaks the rules of a board.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(
            f"the board file {str(path)!r} cannot be read: {reason}",
            help="give the path of a board's TOML file",
        ) from error
    return parse_board(text, name=path.stem, where=str(path))


def parse_board(text: str, *, name: str, where: str) -> Board:
    """Return the board that TOML text describes; ``where`` names the text in errors.

    Raises:
        InputError: the text is not TOML or breaks the rules of a board.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} is not TOML: {error}", help="correct the line named") from error
    check_keys(document, where, _BOARD_KEYS, _OPTIONAL_BOARD_KEYS)
    context = Context(_sources(document, where))
    core = _core(document, where, context)
    clock = Table(
        read_table(document, "clock", where), f"{where}, [clock]", "clock", context, ("hz",)
    )
    clock_hz = clock.integer("hz", 1, CLOCK_HZ_MAX)
    instruction_cache = _cache(document, "instruction_cache", where, context)
    data_cache = _cache(document, "data_cache", where, context)
    regions, peripherals = _address_space(document, where, context)
    return Board(
        name=name,
        title=read_text(document, "title", where),
        mcu=read_text(document, "mcu", where),
        core=core,
        clock_hz=clock_hz,
        port=read_text(document, "port", where),
        regions=regions,
        peripherals=peripherals,
        instruction_cache=instruction_cache,
        data_cache=data_cache,
        dma_controllers=_dma_controllers(document, where, context, regions, peripherals),
        power=(
            read_power(read_table(document, "power", where), where, context)
            if "power" in document
            else None
        ),
        emulator=_emulator(document, where, context),
        facts=tuple(context.facts),
    )


def _emulator(document: Document, where: str, context: Context) -> str | None:
    if "emulator" not in document:
        return None
    values = read_table(document, "emulator", where)
    return Table(values, f"{where}, [emulator]", "emulator", context, ("machine",)).text("machine")


def _sources(document: Document, where: str) -> Mapping[str, str]:
    table = read_table(document, "sources", where)
    return {key: read_text(table, key, f"{where}, [sources]") for key in table}


def _core(document: Document, where: str, context: Context) -> Core:
    values = read_table(document, "core", where)
    table = Table(values, f"{where}, [core]", "core", context, ("name",), ("fpu",))
    name = table.text("name")
    if name not in known_cores():
        raise wrong(table.where, "name", name, f"one of {', '.join(known_cores())}")
    return Core(name=name, fpu=table.text("fpu") if table.has("fpu") else None)


def _cache(document: Document, key: str, where: str, context: Context) -> Cache | None:
    if key not in document:
        return None
    return read_cache(read_table(document, key, where), key, where, context)


def _address_space(
    document: Document, where: str, context: Context
) -> tuple[tuple[MemoryRegion, ...], tuple[PeripheralRange, ...]]:
    regions = tuple(
        read_region(table, place, context)
        for table, place in read_tables(document, "memory", where)
    )
    peripherals = tuple(
        read_peripheral(table, place, context)
        for table, place in read_tables(document, "peripheral", where)
    )
    _check_disjoint(regions, peripherals, where)
    return regions, peripherals


def _dma_controllers(
    document: Document,
    where: str,
    context: Context,
    regions: Iterable[MemoryRegion],
    peripherals: tuple[PeripheralRange, ...],
) -> tuple[DmaController, ...]:
    names = [region.name for region in regions]
    return tuple(
        read_dma(table, place, context, names, peripherals)
        for table, place in read_tables(document, "dma", where)
    )


def _check_disjoint(
    regions: Iterable[MemoryRegion], peripherals: Iterable[PeripheralRange], where: str
) -> None:
    spans = [(r.name, base, base + r.size_bytes) for r in regions for base in r.bases]
    spans += [(p.name, p.base, p.base + p.size_bytes) for p in peripherals]
    for name, _, end in spans:
        if end > ADDRESS_LIMIT:
            raise InputError(
                f"{where}: '{name}' ends at {end:#x}, beyond the 32-bit address space",
                help="correct base or size_bytes",
            )
    for (name, start, end), (other, other_start, other_end) in combinations(spans, 2):
        if start < other_end and other_start < end:
            raise InputError(
                f"{where}: '{name}' ({start:#010x} to {end:#010x}) overlaps '{other}' "
                f"({other_start:#010x} to {other_end:#010x})",
                help="correct base, size_bytes or aliases of one of them",
            )
