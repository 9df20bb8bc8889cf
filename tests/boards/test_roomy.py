"""A board with plenty of internal memory: where it is."""

from itertools import combinations

import pytest

from penstock.boards import load_board
from penstock.boards.board import MemoryKind, MemoryRegion
from penstock.boards.roomy import roomy_board
from tests.timed_boards import TIMED_BOARDS

BIT_BAND = range(0x2200_0000, 0x2400_0000)
"""Where a Cortex-M4 sees the bits of its SRAM."""


def overlap(left: MemoryRegion, right: MemoryRegion) -> bool:
    return any(
        a < b + right.size_bytes and b < a + left.size_bytes
        for a in left.bases
        for b in right.bases
    )


@pytest.mark.parametrize("name", TIMED_BOARDS)
def test_no_regions_overlap_and_only_sizes_change(name: str) -> None:
    board = load_board(name)
    inside = [region for region in board.regions if not region.is_external]
    for ram in inside:
        if ram.kind is not MemoryKind.SRAM:
            continue
        roomy = roomy_board(board, ram.name)
        assert [region.name for region in roomy.regions] == [region.name for region in inside]
        assert not any(overlap(*pair) for pair in combinations(roomy.regions, 2)), ram.name
        grown = roomy.region(ram.name)
        assert (grown.size_bytes, grown.timing) == (32 << 20, ram.timing)
        assert grown.base not in BIT_BAND
        assert grown.base + grown.size_bytes - 1 not in BIT_BAND
