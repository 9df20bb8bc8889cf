"""What a kernel call reads and writes, and after how long it comes back to the same bytes.

A visit is one turn of the loop that a kernel spends its time in: an output pixel of a convolution,
a row of a fully connected layer, a whole call of a kernel that goes over its operands once.
"""

import math
from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """What data are, hence where a plan puts them."""

    CODE = "code"
    WEIGHTS = "weights"
    ARENA = "arena"
    SCRATCH = "scratch"


@dataclass(frozen=True, slots=True)
class Sweep:
    """Bytes that a visit touches once.

    Attributes:
        stretches: how many contiguous pieces, on average.
        size_bytes: of a piece.
        step_bytes: from the start of a piece to that of the next.
        interval: visits since these bytes were last touched; None for the first time ever.
        is_joined: whether the pieces of neighbouring visits go on where these end, so that they
            share lines.
    """

    stretches: float
    size_bytes: float
    step_bytes: float
    interval: float | None
    is_joined: bool = False


@dataclass(frozen=True, slots=True)
class Hop:
    """A way from one element to the next that is used.

    Attributes:
        share: of all ways within the array.
        size_bytes: how far.
    """

    share: float
    size_bytes: float


@dataclass(frozen=True, slots=True)
class Access:
    """An array as a kernel uses it.

    Attributes:
        role: what it is.
        visits: how often the loop goes round.
        sweeps: what each visit touches.
        reads: read in all visits together; 0 for what is only written.
        writes: written in all visits together.
        element_bytes: size of one read or write.
        hops: from each to the next; none says that they are far apart.
        burst: how many follow one another before the kernel turns to another array.
        is_inner: whether the innermost loop uses it; otherwise what is around that loop does.
        rounds: how often the innermost loop begins.
        write_pace: cycles from one write to the next, where they come so scattered that each waits
            for its line, if that takes longer; 0 where a store buffer hides them all.
        preload_pace: cycles from one read to the next, where a core that preloads has asked for
            the line before; 0 where nobody asks.
        preloaded: share of the lines that are asked for so.
        array: a name by which later calls know it; empty for what none comes back to.
    """

    role: Role
    visits: int
    sweeps: tuple[Sweep, ...]
    reads: int
    writes: int = 0
    element_bytes: int = 1
    hops: tuple[Hop, ...] = ()
    burst: float = 1.0
    is_inner: bool = True
    rounds: float = math.inf
    write_pace: float = 0.0
    preload_pace: float = 0.0
    preloaded: float = 1.0
    array: str = ""

    def crossings(self, size_bytes: float) -> float:
        """Return the share of its ways that lead out of a block of so many bytes."""
        if not self.hops:
            return 1.0
        return sum(hop.share * min(1.0, hop.size_bytes / size_bytes) for hop in self.hops)

    def advances(self, size_bytes: float) -> float:
        """Return the share of its ways that are so long, no longer."""
        return sum(hop.share for hop in self.hops if hop.size_bytes == size_bytes)

    def continuing(self, line_bytes: float) -> float:
        """Return the share of its ways that lead into the line behind the last."""
        return sum(
            hop.share * hop.size_bytes / line_bytes
            for hop in self.hops
            if hop.size_bytes <= line_bytes
        )

    @property
    def extent_bytes(self) -> float:
        """How much of the array is used at all."""
        return self.visits * sum(
            sweep.stretches * min(sweep.size_bytes, sweep.step_bytes)
            for sweep in self.sweeps
            if sweep.interval is None
        )


def forward(element_bytes: float) -> tuple[Hop, ...]:
    """Return the hops of an array that is gone over from its beginning to its end."""
    return (Hop(1.0, element_bytes),)


def streamed(
    role: Role, size_bytes: float, reads: int, element_bytes: int = 1, *, writes: int = 0
) -> Access:
    """Return an array that a call goes over once."""
    sweep = Sweep(1, size_bytes, size_bytes, None)
    return Access(role, 1, (sweep,), reads, writes, element_bytes, forward(element_bytes))
