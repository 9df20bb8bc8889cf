"""The networks of the zoo, as recipes: the same seed and number of threads give the same file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

from penstock.design.compression.documents import Document, step_document
from penstock.design.compression.recipe import QuantizeStep
from penstock.design.learning.options import Augmentation, Optimizer, TrainingOptions
from penstock.design.learning.tasks import Classification, Reconstruction, Task
from penstock.design.networks import Autoencoder, BlockSpec, Classifier, NetworkSpec
from penstock.design.published import MBV3

Shape = tuple[int, ...]
POST_TRAINING = QuantizeStep(training=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooNetwork:
    """A network and how to train it.

    Attributes:
        about: one line for people.
        data: name of a data set.
        shape: of a sample.
        task: what it is for.
        make: returns the untrained network; its weights follow from torch's seed.
        training: of real numbers.
        quantize: how it becomes int8.
    """

    about: str
    data: str
    shape: Shape
    task: Task
    make: Callable[[], nn.Module]
    training: TrainingOptions
    quantize: QuantizeStep = POST_TRAINING

    @property
    def normal(self) -> int | None:
        """Of an autoencoder, the class that it learns from."""
        return self.task.normal if isinstance(self.task, Reconstruction) else None

    @property
    def recipe(self) -> Mapping[str, Document]:
        """Tables of everything that decides the weights, with the keys of a recipe's file."""
        return {"train": step_document(self.training), "quantize": step_document(self.quantize)}

    def build(self) -> nn.Module:
        """Return the untrained network."""
        torch.manual_seed(self.training.seed)
        return self.make()


def _mobile_blocks() -> tuple[BlockSpec, ...]:
    """MobileNetV3-Large's blocks, the last of which keep their resolution: images are small."""
    strides = [block.stride for block in MBV3.blocks]
    strides[12] = 1
    return tuple(
        BlockSpec(channels=block.channels, expansion=block.expansion, stride=stride)
        for block, stride in zip(MBV3.blocks, strides, strict=True)
    )


_CIFAR10_LARGE = NetworkSpec(
    shape=(64, 64, 3),
    stem_channels=MBV3.stem_channels,
    stem_stride=2,
    blocks=_mobile_blocks(),
    head_channels=MBV3.head_channels,
    classes=10,
)
_CIFAR10_SMALL = NetworkSpec(
    shape=(32, 32, 3),
    stem_channels=16,
    stem_stride=1,
    blocks=(
        BlockSpec(channels=24, expansion=2, stride=2),
        BlockSpec(channels=24, expansion=3, stride=1),
        BlockSpec(channels=24, expansion=3, stride=1),
        BlockSpec(channels=48, expansion=3, stride=2),
        BlockSpec(channels=48, expansion=3, stride=1),
        BlockSpec(channels=48, expansion=3, stride=1),
        BlockSpec(channels=72, expansion=3, stride=2),
        BlockSpec(channels=72, expansion=3, stride=1),
    ),
    head_channels=128,
    classes=10,
)
_KEYWORDS = NetworkSpec(
    shape=(48, 32, 1),
    stem_channels=16,
    stem_stride=2,
    blocks=(
        BlockSpec(channels=24, expansion=2, stride=2),
        BlockSpec(channels=24, expansion=2, stride=1),
        BlockSpec(channels=32, expansion=2, stride=2),
        BlockSpec(channels=32, expansion=2, stride=1),
    ),
    head_channels=64,
    classes=10,
)
_PIXELS = 28 * 28
_MBV3_TRAINING = TrainingOptions(
    epochs=24,
    learning_rate=0.15,
    weight_decay=3e-4,
    label_smoothing=0.1,
    augmentation=Augmentation.MIRROR,
)

ZOO: Mapping[str, ZooNetwork] = {
    "cifar10-large": ZooNetwork(
        about="images of ten classes, MobileNetV3's shape: too large for most internal flash",
        data="cifar10",
        shape=_CIFAR10_LARGE.shape,
        task=Classification(),
        make=lambda: Classifier(_CIFAR10_LARGE),
        training=_MBV3_TRAINING,
    ),
    "cifar10-small": ZooNetwork(
        about="the same classes, small enough for internal memory",
        data="cifar10",
        shape=_CIFAR10_SMALL.shape,
        task=Classification(),
        make=lambda: Classifier(_CIFAR10_SMALL),
        training=replace(_MBV3_TRAINING, epochs=20, weight_decay=2e-4, label_smoothing=0.05),
    ),
    "spoken-digits": ZooNetwork(
        about="keywords: zero to nine as log-mel spectrograms of a second",
        data="spoken-digits",
        shape=_KEYWORDS.shape,
        task=Classification(),
        make=lambda: Classifier(_KEYWORDS),
        training=TrainingOptions(
            epochs=60, batch_size=64, learning_rate=0.1, augmentation=Augmentation.SHIFT
        ),
    ),
    "mnist-anomaly": ZooNetwork(
        about="an autoencoder that knows handwritten zeros, and tells everything else from them",
        data="mnist",
        shape=(28, 28, 1),
        task=Reconstruction(normal=0),
        make=lambda: Autoencoder((_PIXELS, 128, 64, 16)),
        training=TrainingOptions(
            epochs=60,
            batch_size=64,
            learning_rate=2e-3,
            weight_decay=1e-5,
            optimizer=Optimizer.ADAM,
        ),
    ),
}
