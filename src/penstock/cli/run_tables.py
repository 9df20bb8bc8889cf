"""What ``penstock run`` prints: the answer, where the bytes live, what the operators cost."""

from collections.abc import Iterable, Sequence

import numpy as np
from rich.markup import escape

from penstock import api
from penstock.cli.console import stdout
from penstock.cli.overlay_tables import show_overlays
from penstock.cli.tables import (
    add_columns,
    format_shape,
    format_share,
    plain_table,
    show_calibrated,
    show_memory,
)
from penstock.report.energy import Energy
from penstock.report.outputs import dequantized
from penstock.report.results import OperatorResult, RunResult, RunTime, Truth, moved_bytes
from penstock.units import format_bytes, format_count, format_joules, format_seconds

TOP_COUNT = 5
OPERATORS_SHOWN = 10

_CAUSES = {
    "load_use": "a register that a load fills",
    "branch": "the target of a branch foreseen wrongly",
    "fetch": "instructions",
    "alignment": "unaligned accesses, bank conflicts",
    "internal": "data from internal memory",
    "external": "data from external memory",
    "store_buffer": "room in the store buffer",
    "dma_wait": "a DMA transfer, asleep",
}


_STATES = {"run": "running", "sleep": "asleep"}
"""Parts of the energy that are no memories."""


def show_run(
    outcome: api.RunOutcome, labels: Sequence[str] | None, *, every_operator: bool = False
) -> None:
    """Print all that a run found.

    Args:
        outcome: of the run.
        labels: names of the values of the outputs that they fit.
        every_operator: list all operators, with where each one's tensors live.
    """
    result = outcome.result
    where = "this computer" if result.truth is Truth.HOST else f"virtual {result.board}"
    stdout.print(
        f"[bold]{escape(result.model)}[/] on [bold]{escape(where)}[/], "
        f"input: {escape(result.input_origin)}",
        soft_wrap=True,
    )
    show_calibrated(result.calibrated)
    for tensor, values in zip(outcome.output_tensors, outcome.outputs, strict=True):
        is_named = labels is not None and len(labels) == tensor.element_count
        _show_answer(tensor, values, labels if is_named else None)
    show_memory(result.memory)
    if result.truth is Truth.SIMULATE:
        _show_cost(result, every_operator=every_operator)
        reserved = sum(use.contents.get("stack", 0) for use in result.memory.values())
        stdout.print(
            f"stack: at most {format_bytes(result.stack_bytes or 0)} used "
            f"of {format_bytes(reserved)} reserved"
        )
    verb = "running" if result.truth is Truth.HOST else "simulating"
    stdout.print(
        f"{escape(result.compiler)}; {verb} it once took {format_seconds(result.run_seconds, 2)} "
        "on this computer",
        soft_wrap=True,
    )
    if result.verified:
        stdout.print("[green]verified[/]: every operator gave the interpreter's bytes")


def _show_answer(tensor: api.Tensor, values: api.Array, labels: Sequence[str] | None) -> None:
    real = dequantized(tensor, values).reshape(-1)
    stdout.print(
        f"\n[bold]Output {escape(tensor.name)}[/] "
        f"({tensor.dtype.value} {format_shape(tensor.shape)}): {_selection(real.size)}",
        soft_wrap=True,
    )
    names = ("index", *(() if labels is None else ("label",)), "raw", "real value")
    table = plain_table()
    add_columns(table, ("label",), names)
    for index in np.argsort(-real, kind="stable")[:TOP_COUNT]:
        label = [] if labels is None else [escape(labels[index])]
        table.add_row(str(index), *label, str(values.reshape(-1)[index]), f"{real[index]:.4g}")
    stdout.print(table)


def _selection(count: int) -> str:
    if count > TOP_COUNT:
        return f"the {TOP_COUNT} largest of {count} values"
    return "the only value" if count == 1 else f"all {count} values, the largest first"


def _show_cost(result: RunResult, *, every_operator: bool) -> None:
    """Print what the virtual board counted, in all and by operator."""
    executed = sum(row.macs for row in result.operators)
    stdout.print(f"\n[bold]Simulated: {_headline(result)}[/]")
    stdout.print(_details(result, executed), soft_wrap=True)
    if result.kernels:
        stdout.print(f"Kernels: {escape(result.kernels)}", soft_wrap=True)
    if executed != result.macs:
        stdout.print(
            f"MACs executed: {format_count(executed)} of the model's {format_count(result.macs)}; "
            "the rest was removed by the passes"
        )
    if result.time is not None:
        show_spent(result.energy, result.time)
    show_overlays(result, every_operator=every_operator)
    count = len(result.operators)
    shown = count if every_operator else min(count, OPERATORS_SHOWN)
    cut = f"{shown} of {count} operators" if shown < count else f"{count} operators"
    what = "instructions" if result.time is None else "cycles"
    stdout.print(f"\n{cut}, sorted by {what}:")
    _show_operators(result, shown, has_kernels=every_operator)


