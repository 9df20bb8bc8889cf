"""How far estimates were from simulations, by board and by what holds the data.

``accuracy.toml`` is written by ``make docs`` from the comparisons in ``tests/estimate``. What an
estimate says of its own error comes from comparisons like itself, never from better ones.
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

from penstock.boards import board_names, load_board
from penstock.boards.board import Board, MemoryKind
from penstock.planning.execution_plan import Placement

ANY = "any"
"""Home of what a comparison put wherever the planner wanted."""

OVERLAYS = "overlays"
"""Home of weights that DMA brings tile by tile, from wherever they are."""

_HOMES = {
    MemoryKind.TCM_INSTRUCTION: "internal RAM",
    MemoryKind.TCM_DATA: "internal RAM",
    MemoryKind.SRAM: "internal RAM",
    MemoryKind.FLASH: "flash",
    MemoryKind.SDRAM: "SDRAM",
    MemoryKind.QSPI_FLASH: "serial flash",
}
_HEADING = (
    "# Written by `make docs`: estimates against simulations, as tests/estimate compares them."
)


@dataclass(frozen=True, slots=True)
class Homes:
    """Kinds of the memories that hold a network.

    Attributes:
        weights: of the weights.
        arena: of the activations.
    """

    weights: str
    arena: str


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Errors of the estimates that one test compared with simulations on a board.

    Attributes:
        board: its name.
        core: its processor.
        models: which networks: ``collection`` (all that are shared, as the planner places them),
            ``placements`` (a few, in every memory that they fit) or ``overlays`` (a few, in tiles).
        weights: kind of the memory of the weights.
        arena: the same of the activations.
        count: how many estimates.
        median: of their relative errors without sign.
        ninety: what nine tenths of those are within.
        worst: the largest error, with its sign.
        worst_model: where that is.
    """

    board: str
    core: str
    models: str
    weights: str
    arena: str
    count: int
    median: float
    ninety: float
    worst: float
    worst_model: str


@dataclass(frozen=True, slots=True)
class StatedError:
    """What is known of an estimate's error.

    Attributes:
        homes: kinds of memories that hold its data; only such comparisons count.
        boards: where comparisons were made; those of the same core where this one has none.
        is_board_compared: whether it is this board itself.
        count: how many estimates were compared; 0 for none.
        median: half of those were at least so near, relative; None without any.
        worst: all of them were at least so near; None without any.
    """

    homes: Homes
    boards: tuple[str, ...]
    is_board_compared: bool
    count: int
    median: float | None
    worst: float | None


def find_homes(placement: Placement, board: Board) -> Homes:
    """Return the kinds of memories that hold a network's data."""
    return Homes(
        _HOMES[board.region(placement.weights).kind], _HOMES[board.region(placement.arena).kind]
    )


def stated_error(placement: Placement, board: Board) -> StatedError:
    """Return what comparisons with simulations say of estimates for a placement on a board."""
    return error_of_homes(find_homes(placement, board), board)


def error_of_homes(homes: Homes, board: Board) -> StatedError:
    """Return what comparisons with simulations say of data in such memories on a board."""
    alike = [
        known
        for known in load_accuracy()
        if known.core == board.core.name and Homes(known.weights, known.arena) == homes
    ]
    own = [known for known in alike if known.board == board.name and _is_shipped(board)]
    counted = own or alike
    return StatedError(
        homes=homes,
        boards=tuple(sorted({known.board for known in counted})),
        is_board_compared=bool(own),
        count=sum(known.count for known in counted),
        median=max((known.median for known in counted), default=None),
        worst=max((abs(known.worst) for known in counted), default=None),
    )


def _is_shipped(board: Board) -> bool:
    """Return whether a board is what comparisons know by its name, and no variant of it."""
    return board.name in board_names() and load_board(board.name) == board


@cache
def load_accuracy() -> tuple[Accuracy, ...]:
    """Return all comparisons that were made."""
    file = files("penstock.planning.estimate") / "accuracy.toml"
    return parse_accuracy(file.read_text(encoding="utf-8"))


def parse_accuracy(text: str) -> tuple[Accuracy, ...]:
    """Return the comparisons that a file lists."""
    return tuple(Accuracy(**entry) for entry in tomllib.loads(text).get("comparison", []))


def format_accuracy(found: Iterable[Accuracy]) -> str:
    """Return the text of a file of comparisons, in the file's order."""
    entries = (_format_entry(entry) for entry in sorted(found, key=_order))
    return "\n\n".join([_HEADING, *entries]) + "\n"


def _order(entry: Accuracy) -> tuple[str, ...]:
    return entry.board, entry.models, entry.weights, entry.arena


def _format_entry(entry: Accuracy) -> str:
    values = ((field.name, getattr(entry, field.name)) for field in fields(Accuracy))
    lines = (
        f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
        for key, value in values
    )
    return "\n".join(["[[comparison]]", *lines])


def replace_accuracy(known: Iterable[Accuracy], new: Sequence[Accuracy]) -> list[Accuracy]:
    """Return comparisons with those of the same tests on the same boards made anew, in order."""
    made = {(entry.board, entry.models) for entry in new}
    kept = [entry for entry in known if (entry.board, entry.models) not in made]
    return sorted([*kept, *new], key=_order)
