"""What the DMA drivers of runtime/ports need to know of a board, as a C header."""

from penstock.boards.board import Board
from penstock.boards.copying import dma_controller, driver_channels
from penstock.boards.paths import is_tightly_coupled


def dma_sources(board: Board) -> tuple[str, ...]:
    """Return the files below runtime/ports that implement ps_dma.h on a board.

    The driver of a register layout is in the folder that has the layout's name.
    """
    controller = dma_controller(board)
    if controller is None:
        return ("dma/memcpy/ps_dma.c",)
    return ("dma/ps_dma.c", "dma/ps_cache.c", f"dma/{controller.kind.value}/ps_dma_engine.c")


def emit_dma_board(board: Board) -> str:
    """Return ps_dma_board.h; ``memcpy/`` needs none, and has one channel for all.

    The interrupts are those of the channels that the driver uses.
    """
    controller = dma_controller(board)
    line_bytes = 0 if board.data_cache is None else board.data_cache.line_bytes
    macros = {"PS_CACHE_LINE_BYTES": f"{line_bytes}u"}
    if controller is None:
        macros["PS_DMA_CHANNEL_COUNT"] = "1u"
    else:
        numbers = controller.interrupts[driver_channels(controller)]
        macros |= {
            "PS_DMA_CHANNEL_COUNT": f"{len(numbers)}u",
            "PS_DMA_BASE": f"{controller.base:#010x}u",
            "PS_DMA_CLOCK_ENABLE": f"{controller.clock_enable_address:#010x}u",
            "PS_DMA_CLOCK_ENABLE_BIT": f"{controller.clock_enable_bit}u",
            "PS_DMA_INTERRUPTS": "{" + ", ".join(f"{number}u" for number in numbers) + "}",
            "PS_DMA_ITEMS_MAX": f"{controller.items_max}u",
            "PS_DMA_TCM_RANGES": _tcm_ranges(board),
        }
    guard = "PENSTOCK_PS_DMA_BOARD_H"
    lines = [f"/* DMA of {board.title}. */", f"#ifndef {guard}", f"#define {guard}", ""]
    lines += [f"#define {name} {value}" for name, value in macros.items()]
    return "\n".join([*lines, "", "#endif", ""])


def _tcm_ranges(board: Board) -> str:
    """Return an initializer of base addresses and sizes in bytes."""
    regions = [region for region in board.regions if is_tightly_coupled(region)]
    ranges = [f"{{{r.base:#010x}u, {r.size_bytes}u}}" for r in regions]
    return "{" + ", ".join(ranges or ["{0u, 0u}"]) + "}"
