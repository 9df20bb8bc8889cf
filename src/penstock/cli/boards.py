"""``penstock boards``: what can be compiled for and simulated."""

from pathlib import Path

import click

from penstock import api
from penstock.boards.board import Board
from penstock.cli.console import json_option, plain_table, stdout, write_json
from penstock.units import format_bytes


@click.command()
@json_option
def boards(json_path: Path | None) -> None:
    """List the boards and their memories."""
    known = api.boards()
    write_json(
        {"schema": "penstock.boards/1", "boards": [_to_json(board) for board in known]}, json_path
    )
    if str(json_path) == "-":
        return
    table = plain_table()
    table.add_column("--board", no_wrap=True)
    table.add_column("microcontroller")
    table.add_column("core", no_wrap=True)
    table.add_column("clock", justify="right", no_wrap=True)
    table.add_column("internal")
    table.add_column("external")
    for board in known:
        table.add_row(
            board.name,
            board.mcu,
            board.core.name,
            f"{board.clock_hz / 1e6:.0f} MHz",
            _regions(board, external=False),
            _regions(board, external=True) or "none",
        )
    table.add_row("host", "this computer", "", "", "no limits: for checks and whole data sets", "")
    stdout.print(table)


def _regions(board: Board, *, external: bool) -> str:
    return ", ".join(
        f"{region.name} {format_bytes(region.size_bytes)}"
        for region in board.regions
        if region.is_external is external
    )


def _to_json(board: Board) -> dict[str, object]:
    return {
        "name": board.name,
        "title": board.title,
        "mcu": board.mcu,
        "core": board.core.name,
        "clock_hz": board.clock_hz,
        "memories": [
            {
                "name": region.name,
                "kind": region.kind.value,
                "base": region.base,
                "size_bytes": region.size_bytes,
                "writable": region.is_writable,
                "external": region.is_external,
                "source": region.source,
                "confidence": region.confidence.value,
            }
            for region in board.regions
        ],
    }
