"""Small networks to compress, and what tests of that have in common."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")
pytest.importorskip("torch_pruning", reason="needs the extra 'design'")

from torch import nn  # noqa: E402

from penstock import api  # noqa: E402
from penstock.cli.entry import run_command_line  # noqa: E402
from penstock.design.learning.engine import Training, train  # noqa: E402
from penstock.design.learning.options import TrainingOptions  # noqa: E402
from penstock.design.learning.tasks import (  # noqa: E402
    Classification,
)
from penstock.ir.dtype import DType  # noqa: E402
from penstock.quantize.affine import quantize_array  # noqa: E402
from tests.design.test_training import samples  # noqa: E402
from tests.litert import LiteRT  # noqa: E402

torch.set_num_threads(1)


OPTIONS = TrainingOptions(epochs=2, batch_size=40, learning_rate=0.02)


def penstock(*arguments: str | Path) -> int:
    return run_command_line([str(argument) for argument in arguments])


def network(classes: int = 3, channels: int = 1) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, classes),
    ).eval()


def save(module: nn.Module, path: Path, *shape: int) -> None:
    module.eval().to(memory_format=torch.contiguous_format)
    torch.export.save(torch.export.export(module, (torch.zeros(1, *shape),)), path)


def litert_accuracy(model: Path) -> float:
    """Of the whole test set, in the oracle."""
    source = api.load_model(model).tensors["input"]
    assert source.quantization is not None
    oracle, data = LiteRT(model), samples(60, seed=1)
    right = 0
    for value, label in zip(data.values, data.labels, strict=True):
        real = (value[np.newaxis] / np.float32(255)).astype(np.float32)
        (scores,) = oracle.run([quantize_array(real, source.quantization, DType.INT8)])
        right += int(scores.argmax() == label)
    return right / 60


class SlowClock:
    """Every look at it takes a minute."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 60
        return self.now


def trained_network() -> nn.Module:
    module = network()
    options = TrainingOptions(epochs=6, batch_size=16, learning_rate=0.05)
    train(module, Training("train", samples(160), Classification(), options))
    return module


def write_networks_and_data(trained: nn.Module, folder: Path) -> None:
    save(trained, folder / "net.pt2", 1, 8, 8)
    save(network(classes=5), folder / "five.pt2", 1, 8, 8)
    parts = {"train": samples(160), "test": samples(60, seed=1)}
    arrays = {f"x_{name}": part.values for name, part in parts.items()}
    arrays |= {f"y_{name}": part.labels for name, part in parts.items()}
    np.savez(folder / "data.npz", **arrays)
    broken = network()
    broken[0].weight.data[0, 0] = torch.nan
    save(broken, folder / "nan.pt2", 1, 8, 8)
