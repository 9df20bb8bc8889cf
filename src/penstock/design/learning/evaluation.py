"""How good a network is, while it is still real numbers."""

import numpy as np
import torch
from torch import nn

from penstock.design.data.sets import Samples
from penstock.design.learning.batches import network_inputs
from penstock.design.learning.tasks import RealArray, Task
from penstock.frontends.samples import PIXELS_AS_THEY_ARE, PixelScaling
from penstock.progress import Progress, silent

_BATCH = 250


def predict(
    network: nn.Module,
    samples: Samples,
    scaling: PixelScaling = PIXELS_AS_THEY_ARE,
    progress: Progress = silent,
) -> tuple[RealArray, RealArray]:
    """Return a network's outputs and its inputs, ``[N, …]``; it is put into inference mode."""
    network.eval()
    outputs, inputs = [], []
    with torch.inference_mode():
        for batch in network_inputs(samples.values, _BATCH, scaling):
            outputs.append(network(batch).numpy())
            inputs.append(batch.numpy())
            progress("testing", len(outputs) * _BATCH / len(samples))
    return np.concatenate(outputs), np.concatenate(inputs)


def score(
    network: nn.Module,
    samples: Samples,
    task: Task,
    scaling: PixelScaling = PIXELS_AS_THEY_ARE,
    progress: Progress = silent,
) -> float:
    """Return how good a network is, from 0 to 1."""
    outputs, inputs = predict(network, samples, scaling, progress)
    return task.score(outputs, inputs, samples.labels)
