"""What all stages of a compression have in common."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from penstock.design.compression.recipe import DistillStep
from penstock.design.data import DataSet
from penstock.design.learning.batches import network_inputs
from penstock.design.learning.distillation import Distillation
from penstock.design.learning.engine import AfterStep, EpochResult, Training, train
from penstock.design.learning.options import TrainingOptions
from penstock.design.learning.processes import ALONE, Processes
from penstock.design.learning.tasks import Task
from penstock.frontends.samples import PIXELS_AS_THEY_ARE, PixelScaling
from penstock.progress import Progress, silent

Report = Callable[[str, EpochResult], None]
_BATCH = 100


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What all stages of a compression have in common.

    Attributes:
        data: to learn from.
        task: what the network is for.
        scaling: of pixels.
        teacher: that networks learn from besides; None is nobody.
        distill: how they do.
        folder: of checkpoints; None keeps none.
        processes: that train together.
        progress: told what is going on.
        report: told of each epoch, with the stage's name.
        resumed: told how many seconds earlier runs took that a checkpoint goes on from.
    """

    data: DataSet
    task: Task
    scaling: PixelScaling = PIXELS_AS_THEY_ARE
    teacher: nn.Module | None = None
    distill: DistillStep | None = None
    folder: Path | None = None
    processes: Processes = ALONE
    progress: Progress = silent
    report: Report = lambda _stage, _result: None
    resumed: Callable[[float], None] = lambda _seconds: None

    def train(
        self,
        network: nn.Module,
        label: str,
        options: TrainingOptions,
        after_step: AfterStep | None = None,
        teacher: nn.Module | None = None,
        how: object = None,
    ) -> None:
        """Train a network in place.

        Args:
            network: to be trained.
            label: of the stage, for people and checkpoints.
            options: of the training.
            after_step: called after each step, to change weights.
            teacher: the stage's own, where there is none for all.
            how: whatever else decides the result: its text tells checkpoints apart.
        """
        training = Training(
            label=label,
            data=self.data.training,
            task=self.task,
            options=options,
            scaling=self.scaling,
            how=how,
            distillation=self._distillation(teacher),
            folder=self.folder,
            processes=self.processes,
            progress=self.progress,
            report=lambda result: self.report(label, result),
            resumed=self.resumed,
        )
        train(network, training, after_step)

    def _distillation(self, own: nn.Module | None) -> Distillation | None:
        teacher = self.teacher or own
        if teacher is None:
            return None
        step = self.distill or DistillStep()
        return Distillation(
            teacher.eval(), step.share, step.temperature, step.features, step.feature_weight
        )

    def some_inputs(self, count: int) -> Iterator[Tensor]:
        """Yield training samples, evenly spread, in small batches as a network reads them."""
        data = self.data.training
        taken = min(count, len(data))
        positions = np.arange(taken, dtype=np.int64) * len(data) // taken
        yield from network_inputs(data.values[positions], _BATCH, self.scaling)
