"""Boards as data."""

from penstock.boards.board import (
    Board,
    Core,
    MemoryKind,
    MemoryRegion,
    PeripheralRange,
)
from penstock.boards.load import board_names, load_board, load_board_file, parse_board
from penstock.boards.provenance import Confidence, Fact, Provenance

__all__ = [
    "Board",
    "Confidence",
    "Core",
    "Fact",
    "MemoryKind",
    "MemoryRegion",
    "PeripheralRange",
    "Provenance",
    "board_names",
    "load_board",
    "load_board_file",
    "parse_board",
]
