"""What a network may take: whether it does, and by how much it does not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Candidate = TypeVar("Candidate")


@dataclass(frozen=True, slots=True)
class Measured:
    """One quantity of a network.

    Attributes:
        what: it is.
        found: None where it cannot be said, such as a latency of what does not fit a board.
        allowed: at most.
        show: returns a quantity for people.
        unknown: why it cannot be said.
    """

    what: str
    found: float | None
    allowed: float
    show: Callable[[float], str]
    unknown: str = ""

    @property
    def fits(self) -> bool:
        """Whether it is as little as allowed."""
        return self.found is not None and self.found <= self.allowed

    def __str__(self) -> str:
        """Return found against allowed, for people."""
        if self.found is None:
            return self.unknown
        return f"{self.what} {self.show(self.found)}, allowed are {self.show(self.allowed)}"


@dataclass(frozen=True, slots=True, eq=False)
class Budget(Generic[Candidate]):
    """What a network may take.

    Attributes:
        measure: yields the quantities of a candidate, what is found out soonest first.
    """

    measure: Callable[[Candidate], Iterator[Measured]]

    def __call__(self, candidate: Candidate) -> bool:
        """Return whether a candidate takes no more."""
        return all(measured.fits for measured in self.measure(candidate))

    def excess(self, candidate: Candidate) -> str:
        """Return what a candidate takes too much of, for people."""
        return "; ".join(str(m) for m in self.measure(candidate) if not m.fits)


UNLIMITED: Budget[object] = Budget(lambda _candidate: iter(()))
