"""The argument parser's errors, in the words and the form of all other errors."""

from collections.abc import Sequence

import click

from penstock.cli.parameters import option_name
from penstock.errors import InputError


def typed_command(group: click.Group, arguments: Sequence[str]) -> str:
    """Return the command that arguments begin with, with all verbs above it."""
    found: click.Command = group
    names = ["penstock"]
    for argument in arguments:
        if isinstance(found, click.Group) and argument in found.commands:
            found = found.commands[argument]
            names.append(argument)
    return " ".join(names)


def explain_usage(error: click.ClickException, command: str) -> InputError:
    """Return what is wrong with a command line, and what to type instead.

    Args:
        error: what the parser raised.
        command: that was typed; not all errors know their own.
    """
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = command if context is None else context.command_path
    usage = f"`{command} --help` shows how it is used"
    if isinstance(error, click.MissingParameter):
        return InputError(f"{option_name(error.param)} is missing", help=_purpose(error, usage))
    if isinstance(error, click.NoSuchOption):
        close = f"did you mean {error.possibilities[0]}? " if error.possibilities else ""
        return InputError(f"there is no option {error.option_name}", help=close + usage)
    message = error.format_message().rstrip(".")
    if context is not None and isinstance(context.command, click.Group):
        usage = f"the commands are {', '.join(sorted(context.command.commands))}"
    return InputError(message[:1].lower() + message[1:], help=usage)


def _purpose(error: click.MissingParameter, otherwise: str) -> str:
    """Return what a missing option is for, as its help text says."""
    if isinstance(error.param, click.Option) and error.param.help:
        return f"add {option_name(error.param)} {error.param.metavar}: {error.param.help}"
    return otherwise
