"""What ``penstock bench models`` found."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from penstock.bench.records import Record
from penstock.report.results import RunResult, Truth


@dataclass(frozen=True, slots=True)
class ModelTiming:
    """A model on a virtual board, and the best that was published.

    Attributes:
        result: of one inference; simulated.
        core: of the board.
        record: on the same kind of core; None where there is none.
    """

    result: RunResult
    core: str
    record: Record | None

    def to_json(self) -> dict[str, Any]:
        """Return an entry of ``penstock.bench-models/1``."""
        result = self.result
        return {
            "model": result.model,
            "board": result.board,
            "core": self.core,
            "verified": result.verified,
            "macs": result.macs,
            "instructions": result.instructions,
            "cycles": None if result.time is None else result.time.cycles,
            "cycles_per_mac": result.cycles_per_mac,
            "published": None if self.record is None else asdict(self.record),
            "kernels": result.kernels,
            "run": result.to_json(),
        }


def benchmark_json(timings: Sequence[ModelTiming]) -> dict[str, Any]:
    """Return the ``penstock.bench-models/1`` form."""
    return {
        "schema": "penstock.bench-models/1",
        "truth": Truth.SIMULATE.value,
        "models": [timing.to_json() for timing in timings],
    }
