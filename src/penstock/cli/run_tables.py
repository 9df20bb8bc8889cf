"""What ``penstock run`` prints: the answer, where the bytes live, what the operators cost."""

from collections.abc import Iterable, Sequence

import numpy as np
from rich.markup import escape

from penstock import api
from penstock.cli.console import stdout
from penstock.cli.tables import (
    add_columns,
    format_shape,
    format_share,
    plain_table,
    show_memory,
)
from penstock.report.outputs import dequantized
from penstock.report.results import OperatorResult, RunResult, Truth
from penstock.units import format_bytes, format_count

TOP_COUNT = 5
OPERATORS_SHOWN = 10


def show_run(outcome: api.RunOutcome, labels: Sequence[str] | None) -> None:
    """Print all that a run found; ``labels`` name the values of the outputs that they fit."""
    result = outcome.result
    where = "this computer" if result.truth is Truth.HOST else f"virtual {result.board}"
    stdout.print(
        f"[bold]{escape(result.model)}[/] on [bold]{escape(where)}[/], "
        f"input: {escape(result.input_origin)}",
        soft_wrap=True,
    )
    for tensor, values in zip(outcome.output_tensors, outcome.outputs, strict=True):
        is_named = labels is not None and len(labels) == tensor.element_count
        _show_answer(tensor, values, labels if is_named else None)
    show_memory(result.memory)
    if result.truth is Truth.SIMULATE:
        _show_instructions(result)
        reserved = sum(use.contents.get("stack", 0) for use in result.memory.values())
        stdout.print(
            f"stack: at most {format_bytes(result.stack_bytes or 0)} used "
            f"of {format_bytes(reserved)} reserved"
        )
    verb = "running" if result.truth is Truth.HOST else "simulating"
    stdout.print(
        f"{escape(result.compiler)}; {verb} it once took {result.run_seconds:.2g} s "
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


def _show_instructions(result: RunResult) -> None:
    total = result.instructions or 0
    executed = sum(row.macs for row in result.operators)
    stdout.print(
        f"\n[bold]Simulated: {format_count(total)} instructions[/]{_per_mac(total, executed)}"
    )
    stdout.print("(cycles, time and energy are not modelled yet)")
    if executed != result.macs:
        stdout.print(
            f"MACs executed: {format_count(executed)} of the model's {format_count(result.macs)}; "
            "the rest was removed by the passes"
        )
    count = len(result.operators)
    shown = min(count, OPERATORS_SHOWN)
    cut = f"{shown} of {count} operators" if shown < count else f"{count} operators"
    stdout.print(f"{cut}, sorted by instructions:")
    _show_costs(result.operators, total)


def _show_costs(operators: Sequence[OperatorResult], total: int) -> None:
    ranked = sorted(operators, key=lambda row: -(row.instructions or 0))
    table = plain_table(has_totals=True)
    headings = ("step", "operator", "output", "MACs", "instructions", "share")
    add_columns(table, ("operator", "output"), headings)
    for row in ranked[:OPERATORS_SHOWN]:
        shape = format_shape(row.shape)
        table.add_row(str(row.index), row.kind, shape, *_costs([row], total))
    if rest := ranked[OPERATORS_SHOWN:]:
        table.add_row("", f"{len(rest)} others", "", *_costs(rest, total))
    footers = ("", "all operators", "", *_costs(ranked, total))
    for column, footer in zip(table.columns, footers, strict=True):
        column.footer = footer
    stdout.print(table)


def _costs(rows: Iterable[OperatorResult], total: int) -> tuple[str, str, str]:
    """Return MACs, instructions and their share of the run's for a few operators together."""
    listed = list(rows)
    macs = sum(row.macs for row in listed)
    instructions = sum(row.instructions or 0 for row in listed)
    return (
        format_count(macs) if macs else "",
        format_count(instructions),
        format_share(instructions, total),
    )


def _per_mac(instructions: int, macs: int) -> str:
    return f", {instructions / macs:.2f} per MAC executed" if macs else ""
