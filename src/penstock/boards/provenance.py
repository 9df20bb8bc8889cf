"""Where the numbers of a board come from, and how sure they are."""

from dataclasses import dataclass
from enum import Enum


class Confidence(Enum):
    """How a number is known."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    GUESS = "guess"
    FITTED = "fitted"


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a number is known.

    Attributes:
        source: the document or measurement.
        confidence: read there (primary), told by others (secondary), supposed (guess), or chosen so
            that a model reproduces a measurement (fitted).
        fitted_to: that measurement; empty unless fitted.
        note: what else to know; may be empty.
        measured_on: beginnings of the names of the microcontrollers that it was measured on; empty
            for the board's own, and unless fitted.
    """

    source: str
    confidence: Confidence
    fitted_to: str = ""
    note: str = ""
    measured_on: tuple[str, ...] = ()

    def is_transferred_to(self, mcu: str) -> bool:
        """Return whether the number was measured on other microcontrollers alone."""
        return bool(self.measured_on) and not mcu.startswith(self.measured_on)


@dataclass(frozen=True, slots=True)
class Band:
    """A quantity that is known only to lie between two values."""

    value: float
    low: float
    high: float


FactValue = bool | int | float | str | Band | tuple[int, ...] | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """One entry of a board's file.

    Attributes:
        table: its place, for example ``memory sdram timing``.
        key: its name, which ends in its unit.
        value: what it is.
        provenance: how it is known.
    """

    table: str
    key: str
    value: FactValue
    provenance: Provenance
