"""What the memories of a board are, wherever they are seen."""

import pytest

from penstock.boards import Board
from penstock.errors import SimulationError
from penstock.simulate.memory import BoardMemory


@pytest.mark.parametrize(
    ("address", "region", "is_executable"),
    [
        (0x0020_0000, "flash", True),
        (0x0800_0000, "flash", True),
        (0x2000_0000, "dtcm", True),
        (0x6000_0000, "sdram", True),
        (0x9000_0000, "qspi", True),
        (0xC000_0000, "sdram", False),
    ],
)
def test_instructions_are_fetched_outside_device_space_only(
    board: Board, address: int, region: str, is_executable: bool
) -> None:
    window = BoardMemory(board).window_at(address)
    assert window is not None
    assert (window.region.name, window.is_executable) == (region, is_executable)


def test_a_range_may_cross_adjacent_memories(board: Board) -> None:
    memory = BoardMemory(board)
    memory.write(0x2000_FFFE, b"\1\2\3\4")
    assert memory.read(0x2000_FFFE, 4) == b"\1\2\3\4"
    assert memory.window_at(0x2000_FFFF) != memory.window_at(0x2001_0000)


def test_what_lies_outside_is_named(board: Board) -> None:
    memory = BoardMemory(board)
    with pytest.raises(SimulationError, match=r"4 bytes at 0xc07ffffe .* nothing is at 0xc0800000"):
        memory.read(0xC07F_FFFE, 4)
    assert memory.window_at(0x7000_0000) is None
