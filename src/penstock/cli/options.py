"""Options that several verbs have, and that mean the same in each."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from penstock.cli.parameters import (
    input_file,
    parse_seed,
    result_file_or_stdout,
    virtual_board,
)

Command = TypeVar("Command", bound=Callable[..., Any])


def board_option(command: Command) -> Command:
    """Add ``--board NAME`` to a verb that cannot do without a virtual board."""
    return click.option(
        "--board",
        required=True,
        callback=virtual_board,
        metavar="NAME",
        help="Virtual board (`penstock boards` lists them), or the path of a board's .toml file.",
    )(command)


def input_option(command: Command) -> Command:
    """Add ``--input FILE`` to a verb that runs a model."""
    return click.option(
        "--input",
        "input_path",
        callback=input_file,
        metavar="FILE",
        help="A .npy, a .npz for several inputs, or an image: its centre is resized to the model's "
        "input and its pixels 0…255 are spread over the input's integer range. "
        "Default: random values.",
    )(command)


def seed_option(
    meaning: str = "Which random values, where no --input is given.",
) -> Callable[[Command], Command]:
    """Return what adds ``--seed NUMBER`` to a verb; ``meaning`` is its help text."""
    return click.option(
        "--seed",
        callback=parse_seed,
        default="0",
        show_default=True,
        metavar="NUMBER",
        help=meaning,
    )


def json_option(command: Command) -> Command:
    """Add ``--json FILE`` to a verb."""
    return click.option(
        "--json",
        "json_path",
        callback=result_file_or_stdout,
        metavar="FILE",
        help="Write the result as JSON to FILE; '-' prints it instead of the tables.",
    )(command)
