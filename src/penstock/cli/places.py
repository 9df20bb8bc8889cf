"""What files and folders on the command line may be; wrong ones are refused before any work.

As in `parameters`, callbacks of the argument parser.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from penstock.cli.parameters import option_name
from penstock.codegen.project_files import listed_files
from penstock.design.data import DATA_SETS
from penstock.errors import InputError
from penstock.frontends.source_models import SUFFIXES
from penstock.pipeline import BOARD_SUFFIX

STANDARD_OUTPUT = Path("-")
_MODEL_FILE = f"a model file: {', '.join(SUFFIXES)}"


def model_file(_context: click.Context, parameter: click.Parameter, value: str) -> Path:
    """Take a model file.

    Raises:
        InputError: it is something else; the help says which verb takes it.
    """
    path = _not_empty(parameter, value)
    if path.is_dir():
        raise InputError(
            f"{value!r} is a folder, not a model file",
            help=f"give {_MODEL_FILE}; a compiled project is for `penstock run`",
        )
    return _model(path)


def model_files(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[Path, ...]:
    """Take several model files; raises as `model_file`."""
    return tuple(model_file(context, parameter, value) for value in values)


def model_or_project(_context: click.Context, parameter: click.Parameter, value: str) -> Path:
    """Take a model file or a compiled project.

    Raises:
        InputError: it is neither file nor folder.
    """
    return _model(_not_empty(parameter, value))


def _model(path: Path) -> Path:
    if not path.exists():
        raise InputError(f"there is no model {str(path)!r}", help="check the path")
    if not path.is_file() and not path.is_dir():
        raise InputError(
            f"{str(path)!r} is a device or pipe, not a model file", help=f"give {_MODEL_FILE}"
        )
    return path


def input_file(
    _context: click.Context, parameter: click.Parameter, value: str | None
) -> Path | None:
    """Take a file to read.

    Raises:
        InputError: it is missing or a folder.
    """
    if value is None:
        return None
    path = _not_empty(parameter, value)
    if path.is_dir():
        raise InputError(
            f"{option_name(parameter)} {value!r} is a folder, not a file", help="give a file in it"
        )
    if not path.exists():
        raise InputError(
            f"{option_name(parameter)}: there is no file {value!r}", help="check the path"
        )
    return path


def result_file(
    _context: click.Context, parameter: click.Parameter, value: str | None
) -> Path | None:
    """Take a file to write, in a folder that is there.

    Raises:
        InputError: it could not be written.
    """
    return None if value is None else _result(parameter, _not_empty(parameter, value))


def ending_in(suffix: str) -> Callable[[click.Context, click.Parameter, str | None], Path | None]:
    """Return what takes a file to write whose name tells its format by ending in ``suffix``.

    Raises:
        InputError: it could not be written, or has another name.
    """

    def take(context: click.Context, parameter: click.Parameter, value: str | None) -> Path | None:
        path = result_file(context, parameter, value)
        if path is None or path.suffix.lower() == suffix:
            return path
        where = f"{option_name(parameter)} {str(path)!r}"
        if path.name.lower() == suffix:
            raise InputError(
                f"{where} is a suffix without a name",
                help=f"put a name in front of it: {str(path.with_name(f'net{suffix}'))!r}",
            )
        raise InputError(
            f"{where} must end in {suffix}", help=f"name it {str(path.with_suffix(suffix))!r}"
        )

    return take


def result_file_or_stdout(
    _context: click.Context, parameter: click.Parameter, value: str | None
) -> Path | None:
    """Take a file to write, or ``-`` for standard output.

    Raises:
        InputError: it could not be written.
    """
    if value is None or value == str(STANDARD_OUTPUT):
        return None if value is None else STANDARD_OUTPUT
    return _result(parameter, _not_empty(parameter, value))


def _result(parameter: click.Parameter, path: Path) -> Path:
    where = f"{option_name(parameter)} {str(path)!r}"
    if path == STANDARD_OUTPUT:
        raise InputError(f"{where} is no file: only --json prints", help="name a file")
    if path.is_dir():
        raise InputError(f"{where} is a folder, not a file", help="name a file in it")
    if path.exists() and not path.is_file():
        raise InputError(f"{where} is a device or pipe, not a file", help="name a file")
    if not path.parent.is_dir():
        raise InputError(
            f"{where}: there is no folder {str(path.parent)!r}",
            help="make the folder, or name another",
        )
    _expect_writable(path.parent, where)
    return path


def board_file(board: str | None) -> Path | None:
    """Return the file that a board's name is, if it is one."""
    return Path(board) if board is not None and board.endswith(BOARD_SUFFIX) else None


