"""What ``penstock build`` made."""

from dataclasses import asdict, dataclass
from typing import Any

from penstock.design.published import NetworkOptions
from penstock.planning.execution_plan import ExecutionPlan
from penstock.report.inspection import GraphTotals


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A network as built.

    Attributes:
        options: what was asked for.
        totals: of the model file; parameters are those of filters and biases.
        arena_bytes: most bytes that its activations need at once, planned for the host.
        arena_bytes_lower_bound: no plan needs less.
        file_bytes: of the model file.
    """

    options: NetworkOptions
    totals: GraphTotals
    arena_bytes: int
    arena_bytes_lower_bound: int
    file_bytes: int

    def to_json(self, file: str) -> dict[str, Any]:
        """Return the ``penstock.build/1`` form of a network that was written to ``file``."""
        options = asdict(self.options)
        return {
            "schema": "penstock.build/1",
            "network": options.pop("name"),
            **options,
            **asdict(self.totals),
            "arena_bytes": self.arena_bytes,
            "arena_bytes_lower_bound": self.arena_bytes_lower_bound,
            "file": file,
            "file_bytes": self.file_bytes,
        }


@dataclass(frozen=True, slots=True, eq=False)
class BuiltNetwork:
    """A network made from a table.

    Attributes:
        result: figures, as written to JSON.
        content: the .tflite file; the same options give the same bytes.
    """

    result: BuildResult
    content: bytes


def summarize_build(
    options: NetworkOptions, totals: GraphTotals, plan: ExecutionPlan, content: bytes
) -> BuiltNetwork:
    """Return a file with its figures; ``plan`` is that of its ``content``."""
    result = BuildResult(
        options, totals, plan.arena.size_bytes, plan.arena.lower_bound_bytes, len(content)
    )
    return BuiltNetwork(result, content)
