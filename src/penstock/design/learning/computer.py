"""What a training depends on besides its recipe; without torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Computer:
    """What the last bits of sums depend on: the same seed gives the same file on the same one.

    Attributes:
        torch: its version.
        instructions: of the processor, that torch's kernels use.
        threads: that each process computes with.
        processes: that train together.
    """

    torch: str
    instructions: str
    threads: int
    processes: int
