"""The solver against brute force on small problems, and what it promises."""

import itertools

import numpy as np
import pytest

from penstock.planning.overlays import solve as solving
from penstock.planning.overlays.parts import CallPart
from penstock.planning.overlays.solve import Choice, Problem, Resident, Solution, solve

SEEDS = 60


NO_PART = CallPart((), (), frozenset())


def random_problem(seed: int, stages: int = 4, residents: int = 4) -> Problem:
    random = np.random.default_rng(seed)
    lives = []
    for _ in range(residents):
        first = int(random.integers(stages))
        end = int(random.integers(first, stages)) + 1
        size = int(random.integers(1, 60))
        sizes = tuple(size if first <= stage < end else 0 for stage in range(stages))
        lives.append(Resident(sizes, bool(random.random() < 0.8)))
    known: dict[tuple[int, frozenset[int]], tuple[Choice, ...]] = {}

    def parts(stage: int, far: frozenset[int]) -> tuple[Choice, ...]:
        touched = frozenset(n for n in far if lives[n].lives_at(stage))
        key = stage, touched
        if key not in known:
            own = np.random.default_rng([seed, stage, *sorted(touched), len(touched)])
            known[key] = tuple(
                Choice(
                    NO_PART,
                    float(own.integers(50, 200)) + 40 * len(touched),
                    *sorted((int(n) for n in own.integers(1, 50, 2)), reverse=True),
                    *(int(n) for n in own.integers(0, 30, 3)),
                    *(float(n) for n in own.integers(0, 60, 2)),
                )
                for _ in range(3)
            )
        return known[key]

    def least(stage: int) -> float:
        sets = (
            far
            for n in range(len(lives) + 1)
            for far in itertools.combinations(range(len(lives)), n)
        )
        return min(choice.cycles for far in sets for choice in parts(stage, frozenset(far)))

    return Problem(int(random.integers(60, 180)), tuple(lives), parts, least, stages)


def cost(problem: Problem, far: frozenset[int], chosen: tuple[Choice, ...]) -> float | None:
    """Return what a whole decision takes; None where it does not fit. Written anew on purpose."""
    total = 0.0
    for stage, parts in enumerate(chosen):
        beside = [
            sum(r.sizes[s] for n, r in enumerate(problem.residents) if n not in far)
            for s in (max(stage - 1, 0), stage)
        ]
        if beside[1] + parts.peak_bytes > problem.capacity_bytes:
            return None
        if stage == 0:
            total += parts.first_load_cycles + parts.cycles
            continue
        before = chosen[stage - 1]
        if beside[0] + before.last_bytes + parts.first_bytes > problem.capacity_bytes:
            return None
        if beside[1] + parts.entry_bytes + before.store_bytes > problem.capacity_bytes:
            return None
        total += parts.cycles + max(parts.first_load_cycles - before.last_tile_cycles, 0)
    return total


def brute_force(problem: Problem) -> float | None:
    movable = [n for n, resident in enumerate(problem.residents) if resident.may_be_far]
    found = []
    for count in range(len(movable) + 1):
        for far in map(frozenset, itertools.combinations(movable, count)):
            stages = (problem.choices(stage, far) for stage in range(problem.stage_count))
            found += [cost(problem, far, chosen) for chosen in itertools.product(*stages)]
    return min((value for value in found if value is not None), default=None)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_is_better_than_the_solution(seed: int) -> None:
    problem = random_problem(seed)
    found, best = solve(problem), brute_force(problem)
    assert (found is None) == (best is None)
    if found is not None:
        assert found.cycles == pytest.approx(best)
        assert found.bound_cycles == found.cycles
        assert found.is_optimal
        assert cost(problem, found.far, found.chosen) == pytest.approx(best)


def test_some_of_the_small_problems_have_a_solution_and_some_have_none() -> None:
    solvable = [solve(random_problem(seed)) is not None for seed in range(SEEDS)]
    assert SEEDS / 5 < sum(solvable) < SEEDS


def test_the_same_problem_has_the_same_solution() -> None:
    def facts(found: Solution | None) -> object:
        return found and (found.far, found.chosen, found.cycles)

    for seed in range(SEEDS):
        assert facts(solve(random_problem(seed))) == facts(solve(random_problem(seed)))


@pytest.mark.parametrize(("limit", "value"), [("_STATES_MAX", 2), ("_BORN_MAX", 0)])
def test_what_is_cut_off_is_said_and_bounded(
    limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solving, limit, value)
    cut = 0
    for seed in range(SEEDS):
        problem = random_problem(seed)
        found, best = solve(problem), brute_force(problem)
        if found is None or best is None:
            continue
        cut += not found.is_optimal
        assert found.bound_cycles <= best <= found.cycles
    assert cut


def test_a_program_without_calls_takes_no_time() -> None:
    found = solve(Problem(0, (), lambda stage, far: (), lambda stage: 0.0, 0))
    assert found is not None
    assert (found.cycles, found.chosen) == (0.0, ())


def test_progress_is_reported() -> None:
    said: list[tuple[str, float | None]] = []
    solve(random_problem(1), lambda stage, done: said.append((stage, done)))
    assert said[0] == ("solving the plan", 0.0)
    assert [done for _, done in said] == sorted(done or 0.0 for _, done in said)
