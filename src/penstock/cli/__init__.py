"""The command line: one file per verb; `main` is the entry point."""

from penstock.cli.entry import main

__all__ = ["main"]
