"""A recipe is carried out: stage by stage, each measured behind."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Protocol

import numpy as np

from penstock.design.compression.budgets import Budget, Measured
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
from penstock.units import format_bytes, format_count, format_seconds

Notice = Callable[[StageResult], None]
Ranges = Mapping[str, ValueRange]
_ROUGH_SAMPLES = 50
_MUCH = 0.1
"""Of the score, from 0 to 1: who loses that wants to know."""
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

    def __post_init__(self) -> None:
        self.setting = replace(self.setting, resumed=self._count)

    def run(self, trained: Graph) -> Graph:
        """Return the int8 network that a trained one becomes, with normalization in its weights."""
        recipe, setting = self.recipe, self.setting
        self._started = time.monotonic()
        graph = trained
        ranges = self._note("as given", graph)
        self._doubt()
        if recipe.train is not None:
            graph = fine_tune(graph, recipe.train.training, setting)
            alone = recipe.distill is None
            ranges = self._note("train" if alone else "train with the teacher", graph)
        step = self._pruning(graph, ranges)
        if step is not None:
            graph = prune(graph, step, self._budget(graph, step, ranges), setting)
            ranges = self._note("prune channels", graph)
        if recipe.sparsify is not None:
            graph = sparsify(graph, recipe.sparsify, setting)
            ranges = self._note("sparsify filters", graph)
        quantized = quantize(graph, recipe.quantize, setting, self._mixed_budget(graph, ranges))
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

    def _pruning(self, graph: Graph, ranges: Ranges) -> PruneStep | None:
        """Return how channels are pruned: as asked, or as far as a latency demands."""
        step = self.recipe.prune
        if step is None or step.macs is not None:
            return step
        return None if self._budget(graph, step, ranges)(graph) else step

    @property
    def _is_mixed(self) -> bool:
        """Whether filters of four bits serve the latency."""
        return self.recipe.quantize.weights is WeightFormat.MIXED

    def _budget(self, graph: Graph, step: PruneStep, ranges: Ranges) -> Budget[Graph]:
        """Return what a network with fewer channels may take; that hardly changes ranges."""
        macs = graph_macs(graph)
        latency = self.recipe.latency
        if self._is_mixed and step.macs is not None:
            latency = None

        def measure(candidate: Graph) -> Iterator[Measured]:
            if step.macs is not None:
                kept = float(graph_macs(candidate))
                yield Measured("multiply-accumulates", kept, step.macs * macs, _show_count)
            if latency is not None:
                yield self._latency(_roughly_quantized(candidate, ranges), latency)

        return Budget(measure)

    def _mixed_budget(self, graph: Graph, ranges: Ranges) -> Budget[Mapping[str, int]]:
        """Return what a network may take some of whose filters have 4 bits."""
        size, latency = self.recipe.quantize.size, self.recipe.latency

        def measure(maxima: Mapping[str, int]) -> Iterator[Measured]:
            candidate = _roughly_quantized(graph, ranges, maxima)
            if size is not None:
                stored = self.deployment.smallest_bytes(candidate)
                yield Measured("weights", stored, size, _show_bytes)
            if latency is not None:
                yield self._latency(candidate, latency)

        return Budget(measure)

    def _latency(self, candidate: Graph, allowed: float) -> Measured:
        cost = self.deployment.cost(candidate)
        return Measured(
            "an estimate of", cost.latency, allowed, format_seconds, cost.why_no_latency
        )

    def _note(self, stage: str, graph: Graph) -> Ranges:
        """Measure a network in real numbers; returns its ranges over a few samples."""
        setting = self.setting
        found = score(
            TrainableGraph(graph), self.data.test, setting.task, setting.scaling, setting.progress
        )
        ranges, _ = calibrate(graph, QuantizeStep(samples=_ROUGH_SAMPLES), setting)
        cost = self.deployment.cost(_roughly_quantized(graph, ranges))
        self._add(_result(stage, found, graph, cost))
        return ranges

    def _note_deployed(self, step: QuantizeStep, graph: Graph) -> None:
        how = "" if step.training is None else ", trained"
        cost = self.deployment.cost(graph)
        found = self.deployment.score(graph)
        result = _result(f"quantize to {step.weights.value}{how}", found, graph, cost)
        self._add(replace(result, is_deployed=True))
        lost = self.results[0].score - found
        if lost > _MUCH:
            self.warn(
                f"{100 * lost:.1f} points were lost on the way: train longer, learn more slowly "
                "(a recipe's learning_rate), or ask for less"
            )

    def _count(self, seconds: float) -> None:
        """Add what a stage took before an interruption."""
        self._started -= seconds

    def _add(self, result: StageResult) -> None:
        now = time.monotonic()
        self.results.append(replace(result, seconds=now - self._started))
        self._started = now
        self.notice(self.results[-1])


def _roughly_quantized(
    graph: Graph, ranges: Ranges, maxima: Mapping[str, int] = EVERYWHERE_INT8
) -> Graph:
    """Return a network in int8, to see what it takes."""
    return quantize_graph(graph, ranges, WeightOptions(dense_per_channel=True, maxima=maxima))


def _show_count(count: float) -> str:
    return format_count(int(count))


def _show_bytes(size: float) -> str:
    return format_bytes(int(size))


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
