"""The training loop: what decides its result, where it goes on, and what it refuses."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from torch import nn  # noqa: E402

from penstock.design.data import Samples  # noqa: E402
from penstock.design.learning.distillation import Distillation  # noqa: E402
from penstock.design.learning.engine import (  # noqa: E402
    EpochResult,
    Training,
    learning_rate,
    train,
)
from penstock.design.learning.evaluation import score  # noqa: E402
from penstock.design.learning.options import (  # noqa: E402
    Augmentation,
    Optimizer,
    TrainingOptions,
)
from penstock.design.learning.tasks import Classification  # noqa: E402
from penstock.errors import InputError  # noqa: E402
from penstock.frontends.samples import PixelScaling  # noqa: E402

torch.set_num_threads(1)

OPTIONS = TrainingOptions(
    epochs=3, batch_size=8, learning_rate=0.1, augmentation=Augmentation.MIRROR
)


def samples(count: int = 30, seed: int = 0) -> Samples:
    """Images whose class is the half that is brighter, and the brightness of all."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 3
    values = generator.integers(0, 60, (count, 8, 8, 1)).astype(np.uint8)
    values[labels == 1, :4] += 150
    values[labels == 2] += 150
    return Samples(values, labels)


def network(seed: int = 0, *, normalized: bool = True) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4) if normalized else nn.Identity(),
        nn.ReLU(),
        nn.AvgPool2d(4),
        nn.Flatten(),
        nn.Linear(16, 3),
    )


def training(options: TrainingOptions = OPTIONS, folder: Path | None = None) -> Training:
    return Training("test", samples(), Classification(), options, folder=folder)


def bits(module: nn.Module) -> list[bytes]:
    """All that a module holds: two that are equal here are equal to the last bit."""
    return [value.contiguous().numpy().tobytes() for value in module.state_dict().values()]


def trained(
    options: TrainingOptions = OPTIONS, change: Callable[[Training], Training] = lambda t: t
) -> list[bytes]:
    module = network()
    train(module, change(training(options)))
    return bits(module)


OTHERS: dict[str, Callable[[Training], Training]] = {
    "seed": lambda t: replace(t, options=replace(t.options, seed=2)),
    "rate": lambda t: replace(t, options=replace(t.options, learning_rate=0.11)),
    "decay": lambda t: replace(t, options=replace(t.options, weight_decay=0.1)),
    "smoothing": lambda t: replace(t, options=replace(t.options, label_smoothing=0.2)),
    "optimizer": lambda t: replace(t, options=replace(t.options, optimizer=Optimizer.ADAM)),
    "augmentation": lambda t: replace(
        t, options=replace(t.options, augmentation=Augmentation.NONE)
    ),
    "batches": lambda t: replace(t, options=replace(t.options, batch_size=10)),
    "data": lambda t: replace(t, data=samples(seed=1)),
    "labels": lambda t: replace(t, data=replace(t.data, labels=2 - t.data.labels)),
    "scaling": lambda t: replace(t, scaling=PixelScaling((0.5,), (0.5,))),
    "teacher": lambda t: replace(t, distillation=Distillation(network(7).eval())),
    "another teacher": lambda t: replace(t, distillation=Distillation(network(8).eval())),
    "a share": lambda t: replace(t, distillation=Distillation(network(7).eval(), 0.5)),
    "a temperature": lambda t: replace(
        t, distillation=Distillation(network(7).eval(), temperature=2.0)
    ),
}


def test_the_same_training_gives_the_same_weights_and_others_give_others() -> None:
    first = trained()
    assert trained() == first
    found = {name: trained(change=change) for name, change in OTHERS.items()}
    assert all(weights != first for weights in found.values())
    assert len({tuple(weights) for weights in found.values()}) == len(found)


@pytest.mark.parametrize("optimizer", Optimizer)
def test_networks_learn(optimizer: Optimizer) -> None:
    module = network()
    rate = 0.1 if optimizer is Optimizer.SGD else 0.01
    options = TrainingOptions(epochs=12, batch_size=10, learning_rate=rate, optimizer=optimizer)
    before = score(module, samples(), Classification())
    history = train(module, training(options))
    assert not module.training
    assert [result.epoch for result in history] == list(range(1, 13))
    assert history[-1].loss < history[0].loss / 2 and all(r.seconds > 0 for r in history)
    assert score(module, samples(60, seed=9), Classification()) > max(0.9, before)


