"""``penstock inspect``: what is in a model."""

from pathlib import Path

import click
from rich.table import Table

from penstock import api
from penstock.cli.console import json_option, stdout, write_json
from penstock.units import format_bytes, format_count


@click.command("inspect")
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL.tflite")
@click.option("--text", "as_text", is_flag=True, help="Print the graph's text form instead.")
@click.option("--optimized", is_flag=True, help="Show the graph after all passes.")
@json_option
def inspect_command(model: Path, as_text: bool, optimized: bool, json_path: Path | None) -> None:
    """Show operators, shapes, MACs, parameters, quantization and the memory needed."""
    inspection = api.inspect(model, optimized=optimized)
    write_json(inspection.to_json(), json_path)
    if str(json_path) == "-":
        return
    if as_text:
        click.echo(api.format_graph(inspection.graph), nl=False)
        return
    stdout.print(_operator_table(inspection))
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


def _operator_table(inspection: api.Inspection) -> Table:
    table = Table(title=inspection.graph.name, title_justify="left", title_style="bold")
    table.add_column("#", justify="right")
    table.add_column("operator")
    table.add_column("output")
    table.add_column("type")
    table.add_column("MACs", justify="right")
    table.add_column("params", justify="right")
    table.add_column("quantization")
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
    return table
