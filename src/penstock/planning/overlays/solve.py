"""Which tensors are far and how each stage is parted, so that the least time is lost: exactly.

What a stage needs of fast memory depends on the tensors alive beside it, on its own parts and on
those of its neighbours, and so does its time. So the best of everything up to a stage depends only
on which of the tensors that live on are far, and on the parts of that stage: a dynamic program over
stages, whose states are few because few tensors live at a time. Nothing is random, and no time
limit decides: where there are more states than a limit, the cheapest are kept, and the bound is
then what stages would take if memory were plentiful.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from penstock.planning.overlays.parts import CallPart
from penstock.progress import Progress, silent

_STATES_MAX = 4_000
_STATES_OF_ALL_MAX = 260_000
"""In all stages together: of very long programs, fewer are kept at each."""
_BORN_MAX = 8
"""Of the tensors that live from one stage on, so many are asked whether they are far."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A way of parting a call.

    Attributes:
        part: how.
        cycles: of the core, and of waiting for copies between the call's own tiles.
        peak_bytes: of slots, at the most.
        entry_bytes: of slots at the first tile, where no result but its own waits to be stored.
        first_bytes: of the slots that come while the call before still works.
        last_bytes: of slots at the last tile, which brings nothing more for its own call.
        store_bytes: of a slot whose results still go to far memory when the next call works.
        first_load_cycles: of the copies for the first tile.
        last_tile_cycles: of the last tile, beside which the next call's first copies come.
    """

    part: CallPart
    cycles: float
    peak_bytes: int
    entry_bytes: int
    first_bytes: int
    last_bytes: int
    store_bytes: int
    first_load_cycles: float
    last_tile_cycles: float

    def is_no_worse(self, other: "Choice") -> bool:
        """Return whether nothing speaks for the other one."""
        return (
            self.cycles <= other.cycles
            and self.peak_bytes <= other.peak_bytes
            and self.entry_bytes <= other.entry_bytes
            and self.first_bytes <= other.first_bytes
            and self.last_bytes <= other.last_bytes
            and self.store_bytes <= other.store_bytes
            and self.first_load_cycles <= other.first_load_cycles
            and self.last_tile_cycles >= other.last_tile_cycles
        )


@dataclass(frozen=True, slots=True)
class Resident:
    """Something that takes fast memory for several stages unless it is far.

    Attributes:
        sizes: bytes by stage; 0 where it does not live.
        may_be_far: whether it may.
    """

    sizes: tuple[int, ...]
    may_be_far: bool

    def lives_at(self, stage: int) -> bool:
        """Return whether it takes memory at a stage."""
        return 0 <= stage < len(self.sizes) and self.sizes[stage] > 0


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is decided.

    Attributes:
        capacity_bytes: of fast memory.
        residents: tensors and scratch.
        choices: of a stage, by its position and the residents that are far.
        least_cycles: of a stage, whatever is far and however much memory there is.
        stage_count: how many stages there are.
    """

    capacity_bytes: int
    residents: tuple[Resident, ...]
    choices: Callable[[int, frozenset[int]], Sequence[Choice]]
    least_cycles: Callable[[int], float]
    stage_count: int


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """The best of what a problem allows.

    Attributes:
        far: positions of the residents that are.
        chosen: by stage.
        cycles: what it takes in the problem's terms.
        bound_cycles: no solution takes less.
        is_optimal: whether all states were kept.
    """

    far: frozenset[int]
    chosen: tuple[Choice, ...]
    cycles: float
    bound_cycles: float
    is_optimal: bool


@dataclass(frozen=True, slots=True)
class _State:
    """The cheapest way to a stage's parts.

    Attributes:
        cycles: up to the end of the stage.
        far: residents that are far, of those that have lived so far.
        choice: parts of the stage.
        resident_bytes: beside its slots.
        before: the state of the stage before; None at the first.
    """

    cycles: float
    far: frozenset[int]
    choice: Choice
    resident_bytes: int
    before: "_State | None"


