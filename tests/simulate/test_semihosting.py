"""Semihosting calls, carried out on memory alone."""

import struct

import pytest

from penstock.boards import Board
from penstock.errors import SimulationError
from penstock.simulate.memory import BoardMemory
from penstock.simulate.semihosting import Semihosting

BLOCK, TEXT, BUFFER = 0x2000_0000, 0x2000_0100, 0x2000_0200
FAILED = 0xFFFF_FFFF
OPEN, CLOSE, WRITE_CHARACTER, WRITE_TEXT, WRITE, READ = 1, 2, 3, 4, 5, 6


class Target:
    """Calls as firmware makes them: with a parameter block in memory."""

    def __init__(self, board: Board, cycles: int | None = None) -> None:
        self.memory = BoardMemory(board)
        self.heard: list[bytes] = []
        self.semihosting = Semihosting(
            self.memory,
            0x2000_8000,
            clock=lambda: cycles,
            clock_hz=200_000_000,
            on_output=self.heard.append,
        )

    def call(self, operation: int, *words: int) -> int:
        self.memory.write(BLOCK, struct.pack(f"<{len(words)}I", *words))
        return self.semihosting.call(operation, BLOCK)

    def open(self, name: bytes, mode: int = 4) -> int:
        self.memory.write(TEXT, name + b"\0")
        return self.call(OPEN, TEXT, mode, len(name))


@pytest.fixture
def target(board: Board) -> Target:
    return Target(board)


def test_all_ways_to_print(target: Target) -> None:
    handle = target.open(b":tt")
    target.memory.write(TEXT, "grüße\n".encode() + b"\0rest")
    assert target.call(WRITE, handle, TEXT, 3) == 0
    assert target.semihosting.call(WRITE_CHARACTER, TEXT + 4) == 0
    target.semihosting.call(WRITE_TEXT, TEXT)
    assert target.heard == ["grüße\n".encode()[:3], "grüße\n".encode()[4:5], "grüße\n".encode()]
    assert target.semihosting.output == b"".join(target.heard)


def test_texts_longer_than_a_piece_and_up_to_the_end_of_memory(target: Target) -> None:
    long = b"x" * 300
    target.memory.write(TEXT, long + b"\0")
    target.semihosting.call(WRITE_TEXT, TEXT)
    end = 0x2005_0000  # of the last RAM of this board
    target.memory.write(end - 3, b"ab\0")
    target.semihosting.call(WRITE_TEXT, end - 3)
    assert target.heard == [long, b"ab"]
    target.memory.write(end - 2, b"cd")
    with pytest.raises(SimulationError, match="nothing is at 0x20050000"):
        target.semihosting.call(WRITE_TEXT, end - 2)


def test_the_console_has_nothing_to_read(target: Target) -> None:
    handle = target.open(b":tt", 0)
    assert target.call(READ, handle, BUFFER, 10) == 10
    assert target.call(0x09, handle) == 1
    assert target.call(0x0C, handle) == 0
    assert target.call(CLOSE, handle) == 0
    assert target.call(CLOSE, handle) == FAILED
    assert target.call(WRITE, handle, TEXT, 5) == 5
    assert target.semihosting.call(0x13, 0) == 9


def test_features_are_told_in_a_file(target: Target) -> None:
    handle = target.open(b":semihosting-features", 0)
    assert target.call(0x0C, handle) == 5
    assert target.call(READ, handle, BUFFER, 4) == 0
    assert target.memory.read(BUFFER, 4) == b"SHFB"
    assert target.call(READ, handle, BUFFER, 4) == 3
    assert target.memory.read(BUFFER, 1) == b"\x03"
    assert target.call(0x0A, handle, 4) == 0
    assert target.call(READ, handle, BUFFER, 1) == 0
    assert target.call(0x0A, handle, 6) == FAILED
    assert target.call(0x09, handle) == 0
    assert target.call(WRITE, handle, TEXT, 1) == 1


def test_files_of_this_computer_do_not_exist(target: Target) -> None:
    assert target.open(b"/etc/passwd", 0) == FAILED
    assert target.semihosting.call(0x13, 0) == 2
    assert target.call(0x0E, TEXT, 3) == FAILED
    assert target.call(0x12, TEXT, 3) == FAILED


@pytest.mark.parametrize(
    ("operation", "words", "status"),
    [(0x20, (0x20026, 7), 7), (0x20, (0x20026, FAILED), -1), (0x20, (0x20023, 7), 1)],
)
def test_exits_with_a_status(
    target: Target, operation: int, words: tuple[int, ...], status: int
) -> None:
    assert target.semihosting.exit_status is None
    target.call(operation, *words)
    assert target.semihosting.exit_status == status


@pytest.mark.parametrize(("reason", "status"), [(0x20026, 0), (0x20023, 1)])
def test_exits_without_a_status(target: Target, reason: int, status: int) -> None:
    target.semihosting.call(0x18, reason)
    assert target.semihosting.exit_status == status


def test_time_is_that_of_the_board(board: Board, target: Target) -> None:
    timed = Target(board, cycles=3 * 200_000_000 + 2**33)
    assert timed.call(0x10) == (3 * 200_000_000 + 2**33) * 100 // 200_000_000
    assert timed.call(0x30) == 0
    assert int.from_bytes(timed.memory.read(BLOCK, 8), "little") == 3 * 200_000_000 + 2**33
    assert timed.call(0x31) == 200_000_000
    assert timed.call(0x11) == 0
    assert [target.call(operation) for operation in (0x10, 0x30, 0x31)] == [FAILED] * 3


def test_the_stack_and_an_empty_command_line(target: Target) -> None:
    target.memory.write(BUFFER, b"\xff" * 16)
    assert target.call(0x16, BUFFER) == 0
    assert struct.unpack("<4I", target.memory.read(BUFFER, 16)) == (0, 0, 0x2000_8000, 0)
    assert target.call(0x15, BUFFER, 16) == 0
    assert target.memory.read(BUFFER, 1) == b"\0"
    assert target.memory.read_word(BLOCK + 4) == 0
    assert target.call(0x15, BUFFER, 0) == FAILED


def test_errors_are_recognized_and_unknown_calls_fail(target: Target) -> None:
    assert target.call(0x08, FAILED) == 1
    assert target.call(0x08, 5) == 0
    assert target.call(0x77) == FAILED


def test_wild_pointers_are_refused(target: Target) -> None:
    handle = target.open(b":tt")
    for operation, words in ((OPEN, (0x7000_0000, 4, 3)), (WRITE, (handle, TEXT, FAILED))):
        with pytest.raises(SimulationError, match="not in the memory map"):
            target.call(operation, *words)
    with pytest.raises(SimulationError, match="not in the memory map"):
        target.semihosting.call(WRITE, 0x7000_0000)
