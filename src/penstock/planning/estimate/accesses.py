"""What a kernel call reads and writes, and after how long it comes back to the same bytes.

A visit is one turn of the loop that a kernel spends its time in: an output pixel of a convolution,
a row of a fully connected layer, a whole call of a kernel that goes over its operands once.
"""

from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """What data are, hence where a plan puts them."""

    CODE = "code"
    WEIGHTS = "weights"
    ARENA = "arena"


@dataclass(frozen=True, slots=True)
class Sweep:
    """Bytes that a visit touches once.

    Attributes:
        stretches: how many contiguous pieces, on average.
        size_bytes: of a piece.
        step_bytes: from the start of a piece to that of the next.
        interval: visits since these bytes were last touched; None for the first time ever.
    """

    stretches: float
    size_bytes: float
    step_bytes: float
    interval: float | None


@dataclass(frozen=True, slots=True)
class Access:
    """An array as a kernel uses it.

    Attributes:
        role: what it is.
        visits: how often the loop goes round.
        sweeps: what each visit touches.
        reads: elements read in all visits together; 0 for what is only written.
        element_bytes: size of one.
        sequential: share of the reads that go on where the previous read of the array ended.
    """

    role: Role
    visits: int
    sweeps: tuple[Sweep, ...]
    reads: int
    element_bytes: int = 1
    sequential: float = 0.0


def streamed(role: Role, size_bytes: float, reads: int, element_bytes: int = 1) -> Access:
    """Return an array that a call goes over once."""
    sweep = Sweep(1, size_bytes, size_bytes, None)
    return Access(role, 1, (sweep,), reads, element_bytes, 1.0)
