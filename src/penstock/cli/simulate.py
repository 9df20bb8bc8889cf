"""``penstock simulate``: firmware that somebody else linked runs on a virtual board."""

import codecs
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from penstock import api
from penstock.cli.console import progress_bar, stdout, write_json
from penstock.cli.options import board_option, json_option
from penstock.cli.parameters import option_name
from penstock.cli.places import STANDARD_OUTPUT, board_file, input_file, refuse_overwriting
from penstock.cli.run_tables import show_spent
from penstock.cli.tables import add_columns, format_share, plain_table
from penstock.errors import InputError
from penstock.units import format_count, format_seconds

FUNCTIONS_SHOWN = 10


def _number(_context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Take an address or a count, decimal or 0x.

    Raises:
        InputError: it is neither, or beyond 64 bits.
    """
    if value is None:
        return None
    try:
        number = int(value, 0)
    except ValueError:
        number = -1
    limit = 1 << (64 if parameter.name == "instruction_limit" else 32)
    if not 0 <= number < limit:
        raise InputError(
            f"{option_name(parameter)} is {value!r}, not a number from 0 to {limit - 1:#x}",
            help="write it as 134217728 or 0x08000000",
        )
    return number


@click.command("simulate")
@click.argument("file", callback=input_file, metavar="FILE")
@board_option
@click.option(
    "--base", callback=_number, metavar="ADDRESS", help="Where a raw binary FILE belongs."
)
@click.option(
    "--vectors",
    callback=_number,
    metavar="ADDRESS",
    help="Vector table (default: start of flash, or of the image).",
)
@click.option(
    "--stack",
    callback=_number,
    metavar="ADDRESS",
    help="Initial stack pointer (default: the vector table's, or the end of a RAM).",
)
@click.option("--from", "start", metavar="PLACE", help="Count from here (default: reset).")
@click.option(
    "--to",
    "end",
    metavar="PLACE|return",
    help="Count up to here and stop (default: the program's exit). 'return' is where the function "
    "at --from was called.",
)
@click.option(
    "--pass",
    "pass_number",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="NUMBER",
    help="Which passage from --from to --to to count.",
)
@click.option(
    "--call",
    "calls",
    multiple=True,
    metavar="PLACE[(ARGUMENTS)][,…]",
    help="Call functions instead of running the program, and count the last call. Repeat it to "
    "warm caches up.",
)
@click.option(
    "--after", metavar="PLACE", help="Run from reset up to here before the calls, such as main."
)
@click.option(
    "--load",
    "loads",
    multiple=True,
    metavar="FILE@PLACE",
    help="Put a file's bytes into memory: before the calls, or before reset.",
)
@click.option(
    "--caches",
    type=click.Choice(["on", "off"]),
    help="Caches at reset (default: a core's are off, as in hardware, and on for --call without "
    "--after; a cache on the code bus, outside the core, is on).",
)
@click.option(
    "--peripherals",
    type=click.Choice(["strict", "ignore"]),
    default="strict",
    show_default=True,
    help="Whether an access to a peripheral is an error, or goes to plain memory. Registers of the "
    "core and of most boards' DMA controllers are modelled.",
)
@click.option(
    "--timeout-instructions",
    "instruction_limit",
    callback=_number,
    default=str(api.DEFAULT_PROGRAM_OPTIONS.instruction_limit),
    show_default=True,
    metavar="NUMBER",
    help="A program that runs longer counts as runaway.",
)
@json_option
def simulate_command(
    file: Path,
    board: str,
    loads: tuple[str, ...],
    caches: str | None,
    peripherals: str,
    json_path: Path | None,
    **choices: Any,
) -> None:
    """Run any firmware on a virtual board and count it.

    FILE is what would be flashed: ELF, Intel HEX, or raw binary with --base. It starts at its
    vector table; what it prints by semihosting is shown, and its exit status. A PLACE is a symbol
    or an address, either with +OFFSET. docs/simulate.md says more.
    """
    # The other options have the names of what they choose.
    options = api.ProgramOptions(
        loads=loads,
        has_caches=None if caches is None else caches == "on",
        ignores_peripherals=peripherals == "ignore",
        **choices,
    )
    loaded = {f"what --load reads, {load}": Path(load.rpartition("@")[0]) for load in loads}
    refuse_overwriting(
        {"the firmware": file, "the board": board_file(board), **loaded}, {"--json": json_path}
    )
    with progress_bar() as progress:
        result = api.simulate(
            file,
            board=board,
            options=options,
            on_output=None if json_path == STANDARD_OUTPUT else _printer(),
            progress=progress,
        )
    write_json(result.to_json(), json_path)
    if json_path != STANDARD_OUTPUT:
        _show(result)


def _printer() -> Callable[[bytes], None]:
    """Return what prints pieces of output, of which one may end within a character."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    # While progress is shown on stderr, sys.stdout leads there, which is right for terminals only.
    stream = None if sys.stdout.isatty() else sys.stdout
    return lambda piece: click.echo(decoder.decode(piece), file=stream, nl=False)


def _show(result: api.ProgramResult) -> None:
    if result.output and not result.output.endswith("\n"):
        stdout.print()
    time = result.time
    stdout.print(
        f"[bold]{escape(result.file)}[/] on [bold]virtual {escape(result.board)}[/], "
        f"{escape(result.counted)}",
        soft_wrap=True,
    )
    instructions = f"{result.instructions} instructions"
    if time is None:
        stdout.print(
            f"[bold]Simulated: {instructions}[/]; the board's file does not say how long accesses "
            "take",
            soft_wrap=True,
        )
    else:
        stdout.print(
            f"[bold]Simulated: {time.cycles} cycles[/], {format_seconds(time.latency_ms / 1e3)} at "
            f"{time.clock_hz / 1e6:g} MHz, {instructions}",
            soft_wrap=True,
        )
        show_spent(result.energy, time)
        _show_caches(result.caches)
    stdout.print(
        "\nSanitizers were off: they know what a model's operators may touch, not what this "
        "program may (docs/simulate.md)",
        soft_wrap=True,
    )
    _show_functions(result)
    _show_end(result)


def _show_caches(caches: Mapping[str, bool]) -> None:
    """Say which caches were off, which a program's author seldom wants."""
    if off := [name for name, is_on in caches.items() if not is_on]:
        were = "cache was" if len(off) == 1 else "caches were"
        stdout.print(
            f"\nThe {' and '.join(off)} {were} off at the end; --caches on starts with them on",
            soft_wrap=True,
        )


def _show_functions(result: api.ProgramResult) -> None:
    """Print where the instructions went; of a single function the headline says it."""
    if len(result.functions) == 1:
        return
    table = plain_table()
    add_columns(table, ("function",), ("function", "instructions", "share"))
    for name, count in list(result.functions.items())[:FUNCTIONS_SHOWN]:
        share = format_share(count, result.instructions)
        table.add_row(escape(name), format_count(count), share)
    shown = min(len(result.functions), FUNCTIONS_SHOWN)
    stdout.print(f"\n{shown} of {len(result.functions)} functions, callees not included:")
    stdout.print(table)


def _show_end(result: api.ProgramResult) -> None:
    if result.return_value is not None:
        stdout.print(f"returned {result.return_value} ({result.return_value:#x})")
    if result.exit_status is not None:
        stdout.print(f"exit status {result.exit_status}")
    if result.invented_reads:
        stdout.print(
            f"[yellow]made-up values[/] answered {result.invented_reads} of the program's reads of "
            "registers that it polled: count a stretch that does not wait for peripherals",
            soft_wrap=True,
        )
