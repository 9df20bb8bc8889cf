"""The runtime of overlays: what it starts, waits for and says of caches, and in which order."""

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from penstock.boards.copying import CHANNELS_MAX
from penstock.toolchain import cached_shared_library
from tests.kernels.driver import include_directory, runtime_directory

CLEAN, INVALIDATE = 1, 2
OK, ERROR_DMA = 0, 3
_KINDS = ("start", "wait", "clean", "invalidate")


class _Copy(ctypes.Structure):
    _fields_ = (
        ("destination", ctypes.c_void_p),
        ("source", ctypes.c_void_p),
        ("size_bytes", ctypes.c_uint32),
        ("tile", ctypes.c_uint16),
        ("channel", ctypes.c_uint8),
        ("cache", ctypes.c_uint8),
    )


class _Tile(ctypes.Structure):
    _fields_ = (
        ("first_copy", ctypes.c_uint16),
        ("load_count", ctypes.c_uint8),
        ("store_count", ctypes.c_uint8),
        ("waits", ctypes.c_uint8),
        ("late_waits", ctypes.c_uint8),
    )


class _Program(ctypes.Structure):
    _fields_ = (("tiles", ctypes.POINTER(_Tile)), ("copies", ctypes.POINTER(_Copy)))


class _State(ctypes.Structure):
    _fields_ = (
        ("running", ctypes.c_void_p * 8),
        ("end_tile", ctypes.c_uint32),
        ("has_failed", ctypes.c_uint32),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_uint32),
        ("channel", ctypes.c_uint32),
        ("size_bytes", ctypes.c_uint32),
        ("destination", ctypes.c_void_p),
        ("source", ctypes.c_void_p),
    )


@cache
def library() -> ctypes.CDLL:
    runtime = runtime_directory()
    sources = [runtime / "src" / "overlay.c", Path(__file__).with_name("recorded_dma.c")]
    folders = [include_directory(), runtime / "ports" / "dma"]
    return ctypes.CDLL(str(cached_shared_library("test-overlay", sources, folders)))


def copy(number: int, channel: int, tile: int, cache: int = 0) -> _Copy:
    """A copy of 100 + ``number`` bytes; addresses tell copies apart and are never touched."""
    return _Copy(0x1000 * (number + 1), 0x100000 * (number + 1), 100 + number, tile, channel, cache)


class Recorder:
    """Runs tiles of tables, and says what was asked of the DMA controller."""

    def __init__(self, tiles: Sequence[_Tile], copies: Sequence[_Copy]) -> None:
        self._library = library()
        self._tiles, self._copies = (_Tile * len(tiles))(*tiles), (_Copy * len(copies))(*copies)
        self._program = _Program(self._tiles, self._copies)
        self._state = _State()
        self._seen = ctypes.c_uint32.in_dll(self._library, "recorded_count")
        self.failing = ctypes.c_uint32.in_dll(self._library, "recorded_failing")
        self._seen.value = 0
        self.failing.value = 0

    def _call(self, function: str, *numbers: int) -> list[str]:
        program = [] if function == "end" else [ctypes.byref(self._program)]
        called = getattr(self._library, f"ps_overlay_{function}")
        self.status = called(*program, ctypes.byref(self._state), *map(ctypes.c_uint32, numbers))
        events = (_Event * 4096).in_dll(self._library, "recorded_events")
        found = [self._describe(event) for event in events[: self._seen.value]]
        self._seen.value = 0
        return found

    def _describe(self, event: _Event) -> str:
        kind = _KINDS[event.kind]
        if kind == "wait":
            return f"wait {event.channel}"
        (number,) = [
            n
            for n, copy in enumerate(self._copies)
            if event.destination in (None, copy.destination)
            and event.source in (None, copy.source)
            and event.size_bytes == copy.size_bytes
        ]
        if kind == "start":
            assert event.channel == self._copies[number].channel
        return f"{kind} {number}"

    def begin(self, first_tile: int, end_tile: int) -> list[str]:
        return self._call("begin", first_tile, end_tile)

    def before(self, tile: int) -> list[str]:
        return self._call("before", tile)

    def after(self, tile: int) -> list[str]:
        return self._call("after", tile)

    def end(self, *, failing: int = 0) -> list[str]:
        self.failing.value = failing
        return self._call("end")

    def run(self, first_tile: int, end_tile: int) -> list[list[str]]:
        """Return what happens before and after each tile, and at the ends."""
        found = [self.begin(first_tile, end_tile)]
        for tile in range(first_tile, end_tile):
            found += [self.before(tile), self.after(tile)]
        return [*found, self.end()]


