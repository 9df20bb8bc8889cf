"""One board as a table: every entry with its confidence, and numbers of sources and remarks."""

from collections.abc import Iterable
from itertools import groupby

from rich.markup import escape
from rich.table import Table

from penstock.boards.board import Board
from penstock.boards.provenance import Band, Confidence, Fact, FactValue, Provenance
from penstock.boards.timing import DmaKind
from penstock.cli.console import stdout
from penstock.cli.tables import add_columns, plain_table
from penstock.units import format_bytes

_UNITS = {
    "cycles": "cycles",
    "clocks": "clocks",
    "bits": "bits",
    "lines": "lines",
    "mw": "mW",
    "nj_per_byte": "nJ/B",
    "share": "of the peak",
}
_KNOWN = {
    Confidence.PRIMARY: "read in the source",
    Confidence.SECONDARY: "told by others",
    Confidence.FITTED: "chosen so that the model repeats a measurement",
    Confidence.GUESS: "supposed",
}
_BUS_CLOCKS = "item_cycles"
"""Alone counted in clocks of a bus, not of the core."""

_ADDRESSES = ("base", "bases", "aliases", "clock_enable_address")


def show_board(board: Board) -> None:
    """Print a board, every entry with its source and confidence."""
    stdout.print(f"[bold]{escape(board.name)}[/]: {escape(board.title)}", soft_wrap=True)
    fpu = f" with -mfpu={board.core.fpu}" if board.core.fpu else ""
    stdout.print(
        f"{escape(board.mcu)}, {escape(board.core.name)}{escape(fpu)} "
        f"at {board.clock_hz / 1e6:g} MHz",
        soft_wrap=True,
    )
    if board.emulator is not None:
        stdout.print(f"runs in QEMU as {escape(board.emulator)}: no cycles", soft_wrap=True)
    stdout.print()
    provenances = [fact.provenance for fact in board.facts]
    sources = _numbered(provenance.source for provenance in provenances)
    remarks = _numbered(filter(None, (_remark(provenance) for provenance in provenances)))
    table = plain_table()
    add_columns(table, ("entry",), ("entry",))
    table.add_column("value")
    add_columns(table, ("known",), ("known", "source", "remark"))
    for name, facts in groupby(board.facts, key=lambda fact: fact.table):
        table.add_row(f"[bold]{escape(name)}[/]")
        for fact in facts:
            remark = remarks.get(_remark(fact.provenance), "")
            source = sources[fact.provenance.source]
            confidence = fact.provenance.confidence.value
            table.add_row(*_entry(fact), confidence, str(source), str(remark))
    stdout.print(table)
    present = {provenance.confidence for provenance in provenances}
    meanings = [f"{c.value}: {text}" for c, text in _KNOWN.items() if c in present]
    stdout.print(f"\n{'; '.join(meanings)}", soft_wrap=True)
    _show_numbered("Sources", sources)
    _show_numbered("Remarks", remarks)


def _numbered(texts: Iterable[str]) -> dict[str, int]:
    """Return a number for each different text, in the order they come."""
    return {text: number for number, text in enumerate(dict.fromkeys(texts), 1)}


def _remark(provenance: Provenance) -> str:
    fitted = f"fitted to: {provenance.fitted_to}" if provenance.fitted_to else ""
    return "; ".join(filter(None, (fitted, provenance.note)))


def _show_numbered(title: str, texts: dict[str, int]) -> None:
    if not texts:
        return
    stdout.print(f"\n[bold]{title}[/]")
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for text, number in texts.items():
        table.add_row(str(number), escape(text))
    stdout.print(table)


def _entry(fact: Fact) -> tuple[str, str]:
    """Return an entry's name without its unit, and its value with it."""
    if fact.key == "hz":
        return "  frequency", _frequency(fact.value)
    if fact.key.endswith("_hz"):
        return _name(fact.key.removesuffix("_hz")), _frequency(fact.value)
    if fact.key in _ADDRESSES:
        return _name(fact.key), _addresses(fact.value)
    if fact.key.endswith("_bytes") and isinstance(fact.value, int):
        return _name(fact.key.removesuffix("_bytes")), format_bytes(fact.value)
    if fact.key == _BUS_CLOCKS:
        return "  item", _counted(fact.value, "bus clocks")
    for unit, shown in _UNITS.items():
        if fact.key.endswith(f"_{unit}"):
            return _name(fact.key.removesuffix(f"_{unit}")), _counted(fact.value, shown)
    if fact.table.startswith("dma ") and fact.key == "kind":
        return _name(fact.key), _dma_kind(str(fact.value))
    return _name(fact.key), escape(_plain(fact.value))


def _name(key: str) -> str:
    return "  " + key.replace("_", " ")


def _counted(value: FactValue, unit: str) -> str:
    return f"{_plain(value)} {unit.removesuffix('s') if value == 1 else unit}"


def _dma_kind(value: str) -> str:
    return value if DmaKind(value).is_modelled else f"{value}: not modelled, no driver"


def _frequency(value: FactValue) -> str:
    return f"{value / 1e6:g} MHz" if isinstance(value, int) else _plain(value)


def _addresses(value: FactValue) -> str:
    values = value if isinstance(value, tuple) else (value,)
    return ", ".join(f"{address:#010x}" for address in values)


def _plain(value: FactValue) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case Band():
            return f"{value.value:g} ({value.low:g} to {value.high:g})"
        case tuple():
            return ", ".join(map(str, dict.fromkeys(value)))
        case float():
            return f"{value:g}"
    return str(value)
