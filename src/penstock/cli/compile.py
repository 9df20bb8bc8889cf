"""``penstock compile``: a model becomes a C project."""

from pathlib import Path

import click
from rich.markup import escape

from penstock import api
from penstock.cli.console import progress_bar, stdout, write_json
from penstock.cli.options import calibration_options, json_option, plan_options
from penstock.cli.overlay_tables import show_planned_overlays
from penstock.cli.places import (
    STANDARD_OUTPUT,
    board_file,
    model_file,
    output_folder,
    refuse_overwriting,
)
from penstock.cli.tables import arena_bound, show_calibrated, show_memory
from penstock.planning.execution_plan import PlanSearch
from penstock.report.results import CompileResult
from penstock.units import format_bytes, format_count


@click.command("compile")
@click.argument("model", callback=model_file, metavar="MODEL")
@click.option(
    "--board",
    required=True,
    metavar="NAME",
    help="Board to compile for (`penstock boards` lists them), or 'host' for any C99 compiler.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    callback=output_folder,
    metavar="DIR",
    help="Folder to create; an earlier Penstock project there is replaced.",
)
@calibration_options
@plan_options
@click.option(
    "--check/--no-check",
    default=True,
    show_default=True,
    help="Build the C for the board (adding firmware/*.elf) and for this computer, run it here "
    "and compare it with the interpreter, operator by operator.",
)
@json_option
def compile_command(
    model: Path,
    board: str,
    output: Path,
    calibration: api.Calibration | None,
    plan: api.PlanOptions,
    check: bool,
    json_path: Path | None,
) -> None:
    """Compile a model into a stand-alone C99 project.

    The folder holds the model's C, its weights, the kernels it uses, CMakeLists.txt, a linker
    fragment and a README for whoever integrates it. It is written whole or not at all.

    MODEL is an int8 .tflite file, or an .onnx file in the QDQ format. A float network (.tflite,
    .onnx or .pt2) is quantized on the way if there are data to --calibrate with, as
    `penstock quantize` does by default.
    """
    refuse_overwriting(
        {"the model": model, "the board": board_file(board), "the output folder": output},
        {"--json": json_path},
    )
    options = api.CompileOptions(plan, check=check, calibration=calibration)
    with progress_bar() as progress:
        result = api.compile(model, board=board, output=output, options=options, progress=progress)
    write_json(result.to_json(), json_path)
    if json_path != STANDARD_OUTPUT:
        _show(result)


def _show(result: CompileResult) -> None:
    stdout.print(
        f"[bold]{escape(result.model)}[/] compiled for [bold]{escape(result.board)}[/]: "
        f"{escape(result.directory)}",
        soft_wrap=True,
    )
    show_calibrated(result.calibrated)
    stdout.print(
        f"  {result.steps} steps, {format_count(result.macs)} MACs"
        + _saved(result.macs_original, result.macs)
    )
    bound = result.arena_bytes_lower_bound
    least = "" if bound is None else f" ({arena_bound(result.arena_bytes, bound)})"
    stdout.print(
        f"  weights {format_bytes(result.weights_bytes)}; "
        f"arena {format_bytes(result.arena_bytes)}{least}"
        + (f"; state {format_bytes(result.state_bytes)}" if result.state_bytes else "")
    )
    stdout.print(f"  kernels: {escape(result.kernels)}", soft_wrap=True)
    if result.overlays is not None:
        show_planned_overlays(result.overlays, result.kinds)
    if result.search is not None:
        _show_search(result.search)
    checked = (
        "[green]checked[/]: the generated C gives the interpreter's bytes, operator by operator"
        if result.verified
        else "[yellow]not checked[/] (--no-check)"
    )
    stdout.print(f"  {checked}")
    show_memory(result.memory)


def _show_search(search: PlanSearch) -> None:
    """Print what comparing all tilings was worth, and what is left: estimates, all of them."""
    gained = 1 - search.cycles / search.greedy_cycles
    above = search.cycles / search.bound_cycles - 1
    stdout.print(
        f"  estimated {format_count(search.cycles)} cycles: {100 * gained:.2f} % fewer than with "
        f"--effort fast, and at most {100 * above:.2f} % above the best tiling"
        + ("" if search.is_complete else " (not all were compared)"),
        soft_wrap=True,
    )


def _saved(before: int, after: int) -> str:
    if before == after:
        return ""
    return f" ({format_count(before)} in the model; the passes removed the rest)"
