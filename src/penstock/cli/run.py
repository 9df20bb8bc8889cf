"""``penstock run``: a model runs on a virtual board, or on this computer."""

from pathlib import Path

import click
from rich.markup import escape

from penstock import api
from penstock.cli.console import progress_bar, stderr, write_file, write_json
from penstock.cli.labels import fit_labels, read_labels
from penstock.cli.options import (
    calibration_options,
    input_option,
    json_option,
    plan_options,
    seed_option,
)
from penstock.cli.places import (
    STANDARD_OUTPUT,
    board_file,
    input_file,
    model_or_project,
    refuse_overwriting,
    result_file,
)
from penstock.cli.run_tables import show_run
from penstock.errors import InputError
from penstock.report.outputs import encode_outputs
from penstock.report.summary import HOST
from penstock.report.trace import render_trace


@click.command()
@click.argument("model", callback=model_or_project, metavar="MODEL|DIR")
@click.option(
    "--board",
    metavar="NAME",
    help="Virtual board (`penstock boards` lists them), or 'host' for this computer. "
    "Default for DIR: the board that it was compiled for.",
)
@input_option
@click.option(
    "--detail",
    type=click.IntRange(1),
    metavar="PIXELS",
    help="Reduce an image to so many pixels of its shorter side first: what the network was "
    "trained on, where that was enlarged.",
)
@click.option(
    "--output",
    "output_path",
    callback=result_file,
    metavar="FILE",
    help="Write the outputs, as the model gives them: .npy (one output) or .npz (any number).",
)
@click.option(
    "--labels",
    "labels_path",
    callback=input_file,
    metavar="FILE",
    help="Class names, one a line, to print with the answer.",
)
@seed_option()
@click.option(
    "--verify", is_flag=True, help="Compare every operator's output with the interpreter's."
)
@calibration_options
@plan_options
@click.option(
    "--operators",
    "every_operator",
    is_flag=True,
    help="List every operator: where its tensors live, how it was parted, what was hidden.",
)
@click.option(
    "--trace",
    "trace_path",
    callback=result_file,
    metavar="FILE",
    help="Write what happened when as a timeline, to open at https://ui.perfetto.dev.",
)
@json_option
def run(
    model: Path,
    board: str | None,
    input_path: Path | None,
    detail: int | None,
    output_path: Path | None,
    labels_path: Path | None,
    seed: int,
    verify: bool,
    calibration: api.Calibration | None,
    plan: api.PlanOptions,
    every_operator: bool,
    trace_path: Path | None,
    json_path: Path | None,
) -> None:
    """Run a model or a compiled project on a virtual board, or here.

    MODEL is compiled first; DIR is what `penstock compile` made. Shows the answer, where
    every byte lives and, on a virtual board, how many cycles each operator took.
    """
    _check_output(output_path)
    refuse_overwriting(
        {
            "the model": model,
            "the board": board_file(board),
            "the input": input_path,
            "the labels": labels_path,
        },
        {"--output": output_path, "--trace": trace_path, "--json": json_path},
    )
    if trace_path is not None and board == HOST:
        raise _no_trace(board)
    labels = None if labels_path is None else read_labels(labels_path)
    options = api.CompileOptions(plan, check=False, calibration=calibration)
    with progress_bar() as progress:
        outcome = api.run(
            model,
            board=board,
            inputs=input_path,
            seed=seed,
            detail=detail,
            verify=verify,
            options=options,
            progress=progress,
        )
    if labels is not None:
        labels = fit_labels(labels, outcome.output_tensors[0].element_count)
    _write_files(outcome, output_path, trace_path)
    write_json(outcome.result.to_json(), json_path)
    if json_path != STANDARD_OUTPUT:
        show_run(outcome, labels, every_operator=every_operator)


def _write_files(
    outcome: api.RunOutcome, output_path: Path | None, trace_path: Path | None
) -> None:
    if output_path is not None:
        names = [tensor.name for tensor in outcome.output_tensors]
        write_file(output_path, encode_outputs(names, outcome.outputs, output_path.suffix.lower()))
    if trace_path is not None:
        _write_trace(outcome, trace_path)


def _write_trace(outcome: api.RunOutcome, path: Path) -> None:
    if outcome.trace is None:
        raise _no_trace(outcome.result.board)
    write_file(path, render_trace(outcome.trace).encode())
    if not outcome.trace["otherData"]["is_complete"]:
        stderr.print(
            f"[yellow]warning[/]: the trace in {escape(repr(str(path)))} is cut: more happened "
            "than it has room for, and the end is missing",
            soft_wrap=True,
        )


def _no_trace(board: str) -> InputError:
    return InputError(
        f"--trace needs the time of a virtual board, which {board!r} does not tell",
        help="leave out --trace, or choose a board with timing: `penstock boards` lists them",
    )


def _check_output(output_path: Path | None) -> None:
    if output_path is not None and output_path.suffix.lower() not in (".npy", ".npz"):
        raise InputError(
            f"--output {str(output_path)!r} is neither .npy nor .npz",
            help="give it one of these suffixes",
        )
