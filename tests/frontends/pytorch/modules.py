"""Small modules of the kinds that people train."""

import torch
from torch import nn
from torch.nn import functional


def with_random_norms(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give batch normalization what training would: statistics and factors of both signs."""
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            assert part.running_mean is not None and part.running_var is not None
            part.running_mean.normal_(generator=generator)
            part.running_var.uniform_(0.5, 2, generator=generator)
            part.weight.data.normal_(1, 0.4, generator=generator)
            part.bias.data.normal_(generator=generator)
    return module.eval()


class InvertedResidual(nn.Module):
    """A block of MobileNetV2."""

    def __init__(self, channels: int, outputs: int, stride: int) -> None:
        super().__init__()
        wide = 3 * channels
        self.body = nn.Sequential(
            nn.Conv2d(channels, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(inplace=True),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(inplace=True),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.is_residual = stride == 1 and channels == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x) if self.is_residual else self.body(x)


class MobileNet(nn.Module):
    """A small MobileNetV2."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6()
        )
        self.blocks = nn.Sequential(
            InvertedResidual(8, 8, 1), InvertedResidual(8, 12, 2), InvertedResidual(12, 12, 1)
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(0.2)
        self.classify = nn.Linear(12, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.blocks(self.stem(x)))
        return self.classify(self.drop(torch.flatten(x, 1)))


class Cell(nn.Module):
    """A cell of DARTS: ReLU before convolutions, dilated separable ones, pools, concatenation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.separable = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.dilated = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 2, dilation=2, groups=channels, bias=False),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.average = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        self.largest = nn.MaxPool2d(3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.separable(x) + self.average(x)
        second = self.dilated(first) + self.largest(x)
        return torch.cat([first, second], dim=1)


class Darts(nn.Module):
    """Two cells and what is around them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8))
        self.cells = nn.Sequential(Cell(8), Cell(16))
        self.reduce = nn.MaxPool2d(2)
        self.classify = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.reduce(self.cells(self.stem(x)))
        return self.classify(x.mean(dim=(2, 3)))


class Mixture(nn.Module):
    """What else people write: other activations, gates, functional calls, flattened images."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 6, (3, 5), padding="same")
        self.grouped = nn.Conv2d(6, 9, 3, 2, padding=1, groups=3)
        self.norm = nn.BatchNorm2d(9)
        self.gate = nn.Conv2d(9, 9, 1)
        self.classify = nn.Linear(9 * 2 * 3, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.hardswish(self.first(x))
        x = functional.leaky_relu(
            self.norm(functional.relu(self.grouped(functional.pad(x, (1, 2, 0, 1))))), 0.1
        )
        x = x * torch.sigmoid(self.gate(functional.adaptive_avg_pool2d(x, 1)))
        x = functional.avg_pool2d(x, 3, 2, 1)
        return torch.softmax(self.classify(x.reshape(1, -1)), dim=-1)
