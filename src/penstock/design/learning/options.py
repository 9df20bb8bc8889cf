"""How to train; without torch."""

from dataclasses import dataclass
from enum import Enum

from penstock.errors import InputError


class Augmentation(Enum):
    """How training samples are varied, so that a network sees each a little differently."""

    NONE = "none"
    SHIFT = "shift"
    """By up to an eighth of height and width: He et al. 2015, section 4.2, on 32x32."""
    MIRROR = "mirror"
    """Shifted, and half of them mirrored."""


class Optimizer(Enum):
    """How steps follow from gradients."""

    SGD = "sgd"
    """With Nesterov's momentum of 0.9."""
    ADAM = "adam"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """How to train.

    Attributes:
        epochs: passes over the training samples.
        batch_size: samples a step, of all processes together.
        learning_rate: its peak; from there it falls as a cosine to 0.
        warm_up: share of all steps in which it rises to the peak.
        weight_decay: of filters; biases and normalization have none.
        label_smoothing: probability spread evenly over all classes.
        optimizer: how steps follow from gradients.
        augmentation: how samples are varied.
        seed: of the order of samples and of their variations.
    """

    epochs: int = 20
    batch_size: int = 128
    learning_rate: float = 0.2
    warm_up: float = 0.2
    weight_decay: float = 2e-4
    label_smoothing: float = 0.05
    optimizer: Optimizer = Optimizer.SGD
    augmentation: Augmentation = Augmentation.NONE
    seed: int = 1

    def __post_init__(self) -> None:
        _expect("epochs", self.epochs, self.epochs >= 1, "1 or more")
        _expect("batch_size", self.batch_size, self.batch_size >= 2, "2 or more")
        _expect("learning_rate", self.learning_rate, self.learning_rate > 0, "above 0")
        _expect("warm_up", self.warm_up, 0 <= self.warm_up < 1, "from 0 to below 1")
        _expect("weight_decay", self.weight_decay, self.weight_decay >= 0, "0 or more")
        smoothing = self.label_smoothing
        _expect("label_smoothing", smoothing, 0 <= smoothing < 1, "from 0 to below 1")
        _expect("seed", self.seed, self.seed >= 0, "0 or more")


def _expect(name: str, value: float, is_right: bool, allowed: str) -> None:
    if not is_right:
        raise InputError(f"{name} is {value:g}; allowed is {allowed}", help="correct the recipe")
