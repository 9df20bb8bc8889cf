"""The stages: each takes a float32 graph, works on it as a torch module, and gives one back."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from penstock.design.compression.budgets import UNLIMITED, Budget
from penstock.design.compression.choices import WeightFormat
from penstock.design.compression.magnitude import WeightPruning
from penstock.design.compression.recipe import PruneStep, QuantizeStep, SparsifyStep
from penstock.design.compression.sensitivity import (
    choose_maxima,
    measure_sensitivity,
    saved_by_int4,
)
from penstock.design.compression.setting import Setting
from penstock.design.compression.structured import gradients_of, prune_channels
from penstock.design.learning.options import TrainingOptions
from penstock.design.trainable import TrainableGraph, add_normalization
from penstock.design.trainable.layout import to_graph_order
from penstock.design.trainable.rounding import add_rounding
from penstock.ir.graph import Graph
from penstock.ir.verify import verify
from penstock.quantize.affine import FILTER_MAXIMUM, INT4_FILTER_MAXIMUM
from penstock.quantize.calibration import Observer
from penstock.quantize.observers import ValueRange
from penstock.quantize.post_training import WeightOptions, quantize_graph
from penstock.quantize.sharing import choose_parameters

_STATISTICS_SAMPLES = 1000
_GRADIENT_SAMPLES = 1000


def fine_tune(graph: Graph, options: TrainingOptions, setting: Setting) -> Graph:
    """Return a network that was trained on."""
    network = _normalized(graph, setting)
    setting.train(network, "train", options)
    return network.to_graph()


def prune(graph: Graph, step: PruneStep, fits: Budget[Graph], setting: Setting) -> Graph:
    """Return a network with fewer channels, trained on."""
    setting.progress("choosing channels", None)
    network = _normalized(graph, setting)
    accumulate = gradients_of(_loss(setting), _some_batches(setting))
    pruned = prune_channels(network, fits, step.criterion, accumulate)
    setting.train(pruned, "prune", step.training)
    return pruned.to_graph()


def sparsify(graph: Graph, step: SparsifyStep, setting: Setting) -> Graph:
    """Return a network most of whose weights are 0."""
    network = _normalized(graph, setting)
    pruning = WeightPruning(network, step.zeros, step.pattern)
    setting.train(network, "sparsify", step.training, pruning.after_step, how=step)
    return network.to_graph()


def quantize(
    graph: Graph,
    step: QuantizeStep,
    setting: Setting,
    fits: Budget[Any] = UNLIMITED,
) -> Graph:
    """Return the int8 network; with training, weights and biases get used to the rounding.

    The network learns from itself as it was, unless there is another teacher.

    Args:
        graph: float32, normalization in its weights.
        step: how.
        setting: data and the like.
        fits: where weights are mixed, what a network may take whose filters have these largest
            steps, by output of their operator.
    """
    if step.weights is WeightFormat.MIXED:
        maxima = choose_maxima(measure_sensitivity(graph, setting), fits)
    else:
        maxima = filter_maxima(graph, step.weights)
    ranges, means = calibrate(graph, step, setting)
    if step.training is None:
        weights = WeightOptions(dense_per_channel=True, means=means, maxima=maxima)
        return _verified(quantize_graph(graph, ranges, weights))
    network = TrainableGraph(graph)
    add_rounding(network, choose_parameters(graph, ranges), maxima, keeps_zeros=True)
    teacher = TrainableGraph(graph) if setting.task.is_classifier else None
    setting.train(network, "quantize", step.training, teacher=teacher, how=step)
    options = WeightOptions(dense_per_channel=True, maxima=maxima)
    return _verified(quantize_graph(network.to_graph(), ranges, options))


def _verified(graph: Graph) -> Graph:
    verify(graph)
    return graph


def filter_maxima(graph: Graph, weights: WeightFormat) -> Mapping[str, int]:
    """Return how many steps the largest weight of each weighted operator becomes."""
    network = TrainableGraph(graph)
    maxima = {operator.output: FILTER_MAXIMUM for operator in network.weighted}
    if weights is WeightFormat.INT4:
        for operator in network.weighted[1:]:
            if saved_by_int4(operator, network.layer(operator)):
                maxima[operator.output] = INT4_FILTER_MAXIMUM
    return maxima


def calibrate(
    graph: Graph, step: QuantizeStep, setting: Setting
) -> tuple[Mapping[str, ValueRange], Mapping[str, Any]]:
    """Return the ranges of all tensors over training samples, and the means of channels."""
    observer = Observer()

    def observe(name: str, value: Tensor) -> None:
        observer.observe(name, np.ascontiguousarray(to_graph_order(value).numpy()))

    network = TrainableGraph(graph).eval()
    with torch.inference_mode():
        for batch in setting.some_inputs(step.samples):
            network.run(batch, observe)
    seen = observer.observations(step.ranges)
    ranges = dict(seen.ranges)
    if setting.data.has_pixels:
        ranges[graph.inputs[0]] = ValueRange(*setting.scaling.real_range)
    return ranges, seen.means


def _normalized(graph: Graph, setting: Setting) -> TrainableGraph:
    network = TrainableGraph(graph)
    add_normalization(network, setting.some_inputs(_STATISTICS_SAMPLES))
    return network


def _some_batches(setting: Setting) -> list[tuple[Tensor, Tensor]]:
    data = setting.data.training
    taken = min(_GRADIENT_SAMPLES, len(data))
    positions = np.arange(taken, dtype=np.int64) * len(data) // taken
    labels = torch.from_numpy(data.labels[positions])
    inputs = list(setting.some_inputs(taken))
    return list(zip(inputs, labels.split([len(batch) for batch in inputs]), strict=True))


def _loss(setting: Setting) -> Callable[[nn.Module, Any], Tensor]:
    def loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        inputs, labels = batch
        return setting.task.loss(network(inputs), inputs, labels, 0.0)

    return loss
