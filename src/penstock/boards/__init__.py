"""Boards as data."""

from penstock.boards.board import (
    Board,
    Confidence,
    Core,
    MemoryKind,
    MemoryRegion,
    PeripheralRange,
)
from penstock.boards.load import board_names, load_board, load_board_file, parse_board

__all__ = [
    "Board",
    "Confidence",
    "Core",
    "MemoryKind",
    "MemoryRegion",
    "PeripheralRange",
    "board_names",
    "load_board",
    "load_board_file",
    "parse_board",
]
