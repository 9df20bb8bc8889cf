"""Which channels go is what the recipe's criterion says, by all samples and their own labels."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")
pytest.importorskip("torch_pruning", reason="needs the extra 'design'")

from torch import nn  # noqa: E402

from penstock.design.compression import stages  # noqa: E402
from penstock.design.compression.choices import Criterion  # noqa: E402
from penstock.design.compression.recipe import PruneStep  # noqa: E402
from penstock.design.compression.setting import Setting  # noqa: E402
from penstock.design.data import DataSet, Samples  # noqa: E402
from penstock.design.learning.options import TrainingOptions  # noqa: E402
from penstock.design.learning.tasks import Classification  # noqa: E402
from penstock.design.trainable import TrainableGraph  # noqa: E402
from penstock.frontends.samples import PixelScaling  # noqa: E402
from penstock.ir.graph import Graph  # noqa: E402
from penstock.ir.macs import graph_macs  # noqa: E402
from tests.design.allowances import allowing  # noqa: E402
from tests.design.test_channel_pruning import graph_of  # noqa: E402

torch.set_num_threads(1)

SCALING = PixelScaling((0.5,), (0.25,))
STILL = TrainingOptions(epochs=1, batch_size=50, learning_rate=1e-9, weight_decay=0.0)
"""Weights stay what they are."""


def setting() -> Setting:
    """More samples than fit a batch, whose classes come one after the other."""
    generator = np.random.default_rng(0)
    values = generator.integers(0, 256, (250, 6, 6, 3)).astype(np.uint8)
    labels = np.sort(generator.integers(0, 4, 250))
    samples = Samples(values, labels)
    return Setting(DataSet("noise", samples, samples, tuple("abcd")), Classification(), SCALING)


def peaks_and_plains() -> Graph:
    """Filters 0 to 7 have one large weight each, 8 to 15 many small ones: L1 and L2 disagree."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    first, last = module[0], module[2]
    assert isinstance(first, nn.Conv2d)
    assert isinstance(last, nn.Conv2d)
    with torch.no_grad():
        first.weight.zero_()
        first.weight[:8, 1, 1, 1] = 2.5
        first.weight[8:] = 0.3 * torch.randn(8, 3, 3, 3).sign()
        last.weight.copy_(last.weight.sign() * 0.1)
    return graph_of(module, (3, 6, 6))


@pytest.mark.parametrize(
    ("criterion", "stays"), [(Criterion.L1, "many small"), (Criterion.L2, "one large")]
)
def test_magnitudes_are_those_of_the_criterion(criterion: Criterion, stays: str) -> None:
    graph = peaks_and_plains()
    step = PruneStep(macs=0.5, criterion=criterion, training=STILL)
    budget = allowing(lambda candidate: graph_macs(candidate) <= 0.5 * graph_macs(graph))
    made = stages.prune(graph, step, budget, setting())
    (first, *_) = TrainableGraph(made).weighted
    filters = made.tensors[first.filters].data
    assert filters is not None
    flat = np.abs(filters.reshape(len(filters), -1))
    assert len(flat) == 8
    is_peak = (flat > 1e-3).sum(axis=1) == 1
    assert is_peak.all() if stays == "one large" else not is_peak.any()


def test_gradients_are_of_all_samples_with_their_labels_in_inference_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph, given = peaks_and_plains(), setting()
    seen: list[tuple[TrainableGraph, Callable[[nn.Module], None]]] = []

    def capture(network: TrainableGraph, _fits: Any, _criterion: Criterion, accumulate: Any) -> Any:
        seen.append((network, accumulate))
        return network

    monkeypatch.setattr(stages, "prune_channels", capture)
    step = PruneStep(macs=0.5, criterion=Criterion.TAYLOR, training=STILL)
    stages.prune(graph, step, allowing(lambda _: True), given)
    ((network, accumulate),) = seen
    statistics = {key: value.clone() for key, value in network.named_buffers()}
    network.zero_grad()
    accumulate(network)
    found = {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}
    assert all(torch.equal(value, statistics[key]) for key, value in network.named_buffers())
    network.zero_grad()
    data = given.data.training
    reals = torch.from_numpy((data.values / 255 - 0.5) / 0.25).float().permute(0, 3, 1, 2)
    for start in range(0, 250, 100):
        part = slice(start, start + 100)
        labels = torch.from_numpy(data.labels[part])
        nn.functional.cross_entropy(network.eval()(reals[part]), labels).backward()
    assert len(found) >= 4
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-4, atol=1e-6)


def test_the_range_of_pixels_is_known_whatever_was_seen() -> None:
    graph, given = peaks_and_plains(), setting()
    dark = Samples(given.data.training.values // 8, given.data.training.labels)
    dim = Setting(DataSet("dim", dark, dark, tuple("abcd")), Classification(), SCALING)
    ranges, _ = stages.calibrate(graph, stages.QuantizeStep(samples=20), dim)
    assert (ranges[graph.inputs[0]].low, ranges[graph.inputs[0]].high) == (-2.0, 2.0)


class Grouped(nn.Module):
    """Groups that do not divide each other's: 2, then 3, then 4."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3),
            nn.ReLU(),
            nn.Conv2d(4, 12, 1, groups=2),
            nn.ReLU(),
            nn.Conv2d(12, 24, 1, groups=3),
            nn.ReLU(),
            nn.Conv2d(24, 16, 1, groups=4),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(16, 4),
        )

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        """Return scores."""
        scores: torch.Tensor = self.body(value)
        return scores


def test_groups_that_do_not_divide_each_other_stay_even() -> None:
    graph = graph_of(Grouped(), (3, 6, 6))
    step = PruneStep(macs=0.8, training=STILL)
    budget = allowing(lambda candidate: graph_macs(candidate) <= 0.8 * graph_macs(graph))
    made = stages.prune(graph, step, budget, setting())
    assert graph_macs(made) <= 0.8 * graph_macs(graph)
    batch = torch.zeros(1, 3, 6, 6)
    assert TrainableGraph(made).eval()(batch).shape == (1, 4)
