"""``penstock run``: a model runs on a virtual board, or on this computer."""

from pathlib import Path

import click
import numpy as np
from rich.markup import escape

from penstock import api
from penstock.cli.console import (
    json_option,
    plain_table,
    progress_bar,
    show_memory,
    stdout,
    write_file,
    write_json,
)
from penstock.errors import InputError
from penstock.report.outputs import dequantized, encode_outputs
from penstock.report.results import OperatorResult, RunResult, Truth
from penstock.units import format_bytes, format_count

TOP_COUNT = 5
BACKGROUND = "background"
OPERATORS_SHOWN = 10


@click.command()
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL.tflite|DIR")
@click.option("--board", metavar="NAME|host", help="Virtual board (default for DIR: its own).")
@click.option(
    "--input",
    "input_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .npy, a .npz for several inputs, or an image: its centre is resized to the model's "
    "input and its pixels 0…255 are spread over the input's integer range. "
    "Default: random values.",
)
@click.option(
    "--output",
    "output_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the outputs: .npy (one output) or .npz.",
)
@click.option(
    "--labels",
    "labels_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Class names, one a line, to print with the answer.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of random inputs.",
)
@click.option(
    "--verify", is_flag=True, help="Compare every operator's output with the interpreter."
)
@click.option("--weights-in", metavar="REGION", help="Memory for the weights (default: chosen).")
@click.option("--arena-in", metavar="REGION", help="Memory for the arena (default: chosen).")
@json_option
def run(
    model: Path,
    board: str | None,
    input_path: Path | None,
    output_path: Path | None,
    labels_path: Path | None,
    seed: int,
    verify: bool,
    weights_in: str | None,
    arena_in: str | None,
    json_path: Path | None,
) -> None:
    """Run a model or a compiled project on a virtual board.

    DIR is what `penstock compile` made. The board `host` is this computer. Shows the answer, where
    every byte lives, and what each operator cost.
    """
    labels = None if labels_path is None else _read_labels(labels_path)
    _check_output(output_path, json_path)
    options = api.CompileOptions(weights_in=weights_in, arena_in=arena_in, check=False)
    with progress_bar() as progress:
        outcome = api.run(
            model,
            board=board,
            inputs=input_path,
            seed=seed,
            verify=verify,
            options=options,
            progress=progress,
        )
    if labels is not None:
        labels = fit_labels(labels, outcome.output_tensors[0].element_count)
    if output_path is not None:
        names = [tensor.name for tensor in outcome.output_tensors]
        write_file(output_path, encode_outputs(names, outcome.outputs, output_path.suffix.lower()))
    write_json(outcome.result.to_json(), json_path)
    if str(json_path) != "-":
        _show(outcome, labels)


def _read_labels(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(
            f"cannot read labels from {str(path)!r}: {reason}",
            help="give a text file with one class name a line",
        ) from error


def _check_output(output_path: Path | None, json_path: Path | None) -> None:
    if output_path is None:
        return
    if output_path.suffix.lower() not in (".npy", ".npz"):
        raise InputError(
            f"--output {str(output_path)!r} is neither .npy nor .npz",
            help="give it one of these suffixes",
        )
    if output_path == json_path:
        raise InputError(
            f"--output and --json are the same file {str(output_path)!r}", help="name two files"
        )


def _show(outcome: api.RunOutcome, labels: list[str] | None) -> None:
    result = outcome.result
    where = "this computer" if result.truth is Truth.HOST else f"virtual {result.board}"
    stdout.print(f"[bold]{result.model}[/] on [bold]{where}[/], input: {result.input_origin}")
    for tensor, values in zip(outcome.output_tensors, outcome.outputs, strict=True):
        _show_answer(tensor, values, labels)
    show_memory(result.memory)
    if result.truth is Truth.SIMULATE:
        _show_instructions(result)
        stdout.print(f"\nstack: {format_bytes(result.stack_bytes or 0)} used of what is reserved")
    verb = "running" if result.truth is Truth.HOST else "simulating"
    stdout.print(
        f"{result.compiler}; {verb} it once took {result.run_seconds:.2g} s on this computer",
        soft_wrap=True,
    )
    if result.verified:
        stdout.print("[green]verified[/]: every operator gave the interpreter's bytes")


def fit_labels(labels: list[str], class_count: int) -> list[str]:
    """Return one label per class.

    Label files for ImageNet come with and without a name for class 0, "background"; both fit
    networks with and without that class.

    Raises:
        InputError: the numbers differ otherwise.
    """
    if len(labels) == class_count + 1 and labels[0] == BACKGROUND:
        return labels[1:]
    if len(labels) == class_count - 1 and BACKGROUND not in labels:
        return [BACKGROUND, *labels]
    if len(labels) != class_count:
        raise InputError(
            f"the labels file names {len(labels)} classes, the output has {class_count} values",
            help="give a file with one name a line, for this network's classes",
        )
    return labels


def _show_answer(tensor: api.Tensor, values: api.Array, labels: list[str] | None) -> None:
    flat = dequantized(tensor, values).reshape(-1)
    shape = "×".join(map(str, tensor.shape))
    stdout.print(f"\n[bold]Output {escape(tensor.name)}[/] ({tensor.dtype.value} {shape})")
    table = plain_table()
    table.add_column("index", justify="right")
    if labels is not None:
        table.add_column("label")
    table.add_column("raw", justify="right")
    table.add_column("real value", justify="right")
    for index in np.argsort(-flat, kind="stable")[:TOP_COUNT]:
        label = [] if labels is None else [labels[index]]
        table.add_row(str(index), *label, str(values.reshape(-1)[index]), f"{flat[index]:.4g}")
    stdout.print(table)


def _show_instructions(result: RunResult) -> None:
    total = result.instructions or 0
    executed = sum(row.macs for row in result.operators)
    stdout.print(
        f"\n[bold]Simulated: {format_count(total)} instructions[/]{_per_mac(total, executed)} "
        "(cycles, time and energy are not modelled yet)"
    )
    if executed != result.macs:
        stdout.print(
            f"MACs executed: {format_count(executed)} of the model's {format_count(result.macs)}; "
            "the rest was removed by the passes"
        )
    table = plain_table()
    for heading in ("step", "operator", "output", "MACs", "instructions", "share"):
        table.add_column(heading, justify="left" if heading in ("operator", "output") else "right")
    ranked = sorted(result.operators, key=lambda row: -(row.instructions or 0))
    for row in ranked[:OPERATORS_SHOWN]:
        table.add_row(*_instruction_row(row, total))
    if len(ranked) > OPERATORS_SHOWN:
        rest = sum(row.instructions or 0 for row in ranked[OPERATORS_SHOWN:])
        table.add_row(
            "",
            f"{len(ranked) - OPERATORS_SHOWN} others",
            "",
            "",
            format_count(rest),
            _share(rest, total),
        )
    stdout.print(table)


def _per_mac(instructions: int, macs: int) -> str:
    return f", {instructions / macs:.2f} per MAC executed" if macs else ""


def _instruction_row(row: OperatorResult, total: int) -> tuple[str, ...]:
    count = row.instructions or 0
    shape = "×".join(map(str, row.shape))
    macs = format_count(row.macs) if row.macs else ""
    return str(row.index), row.kind, shape, macs, format_count(count), _share(count, total)


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %" if total else ""
