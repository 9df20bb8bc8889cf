"""A folder of checkpoints: one run at a time has it, and nothing is left that is of no use."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from rich.markup import escape

from penstock.cli.console import stderr
from penstock.errors import InputError, os_reason
from penstock.options import process_place

_LOCK = ".lock"
_TRIES = 100
"""How often the folder may vanish, because other runs end, before this one gives up."""


@contextmanager
def sole_use(folder: Path, *, is_kept: bool = True) -> Iterator[None]:
    """Keep a folder of checkpoints for this run, and those that `torchrun` started with it.

    Folders that were made for it go again where nothing is in them.

    Args:
        folder: made where it is not there.
        is_kept: whether checkpoints stay when all is done; else they go, and their folder, too,
            unless somebody keeps something else there. They stay after an interruption.

    Raises:
        InputError: another run has it, or nothing can be written there.
    """
    if process_place()[0]:
        yield
        return
    made: list[Path] = []
    try:
        with _lock(folder, made):
            try:
                yield
                if not is_kept:
                    _clear(folder)
                    made.append(folder)
            finally:
                # Before the lock is given up: what lies there afterwards is another run's.
                (folder / _LOCK).unlink(missing_ok=True)
    finally:
        for each in reversed(made):
            with suppress(OSError):
                each.rmdir()


def _lock(folder: Path, made: list[Path]) -> IO[str]:
    """Return the open file that locks a folder until it is closed.

    Args:
        folder: made where it is not there.
        made: gets all folders that were made, the outermost first.

    Raises:
        InputError: another run has it, or nothing can be written there.
    """
    lock = folder / _LOCK
    for _ in range(_TRIES):
        try:
            _make(folder, made)
            file = lock.open("a")
        except FileNotFoundError:
            continue  # another run has just taken the folder away
        except OSError as error:
            raise InputError(
                f"cannot keep checkpoints in {str(folder)!r}: {os_reason(error)}",
                help="name a place where you may write: another --output or --work",
            ) from error
        _lock_file(file, folder)
        if _is_at(file, lock):
            return file
        file.close()  # the run that had it has unlinked it: whoever comes next makes another
    raise _taken(folder)


def _make(folder: Path, made: list[Path]) -> None:
    """Make a folder and those above it, and note which were not there."""
    for each in (*reversed(folder.parents), folder):
        if not each.is_dir():
            with suppress(FileExistsError):
                each.mkdir()
                made.append(each)


def _lock_file(file: IO[str], folder: Path) -> None:
    """Lock the file of a folder; where the system has no locks, warn and go on.

    Raises:
        InputError: another run has locked it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise _taken(folder) from error
    except OSError as error:
        stderr.print(
            f"[yellow]warning[/]: nothing keeps other runs out of {escape(repr(str(folder)))}: "
            f"{escape(os_reason(error))}",
            soft_wrap=True,
        )


def _is_at(file: IO[str], path: Path) -> bool:
    """Return whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _taken(folder: Path) -> InputError:
    return InputError(
        f"another run keeps its checkpoints in {str(folder)!r}",
        help="wait for it, or name another --output or --work",
    )


def _clear(folder: Path) -> None:
    """Take checkpoints away."""
    for pattern in ("*.pt", ".checkpoint.*"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
