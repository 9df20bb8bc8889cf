"""When the copies of overlays took place on the virtual board, and when the core slept meanwhile.

A plan has copies, a controller has transfers: one for each copy, or several for a long one, or none
for one so short that the core makes it. Both are in order on each channel, which is how they find
each other.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from penstock.planning.overlays.program import Copy
from penstock.simulate.dma import Transfer
from penstock.simulate.timeline import Span

_CORE_BYTES_MAX = 62
"""Of a copy, what the core moves itself: less than a burst of 32 bytes at either end."""


@dataclass(frozen=True, slots=True)
class CopyTime:
    """How long copies were under way.

    Attributes:
        cycles: in which at least one of them was.
        exposed_cycles: those among them in which the core slept.
    """

    cycles: float
    exposed_cycles: float

    @property
    def hidden_share(self) -> float | None:
        """The part of the time in which the core did something else; None of no time."""
        return 1 - self.exposed_cycles / self.cycles if self.cycles else None


def copy_time(transfers: Iterable[Transfer], sleeps: Sequence[Span]) -> CopyTime:
    """Return how long some transfers took, counting once what ran beside each other.

    Args:
        transfers: any.
        sleeps: of the core, one after the other.
    """
    spans = _union(sorted((t.started, t.ended) for t in transfers))
    exposed, position = 0.0, 0
    for start, end in spans:
        while position < len(sleeps) and sleeps[position].ended <= start:
            position += 1
        for sleep in sleeps[position:]:
            if sleep.started >= end:
                break
            exposed += min(end, sleep.ended) - max(start, sleep.started)
    return CopyTime(sum(end - start for start, end in spans), exposed)


def _union(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return spans that do not overlap and cover the same time; the argument is sorted."""
    merged: list[tuple[float, float]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged


def match_transfers(
    copies: Sequence[Copy], transfers: Iterable[Transfer], first_channel: int
) -> list[tuple[Transfer, ...]] | None:
    """Return by copy the transfers that made it; None where they do not fit each other.

    Args:
        copies: of one run of the whole program.
        transfers: of that run.
        first_channel: number that the controller has for channel 0 of the plan.
    """
    waiting: Mapping[int, deque[Transfer]] = {copy.channel: deque() for copy in copies}
    for transfer in sorted(transfers, key=lambda t: t.started):
        channel = transfer.channel - first_channel
        if channel not in waiting:
            return None
        waiting[channel].append(transfer)
    matched = []
    for copy in copies:
        made = _take(copy, waiting[copy.channel])
        if copy.size_bytes - sum(t.size_bytes for t in made) > _CORE_BYTES_MAX:
            return None
        matched.append(made)
    return None if any(waiting.values()) else matched


def _take(copy: Copy, waiting: deque[Transfer]) -> tuple[Transfer, ...]:
    """Take the transfers of a copy: as many as go on where the last one ended."""
    taken: list[Transfer] = []
    left = copy.size_bytes
    while waiting and waiting[0].size_bytes <= left:
        if taken and waiting[0].source != taken[-1].source + taken[-1].size_bytes:
            break
        taken.append(waiting.popleft())
        left -= taken[-1].size_bytes
    return tuple(taken)