def solve(problem: Problem, progress: Progress = silent) -> Solution | None:
    """Return the solution of least cycles; None where nothing fits.

    Args:
        problem: what is decided.
        progress: told how far it is.
    """
    states: list[_State] = []
    is_optimal = True
    unlimited = 0.0
    kept = min(_STATES_MAX, _STATES_OF_ALL_MAX // max(problem.stage_count, 1))
    for stage in range(problem.stage_count):
        progress("solving the plan", stage / problem.stage_count)
        unlimited += problem.least_cycles(stage)
        is_optimal &= len(_born(problem, stage)) <= _BORN_MAX
        states = _follow(problem, stage, states)
        if len(states) > kept:
            is_optimal = False
            states = sorted(states, key=lambda state: state.cycles)[:kept]
        if not states:
            return None
    if not states:
        return Solution(frozenset(), (), 0.0, 0.0, True)
    best = min(states, key=lambda state: state.cycles)
    bound = best.cycles if is_optimal else min(unlimited, best.cycles)
    return Solution(best.far, tuple(_trace(best)), best.cycles, bound, is_optimal)


def _trace(state: _State) -> list[Choice]:
    chosen = []
    current: _State | None = state
    while current is not None:
        chosen.append(current.choice)
        current = current.before
    return chosen[::-1]


def _born(problem: Problem, stage: int) -> list[int]:
    """Return the residents that may be far and live from a stage on, the largest first."""
    born = [
        n
        for n, resident in enumerate(problem.residents)
        if resident.may_be_far and resident.lives_at(stage) and not resident.lives_at(stage - 1)
    ]
    return sorted(born, key=lambda n: -problem.residents[n].sizes[stage])


def _far_options(born: Sequence[int]) -> list[frozenset[int]]:
    """Return which of the residents that live from a stage on may be far."""
    options = [frozenset[int]()]
    for n in born[:_BORN_MAX]:
        options += [far | {n} for far in options]
    return options


def _follow(problem: Problem, stage: int, states: Sequence[_State]) -> list[_State]:
    """Return the cheapest ways from the states of the stage before to the parts of this one.

    Of those from which the same follows, one.
    """
    best: dict[tuple[frozenset[int], int, int], _State] = {}
    living = _living(problem, stage + 1)
    sizes = {n: problem.residents[n].sizes[stage] for n in _living(problem, stage)}
    added = _far_options(_born(problem, stage))
    starts: Sequence[_State | None] = states if stage else [None]
    for before, new in itertools.product(starts, added):
        far = new if before is None else before.far | new
        resident_bytes = sum(size for n, size in sizes.items() if n not in far)
        for choice in problem.choices(stage, far):
            if not _fits(problem.capacity_bytes, resident_bytes, choice, before):
                continue
            cycles = _cycles(choice, before)
            key = far & living, id(choice), resident_bytes
            if key not in best or cycles < best[key].cycles:
                best[key] = _State(cycles, far, choice, resident_bytes, before)
    return list(best.values())


def _living(problem: Problem, stage: int) -> frozenset[int]:
    return frozenset(n for n, r in enumerate(problem.residents) if r.lives_at(stage))


def _fits(capacity: int, resident_bytes: int, choice: Choice, before: _State | None) -> bool:
    """Return whether there is room at a stage's most crowded tile, and at its first ones."""
    if resident_bytes + choice.peak_bytes > capacity:
        return False
    if before is None:
        return True
    last = before.choice
    return (
        before.resident_bytes + last.last_bytes + choice.first_bytes <= capacity
        and resident_bytes + choice.entry_bytes + last.store_bytes <= capacity
    )


def _cycles(choice: Choice, before: _State | None) -> float:
    """Return the cycles up to the end of a stage, whose first copies come beside the last tile."""
    if before is None:
        return choice.first_load_cycles + choice.cycles
    late = choice.first_load_cycles - before.choice.last_tile_cycles
    return before.cycles + max(late, 0.0) + choice.cycles
