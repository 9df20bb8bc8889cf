"""What keeps lines between a memory and a core, and how often a line is missing there.

Lines of caches are replaced at random, as on a Cortex-M7, so a line outlives k misses elsewhere
with the probability exp(−k/lines); a flash accelerator drops its oldest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.planning.estimate.accesses import Access, Sweep

_ROUNDS = 60
_SETTLED = 1e-3
_ROOMY = 0.95
"""Share of a cache that data fill without meeting in its sets, more or less."""


@dataclass(frozen=True, slots=True)
class Store:
    """What keeps lines between a memory and the core.

    Attributes:
        line_bytes: of one line.
        lines: how many it holds.
        sets: of a cache; 0 where the oldest line is dropped.
    """

    line_bytes: int
    lines: int
    sets: int

    def survival(self, misses: float) -> float:
        """Return how likely a line is still there after this many misses."""
        if self.sets == 0:
            return 1.0 if misses < self.lines else 0.0
        return math.exp(-misses / self.lines)


def settle_misses(store: Store, accesses: Sequence[Access], visits: int) -> list[float]:
    """Return misses of each access in a visit that are consistent with one another.

    Misses replace lines, which makes misses: beginning where everything misses, as with cold
    caches, they fall until they only make themselves.
    """
    rates = [access.visits / visits for access in accesses]
    room = sum(rate * _room(store, access) for rate, access in zip(rates, accesses, strict=True))
    if room * visits < _ROOMY * store.lines:  # everything has a place of its own
        return [rate * first_misses(store, a) for rate, a in zip(rates, accesses, strict=True)]
    misses = [math.inf] * len(accesses)
    for _ in range(_ROUNDS):
        total = sum(misses)
        settled = [
            rate * sum(_sweep_misses(store, sweep, total, own) for sweep in access.sweeps)
            for rate, access, own in zip(rates, accesses, misses, strict=True)
        ]
        has_settled = sum(settled) > (1 - _SETTLED) * total
        misses = settled
        if has_settled:
            break
    return misses


def first_misses(store: Store, access: Access) -> float:
    """Return how many lines of a visit nobody has touched before."""
    return sum(
        sweep.stretches * _stretch_lines(store, sweep)
        for sweep in access.sweeps
        if sweep.interval is None
    )


def _room(store: Store, access: Access) -> float:
    """Return how many lines the new bytes of a visit take, more where they crowd in few sets."""
    crowding = max(_crowding(store, sweep, _stretch_lines(store, sweep)) for sweep in access.sweeps)
    return crowding * first_misses(store, access)


def _sweep_misses(store: Store, sweep: Sweep, total: float, own: float) -> float:
    """Return how many of a sweep's lines are missing.

    Args:
        store: where they may be.
        sweep: what is touched.
        total: misses of all accesses in a visit.
        own: misses among them of the sweep's access, which crowd in the sets that it uses.
    """
    each = _stretch_lines(store, sweep)
    lines = sweep.stretches * each
    if sweep.interval is None:
        return lines
    crowding = _crowding(store, sweep, each)
    seen = total + own * (crowding - 1) if crowding > 1 else total
    return lines * (1 - store.survival(seen * sweep.interval))


def _crowding(store: Store, sweep: Sweep, stretch_lines: float) -> float:
    """Return all sets of a cache over those that evenly spaced pieces fall into."""
    step = sweep.step_bytes / store.line_bytes
    if (
        store.sets == 0
        or sweep.is_joined
        or sweep.stretches <= 1
        or step <= stretch_lines
        or step % 1
    ):
        return 1.0
    starts = min(sweep.stretches, store.sets / math.gcd(int(step), store.sets))
    return max(store.sets / (starts * stretch_lines), 1.0)


def _stretch_lines(store: Store, sweep: Sweep) -> float:
    line = store.line_bytes
    if sweep.is_joined or sweep.step_bytes <= sweep.size_bytes:
        return sweep.size_bytes / line
    if sweep.step_bytes < line:
        return sweep.step_bytes / line
    if sweep.step_bytes % line == 0:
        return math.ceil(sweep.size_bytes / line)
    return min((sweep.size_bytes + line - 1) / line, sweep.step_bytes / line)