class Seen:
    """A task that keeps what it is shown."""

    measure = "nothing"

    def __init__(self) -> None:
        self.outputs: list[np.ndarray] = []
        self.inputs: list[np.ndarray] = []

    def loss(self, *_: torch.Tensor | float) -> torch.Tensor:
        raise AssertionError

    def judge(self, outputs: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        self.outputs += list(outputs)
        self.inputs += list(inputs)
        return np.arange(len(outputs))

    def score(self, judged: np.ndarray, labels: np.ndarray) -> float:
        assert len(judged) == len(labels) == len(self.inputs)
        return float(judged[-1])


def test_scores_are_of_inference_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.design.learning.evaluation._BATCH", 3)
    module, data, task = network(), samples(8), Seen()
    assert score(module.train(), data, task, PixelScaling((0.5,), (0.2,))) == 1
    assert not module.training
    expected = ((data.values / 255 - 0.5) / 0.2).transpose(0, 3, 1, 2).astype(np.float32)
    np.testing.assert_allclose(np.stack(task.inputs), expected, rtol=1e-5)
    with torch.no_grad():
        for one, found in zip(expected, task.outputs, strict=True):
            np.testing.assert_allclose(module(torch.from_numpy(one[None]))[0], found, atol=1e-5)


@pytest.mark.parametrize("is_taught", [False, True])
@pytest.mark.parametrize("optimizer", Optimizer)
@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_an_interruption_changes_no_bit(
    tmp_path: Path, epoch: int, optimizer: Optimizer, is_taught: bool
) -> None:
    options = replace(OPTIONS, optimizer=optimizer, learning_rate=0.02)
    teaching = Distillation(network(7).eval()) if is_taught else None
    whole, reported = network(), []

    def interrupt(result: EpochResult) -> None:
        reported.append(result.epoch)
        if result.epoch == epoch:
            raise KeyboardInterrupt

    wanted = replace(training(options), distillation=teaching)
    expected = train(whole, wanted)
    kept = replace(wanted, folder=tmp_path / "work")
    with pytest.raises(KeyboardInterrupt):
        train(network(), replace(kept, report=interrupt))
    torch.manual_seed(99)
    torch.rand(100)
    resumed = network()
    earlier: list[float] = []
    again = replace(kept, report=lambda r: reported.append(r.epoch), resumed=earlier.append)
    history = train(resumed, again)
    assert earlier == [sum(result.seconds for result in history[:epoch])]
    assert bits(resumed) == bits(whole)
    assert reported == [1, 2, 3]
    assert [result.loss for result in history] == [result.loss for result in expected]
    assert [path.suffix for path in (tmp_path / "work").iterdir()] == [".pt"]


def test_an_interruption_within_an_epoch_loses_that_epoch_alone(tmp_path: Path) -> None:
    whole = network()
    train(whole, training())
    seen: list[int] = []

    def interrupt(_step: int, done: int, _total: int) -> None:
        if done == 5:  # of 3 steps an epoch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(network(), training(folder=tmp_path), interrupt)
    resumed = network()
    train(resumed, training(folder=tmp_path), lambda _step, done, _total: seen.append(done))
    assert seen == [4, 5, 6, 7, 8, 9] and bits(resumed) == bits(whole)


def test_a_training_that_is_done_is_not_done_again(tmp_path: Path) -> None:
    first, second, seen = network(), network(), []
    train(first, training(folder=tmp_path))
    train(
        second, replace(training(folder=tmp_path), report=seen.append), lambda *_: seen.append(None)
    )
    assert bits(first) == bits(second) and not seen


def test_checkpoints_of_other_trainings_are_not_taken(tmp_path: Path) -> None:
    """Each with what differs between two trainings: their results are those without checkpoints."""
    train(network(), training(folder=tmp_path))
    for name, change in OTHERS.items():
        fresh, kept = network(), network()
        train(fresh, change(training()))
        train(kept, change(training(folder=tmp_path)))
        assert bits(kept) == bits(fresh), name
    count = len(list(tmp_path.iterdir()))
    assert count == 1 + len(OTHERS)
    train(network(seed=5), training(folder=tmp_path))
    train(network(), replace(training(folder=tmp_path), label="other stage"))
    train(network(), replace(training(folder=tmp_path), how=("pruned", 0.5)))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == count + 3
    assert [name for name in names if name.startswith("other-stage-")]


def test_damaged_checkpoints_are_refused(tmp_path: Path) -> None:
    train(network(), training(folder=tmp_path))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for content in (b"", b"words", whole[: len(whole) // 2], whole[:-1000]):
        path.write_bytes(content)
        with pytest.raises(InputError) as refused:
            train(network(), training(folder=tmp_path))
        assert f"'{path}' is no readable checkpoint\n  help: delete it" in str(refused.value)


def test_folders_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as refused:
        train(network(), training(folder=tmp_path / "file"))
    assert "cannot write" in str(refused.value) and "name a folder with room by --work" in str(
        refused.value
    )


def test_divergence_is_said_and_not_kept(tmp_path: Path) -> None:
    wild = training(replace(OPTIONS, learning_rate=1e25), tmp_path)
    with pytest.raises(InputError, match=r"training diverged in epoch 1: .*\n.*lower learning"):
        train(network(normalized=False), wild)
    assert not list(tmp_path.iterdir())


def test_batches_larger_than_the_data_are_refused() -> None:
    with pytest.raises(InputError) as refused:
        train(network(), training(replace(OPTIONS, batch_size=31)))
    assert "there are 30 training samples, a batch has 31\n  help: give more data, or" in str(
        refused.value
    )


@given(
    peak=st.floats(1e-4, 1), warm_up=st.sampled_from([0.0, 0.1, 0.5, 0.99]), done=st.floats(0, 1)
)
@settings(max_examples=100, deadline=None)
def test_the_rate_rises_evenly_and_falls_as_a_cosine(
    peak: float, warm_up: float, done: float
) -> None:
    options = TrainingOptions(learning_rate=peak, warm_up=warm_up)
    found = learning_rate(options, done)
    if done >= warm_up:
        expected = math.cos(math.pi / 2 * (done - warm_up) / (1 - warm_up)) ** 2
        assert found == pytest.approx(peak * expected, abs=1e-9 * peak)
    else:
        assert found == pytest.approx(peak * max(done / warm_up, 0.04))
    assert 0 <= found <= peak


def test_steps_have_the_rate_of_what_is_done() -> None:
    """One weight with the gradient 1 moves by the sum of all rates."""

    class Slope:
        measure = "nothing"

        def loss(self, outputs: torch.Tensor, *_: object) -> torch.Tensor:
            return outputs.sum()

        def score(self, *_: object) -> float:
            return 0.0

    class Weight(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, _inputs: torch.Tensor) -> torch.Tensor:
            return self.weight

    module = Weight()
    options = TrainingOptions(epochs=2, batch_size=3, learning_rate=0.1, weight_decay=0.5)
    train(module, Training("slope", samples(), Slope(), options))
    weight, momentum = 0.0, 0.0
    for step in range(20):
        momentum = 0.9 * momentum + 1
        weight -= learning_rate(options, step / 20) * (1 + 0.9 * momentum)
    assert module.weight.item() == pytest.approx(weight, rel=1e-5)


def test_filters_decay_and_biases_do_not() -> None:
    class Nothing:
        measure = "nothing"

        def loss(self, outputs: torch.Tensor, *_: object) -> torch.Tensor:
            return 0.0 * outputs.sum()

        def score(self, *_: object) -> float:
            return 0.0

    module = network()
    before = {name: value.clone() for name, value in module.named_parameters()}
    options = replace(OPTIONS, weight_decay=0.5, warm_up=0.0)
    train(module, Training("decay", samples(), Nothing(), options))
    for name, value in module.named_parameters():
        if value.ndim > 1:
            assert value.abs().max() < 0.97 * before[name].abs().max()
        else:
            torch.testing.assert_close(value, before[name], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("epochs", 0, "1 or more"),
        ("batch_size", 1, "2 or more"),
        ("learning_rate", 0.0, "above 0"),
        ("learning_rate", -1.0, "above 0"),
        ("learning_rate", math.nan, "above 0"),
        ("warm_up", 1.0, "from 0 to below 1"),
        ("warm_up", -0.1, "from 0 to below 1"),
        ("weight_decay", -1e-9, "0 or more"),
        ("label_smoothing", 1.0, "from 0 to below 1"),
        ("seed", -1, "0 or more"),
    ],
)
def test_what_no_training_can_be_is_refused(name: str, value: float, allowed: str) -> None:
    with pytest.raises(InputError) as refused:
        TrainingOptions(**{name: value})  # type: ignore[arg-type]
    assert f"{name} is {value:g}; allowed is {allowed}\n  help: " in str(refused.value)


def test_progress_says_how_long_it_will_take() -> None:
    told: list[tuple[str, float | None]] = []
    options = replace(OPTIONS, epochs=2, batch_size=2)
    train(network(), replace(training(options), progress=lambda *what: told.append(what)))
    stages, shares = zip(*told, strict=True)
    assert stages[0].startswith("test: epoch 1 of 2, ") and stages[-1].endswith(" left")
    assert list(shares) == pytest.approx([10 / 30, 15 / 30, 25 / 30, 1.0])
