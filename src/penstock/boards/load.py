"""Loads boards from TOML and refuses what is misspelt, lacks a unit or lacks a source."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from itertools import combinations
from pathlib import Path
from typing import Any

from penstock.boards.board import (
    Board,
    Confidence,
    Core,
    MemoryKind,
    MemoryRegion,
    PeripheralRange,
)
from penstock.errors import InputError, os_reason

Table = Mapping[str, Any]

_ADDRESS_LIMIT = 1 << 32
_BOARD_KEYS = ("title", "mcu", "port", "sources", "core", "clock", "memory")
_PROVENANCE_KEYS = ("source", "confidence")
_CLOCK_KEYS = ("hz", *_PROVENANCE_KEYS)
_RANGE_KEYS = ("name", "base", "size_bytes", *_PROVENANCE_KEYS)
_MEMORY_KEYS = (*_RANGE_KEYS, "kind", "is_writable", "is_external")


def board_names() -> tuple[str, ...]:
    """Return the names that ``--board`` accepts, sorted; ``host`` is no board."""
    entries = (resources.files("penstock.boards") / "data").iterdir()
    return tuple(sorted(e.name[: -len(".toml")] for e in entries if e.name.endswith(".toml")))


def load_board(name: str) -> Board:
    """Return the board of that name, or the one that a file described, if the name ends in .toml.

    Raises:
        InputError: no such board (the help names the closest), or the file is no board's.
    """
    names = board_names()
    if name.endswith(".toml"):
        return load_board_file(Path(name))
    if name not in names:
        close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.4)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise InputError(
            f"there is no board '{name}'; the boards are {', '.join(names)}",
            help=f"{hint}`penstock boards` lists them; a description of your own works too: "
            "--board my-board.toml",
        )
    text = (resources.files("penstock.boards") / "data" / f"{name}.toml").read_text("utf-8")
    return parse_board(text, name=name, where=f"{name}.toml")


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
    _check_keys(document, where, _BOARD_KEYS, optional=("peripheral",))
    core, clock = _table(document, "core", where), _table(document, "clock", where)
    sources = _sources(document, where)
    _check_keys(clock, f"{where}, [clock]", _CLOCK_KEYS)
    regions = tuple(_region(t, place, sources) for t, place in _tables(document, "memory", where))
    peripherals = tuple(
        _peripheral(table, place, sources)
        for table, place in _tables(document, "peripheral", where)
    )
    _check_disjoint(regions, peripherals, where)
    clock_source, clock_confidence = _provenance(clock, f"{where}, [clock]", sources)
    return Board(
        name=name,
        title=_string(document, "title", where),
        mcu=_string(document, "mcu", where),
        core=_core(core, f"{where}, [core]", sources),
        clock_hz=_integer(clock, "hz", f"{where}, [clock]", 1, 10**11),
        port=_string(document, "port", where),
        regions=regions,
        peripherals=peripherals,
        clock_source=clock_source,
        clock_confidence=clock_confidence,
    )


def _core(table: Table, where: str, sources: Mapping[str, str]) -> Core:
    _check_keys(table, where, ("name", *_PROVENANCE_KEYS), optional=("fpu",))
    _provenance(table, where, sources)
    fpu = _string(table, "fpu", where) if "fpu" in table else None
    return Core(name=_string(table, "name", where), fpu=fpu)


def _region(table: Table, where: str, sources: Mapping[str, str]) -> MemoryRegion:
    _check_keys(table, where, _MEMORY_KEYS, optional=("aliases",))
    source, confidence = _provenance(table, where, sources)
    kinds = [kind.value for kind in MemoryKind]
    aliases = table.get("aliases", [])
    if not isinstance(aliases, list):
        raise _wrong(where, "aliases", aliases, "a list of addresses")
    return MemoryRegion(
        name=_string(table, "name", where),
        kind=MemoryKind(_choice(table, "kind", where, kinds)),
        base=_integer(table, "base", where, 0, _ADDRESS_LIMIT - 1),
        size_bytes=_integer(table, "size_bytes", where, 1, _ADDRESS_LIMIT),
        is_writable=_boolean(table, "is_writable", where),
        is_external=_boolean(table, "is_external", where),
        aliases=tuple(
            _integer({"aliases": alias}, "aliases", where, 0, _ADDRESS_LIMIT - 1)
            for alias in aliases
        ),
        source=source,
        confidence=confidence,
    )


def _peripheral(table: Table, where: str, sources: Mapping[str, str]) -> PeripheralRange:
    _check_keys(table, where, _RANGE_KEYS)
    source, confidence = _provenance(table, where, sources)
    return PeripheralRange(
        name=_string(table, "name", where),
        base=_integer(table, "base", where, 0, _ADDRESS_LIMIT - 1),
        size_bytes=_integer(table, "size_bytes", where, 1, _ADDRESS_LIMIT),
        source=source,
        confidence=confidence,
    )


def _check_disjoint(
    regions: Iterable[MemoryRegion], peripherals: Iterable[PeripheralRange], where: str
) -> None:
    spans = [(r.name, base, base + r.size_bytes) for r in regions for base in r.bases]
    spans += [(p.name, p.base, p.base + p.size_bytes) for p in peripherals]
    for name, _, end in spans:
        if end > _ADDRESS_LIMIT:
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


def _provenance(table: Table, where: str, sources: Mapping[str, str]) -> tuple[str, Confidence]:
    key = _choice(table, "source", where, list(sources))
    confidence = _choice(table, "confidence", where, [c.value for c in Confidence])
    return sources[key], Confidence(confidence)


def _sources(document: Table, where: str) -> Mapping[str, str]:
    table = _table(document, "sources", where)
    return {key: _string(table, key, f"{where}, [sources]") for key in table}


def _check_keys(
    table: Table, where: str, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> None:
    allowed = (*required, *optional)
    for key in table:
        if key not in allowed:
            raise InputError(f"{where}: unknown key '{key}'; {_suggestion(key, allowed)}")
    for key in required:
        if key not in table:
            raise InputError(
                f"{where}: key '{key}' is missing", help=f"its keys are {', '.join(allowed)}"
            )


def _suggestion(key: str, allowed: tuple[str, ...]) -> str:
    for candidate in allowed:
        stem, _, unit = candidate.rpartition("_")
        if unit in ("bytes", "hz") and (stem or "clock") in key:
            return f"quantities carry their unit: '{candidate}'"
    close = difflib.get_close_matches(key, allowed, n=1)
    return f"did you mean '{close[0]}'?" if close else f"allowed are {', '.join(allowed)}"


def _table(document: Table, key: str, where: str) -> Table:
    value = document[key]
    if not isinstance(value, dict):
        raise _wrong(where, key, value, "a table")
    return value


def _tables(document: Table, key: str, where: str) -> list[tuple[Table, str]]:
    values = document.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise _wrong(where, key, values, "an array of tables")
    names = [value.get("name", number) for number, value in enumerate(values)]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"{where}: two [[{key}]] are named '{name}'", help="give each a name of its own"
            )
    return [
        (value, f"{where}, [[{key}]] '{name}'") for value, name in zip(values, names, strict=True)
    ]


def _string(table: Table, key: str, where: str) -> str:
    value = table[key]
    if not isinstance(value, str) or not value:
        raise _wrong(where, key, value, "a text that is not empty")
    return value


def _choice(table: Table, key: str, where: str, allowed: list[str]) -> str:
    value = _string(table, key, where)
    if value not in allowed:
        raise _wrong(where, key, value, f"one of {', '.join(allowed)}")
    return value


def _integer(table: Table, key: str, where: str, low: int, high: int) -> int:
    value = table[key]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _wrong(where, key, value, f"an integer from {low:#x} to {high:#x}")
    return value


def _boolean(table: Table, key: str, where: str) -> bool:
    value = table[key]
    if not isinstance(value, bool):
        raise _wrong(where, key, value, "true or false")
    return value


def _wrong(where: str, key: str, found: object, allowed: str) -> InputError:
    return InputError(
        f"{where}: '{key}' is {found!r}; allowed is {allowed}", help="correct the board file"
    )
