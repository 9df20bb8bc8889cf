"""A recipe is carried out: stage by stage, each measured behind."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Protocol

import numpy as np

from penstock.design.compression.choices import WeightFormat
from penstock.design.compression.recipe import PruneStep, QuantizeStep, Recipe
from penstock.design.compression.results import Cost, StageResult
from penstock.design.compression.setting import Setting
from penstock.design.compression.stages import calibrate, fine_tune, prune, quantize, sparsify
from penstock.design.data import DataSet
from penstock.design.learning.evaluation import score
from penstock.design.trainable import TrainableGraph
from penstock.ir.graph import Graph
from penstock.ir.macs import graph_macs
from penstock.quantize.observers import ValueRange
from penstock.quantize.post_training import WeightOptions, quantize_graph

Notice = Callable[[StageResult], None]
_ROUGH_SAMPLES = 50
_GUESSING = 1.5
"""Times the score of guessing: below that a trained network got the wrong data."""
EVERYWHERE_INT8: Mapping[str, int] = MappingProxyType({})


class Deployment(Protocol):
    """What becomes of int8 networks."""

    def cost(self, graph: Graph) -> Cost:
        """Return what a network takes when it is compiled for the recipe's board."""
        ...

    def smallest_bytes(self, graph: Graph) -> int:
        """Return what its constants take in as few bytes as they can be stored in."""
        ...

    def score(self, graph: Graph) -> float:
        """Return how good the C of a network is on the test samples, from 0 to 1."""
        ...


@dataclass(eq=False)
class Compression:
    """A recipe that is being carried out.

    Attributes:
        recipe: what to do.
        data: to test with, and to learn from as far as the setting says.
        setting: what all stages have in common.
        deployment: what becomes of int8 networks.
        notice: told of each stage when it is done.
        warn: told what is odd.
        results: of the stages so far.
    """

    recipe: Recipe
    data: DataSet
    setting: Setting
    deployment: Deployment
    notice: Notice
    warn: Callable[[str], None]
    results: list[StageResult] = field(default_factory=list)
    _started: float = 0.0
    _ranges: Mapping[str, ValueRange] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.setting = replace(self.setting, resumed=self._count)

    def run(self, trained: Graph) -> Graph:
        """Return the int8 network that a trained one becomes, with normalization in its weights."""
        recipe, setting = self.recipe, self.setting
        self._started = time.monotonic()
        graph = trained
        self._note("as given", graph)
        self._doubt()
        if recipe.train is not None:
            graph = fine_tune(graph, recipe.train.training, setting)
            self._note("train" if recipe.distill is None else "train with the teacher", graph)
        step = self._pruning(graph)
        if step is not None:
            graph = prune(graph, step, self._fits(graph, step), setting)
            self._note("prune channels", graph)
        if recipe.sparsify is not None:
            graph = sparsify(graph, recipe.sparsify, setting)
            self._note(f"sparsify {100 * recipe.sparsify.zeros:.0f} % of weights", graph)
        quantized = quantize(graph, recipe.quantize, setting, self._fits_mixed(graph))
        self._note_deployed(recipe.quantize, quantized)
        return quantized

    def _doubt(self) -> None:
        """Warn where a classifier that was given is about as good as guessing."""
        classes = len(self.data.classes)
        if self.recipe.normal is None and self.results[0].score < _GUESSING / classes:
            self.warn(
                f"as given, the network is hardly better at {self.data.name} than guessing among "
                f"{classes} classes: are they its own, in its order, and are pixels scaled as in "
                "its training?"
            )

    def _pruning(self, graph: Graph) -> PruneStep | None:
        """Return how channels are pruned: as asked, or as far as a latency demands."""
        step = self.recipe.prune
        if step is None or step.macs is not None:
            return step
        return None if self._fits(graph, step)(graph) else step

    @property
    def _is_mixed(self) -> bool:
        """Whether filters of four bits serve the latency."""
        return self.recipe.quantize.weights is WeightFormat.MIXED

    def _fits(self, graph: Graph, step: PruneStep) -> Callable[[Graph], bool]:
        macs = graph_macs(graph)
        latency = self.recipe.latency
        if self._is_mixed and step.macs is not None:
            latency = None

        def fits(candidate: Graph) -> bool:
            if step.macs is not None and graph_macs(candidate) > step.macs * macs:
                return False
            if latency is None:
                return True
            taken = self.deployment.cost(self._roughly_quantized(candidate)).latency
            return taken is not None and taken <= latency

        return fits

    def _fits_mixed(self, graph: Graph) -> Callable[[Mapping[str, int]], bool]:
        size, latency = self.recipe.quantize.size, self.recipe.latency

        def fits(maxima: Mapping[str, int]) -> bool:
            candidate = self._roughly_quantized(graph, maxima)
            if size is not None and self.deployment.smallest_bytes(candidate) > size:
                return False
            if latency is None:
                return True
            taken = self.deployment.cost(candidate).latency
            return taken is not None and taken <= latency

        return fits

    def _note(self, stage: str, graph: Graph) -> None:
        setting = self.setting
        found = score(
            TrainableGraph(graph), self.data.test, setting.task, setting.scaling, setting.progress
        )
        self._ranges, _ = calibrate(graph, QuantizeStep(samples=_ROUGH_SAMPLES), setting)
        cost = self.deployment.cost(self._roughly_quantized(graph))
        self._add(_result(stage, found, graph, cost))

    def _roughly_quantized(
        self, graph: Graph, maxima: Mapping[str, int] = EVERYWHERE_INT8
    ) -> Graph:
        """Return a network in int8, to see what it takes; pruning hardly changes ranges."""
        return quantize_graph(
            graph, self._ranges, WeightOptions(dense_per_channel=True, maxima=maxima)
        )

    def _note_deployed(self, step: QuantizeStep, graph: Graph) -> None:
        how = "" if step.training is None else ", trained"
        cost = self.deployment.cost(graph)
        found = self.deployment.score(graph)
        result = _result(f"quantize to {step.weights.value}{how}", found, graph, cost)
        self._add(replace(result, is_deployed=True))

    def _count(self, seconds: float) -> None:
        """Add what a stage took before an interruption."""
        self._started -= seconds

    def _add(self, result: StageResult) -> None:
        now = time.monotonic()
        self.results.append(replace(result, seconds=now - self._started))
        self._started = now
        self.notice(self.results[-1])


def _result(stage: str, found: float, graph: Graph, cost: Cost) -> StageResult:
    constants = [t.data for t in graph.tensors.values() if t.data is not None and t.data.ndim]
    filters = [data for data in constants if data.ndim > 1]
    weights = sum(data.size for data in filters)
    zeros = sum(int(np.count_nonzero(data == 0)) for data in filters)
    return StageResult(
        stage=stage,
        score=found,
        is_deployed=False,
        macs=graph_macs(graph),
        parameters=sum(data.size for data in constants),
        zeros=zeros / max(weights, 1),
        cost=cost,
        seconds=0.0,
    )
