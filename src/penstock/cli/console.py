"""What the verbs share: consoles, progress and the writing of result files."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from penstock.cli.places import STANDARD_OUTPUT
from penstock.errors import InputError, os_reason
from penstock.progress import Progress
from penstock.report.results import render_json

_UNLIMITED_WIDTH = 10_000
PIPED_WIDTH = 120
"""Columns where neither a terminal nor COLUMNS says how many there are."""


class _Console(Console):
    """A console that leaves to the command line what happens when nobody reads its output."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; a table of columns that never wrap is not made narrower than its figures are."""
        if len(objects) == 1 and isinstance(objects[0], Table):
            (table,) = objects
            if all(column.no_wrap for column in table.columns):
                unlimited = self.options.update(max_width=_UNLIMITED_WIDTH)
                needed = Measurement.get(self, unlimited, table).maximum
                if needed > self.width:
                    table.width = needed
                    options["crop"] = False
        super().print(*objects, **options)


def _console(*, is_stderr: bool) -> Console:
    console = _Console(stderr=is_stderr, highlight=False)
    if not console.is_terminal:
        console.width = shutil.get_terminal_size((PIPED_WIDTH, 25)).columns
    return console


stdout = _console(is_stderr=False)
stderr = _console(is_stderr=True)


def write_json(document: Mapping[str, Any], path: Path | None) -> None:
    """Write a result as JSON, whole or not at all; nothing when no path was given."""
    if path is None:
        return
    text = render_json(document)
    if path == STANDARD_OUTPUT:
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
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot write {str(path)!r}: {os_reason(error)}",
            help="name a place that can be written; what was there is as it was",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show progress on stderr where that is a terminal, and take it away at the end."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
    )
    is_shown = stderr.is_terminal and not stderr.is_dumb_terminal
    with Bar(*columns, console=stderr, transient=True, disable=not is_shown) as bar:
        task = bar.add_task("starting", total=None)

        def report(stage: str, fraction: float | None) -> None:
            total = None if fraction is None else 1.0
            bar.update(task, description=stage, total=total, completed=fraction or 0.0)

        yield report
