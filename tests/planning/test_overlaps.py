"""Pairs of buffers that meet, against a look at every step; and packing of very many buffers."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.planning import arena
from penstock.planning.arena import lower_bound_bytes, pack_buffers
from penstock.planning.lifetimes import Buffer, Lifetime, Segment
from penstock.planning.overlaps import Neighbor, count_pairs, find_neighbors, stretches

STEPS = 30


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    first = draw(st.integers(0, STEPS - 1))
    end = draw(st.integers(first + 1, STEPS))
    return Segment(Lifetime(first, end), 16 * draw(st.integers(1, 9)))


BUFFERS = st.lists(
    st.lists(segments(), min_size=1, max_size=4).map(
        lambda parts: Buffer(
            ("t",), tuple(sorted(parts, key=lambda part: part.lifetime.first_step))
        )
    ),
    min_size=1,
    max_size=12,
)


def bytes_at(buffer: Buffer, step: int) -> int:
    alive = [
        part.size_bytes
        for part in buffer.segments
        if part.lifetime.first_step <= step < part.lifetime.end_step
    ]
    return max(alive, default=0)


@given(BUFFERS)
@settings(max_examples=200, deadline=None)
def test_stretches_say_the_size_at_every_step(buffers: list[Buffer]) -> None:
    for buffer in buffers:
        sizes = [0] * STEPS
        for first, end, size in stretches(buffer):
            assert sizes[first:end] == [0] * (end - first), "stretches overlap"
            sizes[first:end] = [size] * (end - first)
        assert sizes == [bytes_at(buffer, step) for step in range(STEPS)]


@given(BUFFERS)
@settings(max_examples=200, deadline=None)
def test_neighbors_are_those_alive_at_one_step(buffers: list[Buffer]) -> None:
    found = find_neighbors(buffers)
    for left, buffer in enumerate(buffers):
        expected = set()
        for right, other in enumerate(buffers):
            pairs = [(bytes_at(buffer, step), bytes_at(other, step)) for step in range(STEPS)]
            shared = [pair for pair in pairs if all(pair)]
            if right != left and shared:
                own, others = zip(*shared, strict=True)
                expected.add(Neighbor(right, max(own), max(others)))
        assert len(found[left]) == len(expected)
        assert set(found[left]) == expected


@given(BUFFERS)
@settings(max_examples=200, deadline=None)
def test_pairs_are_counted_by_whole_lives(buffers: list[Buffer]) -> None:
    lives = [buffer.lifetime for buffer in buffers]
    met = [lives[i].overlaps(lives[j]) for i in range(len(lives)) for j in range(i)]
    assert count_pairs(buffers) == sum(met)


@given(BUFFERS)
@settings(max_examples=200, deadline=None)
def test_packing_in_order_of_time_never_overlaps(buffers: list[Buffer]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arena, "_PAIRS_MAX", -1)
        packing = pack_buffers(buffers)
    assert packing.size_bytes >= lower_bound_bytes(buffers)
    for left, buffer in enumerate(buffers):
        assert packing.offsets[left] + buffer.size_bytes <= packing.size_bytes
        for right in range(left):
            if buffer.lifetime.overlaps(buffers[right].lifetime):
                low, high = packing.offsets[left], packing.offsets[right]
                is_below = low + buffer.size_bytes <= high
                assert is_below or high + buffers[right].size_bytes <= low


def test_thousands_of_buffers_are_packed_in_seconds() -> None:
    generator = np.random.default_rng(0)
    sizes = [16 * int(size) for size in generator.integers(1, 100, 8000)]
    together = [Buffer((f"t{i}",), (Segment(Lifetime(0, 9), n),)) for i, n in enumerate(sizes)]
    in_turn = [
        Buffer((f"t{i}",), (Segment(Lifetime(i, i + 1 + i % 400), n),)) for i, n in enumerate(sizes)
    ]
    started = time.perf_counter()
    assert pack_buffers(together).size_bytes == sum(sizes)
    assert pack_buffers(in_turn).size_bytes < 1.3 * lower_bound_bytes(in_turn)
    assert time.perf_counter() - started < 20
