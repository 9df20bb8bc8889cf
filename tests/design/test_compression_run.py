"""A recipe is carried out stage by stage, each with what the one before it left."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from penstock.design.compression import run  # noqa: E402
from penstock.design.compression.choices import WeightFormat  # noqa: E402
from penstock.design.compression.recipe import (  # noqa: E402
    PruneStep,
    QuantizeStep,
    Recipe,
    SparsifyStep,
    TrainStep,
)
from penstock.design.compression.results import Cost  # noqa: E402
from penstock.design.compression.setting import Setting  # noqa: E402
from penstock.design.data import DataSet  # noqa: E402
from penstock.design.learning.processes import Processes, describe_computer  # noqa: E402
from penstock.design.learning.tasks import Classification  # noqa: E402
from penstock.ir.graph import Graph  # noqa: E402
from tests.design.test_training import samples  # noqa: E402

CLASSES = ("a", "b", "c")
DATA = DataSet("set", samples(30), samples(9, seed=1), CLASSES)


class Nothing:
    """A deployment that costs nothing and is always right."""

    def cost(self, _graph: Graph) -> Cost:
        return Cost(10, 0.5)

    def smallest_bytes(self, _graph: Graph) -> int:
        return 10

    def score(self, _graph: Graph) -> float:
        return 1.0


@pytest.fixture
def graph() -> Graph:
    return Graph("net", {}, (), (), ())


@pytest.fixture
def carried_out(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[Any], list[str]]]:
    """Carry a recipe out with stages that change nothing; ranges are numbered as they are found."""

    def carry_out(recipe: Recipe, graph: Graph, score: float) -> tuple[list[Any], list[str]]:
        numbers, used, warned = iter(range(10)), [], []

        def same(given: Graph, *_: object) -> Graph:
            return given

        def with_budget(given: Graph, step: object, *others: Any) -> Graph:
            fits = next(each for each in others if isinstance(each, run.Budget))
            used.append(type(step).__name__)
            fits({} if isinstance(step, QuantizeStep) else given)
            return given

        def rough(given: Graph, ranges: int, *_: object) -> Graph:
            used.append(ranges)
            return given

        monkeypatch.setattr(run, "TrainableGraph", same)
        monkeypatch.setattr(run, "score", lambda *_: score)
        monkeypatch.setattr(run, "calibrate", lambda *_: (next(numbers), {}))
        monkeypatch.setattr(run, "_roughly_quantized", rough)
        for name in ("fine_tune", "sparsify"):
            monkeypatch.setattr(run, name, same)
        for name in ("prune", "quantize"):
            monkeypatch.setattr(run, name, with_budget)
        setting = Setting(data=DATA, task=Classification())
        done = run.Compression(recipe, DATA, setting, Nothing(), lambda _: None, warned.append)
        done.run(graph)
        return used, warned

    return carry_out


RECIPE = Recipe(
    data="set",
    board="board",
    latency=0.1,
    train=TrainStep(),
    prune=PruneStep(macs=None),
    sparsify=SparsifyStep(),
    quantize=QuantizeStep(weights=WeightFormat.MIXED, size=5),
)


def test_budgets_are_kept_with_the_ranges_that_the_stage_before_left(
    graph: Graph, carried_out: Callable[..., tuple[list[Any], list[str]]]
) -> None:
    """Each stage's network is measured with its own; pruning and mixed bits with the last ones."""
    used, _ = carried_out(RECIPE, graph, 1.0)
    given, trained, pruned, emptied = range(4)
    assert used == [
        *(given, trained),
        *(trained, "PruneStep", trained),
        *(pruned, emptied),
        *("QuantizeStep", emptied),
    ]
    used, _ = carried_out(replace(RECIPE, train=None, sparsify=None), graph, 1.0)
    assert used == [0, 0, "PruneStep", 0, 1, "QuantizeStep", 1]


@pytest.mark.parametrize(("score", "is_doubted"), [(0.49, True), (0.51, False)])
def test_who_hardly_does_better_than_guessing_is_doubted(
    score: float,
    is_doubted: bool,
    graph: Graph,
    carried_out: Callable[..., tuple[list[Any], list[str]]],
) -> None:
    _, warned = carried_out(Recipe(data="set"), graph, score)
    assert bool(warned) is is_doubted
    assert all("hardly better at set than guessing among 3 classes" in text for text in warned)


def test_the_computer_is_described_as_it_is() -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        found = describe_computer(Processes(0, 3))
    finally:
        torch.set_num_threads(threads)
    assert (found.torch, found.threads, found.processes) == (torch.__version__, 1, 3)
    assert found.instructions == torch.backends.cpu.get_cpu_capability()
