"""Filters without their zeros, as ``penstock/sparse_filters.h`` describes them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_DISTANCE_MAX = 15
_PAIRS_MAX = (1 << 12) - 1
_HEADER_BYTES, _PAIR_BYTES = 2, 3
END_BYTES = 3
"""That kernels may read behind a channel."""

Bytes = npt.NDArray[np.uint8]
_Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SparseFilters:
    """Encoded filters.

    Attributes:
        stream: all bytes, those behind the last channel included.
        starts: where each channel begins, and where the last one ends.
    """

    stream: Bytes
    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
    """Entries of all channels in order, an even number of each.

    Attributes:
        weights: which may be 0.
        distances: in taps, from the entry before, or from the channel's first tap.
        pairs: how many pairs each channel has.
    """

    weights: npt.NDArray[np.int8]
    distances: _Integers
    pairs: _Integers


def encode_sparse(taps: npt.NDArray[np.int8]) -> SparseFilters | None:
    """Return filters without their zeros; None where a channel has more entries than can be.

    Args:
        taps: ``[channels, taps]``.
    """
    entries = _entries(taps)
    if entries.pairs.max(initial=0) > _PAIRS_MAX:
        return None
    sizes = _HEADER_BYTES + _PAIR_BYTES * entries.pairs
    starts = np.concatenate([[0], np.cumsum(sizes)])
    stream = np.zeros(int(starts[-1]) + END_BYTES, np.uint8)
    first_pairs = np.cumsum(entries.pairs) - entries.pairs
    owner = np.repeat(np.arange(len(sizes)), entries.pairs)
    number = np.arange(len(owner)) - first_pairs[owner]
    at = starts[owner] + _HEADER_BYTES + _PAIR_BYTES * number
    to_second = entries.distances[1::2]
    is_last = number == entries.pairs[owner] - 1
    to_next = np.where(is_last, 0, np.append(entries.distances[2::2], 0))
    stream[at] = entries.weights[0::2].view(np.uint8)
    stream[at + 1] = entries.weights[1::2].view(np.uint8)
    stream[at + 2] = to_second | to_next << 4
    first = np.zeros(len(sizes), np.int64)
    is_any = entries.pairs > 0
    first[is_any] = entries.distances[2 * first_pairs[is_any]]
    stream[starts[:-1]] = entries.pairs & 0xFF
    stream[starts[:-1] + 1] = entries.pairs >> 8 | first << 4
    return SparseFilters(stream, tuple(starts.tolist()))


def least_sparse_bytes(taps: npt.NDArray[np.generic]) -> int:
    """Return bytes that the encoding of filters ``[channels, ...]`` takes at least."""
    pairs = -(-int(np.count_nonzero(taps)) // 2)
    return _HEADER_BYTES * len(taps) + _PAIR_BYTES * pairs + END_BYTES


def count_pairs(stream: npt.NDArray[np.generic], channels: int) -> list[int]:
    """Return how many pairs of entries each of so many channels has."""
    content = stream.tobytes()
    counts: list[int] = []
    at = 0
    for _ in range(channels):
        counts.append(content[at] | (content[at + 1] & 0x0F) << 8)
        at += _HEADER_BYTES + _PAIR_BYTES * counts[-1]
    return counts


def _entries(taps: npt.NDArray[np.int8]) -> _Entries:
    channel, tap = np.nonzero(taps)
    before = np.concatenate([[0], tap[:-1]])
    before[np.flatnonzero(np.diff(channel, prepend=-1))] = 0
    distance = tap - before
    steps = np.maximum(distance - 1, 0) // _DISTANCE_MAX  # entries that only lead on
    counts = np.bincount(channel, weights=steps + 1, minlength=len(taps)).astype(np.int64)
    pairs = -(-counts // 2)
    # Where entry by entry goes: a channel of an odd number leaves one place empty.
    places = np.cumsum(steps + 1) - 1 + (np.cumsum(counts % 2) - counts % 2)[channel]
    weights = np.zeros(2 * int(pairs.sum()), np.int8)
    distances = np.zeros(len(weights), np.int64)
    leading = np.repeat(places - steps, steps) + _ranges(steps)
    distances[leading] = _DISTANCE_MAX
    weights[places] = taps[channel, tap]
    distances[places] = distance - _DISTANCE_MAX * steps
    return _Entries(weights, distances, pairs)


def _ranges(counts: _Integers) -> _Integers:
    """Return 0, 1, … up to each count, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(int(counts.sum())) - np.repeat(ends - counts, counts)
