"""``penstock bench``: how fast kernels and models are."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.markup import escape

from penstock import api
from penstock.cli.console import progress_bar, stdout, write_file, write_json
from penstock.cli.kernel_tables import show_kernels
from penstock.cli.options import board_option, json_option, plan_options
from penstock.cli.parameters import virtual_boards
from penstock.cli.places import (
    STANDARD_OUTPUT,
    board_file,
    model_files,
    refuse_overwriting,
    result_file,
)
from penstock.cli.tables import add_columns, plain_table
from penstock.errors import InputError
from penstock.units import format_joules

_WORST_FITS = 5


@click.group("bench", invoke_without_command=True)
@click.pass_context
def bench(context: click.Context) -> None:
    """Time kernels and models on virtual boards."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@bench.command("ops")
@board_option
@click.option(
    "--fit",
    "fit_path",
    callback=result_file,
    metavar="FILE",
    help="Instead of the tables: time every loop of every kernel, fit the costs that "
    "`penstock inspect --board` estimates with, and write them to FILE.",
)
@json_option
def ops(board: str, fit_path: Path | None, json_path: Path | None) -> None:
    """Time kernels by shape, and by the memories of their weights and activations.

    The first table has what each int8 kernel costs with its activations in the board's fastest
    memory: cycles, the share of them that the core waited and what for mostly, energy as `penstock
    run` counts it (power by state times time, and the bytes of external memory that move
    meanwhile), and the code of the kernel's own files as linked, some of which other kernels share.
    Then come a few kernels in each memory, with what `penstock inspect --board` would have
    estimated beside them.

    Cycles are simulated, one inference of a network of a few operators, which begins with cold
    caches: the first operator of a kernel brings its code. Shapes that a memory has no room for
    are left out.
    """
    refuse_overwriting({"the board": board_file(board)}, {"--json": json_path, "--fit": fit_path})
    if fit_path is not None and json_path is not None:
        raise InputError(
            "--fit and --json exclude each other: a fit has no table", help="leave one out"
        )
    with progress_bar() as progress:
        result = api.bench_ops(board, fit=fit_path is not None, progress=progress)
    write_json(result.to_json(), json_path)
    if fit_path is not None and result.coefficients is not None:
        write_file(fit_path, api.format_coefficients(result.coefficients).encode())
    if json_path == STANDARD_OUTPUT:
        return
    if result.coefficients is not None:
        _show_fit(result.coefficients)
    else:
        show_kernels(result)


@bench.command("models")
@click.argument("models", nargs=-1, required=True, callback=model_files, metavar="MODEL...")
@click.option(
    "--board",
    "boards",
    required=True,
    multiple=True,
    callback=virtual_boards,
    metavar="NAME",
    help="Virtual board, or the path of a board's .toml file; give it several times for more.",
)
@plan_options
@json_option
def models_command(
    models: Sequence[Path], boards: Sequence[str], plan: api.PlanOptions, json_path: Path | None
) -> None:
    """Time models on virtual boards, beside the best that was published.

    One inference with random values, every operator compared with the interpreter. Cycles and
    instructions for each multiply-accumulate (MAC) count those of the model as it was, before any
    pass; boards that run in QEMU have instructions only. Published figures
    are MLPerf Tiny's, for its four models.
    """
    sources = {f"the model {str(path)!r}": path for path in models}
    files = {f"the board {board!r}": board_file(board) for board in boards}
    refuse_overwriting({**sources, **files}, {"--json": json_path})
    with progress_bar() as progress:
        options = api.CompileOptions(plan)
        found = api.bench_models(models, boards=boards, options=options, progress=progress)
    write_json(found.to_json(), json_path)
    if json_path != STANDARD_OUTPUT:
        _show_models(found.timings)


def _show_models(timings: Sequence[api.ModelTiming]) -> None:
    stdout.print(
        "[bold]Simulated[/], one inference each, every operator equal to the interpreter's",
        soft_wrap=True,
    )
    table = plain_table()
    headings = ("ms", "stalls", "energy", "instr./MAC", "cycles/MAC", "published")
    add_columns(table, ("model", "board"), ("model", "board", *headings))
    for timing in timings:
        result, record = timing.result, timing.record
        time, total = result.time, result.energy.total
        each, instructions = result.cycles_per_mac, result.instructions_per_mac
        table.add_row(
            escape(Path(result.model).stem),
            escape(result.board),
            "-" if time is None else f"{time.latency_ms:.3g}",
            "-" if time is None else f"{100 * sum(time.stalls.values()) / time.cycles:.0f} %",
            "-" if total is None else format_joules(total.value / 1e3),
            "-" if instructions is None else f"{instructions:.3f}",
            "-" if each is None else f"{each:.3f}",
            "-" if record is None else f"{record.cycles_per_mac:.2f}",
        )
    stdout.print(table)
    stdout.print(
        "MAC: of the model, before any pass. Published: cycles/MAC. -: not known, as cycles are of "
        "boards that run in QEMU.",
        soft_wrap=True,
    )
    if records := dict.fromkeys(timing.record for timing in timings if timing.record is not None):
        stdout.print("Published, the best of the closed division on the chip, or else on its core:")
        for record in records:
            stdout.print(
                f"  {record.cycles_per_mac:.2f} {escape(record.chip)}, {escape(record.source)}",
                soft_wrap=True,
            )


def _show_fit(coefficients: api.CoreCoefficients) -> None:
    kernels = coefficients.kernels
    cases = sum(kernel.cases for kernel in kernels.values())
    stdout.print(
        f"fitted {len(kernels)} kernels on {coefficients.core} to {cases} calls; "
        f"the {_WORST_FITS} worst:"
    )
    table = plain_table()
    add_columns(table, ("kernel",), ("kernel", "calls", "median error", "worst error"))
    worst = sorted(kernels.items(), key=lambda item: -item[1].error_worst)[:_WORST_FITS]
    for name, kernel in worst:
        table.add_row(
            name,
            str(kernel.cases),
            f"{100 * kernel.error_median:.1f} %",
            f"{100 * kernel.error_worst:.1f} %",
        )
    stdout.print(table)
