"""What goes to memory that is tightly coupled to the core, because caches do not hold it well."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.planning.arena import pack_buffers
from penstock.planning.lifetimes import Buffer
from penstock.planning.overlaps import stretches


@dataclass(frozen=True, slots=True)
class Tight:
    """Buffers in tightly coupled memory.

    Attributes:
        offsets: by position of the buffer.
        size_bytes: extent.
    """

    offsets: dict[int, int]
    size_bytes: int


def choose_tight(buffers: Sequence[Buffer], urgent: Sequence[int], room_bytes: int) -> Tight:
    """Return which buffers are in a memory, and where.

    Args:
        buffers: all that there are.
        urgent: positions of those that are read again and again, and so profit most.
        room_bytes: extent of the memory.
    """
    if not room_bytes:
        return Tight({}, 0)
    first = set(urgent)
    others = [n for n in range(len(buffers)) if n not in first]
    end = max((buffer.lifetime.end_step for buffer in buffers), default=0)
    alive = np.zeros(end, np.int64)
    order = (*urgent, *sorted(others, key=lambda n: buffers[n].size_bytes))
    chosen = [index for index in order if _fits(buffers[index], alive, room_bytes)]
    while chosen:
        packing = pack_buffers([buffers[index] for index in chosen])
        if packing.size_bytes <= room_bytes:
            return Tight(dict(zip(chosen, packing.offsets, strict=True)), packing.size_bytes)
        # Gaps between buffers took too much: leave out a part of what is least urgent.
        chosen = chosen[: len(chosen) * 7 // 8]
    return Tight({}, 0)


def _fits(buffer: Buffer, alive: NDArray[np.int64], room_bytes: int) -> bool:
    """Return whether there is room for a buffer for all its life; takes it if there is."""
    lives = stretches(buffer)
    if any(alive[first:end].max() + size > room_bytes for first, end, size in lives):
        return False
    for first, end, size in lives:
        alive[first:end] += size
    return True
