"""The group of verbs, and what happens to errors."""

import errno
import sys
from importlib.metadata import version

import click
from rich.markup import escape

from penstock.cli.accuracy import accuracy_command
from penstock.cli.bench import bench
from penstock.cli.boards import boards
from penstock.cli.build import build_command
from penstock.cli.compare import compare_command
from penstock.cli.compile import compile_command
from penstock.cli.compress import compress_command
from penstock.cli.console import stderr
from penstock.cli.inspect import inspect_command
from penstock.cli.quantize import quantize_command
from penstock.cli.run import run
from penstock.cli.sensitivity import sensitivity_command
from penstock.cli.simulate import simulate_command
from penstock.cli.usage import explain_usage, typed_command
from penstock.cli.zoo import zoo_group
from penstock.errors import (
    InputError,
    PenstockError,
    SimulationError,
    VerificationError,
    os_reason,
)

REFUSALS = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EIO,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOSPC,
    errno.EPERM,
    errno.EROFS,
}
"""What the system says for reasons of its own; other errors of it are faults of ours."""

EXIT_OUR_FAULT = 1
EXIT_WRONG_USE = 2
EXIT_INTERRUPTED = 130


HELP = """Deep learning on microcontrollers.

Turns an int8 model (.tflite, or .onnx in the QDQ format) into C that is compared byte for byte
with an interpreter, and runs that C on a virtual board before there is a real one.

\b
penstock inspect MODEL.tflite                      what is in it, what it needs
penstock compile MODEL.tflite --board NAME -o DIR  make a C project
penstock run DIR --input photo.jpg                 run it on the virtual board
penstock compare MODEL.tflite --board NAME         where its bytes live, and what that costs
penstock simulate FIRMWARE.elf --board NAME        run and count anybody's firmware
penstock build mbv3 -o mbv3.tflite                 make a published network to try
penstock quantize NET.onnx --data DIR -o Q.tflite  make a trained float network int8
penstock compress NET.onnx --data DIR -o Q.tflite  the same, smaller: prune, distil, train int8
penstock zoo                                       networks of our own, trained and ready
penstock accuracy Q.tflite --data DIR              how often it is right, over labelled data
"""


@click.group(
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
)
@click.version_option(version("penstock"), message="penstock %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Choose the verb; without one, say what there is."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


cli.add_command(compile_command)
cli.add_command(run)
cli.add_command(compare_command)
cli.add_command(simulate_command)
cli.add_command(inspect_command)
cli.add_command(boards)
cli.add_command(bench)
cli.add_command(build_command)
cli.add_command(quantize_command)
cli.add_command(compress_command)
cli.add_command(sensitivity_command)
cli.add_command(zoo_group)
cli.add_command(accuracy_command)


def run_command_line(arguments: list[str]) -> int:
    """Run one command and return its exit status; every failure is explained on stderr."""
    try:
        cli.main(args=arguments, prog_name="penstock", standalone_mode=False)
    except click.exceptions.Exit as finished:
        return finished.exit_code
    except (KeyboardInterrupt, click.Abort):
        stderr.print("[yellow]interrupted[/]: nothing was left half-written")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (head, less) has seen enough.
        sys.stdout = None
        return 0
    except Exception as error:
        return _fail(error, arguments)
    return 0


def _fail(error: Exception, arguments: list[str]) -> int:
    """Explain an error on stderr and return the exit status."""
    if isinstance(error, click.ClickException):
        error = explain_usage(error, typed_command(cli, arguments))
    if isinstance(error, OSError) and error.errno in REFUSALS:
        error = _explain_refusal(error)
    if isinstance(error, MemoryError):
        error = InputError(
            "this computer has not enough memory for the command (or its limit is too low)",
            help="close other programs, raise the limit (ulimit -v), or take a smaller model",
        )
    if not isinstance(error, PenstockError):
        stderr.print_exception(show_locals=False)
        stderr.print(
            f"This is a bug of Penstock ({escape(type(error).__name__)}): please report it."
        )
        return EXIT_OUR_FAULT
    stderr.print(f"[bold red]error[/]: {escape(error.what)}", soft_wrap=True)
    if error.help:
        stderr.print(f"[bold]help[/]: {escape(error.help)}", soft_wrap=True)
    if isinstance(error, VerificationError | SimulationError):
        stderr.print("This is a bug of Penstock: please report it with the model.")
        return EXIT_OUR_FAULT
    return EXIT_WRONG_USE


def _explain_refusal(error: OSError) -> InputError:
    """Return what the system refused, and why."""
    if error.filename is None:
        # What is still buffered would fail once more at exit.
        sys.stdout = None
        return InputError(
            f"cannot write the output: {os_reason(error)}", help="send it somewhere else"
        )
    return InputError(
        f"no access to {str(error.filename)!r}: {os_reason(error)}",
        help="check the path and its permissions",
    )
