"""An inference as a timeline for Perfetto: core, DMA channels and memories in time.

The form is JSON trace events ("Trace Event Format", as ui.perfetto.dev and chrome://tracing read
it). Begins and ends are events of their own: times are rounded to nanoseconds, and the end of a
slice has then the very number of the next one's begin.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from penstock.boards.board import Board
from penstock.report.results import OperatorResult, RunResult, moved_bytes
from penstock.simulate.dma import Transfer
from penstock.simulate.timeline import Slice, Timeline

SCHEMA = "penstock.trace/1"
_BOARD_PROCESS, _MEMORY_PROCESS = 1, 2
_CORE_THREAD, _FIRST_DMA_THREAD = 1, 2
_NS_PER_S = 1e9
_BYTES_PER_MB = 1e6
_OUTSIDE = "outside operators"

Event = dict[str, Any]


def trace_document(result: RunResult, board: Board, timeline: Timeline) -> dict[str, Any]:
    """Return the trace of an inference; times are of the board, in µs from its start.

    Args:
        result: of the inference.
        board: on which it ran.
        timeline: what happened when.
    """
    clock = _Clock(board.clock_hz)
    channels = sorted({(transfer.controller, transfer.channel) for transfer in timeline.transfers})
    threads = {channel: _FIRST_DMA_THREAD + n for n, channel in enumerate(channels)}
    events = [
        *_names(result, board, threads),
        *_core_events(result.operators, timeline, clock),
        *_dma_events(timeline.transfers, threads, board, clock),
        *_memory_events(timeline.slices, clock),
    ]
    return {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {
            "schema": SCHEMA,
            "model": result.model,
            "board": result.board,
            "truth": result.truth.value,
            "clock_hz": board.clock_hz,
            "cycles": None if result.time is None else result.time.cycles,
            "is_complete": timeline.is_complete,
        },
    }


def render_trace(document: Mapping[str, Any]) -> str:
    """Return the JSON of a trace, one event a line, with a final newline."""
    rest = {key: value for key, value in document.items() if key != "traceEvents"}
    events = ",\n".join(_compact(event) for event in document["traceEvents"])
    return f'{{"traceEvents":[\n{events}\n],{_compact(rest)[1:]}\n'


def _compact(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class _Clock:
    """Turns core cycles into what trace events count."""

    def __init__(self, clock_hz: int) -> None:
        self._clock_hz = clock_hz

    def microseconds(self, cycles: float) -> float:
        """Return a time, in whole nanoseconds."""
        return round(cycles * _NS_PER_S / self._clock_hz) / 1e3

    def megabytes_per_second(self, size_bytes: int, cycles: float) -> float:
        """Return a rate; 0 for no time."""
        seconds = cycles / self._clock_hz
        return round(size_bytes / _BYTES_PER_MB / seconds, 3) if seconds else 0.0


def _names(
    result: RunResult, board: Board, threads: Mapping[tuple[str, int], int]
) -> Iterator[Event]:
    tracks = {_CORE_THREAD: board.core.name}
    tracks |= {thread: f"{name} channel {number}" for (name, number), thread in threads.items()}
    yield _metadata("process_name", _BOARD_PROCESS, 0, f"virtual {board.name}: {result.model}")
    yield _metadata("process_name", _MEMORY_PROCESS, 0, "memories, MB/s by operator")
    for thread, name in tracks.items():
        yield _metadata("thread_name", _BOARD_PROCESS, thread, name)


def _metadata(kind: str, process: int, thread: int, name: str) -> Event:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}


def _begin(thread: int, at: float, name: str, category: str, args: Mapping[str, Any]) -> Event:
    place = {"pid": _BOARD_PROCESS, "tid": thread, "ts": at}
    return {"ph": "B", **place, "name": name, "cat": category, "args": dict(args)}


def _end(thread: int, at: float) -> Event:
    return {"ph": "E", "pid": _BOARD_PROCESS, "tid": thread, "ts": at}


def _core_events(
    operators: Iterable[OperatorResult], timeline: Timeline, clock: _Clock
) -> Iterator[Event]:
    by_index = {operator.index: operator for operator in operators}
    sleeps = list(timeline.sleeps)[::-1]
    for part in timeline.slices:
        operator = None if part.operator is None else by_index[part.operator]
        name = _OUTSIDE if operator is None else f"{operator.kind} {operator.index}"
        args = _slice_args(part, operator)
        yield _begin(_CORE_THREAD, clock.microseconds(part.started), name, "operator", args)
        while sleeps and sleeps[-1].ended <= part.ended:
            sleep = sleeps.pop()
            at = clock.microseconds(sleep.started)
            args = {"cycles": sleep.ended - sleep.started}
            yield _begin(_CORE_THREAD, at, "asleep", "sleep", args)
            yield _end(_CORE_THREAD, clock.microseconds(sleep.ended))
        yield _end(_CORE_THREAD, clock.microseconds(part.ended))


def _slice_args(part: Slice, operator: OperatorResult | None) -> dict[str, Any]:
    """Whole cycles, rounded so that those of all slices add up to the run's."""
    args: dict[str, Any] = {"cycles": int(part.ended) - int(part.started)}
    if operator is not None:
        args |= {"step": operator.index, "output": operator.output, "macs": operator.macs}
    stalls = {cause: round(cycles) for cause, cycles in part.stalls.items() if cycles >= 1}
    moved = {name: moved_bytes(traffic) for name, traffic in part.traffic.items()}
    return {
        **args,
        "stalls": stalls,
        "bytes": {name: sizes for name, sizes in moved.items() if any(sizes.values())},
    }


