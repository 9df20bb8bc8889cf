"""Which buffers live at the same time, and how large they are while they do."""

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.planning.lifetimes import Buffer, Segment

Stretch = tuple[int, int, int]
"""``(first_step, end_step, bytes)``: a part of a buffer's life during which its size is one."""


@dataclass(frozen=True, slots=True)
class Neighbor:
    """Another buffer alive at the same time; the pair must keep these distances.

    Attributes:
        index: the other buffer.
        own_bytes: most bytes of this buffer at a step that both share.
        other_bytes: most bytes of the other at such a step.
    """

    index: int
    own_bytes: int
    other_bytes: int


def stretches(buffer: Buffer) -> list[Stretch]:
    """Return the buffer's life in stretches of constant size, in order, not overlapping."""
    segments = sorted(buffer.segments, key=lambda segment: segment.lifetime.first_step)
    lifetimes = [segment.lifetime for segment in segments]
    cuts = sorted({step for life in lifetimes for step in (life.first_step, life.end_step)})
    waiting = iter(segments)
    following = next(waiting, None)
    alive: list[Segment] = []
    found = []
    for first, end in itertools.pairwise(cuts):
        alive = [segment for segment in alive if segment.lifetime.end_step > first]
        while following is not None and following.lifetime.first_step == first:
            alive.append(following)
            following = next(waiting, None)
        if alive:
            found.append((first, end, max(segment.size_bytes for segment in alive)))
    return found


def count_pairs(buffers: Sequence[Buffer]) -> int:
    """Return how many pairs of buffers live at the same time, from their first and last steps."""
    lifetimes = [buffer.lifetime for buffer in buffers]
    ends = sorted(life.end_step for life in lifetimes)
    firsts = sorted(life.first_step for life in lifetimes)
    return sum(
        started - bisect_right(ends, first_step) for started, first_step in enumerate(firsts)
    )


def find_neighbors(buffers: Sequence[Buffer]) -> list[list[Neighbor]]:
    """Return for each buffer those that it shares a step with, met in order of time."""
    lives = [stretches(buffer) for buffer in buffers]
    result: list[list[Neighbor]] = [[] for _ in buffers]
    alive: list[int] = []
    for right in sorted(range(len(buffers)), key=lambda index: lives[index][0][0]):
        first_step = lives[right][0][0]
        alive = [left for left in alive if lives[left][-1][1] > first_step]
        for left in alive:
            left_bytes, right_bytes = _most_bytes(lives[left], lives[right])
            if left_bytes:
                result[left].append(Neighbor(right, left_bytes, right_bytes))
                result[right].append(Neighbor(left, right_bytes, left_bytes))
        alive.append(right)
    return result


def _most_bytes(left: Sequence[Stretch], right: Sequence[Stretch]) -> tuple[int, int]:
    """Return the most bytes of each at the steps that both share; zeros without such a step.

    Every step forbids an interval of distances around 0, so that the union of the intervals is one
    interval, given by the largest sizes.
    """
    if len(left) > len(right):
        right_most, left_most = _most_bytes(right, left)
        return left_most, right_most
    left_most = right_most = 0
    for first, end, size in left:
        position = bisect_right(right, first, key=lambda stretch: stretch[1])
        while position < len(right) and right[position][0] < end:
            left_most = max(left_most, size)
            right_most = max(right_most, right[position][2])
            position += 1
    return left_most, right_most
