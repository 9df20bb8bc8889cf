"""What the verbs share: consoles, options, progress and the writing of result files."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from penstock.errors import InputError
from penstock.report.results import MemoryUse, render_json
from penstock.units import format_bytes

PIPED_WIDTH = 120
"""Columns where the output is no terminal, so that a table in a file does not wrap at 80."""


def _console(*, is_stderr: bool) -> Console:
    console = Console(stderr=is_stderr, highlight=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    return console


stdout = _console(is_stderr=False)
stderr = _console(is_stderr=True)

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """Add ``--json FILE`` to a verb."""
    return click.option(
        "--json",
        "json_path",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write the result as JSON to FILE ('-' for standard output).",
    )(command)


def write_json(document: Mapping[str, Any], path: Path | None) -> None:
    """Write a result as JSON, whole or not at all; nothing when no path was given."""
    if path is None:
        return
    text = render_json(document)
    if str(path) == "-":
        click.echo(text, nl=False)
        return
    write_file(path, text.encode())


def _umask() -> int:
    """Return the permissions that new files lack; reading them means setting them for a moment."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def write_file(path: Path, content: bytes) -> None:
    """Write a file by renaming a finished one into place.

    Raises:
        InputError: the folder is missing, read-only or full.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror}") from error
    finally:
        Path(temporary).unlink(missing_ok=True)


@contextmanager
def progress_bar() -> Iterator[Callable[[str, float | None], None]]:
    """Show progress on stderr; yields a function taking a stage name and a fraction or None."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=stderr, transient=True) as progress:
        task = progress.add_task("starting", total=None)

        def report(stage: str, fraction: float | None) -> None:
            total = None if fraction is None else 1.0
            progress.update(task, description=stage, total=total, completed=fraction or 0.0)

        yield report


def show_memory(memory: Mapping[str, MemoryUse]) -> None:
    """Print a table of bytes used by memory region, and what they are."""
    stdout.print("\n[bold]Where the bytes live[/]")
    table = plain_table()
    table.add_column("memory")
    table.add_column("used", justify="right")
    table.add_column("of", justify="right")
    table.add_column("", justify="right")
    table.add_column("by")
    for region, use in memory.items():
        contents = ", ".join(
            f"{what} {format_bytes(size_bytes)}" for what, size_bytes in use.contents.items()
        )
        capacity = share = ""
        if use.capacity_bytes is not None:
            capacity = format_bytes(use.capacity_bytes)
            share = f"{100 * use.used_bytes / use.capacity_bytes:.1f} %"
        table.add_row(region, format_bytes(use.used_bytes), capacity, share, contents)
    stdout.print(table)


def plain_table() -> Table:
    """Return an empty table in the style of all verbs."""
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
