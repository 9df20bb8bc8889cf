"""What ``penstock bench models`` found."""

from dataclasses import asdict, dataclass
from typing import Any

from penstock.bench.records import Record
from penstock.report.results import RunResult, Truth


@dataclass(frozen=True, slots=True)
class ModelTiming:
    """A model on a virtual board, and the best that was published.

    Attributes:
        result: of one inference; simulated.
        record: on this chip, or else on one with the same core; None where there is none.
    """

    result: RunResult
    record: Record | None

    def to_json(self) -> dict[str, Any]:
        """Return an entry of ``penstock.bench-models/1``."""
        record = None if self.record is None else asdict(self.record)
        each = self.result.cycles_per_mac
        return {
            "cycles_per_mac": each,
            "instructions_per_mac": self.result.instructions_per_mac,
            "published": record,
            "run": self.result.to_json(),
        }


@dataclass(frozen=True, slots=True)
class ModelBenchmark:
    """Models on virtual boards, in the order in which they ran."""

    timings: tuple[ModelTiming, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the ``penstock.bench-models/1`` form."""
        return {
            "schema": "penstock.bench-models/1",
            "truth": Truth.SIMULATE.value,
            "models": [timing.to_json() for timing in self.timings],
        }
