"""The command line: one file per verb; `main` is the entry point."""

import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line; exit status 0 fine, 2 wrong use or input, 1 a fault of ours."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        # Imported here, so that a Ctrl-C during the import is no traceback either.
        from penstock.cli.entry import run_command_line

        sys.exit(run_command_line(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    """Take SIGTERM as Ctrl-C: temporary folders go, nothing is left half-written."""
    raise KeyboardInterrupt
