"""What to do to a network, step by step: a TOML file, or options of the command line."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from penstock.design.compression.choices import Criterion, Pattern, WeightFormat
from penstock.design.learning.options import TrainingOptions
from penstock.errors import InputError
from penstock.frontends.samples import PIXELS_AS_THEY_ARE, PixelScaling
from penstock.quantize.histograms import RangeRule

FINE_TUNING = TrainingOptions(epochs=10, learning_rate=0.05, warm_up=0.1)
"""A trained network is gone on with."""
ROUNDING = TrainingOptions(epochs=3, learning_rate=0.005, warm_up=0.1, weight_decay=0.0)
"""A trained network gets used to int8: little is to change."""


ITSELF = "self"
"""A network's own teacher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneStep:
    """Filters go.

    Attributes:
        macs: share of the multiply-accumulates that stays at most; None where a latency decides.
        criterion: which filters go first.
        training: what comes behind.
    """

    macs: float | None = 0.5
    criterion: Criterion = Criterion.L2
    training: TrainingOptions = FINE_TUNING


@dataclass(frozen=True, slots=True, kw_only=True)
class SparsifyStep:
    """Weights become 0.

    Attributes:
        zeros: share of the weights that are 0 in the end.
        pattern: which become 0 together.
        training: in whose first half they do.
    """

    zeros: float = 0.75
    pattern: Pattern = Pattern.SINGLE
    training: TrainingOptions = FINE_TUNING


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainStep:
    """The network is trained on before anything else.

    Attributes:
        training: how.
    """

    training: TrainingOptions = FINE_TUNING


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillStep:
    """A network learns from another one, in all trainings.

    Attributes:
        teacher: a model file, or `ITSELF`: the network as it was given.
        share: of the teacher in the loss.
        temperature: what scores are divided by.
        features: names of tensors, ``[network's, teacher's]`` each, that are to look at the same
            places.
        feature_weight: of what they differ.
    """

    teacher: str = ITSELF
    share: float = 0.7
    temperature: float = 4.0
    features: tuple[tuple[str, str], ...] = ()
    feature_weight: float = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeStep:
    """Numbers become integers.

    Attributes:
        weights: what they are stored as; activations are int8.
        training: with rounding; None quantizes what there is.
        size: bytes that constants may take where weights are mixed, in as few as there are kernels
            for; None is any size.
        samples: for the ranges of activations.
        ranges: which part of what was seen of an activation int8 covers.
    """

    weights: WeightFormat = WeightFormat.INT8
    training: TrainingOptions | None = ROUNDING
    size: int | None = None
    samples: int = 500
    ranges: RangeRule = RangeRule.BEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to do to a network.

    Attributes:
        data: as `load_data_set` takes it; empty where data in memory are given.
        scaling: of pixels.
        board: whose latency is estimated; empty estimates none.
        latency: seconds that an inference may take at most; None is any time.
        threads: to compute with; None takes all. Another number gives other last bits.
        seed: of what is drawn: what is held back for testing, where the data do not say.
        normal: of an autoencoder, the class of the samples that are normal: it learns from those
            alone, and is tested by how well it tells the others from them. None is a classifier.
        train: None goes on with the network as it was given.
        distill: None learns from labels alone.
        prune: None leaves filters; where `needs_pruning`, there is always one.
        sparsify: None leaves weights.
        quantize: the last step, without which there would be no int8 network.
    """

    data: str = ""
    scaling: PixelScaling = PIXELS_AS_THEY_ARE
    board: str = ""
    latency: float | None = None
    threads: int | None = None
    seed: int = 1
    normal: int | None = None
    train: TrainStep | None = None
    distill: DistillStep | None = None
    prune: PruneStep | None = None
    sparsify: SparsifyStep | None = None
    quantize: QuantizeStep = QuantizeStep()

    def __post_init__(self) -> None:
        if self.prune is None and needs_pruning(self.latency, self.quantize.weights):
            object.__setattr__(self, "prune", PruneStep(macs=None))
        self._expect_aims()
        for what, value, is_right, allowed in self._ranges():
            if not is_right:
                raise InputError(
                    f"{what} is {value:g}; allowed is {allowed}", help="correct the recipe"
                )

    def _expect_aims(self) -> None:
        is_mixed = self.quantize.weights is WeightFormat.MIXED
        if self.latency is not None and not self.board:
            raise InputError(
                "a latency was asked for, but no board", help="name one by --board or board ="
            )
        if self.prune is not None and self.prune.macs is None and self.latency is None:
            raise InputError(
                "pruning has no aim", help="give macs = 0.5 in [prune], or a board and a latency"
            )
        if is_mixed and self.quantize.size is None and self.latency is None:
            raise InputError(
                "mixed weights have no aim", help="give a size in bytes, or a board and a latency"
            )
        if self.quantize.size is not None and not is_mixed:
            raise InputError(
                f"a size was asked for of {self.quantize.weights.value} weights, which have theirs",
                help='--quantize mixed, or weights = "mixed", makes weights as small as asked',
            )

    def _ranges(self) -> Iterator[tuple[str, float, bool, str]]:
        """Yield what numbers are, whether they are right, and what is."""
        share = "above 0 and below 1, where 0.5 is one half"
        if self.prune is not None and self.prune.macs is not None:
            macs = self.prune.macs
            yield "the share of MACs that stays", macs, 0 < macs < 1, share
        if self.sparsify is not None:
            yield (
                "the share of zeros",
                self.sparsify.zeros,
                0 < self.sparsify.zeros < 1,
                share,
            )
        if self.distill is not None:
            step = self.distill
            yield "the teacher's share", step.share, 0 < step.share < 1, share
            yield "the temperature", step.temperature, 0 < step.temperature < math.inf, "above 0"
            weight = step.feature_weight
            yield "the weight of features", weight, 0 <= weight < math.inf, "0 or more"
        if self.latency is not None:
            yield "the latency", self.latency, 0 < self.latency < math.inf, "above 0, in seconds"
        if self.normal is not None:
            yield "the normal class", self.normal, self.normal >= 0, "0 or more"
        if self.threads is not None:
            yield "the number of threads", self.threads, self.threads >= 1, "1 or more"
        if self.quantize.size is not None:
            yield "the size", self.quantize.size, self.quantize.size >= 1, "1 byte or more"
        samples = self.quantize.samples
        yield "the number of samples for ranges", samples, samples >= 1, "1 or more"
        yield "the seed", self.seed, self.seed >= 0, "0 or more"

    @property
    def trainings(self) -> Mapping[str, TrainingOptions]:
        """How is trained, by step."""
        steps = {
            "train": self.train,
            "prune": self.prune,
            "sparsify": self.sparsify,
            "quantize": self.quantize,
        }
        given = {name: step.training for name, step in steps.items() if step is not None}
        return {name: options for name, options in given.items() if options is not None}


def needs_pruning(latency: float | None, weights: WeightFormat) -> bool:
    """Return whether channels go though nobody asked: a latency demands it.

    Where weights are mixed, filters of four bits serve the latency, and only who asks prunes.
    """
    return latency is not None and weights is not WeightFormat.MIXED
