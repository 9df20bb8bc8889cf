"""Files of a project that make the copies of overlays: a driver beside its header, and another."""

from penstock.boards.board import Board
from penstock.codegen.dma_board import dma_sources, emit_dma_board
from penstock.codegen.runtime_files import runtime_directory

DMA_FOLDER = "dma"
CORE_SOURCE = f"{DMA_FOLDER}/memcpy/ps_dma.c"
"""Copies by the core, for machines that the driver is not for."""
_HEADERS = ("dma/ps_dma.h", "dma/ps_dma_engine.h")


def driver_sources(board: Board | None) -> list[str]:
    """Return the C files of the driver by their path in a project, sorted."""
    return sorted(f"{DMA_FOLDER}/{_name(path)}" for path in _driver(board))


def dma_files(board: Board | None) -> dict[str, bytes]:
    """Return contents by path in a project.

    Args:
        board: whose controller the driver is for; where there is no board the core copies.
    """
    ports = runtime_directory() / "ports"
    paths = {f"{DMA_FOLDER}/{_name(path)}": path for path in (*_HEADERS, *_driver(board))}
    paths[CORE_SOURCE] = CORE_SOURCE
    files = {name: ports.joinpath(*path.split("/")).read_bytes() for name, path in paths.items()}
    if board is not None:
        files[f"{DMA_FOLDER}/ps_dma_board.h"] = emit_dma_board(board).encode()
    return files


def _driver(board: Board | None) -> tuple[str, ...]:
    return (CORE_SOURCE,) if board is None else dma_sources(board)


def _name(path: str) -> str:
    return path.rpartition("/")[2]
