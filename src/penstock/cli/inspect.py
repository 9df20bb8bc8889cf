"""``penstock inspect``: what is in a model."""

from pathlib import Path

import click

from penstock import api
from penstock.cli.console import json_option, plain_table, stdout, write_json
from penstock.units import format_bytes, format_count


@click.command("inspect")
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL.tflite")
@click.option("--text", "as_text", is_flag=True, help="Print the graph's text form instead.")
@click.option("--optimized", is_flag=True, help="Show the graph after all passes.")
@json_option
def inspect_command(model: Path, as_text: bool, optimized: bool, json_path: Path | None) -> None:
    """Show what is in a model and what it needs.

    Operators with shapes, multiply-accumulates (MACs), parameters and quantization; memory.
    """
    inspection = api.inspect(model, optimized=optimized)
    write_json(inspection.to_json(), json_path)
    if str(json_path) == "-":
        return
    if as_text:
        click.echo(api.format_graph(inspection.graph), nl=False)
        return
    _show_operators(inspection)
    for name in inspection.graph.inputs:
        stdout.print(
            f"input   {api.describe_tensor(inspection.graph.tensors[name])}", soft_wrap=True
        )
    for name in inspection.graph.outputs:
        stdout.print(
            f"output  {api.describe_tensor(inspection.graph.tensors[name])}", soft_wrap=True
        )
    stdout.print(
        f"total   {format_count(inspection.macs)} MACs, "
        f"{format_count(inspection.parameters)} parameters"
    )
    if inspection.arena_bytes is None:
        stdout.print(f"memory  not known: {inspection.obstacle}", soft_wrap=True)
        return
    stdout.print(
        f"memory  constants {format_bytes(inspection.weights_bytes or 0)}, "
        f"arena {format_bytes(inspection.arena_bytes)} "
        f"(no plan needs less than {format_bytes(inspection.arena_bytes_lower_bound or 0)})"
    )


def _show_operators(inspection: api.Inspection) -> None:
    stdout.print(f"[bold]{inspection.graph.name}[/]")
    table = plain_table()
    table.add_column("#", justify="right")
    table.add_column("operator", no_wrap=True)
    table.add_column("output", no_wrap=True)
    table.add_column("type")
    table.add_column("MACs", justify="right", no_wrap=True)
    table.add_column("params", justify="right", no_wrap=True)
    table.add_column("scale, zero point")
    for row in inspection.operators:
        table.add_row(
            str(row.index),
            row.kind,
            "×".join(map(str, row.shape)) or "scalar",
            row.dtype,
            format_count(row.macs) if row.macs else "",
            format_count(row.parameters) if row.parameters else "",
            row.quantization,
        )
    stdout.print(table)
