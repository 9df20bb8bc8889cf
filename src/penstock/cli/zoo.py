"""``penstock zoo``: networks of our own, their files and their training."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from penstock import api
from penstock.cli.checkpoints import sole_use
from penstock.cli.compress import show_epoch
from penstock.cli.console import progress_bar, stdout, write_file, write_json
from penstock.cli.options import json_option, model_output_option
from penstock.cli.places import (
    STANDARD_OUTPUT,
    ending_in,
    model_file,
    refuse_overwriting,
    work_folder,
)
from penstock.design.compression.recipe import ITSELF
from penstock.errors import InputError
from penstock.report.zoo import zoo_document
from penstock.units import format_bytes, format_count


@click.group("zoo", invoke_without_command=True)
@json_option
@click.pass_context
def zoo_group(context: click.Context, json_path: Path | None) -> None:
    """Show the networks that come with Penstock; take one, or train it again.

    All are int8, trained by Penstock itself, and under its own licence (MIT).
    """
    if context.invoked_subcommand is None:
        write_json(zoo_document(api.zoo()), json_path)
        if json_path != STANDARD_OUTPUT:
            _show_networks()
    elif json_path is not None:
        raise InputError(
            f"--json before {context.invoked_subcommand!r} is of the list of networks",
            help=f"see penstock zoo {context.invoked_subcommand} --help",
        )


def _teacher(context: click.Context, parameter: click.Parameter, value: str | None) -> Path | None:
    """Take a network to learn from; whether the one to be trained can is said by its name."""
    if value is None or value == ITSELF:
        return None if value is None else Path(value)
    return model_file(context, parameter, value)


@zoo_group.command("get")
@click.argument("name", metavar="NAME")
@model_output_option
def get_command(name: str, output: Path) -> None:
    """Write the .tflite file of a network."""
    network = api.zoo_network(name)
    write_file(output, network.content())
    stdout.print(f"[bold]{escape(name)}[/]: {escape(str(output))}", soft_wrap=True)


@zoo_group.command("train")
@click.argument("name", metavar="NAME")
@model_output_option
@click.option(
    "--float",
    "float_path",
    callback=ending_in(".pt2"),
    metavar="FILE.pt2",
    help="Write the network in real numbers, too: what `penstock compress` takes.",
)
@click.option("--epochs", type=click.IntRange(1), metavar="NUMBER", help="Default: the recipe's.")
@click.option("--seed", type=click.IntRange(0), metavar="NUMBER", help="Default: the recipe's.")
@click.option(
    "--distill",
    "teacher",
    callback=_teacher,
    metavar="TEACHER",
    help="Learn from this network besides, a model file in real numbers; autoencoders cannot.",
)
@click.option("--threads", type=click.IntRange(1), metavar="NUMBER", help="Default: all.")
@click.option(
    "--work",
    callback=work_folder,
    metavar="DIR",
    help="Keep checkpoints here: the same command goes on after an interruption.",
)
@json_option
def train_command(
    name: str, output: Path, float_path: Path | None, json_path: Path | None, **wishes: Any
) -> None:
    """Train a network from nothing, quantize it, and measure its C over the whole test set.

    The same seed and number of threads give the same file on the same kind of computer.
    """
    refuse_overwriting(
        {"the teacher": wishes["teacher"]},
        {"--output": output, "--float": float_path, "--json": json_path},
    )
    teacher = wishes.pop("teacher")
    options = api.ZooTraining(teacher=None if teacher is None else str(teacher), **wishes)
    with nullcontext() if options.work is None else sole_use(options.work):
        with progress_bar() as progress:
            made = api.train_zoo(name, options, api.Notices(progress, epoch=show_epoch))
        if not api.is_first_process():
            return
        write_file(output, made.content)
        if float_path is not None:
            write_file(float_path, made.program)
        write_json(made.result.to_json(str(output)), json_path)
    if json_path != STANDARD_OUTPUT:
        _show_trained(made.result, output)


def _show_trained(result: api.ZooResult, output: Path) -> None:
    totals = result.totals
    stdout.print(
        f"[bold]{escape(result.name)}[/] trained in {result.seconds / 60:.1f} min: "
        f"{escape(str(output))}, {format_bytes(result.file_bytes)}",
        soft_wrap=True,
    )
    stdout.print(f"  {format_count(totals.macs)} MACs, {totals.parameters / 1e6:.3f} M parameters")
    stdout.print(
        f"  {result.measure} over {result.test_samples} test samples of {escape(result.data)}: "
        f"{100 * result.float_score:.2f} % in real numbers, {100 * result.score:.2f} % of the C",
        soft_wrap=True,
    )


def _show_networks() -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "data"):
        table.add_column(heading, no_wrap=True)
    for heading in ("file", "float", "int8, in C"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("of", no_wrap=True)
    networks = api.zoo()
    for network in networks:
        table.add_row(
            network.name,
            network.data,
            format_bytes(len(network.content())),
            f"{100 * network.float_score:.2f} %",
            f"{100 * network.score:.2f} %",
            network.measure,
        )
    stdout.print(table)
    for network in networks:
        stdout.print(f"  {network.name}: {network.about}", style="dim", soft_wrap=True)
    stdout.print(
        "  zoo get NAME -o FILE writes one of them; zoo train NAME -o FILE trains it anew",
        style="dim",
    )
