"""``penstock inspect``: what is in a model."""

from pathlib import Path

import click
from rich.markup import escape

from penstock import api
from penstock.cli.console import progress_bar, stdout, write_json
from penstock.cli.options import calibration_options, json_option
from penstock.cli.parameters import virtual_board
from penstock.cli.places import STANDARD_OUTPUT, board_file, model_file, refuse_overwriting
from penstock.cli.tables import add_columns, arena_bound, format_shape, plain_table
from penstock.report.inspection import GraphTotals
from penstock.units import format_bytes, format_count, format_seconds


@click.command("inspect")
@click.argument("model", callback=model_file, metavar="MODEL")
@click.option(
    "--text",
    "as_text",
    is_flag=True,
    help="Print every tensor and operator as text, one a line, instead of the tables.",
)
@click.option(
    "--optimized", is_flag=True, help="List the operators after the passes, not the file's."
)
@click.option(
    "--board",
    callback=virtual_board,
    metavar="NAME",
    help="Estimate the time of one inference on this board, without running anything.",
)
@calibration_options
@json_option
def inspect_command(
    model: Path,
    as_text: bool,
    optimized: bool,
    board: str | None,
    calibration: api.Calibration | None,
    json_path: Path | None,
) -> None:
    """Show what is in a model and what it needs.

    Operators with shapes, multiply-accumulates (MACs), parameters and quantization; then what the
    file adds up to, and what is left after the passes, which remove work and change no output
    byte. Of a float network the time is known only once it is quantized: --calibrate.
    """
    refuse_overwriting({"the model": model, "the board": board_file(board)}, {"--json": json_path})
    with progress_bar() as progress:
        inspection = api.inspect(
            model, optimized=optimized, board=board, calibration=calibration, progress=progress
        )
    write_json(inspection.to_json(), json_path)
    if json_path == STANDARD_OUTPUT:
        return
    if as_text:
        click.echo(api.format_graph(inspection.graph), nl=False)
        return
    _show_operators(inspection, model)
    for role, names in (("input", inspection.graph.inputs), ("output", inspection.graph.outputs)):
        for name in names:
            described = escape(api.describe_tensor(inspection.graph.tensors[name]))
            stdout.print(f"{role:7} {described}", soft_wrap=True)
    _show_totals(inspection)
    if inspection.estimate is not None:
        _show_estimate(inspection.estimate)


def _show_operators(inspection: api.Inspection, model: Path) -> None:
    which = "after the passes" if inspection.is_optimized else "as in the file"
    count = len(inspection.operators)
    stdout.print(
        f"[bold]{escape(model.name)}[/]: {count} operators {which}, in the order they run",
        soft_wrap=True,
    )
    table = plain_table(has_totals=True)
    estimate = inspection.estimate
    estimated = () if estimate is None else ("est. cycles",)
    add_columns(
        table,
        ("operator", "output", "type"),
        ("#", "operator", "output", "type", "MACs", "params", *estimated),
    )
    table.add_column("scale, zero point")
    for row in inspection.operators:
        table.add_row(
            str(row.index),
            row.kind,
            format_shape(row.shape),
            row.dtype,
            format_count(row.macs) if row.macs else "",
            format_count(row.parameters) if row.parameters else "",
            *(() if estimate is None else (_cycles(inspection.estimated_cycles(row)),)),
            row.quantization,
        )
    table.columns[1].footer = "total"
    table.columns[4].footer = format_count(sum(row.macs for row in inspection.operators))
    table.columns[5].footer = format_count(sum(row.parameters for row in inspection.operators))
    if estimate is not None:
        table.columns[6].footer = format_count(estimate.cycles)
    stdout.print(table)
    if estimate is not None:
        stdout.print(
            "est. cycles of one operator may be further off than those of the network: "
            "docs/estimate.md says how far",
            soft_wrap=True,
        )


def _cycles(cycles: int | None) -> str:
    return "" if cycles is None else format_count(cycles)


def _show_estimate(estimate: api.EstimateResult) -> None:
    """Print the estimated time, what it assumes, and how far it may be off."""
    latency = format_seconds(estimate.latency_ms / 1e3)
    stdout.print(
        f"\n[bold]Estimate[/] for {escape(estimate.board)}: {latency} at "
        f"{estimate.clock_hz / 1e6:.0f} MHz, {format_count(estimate.cycles)} cycles, with the "
        f"weights in {escape(estimate.weights_in)} and the arena in {escape(estimate.arena_in)}"
        + ("; DMA brings what kernels work on, tile by tile" if estimate.overlays else ""),
        soft_wrap=True,
    )
    for filters in estimate.filters:
        stdout.print(
            f"{escape(filters.describe())}; all weights {format_bytes(estimate.weights_bytes)}",
            soft_wrap=True,
        )
    stdout.print(
        f"Nothing was run: {escape(_error_stated(estimate))}; `penstock run --board` simulates.",
        soft_wrap=True,
    )


def _error_stated(estimate: api.EstimateResult) -> str:
    """Return how near to simulations such estimates were, and which those are."""
    homes = f"weights in {estimate.weights_kind} and the arena in {estimate.arena_kind}"
    if estimate.overlays:
        homes = f"overlays and the arena in {estimate.arena_kind}"
    if estimate.error_median is None or estimate.error_worst is None:
        return f"no estimate for this core with {homes} was ever compared with a simulation"
    where = "this board"
    if not estimate.is_board_compared:
        where = f"{', '.join(estimate.compared_on)}, which have the same core, but never this board"
    return (
        f"of {estimate.compared} such estimates, {homes}, half were within "
        f"{100 * estimate.error_median:.1f} % of a simulation and all within "
        f"{100 * estimate.error_worst:.1f} %, on {where}"
    )


def _show_totals(inspection: api.Inspection) -> None:
    stdout.print("\n[bold]What it adds up to[/]")
    table = plain_table()
    add_columns(table, ("",), ("", "operators", "MACs", "parameters", "weights", "arena"))
    table.add_row("in the file", *_totals(inspection.file))
    if inspection.after_passes is None:
        stdout.print(table)
        stdout.print(f"it cannot be compiled: {escape(inspection.obstacle)}", soft_wrap=True)
        return
    arena_bytes = inspection.arena_bytes or 0
    table.add_row("after passes", *_totals(inspection.after_passes), format_bytes(arena_bytes))
    stdout.print(table)
    bound = arena_bound(arena_bytes, inspection.arena_bytes_lower_bound or 0)
    stdout.print(f"arena, for the activations: {bound}")
    if inspection.after_passes.weights_bytes > inspection.file.weights_bytes:
        stdout.print("weights after the passes hold the kernels' multipliers and tables too")


def _totals(totals: GraphTotals) -> tuple[str, ...]:
    return (
        str(totals.operators),
        format_count(totals.macs),
        format_count(totals.parameters),
        format_bytes(totals.weights_bytes),
    )
