"""How good a network is, while it is still real numbers."""

import numpy as np
import torch
from torch import nn

from penstock.design.data.sets import Samples
from penstock.design.learning.batches import network_inputs
from penstock.design.learning.tasks import Task
from penstock.frontends.samples import PIXELS_AS_THEY_ARE, PixelScaling
from penstock.progress import Progress, silent

_BATCH = 250


def score(
    network: nn.Module,
    samples: Samples,
    task: Task,
    scaling: PixelScaling = PIXELS_AS_THEY_ARE,
    progress: Progress = silent,
) -> float:
    """Return how good a network is, from 0 to 1; it is put into inference mode."""
    network.eval()
    judged = []
    with torch.inference_mode():
        for batch in network_inputs(samples.values, _BATCH, scaling):
            judged.append(task.judge(network(batch).numpy(), batch.numpy()))
            progress("testing", len(judged) * _BATCH / len(samples))
    return task.score(np.concatenate(judged), samples.labels)
