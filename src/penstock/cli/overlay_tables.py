"""What overlays did, for people: in all, what waits, what works in far memory, each operator."""

import math
from collections.abc import Iterable, Mapping, Sequence

from rich.markup import escape

from penstock.cli.console import stdout
from penstock.cli.tables import add_columns, plain_table
from penstock.report.overlays import OverlayReport, OverlayTotals, OverlayUse
from penstock.report.results import OperatorResult, RunResult
from penstock.units import format_bytes, format_count

LONGEST = 5
"""Operators of which is shown that they wait."""


def format_hidden(share: float | None) -> str:
    """Return a share as a percentage, rounded down: 100 % is all of it. Empty where not known."""
    return "" if share is None else f"{math.floor(1000 * share) / 10:.1f} %"


def format_totals(totals: OverlayTotals) -> str:
    """Return what is copied, and how much of that was hidden; or why there are no overlays."""
    if not totals.tiles:
        return f"none, {totals.reason}"
    moved = f"{format_bytes(totals.loaded_bytes)} brought"
    if totals.halo_bytes:
        moved += f", {format_bytes(totals.halo_bytes)} moved from band to band"
    parts = [
        f"{format_count(totals.tiles)} tiles",
        *([f"{totals.chains} chains"] if totals.chains else []),
        f"{moved} and {format_bytes(totals.stored_bytes)} taken away in "
        f"{format_count(totals.copies)} copies",
    ]
    if totals.hidden_share is not None:
        parts.append(f"{format_hidden(totals.hidden_share)} of their time hidden")
    if totals.waited_cycles is not None:
        parts.append(f"{format_count(totals.waited_cycles)} cycles waited")
    if totals.bandwidth_bound_cycles:
        bound = format_count(totals.bandwidth_bound_cycles)
        parts.append(f"bandwidth bound {bound} cycles (estimate)")
    return ", ".join(parts) + (f"; {totals.reason}" if totals.reason else "")


def show_overlays(result: RunResult, *, every_operator: bool = False) -> None:
    """Print what overlays did; nothing on the host.

    Args:
        result: of a run.
        every_operator: print each, not only those that waited.
    """
    totals = result.overlays
    if totals is None:
        return
    stdout.print(f"\n[bold]Overlays[/]: {escape(format_totals(totals))}", soft_wrap=True)
    waiting = [row for row in result.operators if row.overlay and row.overlay.waited_cycles]
    waiting.sort(key=lambda row: -_waited(row))
    if every_operator:
        _show_operators(result.operators)
    elif waiting:
        count = len(waiting)
        what = f"the {LONGEST} of {count} operators" if count > LONGEST else "the operators"
        stdout.print(f"{what} that wait longest for copies:")
        _show_waiting(waiting[:LONGEST])
    uses = {f"{row.kind} {row.index}": _use(row) for row in result.operators}
    _show_in_place(uses, totals)


def show_planned_overlays(report: OverlayReport, kinds: Sequence[str]) -> None:
    """Print what overlays are planned, indented; ``kinds`` are those of the operators."""
    stdout.print(f"  overlays: {escape(format_totals(report.totals))}", soft_wrap=True)
    named = (f"{kind} {step}" for step, kind in enumerate(kinds))
    _show_in_place(dict(zip(named, report.steps, strict=True)), report.totals, indent="  ")


def _show_waiting(rows: Iterable[OperatorResult]) -> None:
    table = plain_table()
    add_columns(table, ("operator",), ("step", "operator", "tiles", "copied", "waited", "hidden"))
    table.add_column("why")
    for row in rows:
        use = _use(row)
        why = ", ".join(reason.removeprefix("waits: ") for reason in use.reasons[-1:])
        table.add_row(str(row.index), row.kind, *_figures(use), escape(why))
    stdout.print(table)


def _figures(use: OverlayUse) -> tuple[str, ...]:
    copied = use.loaded_bytes + use.stored_bytes + use.halo_bytes
    waited = format_count(use.waited_cycles) if use.waited_cycles else ""
    return (
        f"{use.rows}×{use.filters}" if use.tiles > 1 else "1",
        format_bytes(copied) if copied else "",
        waited,
        format_hidden(use.hidden_share) if copied else "",
    )


def _show_operators(rows: Sequence[OperatorResult]) -> None:
    """Print a row for each operator, in the order in which they run."""
    left = ("operator", "inputs in", "outputs in", "constants in")
    table = plain_table()
    add_columns(table, left, ("step", *left, "tiles", "copied", "waited", "hidden", "chain"))
    for row in rows:
        use = _use(row)
        homes = (use.homes.inputs, use.homes.outputs, use.homes.constants)
        cells = [escape(", ".join(dict.fromkeys(regions))) for regions in homes]
        chain = "" if use.chain is None else f"{use.chain[0]}–{use.chain[1]}"
        table.add_row(str(row.index), row.kind, *cells, *_figures(use), chain)
    stdout.print(table)
    stdout.print("tiles: bands of rows × groups of output channels")
    if any(_use(row).chain for row in rows):
        stdout.print("chain: operators that run band by band, with nothing whole between them")
    for row in rows:
        if reason := _use(row).reason:
            stdout.print(f"{row.kind} {row.index} {escape(reason)}", soft_wrap=True)


def _show_in_place(
    uses: Mapping[str, OverlayUse], totals: OverlayTotals, *, indent: str = ""
) -> None:
    """Print which operators work in far memory itself, those with one reason together."""
    found: dict[str, list[str]] = {}
    for name, use in uses.items():
        if use.in_place:
            found.setdefault(use.reasons[0], []).append(name)
    for reason, names in found.items():
        listed = ", ".join(names)
        if not totals.tiles and len(names) > 1:
            listed = f"{len(names)} operators"
        stdout.print(f"{indent}{escape(reason)}: {listed}", soft_wrap=True)


def _use(row: OperatorResult) -> OverlayUse:
    assert row.overlay is not None
    return row.overlay


def _waited(row: OperatorResult) -> int:
    return _use(row).waited_cycles or 0
