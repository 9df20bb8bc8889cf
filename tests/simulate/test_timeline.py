"""The record of what happened when adds up to the counters, and costs no cycle."""

import ctypes
from itertools import pairwise

import pytest

from penstock.errors import SimulationError
from penstock.simulate.monitor import load_native
from penstock.simulate.timeline import Timeline, record_timeline
from penstock.simulate.timing import CycleCounts, Timing
from tests.simulate.dma_firmware import COPY, DmaBoard, Flag, dma_board, free_range

SIZE = 16_384


def copy(opened: DmaBoard) -> None:
    """Copy from serial flash to RAM, asleep for most of it."""
    source, _ = free_range(opened.board.region("qspi"), 0)
    destination, _ = free_range(opened.board.region("sram1"), 0)
    opened.memory.write(source, bytes(SIZE))
    _, status, _ = opened.run(COPY, destination, source, SIZE)
    assert status == 0


def clock_of(opened: DmaBoard) -> Timing:
    timing = opened.virtual.timing
    assert timing is not None
    timing.chill()
    timing.clear_counts()
    return timing


def recorded(opened: DmaBoard) -> tuple[Timeline, CycleCounts]:
    timing = clock_of(opened)
    timeline = record_timeline(timing, opened.virtual.dma, opened.board, lambda: copy(opened))
    return timeline, timing.total()


def test_slices_follow_each_other_and_add_up_to_the_counters() -> None:
    with dma_board("stm32f746g-disco") as opened:
        timeline, total = recorded(opened)
        timing = opened.virtual.timing
        assert timing is not None
        by_operator, traffic_in_all = timing.by_operator(), timing.traffic()
    slices = timeline.slices
    assert timeline.is_complete
    assert [part.operator for part in slices] == [None, 0, None]
    assert slices[0].started == 0
    assert all(before.ended == after.started for before, after in pairwise(slices))
    assert int(slices[-1].ended) == total.cycles
    copying = slices[1]
    assert int(copying.ended - copying.started) == by_operator[0].cycles
    for cause, cycles in total.stalls.items():
        assert int(sum(part.stalls[cause] for part in slices)) == cycles
    for name, traffic in traffic_in_all.items():
        moved = [part.traffic[name] for part in slices]
        assert sum(m.read_bytes for m in moved) == traffic.read_bytes
        assert sum(m.written_bytes for m in moved) == traffic.written_bytes
        assert sum(m.fetched_bytes for m in moved) == traffic.fetched_bytes
    assert copying.traffic["qspi"].read_bytes == SIZE
    assert copying.traffic["sram1"].written_bytes >= SIZE


def test_sleep_and_transfer_are_within_the_operator() -> None:
    with dma_board("stm32f746g-disco") as opened:
        copy(opened)  # its transfer is before the record
        timeline, total = recorded(opened)
    copying = timeline.slices[1]
    (transfer,) = timeline.transfers
    assert copying.started < transfer.started < transfer.ended < copying.ended
    assert (transfer.size_bytes, transfer.operator) == (SIZE, 0)
    slept = sum(sleep.ended - sleep.started for sleep in timeline.sleeps)
    assert int(slept) == total.stalls["dma_wait"] > 0
    assert all(transfer.started < sleep.started for sleep in timeline.sleeps)
    assert all(before.ended < after.started for before, after in pairwise(timeline.sleeps))
    assert timeline.sleeps[-1].ended >= transfer.ended


def test_watching_changes_no_cycle_and_leaves_nothing() -> None:
    with dma_board("stm32f746g-disco") as opened:
        _, total = recorded(opened)
        again, _ = recorded(opened)
        timing = clock_of(opened)
        assert timing.record.timeline is None
        copy(opened)
        assert timing.total() == total
    with dma_board("stm32f746g-disco") as other:
        assert recorded(other)[0] == again


def test_a_record_ends_with_the_run_that_fails() -> None:
    with dma_board("stm32f746g-disco") as opened:
        timing = clock_of(opened)
        with pytest.raises(SimulationError, match="sleeps for ever"):
            record_timeline(
                timing, opened.virtual.dma, opened.board, lambda: sleep_for_ever(opened)
            )
        assert timing.record.timeline is None


def test_a_record_without_room_says_so() -> None:
    with dma_board("stm32f746g-disco") as opened:
        timing = clock_of(opened)

        def mark_often() -> None:
            for _ in range(1 << 16):
                load_native().ps_timeline_mark(ctypes.byref(timing.record), ctypes.c_uint64(1))

        timeline = record_timeline(timing, None, opened.board, mark_often)
        assert not timeline.is_complete
        assert len(timeline.slices) == (1 << 16) - 1


def test_transfers_without_room_are_missed() -> None:
    with dma_board("stm32f746g-disco") as opened:
        assert opened.virtual.dma is not None
        record = opened.virtual.dma.record

        def copy_once_more_than_fits() -> None:
            copy(opened)
            room = record.record_count, record.record_capacity
            record.record_count = record.record_capacity = 1 << 20
            copy(opened)
            record.record_count, record.record_capacity = room

        timing = clock_of(opened)
        timeline = record_timeline(
            timing, opened.virtual.dma, opened.board, copy_once_more_than_fits
        )
    assert len(timeline.transfers) == 1
    assert not timeline.is_complete


def sleep_for_ever(opened: DmaBoard) -> None:
    opened.run(Flag.SLEEP, 0, 0, 0)
