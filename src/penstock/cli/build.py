"""``penstock build``: a published network becomes a model file with random weights."""

from pathlib import Path

import click
from rich.markup import escape

from penstock import api
from penstock.cli.console import progress_bar, stdout, write_file, write_json
from penstock.cli.options import json_option, model_output_option, seed_option
from penstock.cli.places import STANDARD_OUTPUT, refuse_overwriting
from penstock.cli.tables import arena_bound
from penstock.design.published import FILTER_BITS
from penstock.units import format_bytes, format_count


@click.command("build")
@click.argument("network", metavar="NETWORK")
@click.option(
    "--width",
    type=float,
    default=1.0,
    show_default=True,
    metavar="FACTOR",
    help="Of all channels, which become multiples of 4.",
)
@click.option(
    "--resolution",
    type=int,
    default=160,
    show_default=True,
    metavar="PIXELS",
    help="Rows and columns of the RGB image.",
)
@click.option(
    "--classes",
    type=int,
    default=1000,
    show_default=True,
    metavar="NUMBER",
    help="How many scores the network gives.",
)
@click.option(
    "--zeros",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="How many of the filters of 1×1 convolutions and of the last layer are 0.",
)
@click.option(
    "--bits",
    type=int,
    default=8,
    show_default=True,
    metavar="NUMBER",
    help="Of all filters: 8 or 4.",
)
@seed_option("Which random weights.")
@model_output_option
@json_option
def build_command(
    network: str,
    width: float,
    resolution: int,
    classes: int,
    zeros: float,
    bits: int,
    seed: int,
    output: Path,
    json_path: Path | None,
) -> None:
    """Make a published network, to try a board with: an int8 model with random weights.

    \b
    NETWORK is one of
      mbv3  MobileNetV3-Large with 3×3 filters and ReLU6 throughout, without squeeze-and-excitation

    How long a network takes depends on its weights only where these are zeros, or of four bits. Its
    scales are chosen so that every layer uses its range, and it ends in scores, without a softmax.
    The same options give the same file.
    """  # noqa: D301 - click wants the character, not the words for it
    refuse_overwriting({}, {"--output": output, "--json": json_path})
    options = api.NetworkOptions(
        name=network,
        width=width,
        resolution=resolution,
        classes=classes,
        seed=seed,
        zeros=zeros,
        bits=bits,
    )
    with progress_bar() as progress:
        built = api.build(options, progress)
    write_file(output, built.content)
    write_json(built.result.to_json(str(output)), json_path)
    if json_path != STANDARD_OUTPUT:
        _show(built.result, output)


def _show(result: api.BuildResult, output: Path) -> None:
    options, totals = result.options, result.totals
    stdout.print(
        f"[bold]{escape(options.name)}[/], width {options.width:g}, for "
        f"{options.resolution}×{options.resolution} images and {options.classes} classes, with "
        f"random weights{_looks(options)}: {escape(str(output))}",
        soft_wrap=True,
    )
    stdout.print(
        f"  {totals.operators} operators, {format_count(totals.macs)} MACs, "
        f"{totals.parameters / 1e6:.3f} M parameters"
    )
    stdout.print(
        f"  weights {format_bytes(totals.weights_bytes)}; "
        f"arena {format_bytes(result.arena_bytes)} "
        f"({arena_bound(result.arena_bytes, result.arena_bytes_lower_bound)}); "
        f"file {format_bytes(result.file_bytes)}"
    )


def _looks(options: api.NetworkOptions) -> str:
    """Return what is said of filters that are not all int8 other than 0."""
    bits = "" if options.bits == FILTER_BITS[0] else f" of {options.bits} bits"
    return bits + (f", {options.zeros:.0%} of them 0" if options.zeros else "")