COPIES = [
    copy(0, 0, 0),  # needed at once
    copy(1, 1, 1),
    copy(2, 2, 2),  # two tiles early
    copy(3, 3, 0),  # a store
    copy(4, 0, 2),
    copy(5, 1, 3),
    copy(6, 4, 3),  # a store, whose channel nobody waits for but the end
]
TILES = [
    _Tile(0, 3, 1, 0, 0b1),
    _Tile(4, 1, 0, 0b10, 0),
    _Tile(5, 1, 0, 0b1101, 0),
    _Tile(6, 0, 1, 0b10, 0),
]


def test_waits_come_before_loads_and_stores_after_the_tile() -> None:
    assert Recorder(TILES, COPIES).run(0, 4) == [
        [],
        ["start 0", "start 1", "start 2", "wait 0"],
        ["start 3"],
        ["wait 1", "start 4"],
        [],
        ["wait 0", "wait 2", "wait 3", "start 5"],
        [],
        ["wait 1"],
        ["start 6"],
        ["wait 4"],
    ]


def test_nothing_is_loaded_for_tiles_beyond_the_end_and_all_that_runs_is_waited_for() -> None:
    assert Recorder(TILES, COPIES).run(0, 2) == [
        [],
        ["start 0", "start 1", "wait 0"],
        ["start 3"],
        ["wait 1"],
        [],
        ["wait 3"],
    ]


def test_a_run_that_begins_later_starts_what_earlier_tiles_would_have() -> None:
    recorder = Recorder(TILES, COPIES)
    recorder.run(0, 2)
    assert recorder.run(2, 3) == [
        ["start 2", "start 4"],
        ["wait 0", "wait 2"],
        [],
        [],
    ]
    assert recorder.run(3, 4) == [["start 5"], ["wait 1"], ["start 6"], ["wait 4"]]


def test_tile_by_tile_each_copy_starts_once() -> None:
    recorder = Recorder(TILES, COPIES)
    events = [e for tile in range(4) for part in recorder.run(tile, tile + 1) for e in part]
    started = sorted(event for event in events if event.startswith("start"))
    assert started == [f"start {number}" for number in range(len(COPIES))]
    waits = [event for event in events if event.startswith("wait")]
    assert len(waits) == len(COPIES)


def test_an_empty_run_does_nothing_and_succeeds() -> None:
    recorder = Recorder(TILES, COPIES)
    assert recorder.run(2, 2) == [[], []]
    assert recorder.status == OK


@pytest.mark.parametrize("channel", [0, 4])
def test_a_copy_that_fails_is_told_at_the_end_of_that_run(channel: int) -> None:
    copies = [copy(0, channel, 1)]
    tiles = [_Tile(0, 1, 0, 0, 0), _Tile(1, 0, 0, 0, 0)]
    recorder = Recorder(tiles, copies)
    recorder.begin(0, 2)
    recorder.before(0)
    assert recorder.end(failing=1 << channel) == [f"wait {channel}"]
    assert recorder.status == ERROR_DMA
    recorder.begin(0, 2)
    recorder.before(0)
    assert recorder.end(failing=0xFF ^ 1 << channel) == [f"wait {channel}"]
    assert recorder.status == OK


def test_a_copy_that_fails_in_the_middle_does_not_stop_the_others() -> None:
    recorder = Recorder(TILES, COPIES)
    recorder.failing.value = 0b1
    assert recorder.run(0, 4) == Recorder(TILES, COPIES).run(0, 4)
    recorder = Recorder(TILES, COPIES)
    recorder.begin(0, 4)
    recorder.failing.value = 0b1
    recorder.before(0)
    recorder.failing.value = 0
    for tile in range(1, 4):
        recorder.before(tile)
    recorder.end()
    assert recorder.status == ERROR_DMA


@pytest.mark.parametrize("cache", [0, CLEAN, INVALIDATE, CLEAN | INVALIDATE])
def test_the_data_cache_is_told_what_a_copy_asks_for_and_no_more(cache: int) -> None:
    recorder = Recorder([_Tile(0, 1, 0, 0, 0b100)], [copy(0, 2, 0, cache)])
    recorder.begin(0, 1)
    wanted = ["start 0", "wait 2"]
    if cache & INVALIDATE:
        wanted = ["invalidate 0", "start 0", "wait 2", "invalidate 0"]
    assert recorder.before(0) == (["clean 0"] if cache & CLEAN else []) + wanted


def test_every_channel_is_waited_for() -> None:
    copies = [copy(number, number, 1) for number in range(8)]
    recorder = Recorder([_Tile(0, 8, 0, 0, 0), _Tile(8, 0, 0, 0xFF, 0)], copies)
    assert recorder.run(0, 2)[3] == [f"wait {channel}" for channel in range(8)]


def test_planners_know_how_many_channels_there_are() -> None:
    header = (include_directory() / "penstock" / "overlay.h").read_text()
    assert f"#define PS_OVERLAY_CHANNELS_MAX {CHANNELS_MAX}\n" in header
