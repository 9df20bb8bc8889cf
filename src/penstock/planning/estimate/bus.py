"""What reads of a memory cost by their order: rows that are opened, reads that go on.

A memory answers one request at a time. In an SDRAM a request outside the open row opens another:
an array does so where its own way leads there, and each time that the kernel comes back from
another array in the same memory. A serial flash goes on without set-up behind its last read.
"""

from collections.abc import Sequence

from penstock.boards.costs import TICKS_PER_CYCLE, RegionCosts
from penstock.planning.estimate.accesses import Access


def word_ticks(accesses: Sequence[Access], costs: RegionCosts) -> float:
    """Return the wait for the reads of arrays of one memory that nothing stands before."""
    counts = [access.reads + access.writes for access in accesses]
    turns = _turns(accesses)
    apart = _apart(accesses, costs)
    ticks = 0.0
    for access, count, turn in zip(accesses, counts, turns, strict=True):
        if not access.reads:
            continue
        going_on = access.advances(access.element_bytes) * (1 - turn / count)
        opened = turn * apart + (count - turn) * _opens(access, costs)
        ticks += access.reads * (
            going_on * costs.sequential_word
            + (1 - going_on) * costs.word_read
            + opened / count * costs.row_miss
        )
    return ticks


def line_ticks(
    accesses: Sequence[Access],
    misses: Sequence[float],
    line_bytes: int,
    costs: RegionCosts,
    *,
    preloads: bool,
) -> float:
    """Return the wait for the lines that a cache fills from arrays of one memory.

    Args:
        accesses: the arrays.
        misses: lines of each that are filled; those that are written go back later.
        line_bytes: of a line.
        costs: of the memory.
        preloads: whether the core fills lines that it is told of before it needs them.
    """
    written_back = sum(
        count for access, count in zip(accesses, misses, strict=True) if access.writes
    )
    total = sum(misses) + written_back
    turns = [min(own, total - own) for own in misses]
    apart = _apart(accesses, costs)
    ticks = 0.0
    for access, count, turn in zip(accesses, misses, turns, strict=True):
        if not (access.reads or access.write_pace) or not count:
            continue
        ways = access.crossings(line_bytes)
        going_on = access.continuing(line_bytes) / ways * (1 - turn / count)
        opened = turn * apart + (count - turn) * _opens(access, costs) / ways
        each = (
            going_on * costs.sequential_read
            + (1 - going_on) * costs.line_read
            + opened / count * costs.row_miss
        )
        if not access.reads:  # the line that leaves for it has been written, too
            hidden = access.write_pace * access.writes / count * TICKS_PER_CYCLE
            each = max(each + costs.line_write - hidden, 0.0)
        elif preloads:
            hidden = access.preload_pace * access.reads / count * TICKS_PER_CYCLE
            each -= access.preloaded * min(hidden, each)
        ticks += count * each
    return ticks


def _turns(accesses: Sequence[Access]) -> list[float]:
    """Return how often the memory is asked for each array behind another one."""
    bursts = [(access.reads + access.writes) / access.burst for access in accesses]

    def turns(access: Access, own: float) -> float:
        beside, beyond = -own, 0.0
        for other, count in zip(accesses, bursts, strict=True):
            if other.is_inner == access.is_inner:
                beside += count
            else:
                beyond += count
        return min(own, beside + min(beyond, access.rounds))

    return [turns(access, own) for access, own in zip(accesses, bursts, strict=True)]


def _opens(access: Access, costs: RegionCosts) -> float:
    """Return how likely an array's own way leads into another row."""
    return access.crossings(costs.row_bytes) if costs.row_bytes else 0.0


def _apart(accesses: Sequence[Access], costs: RegionCosts) -> float:
    """Return how likely two arrays of a memory are in different rows."""
    if not costs.row_bytes:
        return 0.0
    used = sum(access.extent_bytes for access in accesses)
    return min(1.0, used / 2 / costs.row_bytes)
