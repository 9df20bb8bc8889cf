"""Copies of a plan find their transfers, and what of them the core slept through."""

import pytest

from penstock.planning.overlays.program import Address, Block, Copy
from penstock.report.copying import copy_time, match_transfers
from penstock.simulate.dma import Transfer
from penstock.simulate.timeline import Span


def copy(channel: int, size_bytes: int) -> Copy:
    near, far = Address(Block.ARENA, 0), Address(Block.PACKS, 0)
    return Copy(near, far, size_bytes, channel, True, 0, 1, 1)


def transfer(channel: int, size_bytes: int, started: float, ended: float, at: int = 0) -> Transfer:
    return Transfer("dma2", channel, at, 0x2000_0000 + at, size_bytes, None, started, ended)


@pytest.mark.parametrize(
    ("spans", "sleeps", "expected"),
    [
        ([], [], (0, 0, None)),
        ([(0, 10)], [], (10, 0, 1.0)),
        ([(0, 10)], [(5, 20)], (10, 5, 0.5)),
        ([(0, 10), (5, 15)], [(4, 6), (14, 18)], (15, 3, 0.8)),
        ([(0, 4), (16, 20)], [(2, 18)], (8, 4, 0.5)),
        ([(10, 20)], [(0, 5), (5, 12), (13, 14), (19, 30)], (10, 4, 0.6)),
    ],
)
def test_time_that_ran_beside_other_time_counts_once(
    spans: list[tuple[float, float]],
    sleeps: list[tuple[float, float]],
    expected: tuple[float, float, float | None],
) -> None:
    time = copy_time((transfer(0, 16, *span) for span in spans), [Span(*s) for s in sleeps])
    assert (time.cycles, time.exposed_cycles) == expected[:2]
    assert time.hidden_share == pytest.approx(expected[2])


def test_a_copy_may_have_one_transfer_or_several_or_none() -> None:
    pieces = [transfer(8, 96, 0, 10, at=0), transfer(8, 32, 10, 14, at=96)]
    other = transfer(9, 1000, 2, 30)
    last = transfer(8, 16, 40, 41, at=512)
    copies = [copy(0, 128 + 30), copy(1, 1000), copy(0, 15), copy(0, 16)]
    matched = match_transfers(copies, [last, other, *reversed(pieces)], 8)
    assert matched == [tuple(pieces), (other,), (), (last,)]


@pytest.mark.parametrize(
    "transfers",
    [
        [],
        [transfer(0, 64, 0, 1)],
        [transfer(0, 512, 0, 1), transfer(0, 512, 2, 3)],
        [transfer(3, 512, 0, 1)],
    ],
)
def test_what_does_not_fit_is_not_guessed(transfers: list[Transfer]) -> None:
    assert match_transfers([copy(0, 512)], transfers, 0) is None