def _headline(result: RunResult) -> str:
    if result.time is None:
        return f"{format_count(result.instructions or 0)} instructions"
    time = result.time
    return (
        f"{format_seconds(time.latency_ms / 1e3)} at {time.clock_hz / 1e6:g} MHz, "
        f"{format_count(time.cycles)} cycles"
    )


def _details(result: RunResult, executed: int) -> str:
    instructions = result.instructions or 0
    if result.time is None:
        per_mac = f"{instructions / executed:.2f} per MAC executed; " if executed else ""
        return f"{per_mac}{result.energy.reason}"
    parts = [f"{format_count(instructions)} instructions"]
    if result.cycles_per_mac is not None:
        parts.append(f"{result.cycles_per_mac:.2f} cycles per MAC of the model")
    return ", ".join(parts)


def show_spent(energy: Energy, time: RunTime) -> None:
    """Print what a stretch of execution costs, what it waited for, and what it moved."""
    _show_energy(energy)
    _show_stalls(time)
    _show_traffic(time)


def _show_energy(energy: Energy) -> None:
    """Print what it costs, with the band that it lies in, or why that is not known."""
    total = energy.total
    if total is None:
        stdout.print(f"Energy: not known, {escape(energy.reason)}", soft_wrap=True)
        return
    parts = [
        f"{_STATES.get(name, escape(name))} {_millijoules(band.value)}"
        for name, band in energy.parts.items()
        if band.value
    ]
    detail = f": {', '.join(parts)}" if len(parts) > 1 else ""
    band = f"{_millijoules(total.low)} to {_millijoules(total.high)}"
    stdout.print(f"Energy: {_millijoules(total.value)} ({band}), simulated{detail}", soft_wrap=True)


def _millijoules(value: float) -> str:
    return format_joules(value / 1e3)


def _show_stalls(time: RunTime) -> None:
    """Print what the core waited for, in cycles."""
    waited = sum(time.stalls.values())
    table = plain_table()
    add_columns(table, ("waiting for",), ("waiting for", "cycles", "share"))
    for cause, cycles in sorted(time.stalls.items(), key=lambda item: -item[1]):
        if cycles:
            share = format_share(cycles, time.cycles)
            table.add_row(_CAUSES[cause], format_count(cycles), share)
    stdout.print(f"\nStalls: {format_share(waited, time.cycles)} of the cycles")
    stdout.print(table)


def _show_traffic(time: RunTime) -> None:
    """Print the bytes moved, by memory."""
    table = plain_table()
    add_columns(table, ("memory",), ("memory", "read", "written", "instructions"))
    for name, moved in time.traffic.items():
        sizes = moved_bytes(moved).values()
        if any(sizes):
            cells = [format_bytes(size) if size else "" for size in sizes]
            table.add_row(name, *cells)
    stdout.print("\nBytes moved between memories and the core, its caches or DMA")
    stdout.print(table)


def _show_operators(result: RunResult, shown: int, *, has_kernels: bool) -> None:
    timed = result.time is not None
    ranked = sorted(result.operators, key=lambda row: -_cost(row))
    table = plain_table(has_totals=True)
    costs = ("cycles", "per MAC") if timed else ("instructions",)
    kernels = ("kernel",) if has_kernels else ()
    headings = ("step", "operator", "output", "MACs", *costs, "share", *kernels)
    add_columns(table, ("operator", "output", "kernel"), headings)
    total = sum(_cost(row) for row in ranked)
    for row in ranked[:shown]:
        shape = format_shape(row.shape)
        named = [row.kernel.removeprefix("ps_")] if has_kernels else []
        table.add_row(str(row.index), row.kind, shape, *_cells([row], total, timed), *named)
    if rest := ranked[shown:]:
        table.add_row("", f"{len(rest)} others", "", *_cells(rest, total, timed))
    footers = ("", "all operators", "", *_cells(ranked, total, timed))
    for column, footer in zip(table.columns, footers, strict=False):
        column.footer = footer
    stdout.print(table)


def _cost(row: OperatorResult) -> int:
    return row.instructions or 0 if row.cycles is None else row.cycles


def _cells(rows: Iterable[OperatorResult], total: int, timed: bool) -> list[str]:
    """Return the figures of a few operators together."""
    listed = list(rows)
    macs = sum(row.macs for row in listed)
    cost = sum(_cost(row) for row in listed)
    per_mac = [f"{cost / macs:.2f}" if macs else ""] if timed else []
    count = format_count(macs) if macs else ""
    return [count, format_count(cost), *per_mac, format_share(cost, total)]
