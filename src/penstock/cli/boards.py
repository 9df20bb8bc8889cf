"""``penstock boards``: what can be compiled for and simulated."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import click

from penstock import api
from penstock.boards.board import Board
from penstock.cli.board_table import show_board
from penstock.cli.console import stdout, write_json
from penstock.cli.options import json_option
from penstock.cli.parameters import virtual_board
from penstock.cli.places import STANDARD_OUTPUT, board_file, refuse_overwriting
from penstock.cli.tables import add_columns, plain_table
from penstock.report.boards import describe_board, summarize_board
from penstock.units import format_bytes

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
HOST_MEMORY = "no limits: for checks and whole data sets"
NARROWEST_MEMORY = 24
"""Columns that a region's name and size need."""


@click.command()
@click.argument("name", callback=virtual_board, required=False)
@json_option
def boards(name: str | None, json_path: Path | None) -> None:
    """List what --board takes, or show all that is known of the board NAME.

    The memories' names are what --weights-in and --arena-in take. With a NAME every number comes
    with its source and its confidence. A board of your own works too: my-board.toml, as
    docs/boards.md says.
    """
    refuse_overwriting({"the board": board_file(name)}, {"--json": json_path})
    if name is not None:
        _show_one(api.board(name), json_path)
        return
    known = api.boards()
    write_json(
        {"schema": "penstock.boards/1", "boards": [summarize_board(board) for board in known]},
        json_path,
    )
    if json_path != STANDARD_OUTPUT:
        _show(known)


def _show_one(board: Board, json_path: Path | None) -> None:
    write_json(describe_board(board), json_path)
    if json_path != STANDARD_OUTPUT:
        show_board(board)


def _show(known: Sequence[Board]) -> None:
    rows = [
        (board.name, board.mcu, board.core.name, f"{board.clock_hz / 1e6:.0f} MHz")
        for board in known
    ]
    rows.append(("host", "this computer", "", ""))
    gap = 2
    taken = sum(max(map(len, column)) + gap for column in zip(*rows, strict=True))
    width = max(stdout.width - taken, NARROWEST_MEMORY)
    table = plain_table()
    add_columns(
        table, ("--board", "chip", "core", "memories"), ("--board", "chip", "core", "clock")
    )
    table.add_column("memories", no_wrap=True)
    memories = [_memories(board, width) for board in known]
    for row, memory in zip(rows, [*memories, _fill(HOST_MEMORY, width)], strict=True):
        table.add_row(*row, memory)
    stdout.print(table)


def _memories(board: Board, width: int) -> str:
    """Return the regions in lines of at most ``width``; external ones begin a line."""
    internal = _regions(board, external=False)
    external = _regions(board, external=True)
    lines = [internal, f"external: {external}"] if external else [internal]
    return "\n".join(_fill(line, width) for line in lines)


def _fill(text: str, width: int) -> str:
    """Wrap text at spaces, never at no-break ones, which become spaces."""
    return textwrap.fill(text, width, break_long_words=False).replace(NO_BREAK_SPACE, " ")


def _regions(board: Board, *, external: bool) -> str:
    return ", ".join(
        f"{region.name} {format_bytes(region.size_bytes)}".replace(" ", NO_BREAK_SPACE)
        for region in board.regions
        if region.is_external is external
    )
