"""Which DMA controller copies between memories, and with which of its channels."""

from penstock.boards.board import Board
from penstock.boards.timing import DmaController, DmaKind

CHANNELS_MAX = 8
"""That a program with overlays may use: PS_OVERLAY_CHANNELS_MAX of overlay.h."""
_DEEP_CHANNELS = slice(12, 16)
"""Of a GPDMA: those with the longer FIFO; ST RM0456."""


def dma_controller(board: Board) -> DmaController | None:
    """Return the controller that copies between memories; None where no driver knows one."""
    for controller in board.dma_controllers:
        is_known = controller.kind.is_modelled and controller.clock_enable_address is not None
        if is_known and controller.memory_to_memory and controller.interrupts:
            return controller
    return None


def driver_channels(controller: DmaController) -> slice:
    """Return which of a controller's channels the driver uses."""
    return _DEEP_CHANNELS if controller.kind is DmaKind.GPDMA else slice(0, CHANNELS_MAX)
