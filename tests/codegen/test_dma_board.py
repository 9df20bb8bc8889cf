"""The header of a board's DMA drivers says what the board's file says."""

import re
from importlib import resources
from pathlib import Path

import pytest

from penstock.boards import board_names, load_board
from penstock.boards.copying import dma_controller
from penstock.codegen.dma_board import dma_sources, emit_dma_board

PORTS = Path(str(resources.files("penstock") / "runtime" / "ports"))


def macros(board: str) -> dict[str, str]:
    return dict(
        re.findall(r"^#define (\w+) (.+)$", emit_dma_board(load_board(board)), re.MULTILINE)
    )


def test_streams_of_a_board_with_a_data_cache() -> None:
    assert macros("stm32f746g-disco") == {
        "PS_CACHE_LINE_BYTES": "32u",
        "PS_DMA_CHANNEL_COUNT": "8u",
        "PS_DMA_BASE": "0x40026400u",
        "PS_DMA_CLOCK_ENABLE": "0x40023830u",
        "PS_DMA_CLOCK_ENABLE_BIT": "22u",
        "PS_DMA_INTERRUPTS": "{56u, 57u, 58u, 59u, 60u, 68u, 69u, 70u}",
        "PS_DMA_ITEMS_MAX": "65535u",
        "PS_DMA_TCM_RANGES": "{{0x20000000u, 65536u}, {0x00000000u, 16384u}}",
    }


def test_a_gpdma_has_its_channels_with_the_longer_fifo() -> None:
    found = macros("nucleo-u575zi-q")
    assert found["PS_CACHE_LINE_BYTES"] == "0u"
    assert found["PS_DMA_CHANNEL_COUNT"] == "4u"
    assert found["PS_DMA_INTERRUPTS"] == "{84u, 85u, 86u, 87u}"


def test_a_board_without_a_driver_copies_by_the_core() -> None:
    board = load_board("nucleo-l4r5zi")
    assert dma_controller(board) is None
    assert dma_sources(board) == ("dma/memcpy/ps_dma.c",)
    assert "PS_DMA_BASE" not in macros("nucleo-l4r5zi")


@pytest.mark.parametrize("board", board_names())
def test_the_sources_are_there(board: str) -> None:
    assert all((PORTS / name).is_file() for name in dma_sources(load_board(board)))
