"""What a user may ask of a plan: where things go, what stays free, and which tricks are used."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

from penstock.boards.banks import join_banks
from penstock.boards.board import Board
from penstock.errors import InputError
from penstock.kernels.kernel_set import KernelChoice, WeightChoice


class Effort(Enum):
    """How long to look for a plan."""

    FAST = "fast"  # tensors go to far memory, and calls are parted, as far as they have to
    FULL = "full"  # all ways of that are compared by their estimated time


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """Choices of a plan.

    Attributes:
        weights_in: memory region for the weights; None chooses.
        arena_in: memory region that kernels work in; None chooses.
        overlays: let DMA bring what kernels work on, tile by tile; otherwise everything is used
            where it lies.
        prefetch: start copies a tile early, so that they run while the core computes.
        fusion: run chains of calls band by band where a tensor between them would not fit.
        tight: use memory that is tightly coupled to the core for what is read most.
        reserve: bytes that stay free, by memory region.
        effort: how long to look for the best tiles.
        kernels: which of the C library's.
        weights: how filters are stored.
    """

    weights_in: str | None = None
    arena_in: str | None = None
    overlays: bool = True
    prefetch: bool = True
    fusion: bool = True
    tight: bool = True
    reserve: tuple[tuple[str, int], ...] = ()
    effort: Effort = Effort.FAST
    kernels: KernelChoice = KernelChoice.AUTO
    weights: WeightChoice = WeightChoice.AUTO

    def to_json(self) -> dict[str, Any]:
        """Return the choices by name."""
        document = {field.name: getattr(self, field.name) for field in fields(PlanOptions)}
        return {
            **document,
            "reserve": dict(self.reserve),
            "effort": self.effort.value,
            "kernels": self.kernels.value,
            "weights": self.weights.value,
        }


DEFAULT_PLAN_OPTIONS = PlanOptions()


def parse_plan_options(document: Mapping[str, Any]) -> PlanOptions:
    """Return what `PlanOptions.to_json` wrote; raises ValueError and KeyError where it is not."""
    values = {field.name: document[field.name] for field in fields(PlanOptions)}
    for name in ("weights_in", "arena_in"):
        if not isinstance(values[name], str | None):
            raise ValueError(f"{name} is {values[name]!r}, not a text")
    for name in ("overlays", "prefetch", "fusion", "tight"):
        if not isinstance(values[name], bool):
            raise ValueError(f"{name} is {values[name]!r}, not true or false")
    kept = values["reserve"]
    if not isinstance(kept, dict) or not all(type(size) is int for size in kept.values()):
        raise ValueError(f"reserve is {kept!r}, not bytes by memory region")
    chosen = {
        "effort": Effort(values["effort"]),
        "kernels": KernelChoice(values["kernels"]),
        "weights": WeightChoice(values["weights"]),
    }
    return PlanOptions(**{**values, "reserve": tuple(kept.items()), **chosen})


def with_joined_banks(board: Board, options: PlanOptions) -> Board:
    """Return a board on which adjacent banks that nobody names are one memory."""
    named = {options.weights_in, options.arena_in, *(name for name, _ in options.reserve)}
    return join_banks(board, {name for name in named if name is not None})


def reserve_memory(board: Board, options: PlanOptions) -> Board:
    """Return the board without the memory that stays free.

    Raises:
        InputError: there is no such region, or it has less than that.
    """
    kept: dict[str, int] = {}
    for name, size_bytes in options.reserve:
        kept[name] = kept.get(name, 0) + size_bytes
    sizes = {region.name: region.size_bytes for region in board.regions}
    for name, size_bytes in kept.items():
        if name not in sizes:
            raise InputError(
                f"board {board.name!r} has no memory region {name!r} to reserve {size_bytes} B of",
                help=f"choose one of: {', '.join(sizes)}",
            )
        if size_bytes > sizes[name]:
            raise InputError(
                f"cannot reserve {size_bytes} B of {name!r} of board {board.name!r}: "
                f"it has {sizes[name]} B",
                help="reserve less",
            )
    regions = tuple(
        replace(region, size_bytes=region.size_bytes - kept.get(region.name, 0))
        for region in board.regions
    )
    return replace(board, regions=regions)
