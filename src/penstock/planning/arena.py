"""Where each buffer goes in the arena: several greedy orders, then a bounded local search.

Offline dynamic storage allocation is NP-hard; the most bytes alive at one step bound the result
from below, and the search stops when it is met. Where a great many buffers live at once, they are
placed once, in order of time. Everything is deterministic.
"""

import random
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from penstock.planning.lifetimes import Buffer
from penstock.planning.overlaps import Neighbor, count_pairs, find_neighbors, stretches

_SEARCH_ROUNDS = 400
_SEARCH_PLACEMENTS = 40_000
_SEARCH_COMPARISONS = 4_000_000
"""Limits of the local search: rounds, and in all of them buffers placed and pairs compared."""
_PAIRS_MAX = 250_000
"""Pairs of buffers alive at once (all of 700 buffers) up to which orders are compared at all."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Offsets of buffers.

    Attributes:
        offsets: start of each buffer, in the order given.
        size_bytes: end of the highest one.
    """

    offsets: tuple[int, ...]
    size_bytes: int


def lower_bound_bytes(buffers: Sequence[Buffer]) -> int:
    """Return the most bytes alive at one step: no packing is smaller."""
    changes: dict[int, int] = {}
    for buffer in buffers:
        for first, end, size in stretches(buffer):
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
    if count_pairs(buffers) > _PAIRS_MAX:
        return _pack_by_time(buffers)
    neighbors = find_neighbors(buffers)
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


def _pack_in_order(
    buffers: Sequence[Buffer], neighbors: Sequence[Sequence[Neighbor]], order: Sequence[int]
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


def _pack_by_time(buffers: Sequence[Buffer]) -> Packing:
    """Place buffers as their lives begin, each at the lowest offset free for its largest size."""
    offsets = [0] * len(buffers)
    sizes = [buffer.size_bytes for buffer in buffers]
    lifetimes = [buffer.lifetime for buffer in buffers]
    alive: list[tuple[int, int, int]] = []  # offset, end and last step, by offset
    for index in sorted(
        range(len(buffers)), key=lambda index: (lifetimes[index].first_step, -sizes[index])
    ):
        life, offset = lifetimes[index], 0
        alive = [block for block in alive if block[2] > life.first_step]
        for start, end, _ in alive:
            if start - offset >= sizes[index]:
                break
            offset = end
        offsets[index] = offset
        insort(alive, (offset, offset + sizes[index], life.end_step))
    size = max(offset + size for offset, size in zip(offsets, sizes, strict=True))
    return Packing(tuple(offsets), size)


def _improve(
    buffers: Sequence[Buffer],
    neighbors: Sequence[Sequence[Neighbor]],
    best: Packing,
    order: Sequence[int],
    bound: int,
) -> Packing:
    """Move a buffer that makes the peak towards the front of the order; keep what is no worse."""
    choice = random.Random(0)  # noqa: S311 - a search, not a secret
    current, current_order = best, list(order)
    comparisons = 1 + sum(map(len, neighbors))
    rounds = min(
        _SEARCH_ROUNDS,
        _SEARCH_PLACEMENTS // len(buffers) + 1,
        _SEARCH_COMPARISONS // comparisons + 1,
    )
    for _ in range(rounds):
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
