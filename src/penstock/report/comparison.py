"""One model under several rules of placement, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.report.results import RunResult


@dataclass(frozen=True, slots=True)
class VariantResult:
    """What became of one rule of placement.

    Attributes:
        run: what its simulation found; None where the rule cannot be kept.
        reason: why not; empty otherwise.
    """

    run: RunResult | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What ``penstock compare`` found.

    Attributes:
        model: file name of the model.
        board: board name.
        macs: of the original model.
        external_memories: names of the board's memories outside the microcontroller.
        variants: by name of the rule, in the order of showing.
    """

    model: str
    board: str
    macs: int
    external_memories: tuple[str, ...]
    variants: Mapping[str, VariantResult]

    def to_json(self) -> dict[str, Any]:
        """Return the ``penstock.compare/1`` form; reasons stand beside the variants."""
        return {
            "schema": "penstock.compare/1",
            "model": self.model,
            "board": self.board,
            "macs": self.macs,
            "variants": {
                name: None if result.run is None else result.run.to_json()
                for name, result in self.variants.items()
            },
            "reasons": {name: result.reason for name, result in self.variants.items()},
        }
