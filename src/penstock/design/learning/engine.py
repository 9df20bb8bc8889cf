"""The training loop."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from penstock.design.data.sets import Samples
from penstock.design.learning.batches import augment, shuffled_batches, to_network_input
from penstock.design.learning.checkpoints import Checkpoint, State, digest
from penstock.design.learning.distillation import Distillation
from penstock.design.learning.options import Optimizer, TrainingOptions
from penstock.design.learning.processes import ALONE, Processes
from penstock.design.learning.tasks import Task
from penstock.errors import InputError
from penstock.frontends.samples import PIXELS_AS_THEY_ARE, PixelScaling
from penstock.progress import Progress, silent
from penstock.units import format_duration

AfterStep = Callable[[int, int, int], None]
"""Takes the step within its epoch, the step within training, and how many there are in all."""
_MOMENTUM = 0.9
_REPORTED_STEPS = 10


@dataclass(frozen=True, slots=True)
class EpochResult:
    """One pass over the training samples, varied, while the weights still changed.

    Attributes:
        epoch: from 1.
        loss: mean over all steps.
        seconds: that it took.
    """

    epoch: int
    loss: float
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """One training of a network.

    Attributes:
        label: for people, and start of the checkpoint's name.
        data: samples to learn from.
        task: what the network is for.
        options: how.
        scaling: of pixels.
        distillation: a teacher; None learns from labels alone.
        how: whatever decides the result besides what is said here and the weights at first; its
            text tells checkpoints apart.
        folder: of checkpoints; None keeps none.
        processes: that train together.
        progress: told what is going on, and how long it will take.
        report: called after each epoch.
        resumed: told how many seconds earlier runs took that a checkpoint goes on from.
    """

    label: str
    data: Samples
    task: Task
    options: TrainingOptions
    scaling: PixelScaling = PIXELS_AS_THEY_ARE
    distillation: Distillation | None = None
    how: object = None
    folder: Path | None = None
    processes: Processes = ALONE
    progress: Progress = silent
    report: Callable[[EpochResult], None] = lambda _result: None
    resumed: Callable[[float], None] = lambda _seconds: None


def train(
    network: nn.Module, training: Training, after_step: AfterStep | None = None
) -> list[EpochResult]:
    """Train a network in place, from its checkpoint if it has one; return what each epoch gave.

    Args:
        network: all of whose parameters learn, unless they need no gradient.
        training: how, and with what.
        after_step: called after each step, to change weights.

    Raises:
        InputError: there are fewer samples than in a batch, or training diverges.
    """
    options, data = training.options, training.data
    steps = len(data) // options.batch_size
    if not steps:
        raise InputError(
            f"there are {len(data)} training samples, a batch has {options.batch_size}",
            help="give more data, or a smaller batch",
        )
    if options.batch_size % training.processes.count:
        raise InputError(
            f"a batch has {options.batch_size} samples, which {training.processes.count} processes "
            "cannot share evenly",
            help="choose --batch, or batch_size in a recipe, so that their number divides it",
        )
    run = _Run(network, training, steps, after_step)
    run.resume()
    network.train()
    for epoch in range(run.epochs_done + 1, options.epochs + 1):
        run.epoch(epoch)
    network.eval()
    return run.history


class _Run:
    """A training that is going on."""

    def __init__(
        self, network: nn.Module, training: Training, steps: int, after_step: AfterStep | None
    ) -> None:
        self.network, self.training, self.steps = network, training, steps
        self.after_step = after_step
        self.history: list[EpochResult] = []
        self.generator = torch.Generator().manual_seed(training.options.seed)
        self.checkpoint = _checkpoint(network, training)
        network.to(memory_format=torch.channels_last)
        self.optimizer = _optimizer(network, training.options)

    @property
    def epochs_done(self) -> int:
        return len(self.history)

    def resume(self) -> None:
        """Take up where the checkpoint is."""
        processes = self.training.processes
        state = None
        if self.checkpoint is not None and processes.is_first:
            state = self.checkpoint.load()
        state = processes.from_first(state)
        if state is not None:
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.generator.set_state(state["generator"])
            self.history = [EpochResult(**result) for result in state["history"]]
            self.training.resumed(sum(result.seconds for result in self.history))

    def epoch(self, number: int) -> None:
        """Go over the samples once."""
        started = time.monotonic()
        losses = []
        for step, (inputs, labels) in enumerate(self._batches()):
            done = (number - 1) * self.steps + step
            losses.append(self._step(inputs, labels, done))
            if self.after_step is not None:
                self.after_step(step, done + 1, self.training.options.epochs * self.steps)
            self._tell(number, step + 1, time.monotonic() - started)
        loss = float(np.mean(losses))
        if not math.isfinite(loss):
            raise InputError(
                f"training diverged in epoch {number}: the loss is {loss}",
                help="use a lower learning rate",
            )
        self.training.processes.average_statistics(self.network)
        self.history.append(EpochResult(number, loss, time.monotonic() - started))
        if self.training.processes.is_first:
            if self.checkpoint is not None:
                self.checkpoint.save(self._state())
            self.training.report(self.history[-1])
        self.training.processes.wait()

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield what the network reads; all processes draw the same, and take their part."""
        training = self.training
        size = training.options.batch_size
        for values, labels in shuffled_batches(training.data, size, self.generator):
            varied = augment(values, training.options.augmentation, self.generator)
            inputs = to_network_input(training.processes.part(varied), training.scaling)
            arranged = inputs.contiguous(memory_format=_memory_format(inputs))
            yield arranged, training.processes.part(labels)

    def _step(self, inputs: Tensor, labels: Tensor, done: int) -> float:
        options = self.training.options
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(options, done / (options.epochs * self.steps))
        loss = self._loss(inputs, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.training.processes.average_gradients(self.network)
        self.optimizer.step()
        return float(loss.item())

    def _loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        taught = self.training.distillation
        smoothing = self.training.options.label_smoothing
        task = self.training.task
        if taught is None:
            return task.loss(self.network(inputs), inputs, labels, smoothing)
        outputs, seen = taught.forward(self.network, inputs)
        loss = task.loss(outputs, inputs, labels, smoothing)
        return taught.add_to(loss, outputs, seen, inputs)

    def _tell(self, epoch: int, step: int, seconds: float) -> None:
        if step % _REPORTED_STEPS and step != self.steps:
            return
        epochs = self.training.options.epochs
        done = (epoch - 1) * self.steps + step
        left = seconds / step * (epochs * self.steps - done)
        self.training.progress(
            f"{self.training.label}: epoch {epoch} of {epochs}, {format_duration(left)} left",
            done / (epochs * self.steps),
        )

    def _state(self) -> State:
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "history": [asdict(result) for result in self.history],
        }