def _dma_events(
    transfers: Iterable[Transfer],
    threads: Mapping[tuple[str, int], int],
    board: Board,
    clock: _Clock,
) -> Iterator[Event]:
    for transfer in sorted(transfers, key=lambda t: (t.started, t.ended)):
        thread = threads[transfer.controller, transfer.channel]
        name = f"{_memory_at(board, transfer.source)} → {_memory_at(board, transfer.destination)}"
        duration = transfer.ended - transfer.started
        args = {
            "bytes": transfer.size_bytes,
            "source": f"{transfer.source:#010x}",
            "destination": f"{transfer.destination:#010x}",
            "started_by_step": transfer.operator,
            "mb_per_s": clock.megabytes_per_second(transfer.size_bytes, duration),
        }
        yield _begin(thread, clock.microseconds(transfer.started), name, "dma", args)
        yield _end(thread, clock.microseconds(transfer.ended))


def _memory_at(board: Board, address: int) -> str:
    return next((r.name for r in board.regions if r.contains(address)), f"{address:#010x}")


def _memory_events(slices: Iterable[Slice], clock: _Clock) -> Iterator[Event]:
    """Rates, so that the area under the curve is bytes; only of memories that are used."""
    listed = list(slices)
    used = [name for name in listed[0].traffic if _is_used(name, listed)] if listed else []
    for part in listed:
        duration = part.ended - part.started
        for name in used:
            rates = {
                way: clock.megabytes_per_second(size_bytes, duration)
                for way, size_bytes in moved_bytes(part.traffic[name]).items()
            }
            yield _counter(name, clock.microseconds(part.started), rates)
    for name in used:
        silence = {"read": 0.0, "written": 0.0, "fetched": 0.0}
        yield _counter(name, clock.microseconds(listed[-1].ended), silence)


def _is_used(name: str, slices: Iterable[Slice]) -> bool:
    return any(any(moved_bytes(part.traffic[name]).values()) for part in slices)


def _counter(name: str, at: float, rates: Mapping[str, float]) -> Event:
    place = {"pid": _MEMORY_PROCESS, "tid": 0, "ts": at}
    return {"ph": "C", **place, "name": name, "args": dict(rates)}
