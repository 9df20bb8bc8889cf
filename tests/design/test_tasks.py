"""What networks are for: losses and scores, against sums written out."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from torch import nn  # noqa: E402

from penstock.design.learning.distillation import (  # noqa: E402
    Distillation,
    attention_distance,
)
from penstock.design.learning.tasks import (  # noqa: E402
    Classification,
    Reconstruction,
    area_under_curve,
)

SCORES = st.lists(
    st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40
)  # few values: many ties


@given(pairs=SCORES, scale=st.sampled_from([1.0, 0.1, -3.0]))
@settings(max_examples=200, deadline=None)
def test_the_area_is_the_share_of_pairs_in_order(
    pairs: list[tuple[int, bool]], scale: float
) -> None:
    values = np.array([scale * value for value, _ in pairs])
    is_positive = np.array([wanted for _, wanted in pairs])
    positives, negatives = values[is_positive], values[~is_positive]
    assume(len(positives) and len(negatives))
    wins = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
    expected = wins / (len(positives) * len(negatives))
    assert area_under_curve(values, is_positive) == pytest.approx(expected, abs=1e-12)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def cross_entropy(outputs: np.ndarray, labels: np.ndarray, smoothing: float) -> float:
    classes = outputs.shape[1]
    target = np.full(outputs.shape, smoothing / classes)
    target[np.arange(len(labels)), labels] += 1 - smoothing
    return float(-(target * np.log(softmax(outputs))).sum(axis=1).mean())


class Scores(nn.Module):
    """Gives the scores that it holds, whatever it is shown."""

    def __init__(self, scores: np.ndarray) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.from_numpy(scores))

    def forward(self, _inputs: torch.Tensor) -> torch.Tensor:
        return self.scores


@given(
    seed=st.integers(0, 10_000),
    share=st.floats(0.05, 0.95),
    temperature=st.floats(0.5, 20),
    smoothing=st.sampled_from([0.0, 0.05, 0.3]),
)
@settings(max_examples=60, deadline=None)
def test_distillation_is_what_the_paper_says(
    seed: int, share: float, temperature: float, smoothing: float
) -> None:
    """Hinton et al. 2015: cross entropy with the labels, and with the softened teacher."""
    generator = np.random.default_rng(seed)
    own, taught = (generator.normal(scale=3, size=(6, 4)) for _ in range(2))
    labels = generator.integers(0, 4, 6)
    outputs = torch.from_numpy(own).requires_grad_()
    inputs = torch.zeros(6, 1)
    task = Classification()
    loss = task.loss(outputs, inputs, torch.from_numpy(labels), smoothing)
    expected = cross_entropy(own, labels, smoothing)
    assert loss.item() == pytest.approx(expected, rel=1e-9)
    teacher = Scores(taught)
    whole = Distillation(teacher, share, temperature).add_to(loss, outputs, {}, inputs)
    target, soft = softmax(taught / temperature), softmax(own / temperature)
    divergence = (target * (np.log(target) - np.log(soft))).sum(axis=1).mean()
    expected = (1 - share) * expected + share * temperature**2 * divergence
    assert whole.item() == pytest.approx(expected, rel=1e-7)
    whole.backward()
    assert teacher.scores.grad is None
    assert outputs.grad is not None
    uniform = np.full((6, 4), smoothing / 4)
    uniform[np.arange(6), labels] += 1 - smoothing
    slope = (1 - share) * (softmax(own) - uniform) + share * temperature * (soft - target)
    np.testing.assert_allclose(outputs.grad.numpy(), slope / 6, atol=1e-9)


def test_a_teacher_that_agrees_adds_nothing() -> None:
    scores = np.random.default_rng(0).normal(size=(3, 5))
    loss = torch.tensor(2.0, dtype=torch.float64)
    whole = Distillation(Scores(scores), 0.25, 3.0).add_to(
        loss, torch.from_numpy(scores + 7), {}, torch.zeros(3, 1)
    )
    assert whole.item() == pytest.approx(0.75 * 2.0)


@given(seed=st.integers(0, 999), channels=st.integers(1, 5), height=st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_attention_is_compared_as_the_paper_says(seed: int, channels: int, height: int) -> None:
    """Zagoruyko and Komodakis 2017, equation 2: squares summed over channels, of length 1."""
    generator = np.random.default_rng(seed)
    own = generator.normal(size=(3, channels, height, 4)).astype(np.float32)
    other = generator.normal(size=(3, 7, height, 4)).astype(np.float32)
    maps = [np.square(each).sum(axis=1).reshape(3, -1) for each in (own, other)]
    maps = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in maps]
    found = attention_distance(torch.from_numpy(own), torch.from_numpy(other))
    assert found.item() == pytest.approx(np.square(maps[0] - maps[1]).mean(), rel=1e-4, abs=1e-7)
    scaled = attention_distance(torch.from_numpy(own), torch.from_numpy(5 * own[:, ::-1].copy()))
    assert scaled.item() == pytest.approx(0, abs=1e-7)


def test_accuracy_counts_the_largest_output() -> None:
    outputs = np.array([[0.1, 0.9], [0.8, 0.2], [3.0, -1.0], [0.5, 0.5]])
    labels = np.array([1, 0, 1, 0])
    assert Classification().score(Classification().judge(outputs, outputs), labels) == 0.75


@pytest.mark.parametrize("shape", [(4,), (2, 2, 1), (1, 2, 2)])
def test_reconstructions_are_compared_whatever_their_shape(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(20, *shape)).astype(np.float32)
    labels = np.arange(20) % 4
    noise = generator.normal(size=(20, 4)).astype(np.float32) * (1 + (labels != 2))[:, None]
    outputs = inputs.reshape(20, 4) + noise
    task = Reconstruction(normal=2)
    errors = (noise.astype(np.float64) ** 2).mean(axis=1)
    halves = [task.judge(outputs[part], inputs[part]) for part in (slice(9), slice(9, None))]
    np.testing.assert_allclose(np.concatenate(halves), errors, rtol=1e-4)
    assert task.score(np.concatenate(halves), labels) == pytest.approx(
        np.mean([a > b for a in errors[labels != 2] for b in errors[labels == 2]]), abs=0.02
    )
    loss = task.loss(torch.from_numpy(outputs), torch.from_numpy(inputs), torch.tensor(0), 0.0)
    assert loss.item() == pytest.approx(errors.mean(), rel=1e-5)


def test_a_network_as_large_as_its_teacher_learns_from_it() -> None:
    """Gradients alone make the scores those of the teacher, up to a summand."""
    taught = np.random.default_rng(1).normal(size=(4, 3))
    network = Scores(np.zeros((4, 3)))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
    teaching = Distillation(Scores(taught), share=1.0, temperature=2.0)
    for _ in range(300):
        loss = teaching.add_to(torch.tensor(0.0), network(torch.zeros(4)), {}, torch.zeros(4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = network.scores.detach().numpy()
    np.testing.assert_allclose(softmax(found), softmax(taught), atol=1e-2)
    assert math.isfinite(loss.item())