def learning_rate(options: TrainingOptions, done: float) -> float:
    """Return the rate when a share of all steps is done: it rises evenly, and falls as a cosine."""
    if done < options.warm_up:
        return options.learning_rate * max(done, 0.04 * options.warm_up) / options.warm_up
    falling = (done - options.warm_up) / (1 - options.warm_up)
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * falling))


def _memory_format(inputs: Tensor) -> torch.memory_format:
    return torch.channels_last if inputs.ndim == 4 else torch.contiguous_format


def _checkpoint(network: nn.Module, training: Training) -> Checkpoint | None:
    if training.folder is None:
        return None
    taught = training.distillation
    teaching: object = taught and (taught.share, taught.temperature, digest(taught.teacher))
    if taught is not None and taught.features:
        teaching = (teaching, taught.features, taught.feature_weight)
    return Checkpoint.of(
        training.folder,
        training.label.replace(" ", "-"),
        network,
        training.data,
        training.options,
        training.scaling,
        training.task,
        teaching,
        training.processes.count,
        training.how,
    )


def _optimizer(network: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if options.optimizer is Optimizer.ADAM:
        return torch.optim.AdamW(groups, lr=options.learning_rate)
    return torch.optim.SGD(groups, lr=options.learning_rate, momentum=_MOMENTUM, nesterov=True)
