"""Adjacent banks of SRAM as one memory, for planning alone."""

from dataclasses import replace

import pytest

from penstock.boards import Board, board_names, load_board
from penstock.boards.banks import join_banks, split_banks
from penstock.boards.timing import InternalTiming

BOARD = "nucleo-u575zi-q"


def writable(board: Board) -> dict[str, tuple[int, int]]:
    return {r.name: (r.base, r.size_bytes) for r in board.regions if r.is_writable}


def changed(name: str, **changes: object) -> Board:
    board = load_board(BOARD)
    return replace(
        board,
        regions=tuple(
            replace(r, **changes) if r.name == name else r  # type: ignore[arg-type]
            for r in board.regions
        ),
    )


@pytest.mark.parametrize("name", board_names())
def test_every_byte_is_where_it_was(name: str) -> None:
    board = load_board(name)
    joined = join_banks(board)
    assert split_banks(joined) == board
    before, after = writable(board), writable(joined)
    assert sum(size for _, size in before.values()) == sum(size for _, size in after.values())
    for base, size in before.values():
        assert any(b <= base and base + size <= b + s for b, s in after.values())
    for old, new in zip(board.dma_controllers, joined.dma_controllers, strict=True):
        reached = {a for n in old.reaches for a in _addresses(board, n)}
        assert reached == {a for n in new.reaches for a in _addresses(joined, n)}


def _addresses(board: Board, name: str) -> set[int]:
    region = board.region(name)
    return {bank.base for bank in region.banks or (region,)}


def test_three_banks_are_one() -> None:
    assert "sram1_to_sram3" in writable(join_banks(load_board(BOARD)))
    assert writable(join_banks(load_board(BOARD)))["sram1_to_sram3"] == (0x2000_0000, 768 * 1024)


def test_what_somebody_names_stays_apart() -> None:
    names = set(writable(join_banks(load_board(BOARD), {"sram3"})))
    assert names == {"sram1_to_sram2", "sram3", "sram4"}
    assert join_banks(load_board(BOARD), {"sram2"}) == load_board(BOARD)


SLOWER = InternalTiming(1, 0, 0, 0, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"timing": SLOWER},
        {"timing": None},
        {"is_external": True},
        {"is_writable": False},
        {"base": 0x2003_0400, "size_bytes": 62 * 1024},
    ],
    ids=["slower", "unknown", "outside", "flash", "a gap"],
)
def test_banks_that_differ_stay_apart(changes: dict[str, object]) -> None:
    board = changed("sram2", **changes)
    assert {r.name for r in join_banks(board).regions} == {r.name for r in board.regions}


def test_a_bank_that_no_controller_reaches_stays_apart() -> None:
    board = load_board(BOARD)
    controllers = tuple(
        replace(c, reaches=tuple(n for n in c.reaches if n != "sram3"))
        for c in board.dma_controllers
    )
    joined = join_banks(replace(board, dma_controllers=controllers))
    assert {"sram1_to_sram2", "sram3"} <= set(writable(joined))


def test_fetches_may_differ() -> None:
    timing = load_board(BOARD).region("sram2").timing
    assert isinstance(timing, InternalTiming)
    board = changed("sram2", timing=replace(timing, fetch_cycles=3.0))
    assert "sram1_to_sram3" in writable(join_banks(board))
