"""``penstock sensitivity``: which layers mind 4 bits."""

from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from penstock import api
from penstock.cli.console import progress_bar, stdout, write_json
from penstock.cli.options import json_option, pixel_options
from penstock.cli.places import STANDARD_OUTPUT, model_file, refuse_overwriting
from penstock.units import format_bytes, format_count


@click.command("sensitivity")
@click.argument("model", callback=model_file, metavar="MODEL")
@click.option("--data", required=True, metavar="DATA", help="As `penstock compress` takes it.")
@pixel_options
@json_option
def sensitivity_command(
    model: Path, data: str, scaling: api.PixelScaling | None, json_path: Path | None
) -> None:
    """Round the filters of one layer at a time to 4 bits, and show how far the answers move.

    `penstock compress --quantize mixed` gives 4 bits to the layers that mind them least.
    """
    refuse_overwriting({"the model": model}, {"--json": json_path})
    recipe = api.Recipe(data=data, scaling=scaling or api.PixelScaling())
    with progress_bar() as progress:
        found = api.sensitivity(model, recipe, api.Notices(progress))
    write_json(found.to_json(), json_path)
    if json_path != STANDARD_OUTPUT:
        _show(found)


def _show(found: api.SensitivityResult) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("layer", "operator"):
        table.add_column(heading, no_wrap=True)
    for heading in ("weights", "4 bits save", "divergence, nats", "share of all"):
        table.add_column(heading, justify="right", no_wrap=True)
    whole = sum(layer.divergence for layer in found.layers)
    for layer in found.layers:
        table.add_row(
            escape(layer.name),
            layer.kind,
            format_count(layer.weights),
            format_bytes(layer.saved_bytes) if layer.saved_bytes else "–",
            f"{layer.divergence:.3g}",
            f"{100 * layer.divergence / whole:.1f} %" if whole else "–",
        )
    stdout.print(table)
    stdout.print(
        "  how far class probabilities move, on the mean over training samples, when that layer "
        "alone has filters of 4 bits",
        style="dim",
        soft_wrap=True,
    )
