"""What happened when: operators, sleep and DMA transfers in the order of the board's clock."""

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from penstock.boards.board import Board
from penstock.boards.costs import TICKS_PER_CYCLE
from penstock.simulate.dma import Dma, Transfer
from penstock.simulate.monitor import load_native
from penstock.simulate.timeline_records import MarkRecord, MovedRecord, TimelineRecord
from penstock.simulate.timing import Timing, Traffic
from penstock.simulate.timing_records import Cause


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time.

    Attributes:
        started: in core cycles since the record began; a multiple of 1/256, so exact.
        ended: likewise.
    """

    started: float
    ended: float


@dataclass(frozen=True, slots=True)
class Slice(Span):
    """An operator, or what is between operators, without interruption.

    Attributes:
        operator: index of the step; None outside all operators.
        stalls: cycles that the core waited, by cause.
        traffic: bytes moved meanwhile, by memory, those of DMA included.
    """

    operator: int | None
    stalls: Mapping[str, float]
    traffic: Mapping[str, Traffic]


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that happened while a record was made.

    Attributes:
        slices: one behind the other, without gaps, from 0 on.
        sleeps: when the core slept; each is within a slice.
        transfers: of DMA controllers, by their end; times as in `Span`.
        is_complete: False when there was more than the record has room for: what is missing is at
            its end.
    """

    slices: tuple[Slice, ...]
    sleeps: tuple[Span, ...]
    transfers: tuple[Transfer, ...]
    is_complete: bool


def record_timeline(
    timing: Timing, dma: Dma | None, board: Board, action: Callable[[], None]
) -> Timeline:
    """Return what happens when during an action that runs the core.

    Args:
        timing: the clock, whose counters have just been cleared.
        dma: the DMA controllers; None for none.
        board: whose memories they are.
        action: what to do; what it raises goes on.
    """
    native = load_native()
    record = TimelineRecord()
    try:
        native.ps_timeline_open(ctypes.byref(timing.record), ctypes.byref(record))
        action()
        slot = ctypes.c_uint64(timing.record.slot)
        native.ps_timeline_mark(ctypes.byref(timing.record), slot)  # the end of the last slice
        return _read(record, dma, [region.name for region in board.regions])
    finally:
        native.ps_timeline_open(ctypes.byref(timing.record), None)
        native.ps_timeline_close(ctypes.byref(record))


def _read(record: TimelineRecord, dma: Dma | None, memories: list[str]) -> Timeline:
    origin = record.marks[0].at
    sleeps = (record.sleeps[index] for index in range(record.sleep_count))
    transfers = [] if dma is None else dma.transfers()
    return Timeline(
        slices=_slices(record, memories),
        sleeps=tuple(Span(_since(origin, s.begin), _since(origin, s.end)) for s in sleeps),
        transfers=tuple(
            _moved_back(transfer, origin / TICKS_PER_CYCLE)
            for transfer in transfers
            if transfer.started * TICKS_PER_CYCLE >= origin
        ),
        is_complete=not record.is_cut and (dma is None or dma.has_all_transfers),
    )


def _since(origin: int, at: int) -> float:
    return (at - origin) / TICKS_PER_CYCLE


def _moved_back(transfer: Transfer, cycles: float) -> Transfer:
    return replace(transfer, started=transfer.started - cycles, ended=transfer.ended - cycles)


def _slices(record: TimelineRecord, memories: list[str]) -> tuple[Slice, ...]:
    """A mark has the totals of the slot that it ends: a slice is the difference to its last end."""
    origin = record.marks[0].at
    stride = len(memories) + 1  # memory 0 is none
    waited: dict[int, list[int]] = {}
    slices = []
    for index in range(record.mark_count - 1):
        begin, end = record.marks[index], record.marks[index + 1]
        before = waited.get(begin.slot, [0] * len(Cause))
        waited[begin.slot] = list(end.left.stalls)
        slices.append(
            Slice(
                started=_since(origin, begin.at),
                ended=_since(origin, end.at),
                operator=begin.slot - 1 if begin.slot else None,
                stalls=_stalls(end, before),
                traffic={
                    name: _difference(
                        record.moved[(index + 1) * stride + memory],
                        record.moved[index * stride + memory],
                    )
                    for memory, name in enumerate(memories, 1)
                },
            )
        )
    return tuple(slices)


def _stalls(end: MarkRecord, before: list[int]) -> dict[str, float]:
    return {
        cause.label: (end.left.stalls[cause] - before[cause]) / TICKS_PER_CYCLE for cause in Cause
    }


def _difference(after: MovedRecord, before: MovedRecord) -> Traffic:
    return Traffic(
        after.bytes_read - before.bytes_read,
        after.bytes_written - before.bytes_written,
        after.bytes_fetched - before.bytes_fetched,
    )