def refuse_overwriting(
    sources: Mapping[str, Path | None], results: Mapping[str, Path | None]
) -> None:
    """Refuse results that would replace what is read, or each other.

    Args:
        sources: what the command reads, by its name for people; a folder stands for the files of
            the project in it.
        results: what it writes, by option.

    Raises:
        InputError: two of them are the same file.
    """
    taken = {path.resolve(): what for what, path in sources.items() if path is not None}
    for option, path in results.items():
        if path is None or path == STANDARD_OUTPUT:
            continue
        place = path.resolve()
        what = taken.get(place) or next(
            (f"a file in {name}" for folder, name in taken.items() if _is_of(place, folder)), None
        )
        if what is not None:
            raise InputError(
                f"{option} {str(path)!r} is {what}, which would be overwritten",
                help="name another file; nothing was changed",
            )
        taken[place] = f"the file of {option}"


def _is_of(place: Path, folder: Path) -> bool:
    """Return whether a file belongs to the project in a folder."""
    return place.is_relative_to(folder) and place.relative_to(folder).as_posix() in listed_files(
        folder
    )


def output_folder(_context: click.Context, parameter: click.Parameter, value: str) -> Path:
    """Take a folder to make, or to replace as a whole.

    Raises:
        InputError: no folder can appear there.
    """
    path = _not_empty(parameter, value)
    where = f"output folder {value!r}"
    if path.is_dir() and Path.cwd().is_relative_to(path.resolve()):
        raise InputError(
            f"{where} holds the current folder, so it cannot be replaced as a whole",
            help="name a new folder",
        )
    if path.is_mount():
        raise InputError(
            f"{where} is a mount point, which cannot be replaced", help="name a new folder in it"
        )
    above = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not above.is_dir():
        raise InputError(
            f"{where} cannot be made: {str(above)!r} is not a folder", help="name another place"
        )
    _expect_writable(above, where)
    return path


def work_folder(
    _context: click.Context, parameter: click.Parameter, value: str | None
) -> Path | None:
    """Take a folder to keep files in, which may be there already.

    Raises:
        InputError: it could not be made, or nothing can be written there.
    """
    if value is None:
        return None
    path = _not_empty(parameter, value)
    expect_folder(path, f"{option_name(parameter)} {value!r}")
    return path


def expect_folder(path: Path, where: str) -> None:
    """Check that a place is a folder to write in, or can become one; ``where`` is its name.

    Raises:
        InputError: it could not be made, or nothing can be written there.
    """
    place = path.absolute()
    above = next(each for each in (place, *place.parents) if os.path.lexists(each))
    if not above.is_dir():
        raise InputError(f"{where}: {str(above)!r} is not a folder", help="name another place")
    _expect_writable(above, where)


def labelled_data(
    _context: click.Context, parameter: click.Parameter, value: str | None
) -> Path | None:
    """Take a folder or file of samples, or the name of a data set; None where nothing was given.

    Raises:
        InputError: it is not there.
    """
    if value is None:
        return None
    path = _not_empty(parameter, value)
    if value not in DATA_SETS and not path.exists():
        raise InputError(
            f"{option_name(parameter)}: there is nothing at {value!r}",
            help=f"check the path; sets with a name are {', '.join(DATA_SETS)}",
        )
    return path


def _not_empty(parameter: click.Parameter, value: str) -> Path:
    """Return a path; an empty one would silently be the current folder."""
    if not value:
        raise InputError(
            f"{option_name(parameter)} is empty, where a path belongs",
            help="a shell variable that is not set often leaves it so",
        )
    return Path(value)


def _expect_writable(folder: Path, where: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f"{where} cannot be written: no permission in folder {str(folder)!r}",
            help="name a place where you may write",
        )
