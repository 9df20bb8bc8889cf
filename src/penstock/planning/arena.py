"""Where each buffer goes in the arena: several greedy orders, then a bounded local search.

Offline dynamic storage allocation is NP-hard; the most bytes alive at one step bound the result
from below, and the search stops when it is met. Everything is deterministic.
"""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from penstock.planning.lifetimes import Buffer

_SEARCH_ROUNDS = 400
_SEARCH_PLACEMENTS = 40_000
"""Limits of the local search: rounds, and buffers placed in all of them."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Offsets of buffers.

    Attributes:
        offsets: start of each buffer, in the order given.
        size_bytes: end of the highest one.
    """

    offsets: tuple[int, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Neighbor:
    """Another buffer alive at the same time; the pair must keep these distances.

    Attributes:
        index: the other buffer.
        own_bytes: most bytes of this buffer at a step that both share.
        other_bytes: most bytes of the other at such a step.
    """

    index: int
    own_bytes: int
    other_bytes: int


def lower_bound_bytes(buffers: Sequence[Buffer]) -> int:
    """Return the most bytes alive at one step: no packing is smaller."""
    changes: dict[int, int] = {}
    for buffer in buffers:
        for first, end, size in _steps(buffer):
            changes[first] = changes.get(first, 0) + size
            changes[end] = changes.get(end, 0) - size
    alive = most = 0
    for step in sorted(changes):
        alive += changes[step]
        most = max(most, alive)
    return most


def pack_buffers(buffers: Sequence[Buffer], *, search: bool = True) -> Packing:
    """Return offsets at which no two buffers overlap while both live.

    Args:
        buffers: what to place.
        search: False leaves out the local search.
    """
    if not buffers:
        return Packing((), 0)
    bound = lower_bound_bytes(buffers)
    neighbors = _neighbors(buffers)
    orders = [
        sorted(range(len(buffers)), key=lambda index: key(buffers[index])) for key in _GREEDY_ORDERS
    ]
    candidates = [(_pack_in_order(buffers, neighbors, order), order) for order in orders]
    best, order = min(candidates, key=lambda candidate: candidate[0].size_bytes)
    if search and best.size_bytes > bound:
        best = _improve(buffers, neighbors, best, order, bound)
    return best


def _duration(buffer: Buffer) -> int:
    return buffer.lifetime.end_step - buffer.lifetime.first_step


_GREEDY_ORDERS: tuple[Callable[[Buffer], tuple[int, ...]], ...] = (
    lambda buffer: (-buffer.size_bytes, buffer.lifetime.first_step),
    lambda buffer: (-buffer.size_bytes * _duration(buffer), buffer.lifetime.first_step),
    lambda buffer: (-_duration(buffer), -buffer.size_bytes),
    lambda buffer: (buffer.lifetime.first_step, -buffer.size_bytes),
    lambda buffer: (-buffer.lifetime.end_step, -buffer.size_bytes),
)


def _steps(buffer: Buffer) -> list[tuple[int, int, int]]:
    """Return ``(first, end, bytes)`` stretches of constant size, not overlapping."""
    cuts = sorted(
        {
            step
            for segment in buffer.segments
            for step in (segment.lifetime.first_step, segment.lifetime.end_step)
        }
    )
    stretches = []
    for first, end in itertools.pairwise(cuts):
        sizes = [
            segment.size_bytes
            for segment in buffer.segments
            if segment.lifetime.first_step <= first < segment.lifetime.end_step
        ]
        if sizes:
            stretches.append((first, end, max(sizes)))
    return stretches


def _neighbors(buffers: Sequence[Buffer]) -> list[list[_Neighbor]]:
    stretches = [_steps(buffer) for buffer in buffers]
    lifetimes = [buffer.lifetime for buffer in buffers]
    result: list[list[_Neighbor]] = [[] for _ in buffers]
    for left in range(len(buffers)):
        for right in range(left + 1, len(buffers)):
            if not lifetimes[left].overlaps(lifetimes[right]):
                continue
            shared = [
                (left_bytes, right_bytes)
                for left_first, left_end, left_bytes in stretches[left]
                for right_first, right_end, right_bytes in stretches[right]
                if left_first < right_end and right_first < left_end
            ]
            if not shared:
                continue
            # Every step forbids an interval of distances around 0, so that the union of the
            # intervals is one interval, given by the largest sizes.
            left_most = max(pair[0] for pair in shared)
            right_most = max(pair[1] for pair in shared)
            result[left].append(_Neighbor(right, left_most, right_most))
            result[right].append(_Neighbor(left, right_most, left_most))
    return result


def _pack_in_order(
    buffers: Sequence[Buffer], neighbors: Sequence[Sequence[_Neighbor]], order: Sequence[int]
) -> Packing:
    """Place buffers one after the other, each at the lowest offset that is free."""
    offsets = [-1] * len(buffers)
    for index in order:
        forbidden = sorted(
            (offsets[other.index] - other.own_bytes, offsets[other.index] + other.other_bytes)
            for other in neighbors[index]
            if offsets[other.index] >= 0
        )
        offset = 0
        for low, high in forbidden:
            if offset <= low:
                break
            offset = max(offset, high)
        offsets[index] = offset
    size = max(offset + buffer.size_bytes for offset, buffer in zip(offsets, buffers, strict=True))
    return Packing(tuple(offsets), size)


def _improve(
    buffers: Sequence[Buffer],
    neighbors: Sequence[Sequence[_Neighbor]],
    best: Packing,
    order: Sequence[int],
    bound: int,
) -> Packing:
    """Move a buffer that makes the peak towards the front of the order; keep what is no worse."""
    choice = random.Random(0)  # noqa: S311 - a search, not a secret
    current, current_order = best, list(order)
    for _ in range(min(_SEARCH_ROUNDS, _SEARCH_PLACEMENTS // len(buffers) + 1)):
        if best.size_bytes <= bound:
            break
        peak = [
            index
            for index, buffer in enumerate(buffers)
            if current.offsets[index] + buffer.size_bytes == current.size_bytes
        ]
        moved = choice.choice(peak)
        candidate_order = [index for index in current_order if index != moved]
        candidate_order.insert(choice.randrange(current_order.index(moved) + 1), moved)
        if choice.random() < 0.5:
            left, right = choice.randrange(len(buffers)), choice.randrange(len(buffers))
            swapped = candidate_order[left], candidate_order[right]
            candidate_order[right], candidate_order[left] = swapped
        candidate = _pack_in_order(buffers, neighbors, candidate_order)
        if candidate.size_bytes <= current.size_bytes:
            current, current_order = candidate, candidate_order
        if candidate.size_bytes < best.size_bytes:
            best = candidate
    return best
