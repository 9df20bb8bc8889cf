"""The group of verbs, and what happens to errors."""

import sys
from importlib.metadata import version

import click
from rich.markup import escape

from penstock.cli.boards import boards
from penstock.cli.compile import compile_command
from penstock.cli.console import stderr
from penstock.cli.inspect import inspect_command
from penstock.cli.run import run
from penstock.errors import PenstockError, SimulationError, VerificationError

EXIT_OUR_FAULT = 1
EXIT_WRONG_USE = 2
EXIT_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("penstock"), prog_name="penstock")
def cli() -> None:
    """Deep learning on microcontrollers.

    Turns an int8 .tflite model into verified C, and runs that C on a virtual board before there
    is a real one. Start with: penstock inspect MODEL.tflite
    """


cli.add_command(compile_command)
cli.add_command(run)
cli.add_command(inspect_command)
cli.add_command(boards)


def run_command_line(arguments: list[str]) -> int:
    """Run one command and return its exit status; every failure is explained on stderr."""
    try:
        cli.main(args=arguments, prog_name="penstock", standalone_mode=False)
    except click.exceptions.Exit as finished:
        return finished.exit_code
    except click.ClickException as error:
        error.show()
        return EXIT_WRONG_USE
    except (KeyboardInterrupt, click.Abort):
        stderr.print("[yellow]interrupted[/]: nothing was left half-written")
        return EXIT_INTERRUPTED
    except (VerificationError, SimulationError) as error:
        _explain(error)
        stderr.print("This is a bug of Penstock: please report it with the model.")
        return EXIT_OUR_FAULT
    except PenstockError as error:
        _explain(error)
        return EXIT_WRONG_USE
    except BrokenPipeError:
        # The reader of our output (head, less) has seen enough.
        sys.stdout = None
        return 0
    except Exception as error:
        stderr.print_exception(show_locals=False)
        stderr.print(
            f"This is a bug of Penstock ({escape(type(error).__name__)}): please report it."
        )
        return EXIT_OUR_FAULT
    return 0


def _explain(error: PenstockError) -> None:
    stderr.print(f"[bold red]error[/]: {escape(error.what)}", soft_wrap=True)
    if error.help:
        stderr.print(f"[bold]help[/]: {escape(error.help)}", soft_wrap=True)
