"""What to do to a network, step by step: a TOML file, or options of the command line."""

import math
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from penstock.design.compression.choices import Criterion, Pattern, WeightFormat
from penstock.design.learning.options import TrainingOptions
from penstock.errors import InputError, os_reason
from penstock.frontends.samples import PIXELS_AS_THEY_ARE, PixelScaling
from penstock.quantize.histograms import RangeRule
from penstock.units import read_duration, read_size

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


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        InputError: the file cannot be read, or says something that no recipe does.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"cannot read {str(path)!r}: {os_reason(error)}", help="check the path"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{str(path)!r} is no TOML file: {error}", help="docs/compress.md shows one"
        ) from error
    return parse_recipe(document, path.name)


def parse_recipe(document: Mapping[str, Any], name: str) -> Recipe:
    """Return a recipe from the tables of its file; ``name`` is for errors.

    ``[training]`` holds what all steps have in common; a step says the same keys for itself.

    Raises:
        InputError: an unknown key, or a value of another type.
    """
    reader = _Reader(name)
    top = {key: value for key, value in document.items() if key != "training"}
    common = reader.values("training", TrainingOptions, reader.table(document, "training"))
    reader.training("training", FINE_TUNING, common)
    given: dict[str, Any] = {}
    for key, (kind, default) in _STEPS.items():
        if key in top:
            given[key] = reader.step(key, kind, reader.table(top, key), default, common)
            del top[key]
    if "quantize" not in given:
        given["quantize"] = reader.step("quantize", QuantizeStep, {}, ROUNDING, common)
    if "latency" in top:
        given["prune"] = _pruned_for_latency(reader, document, given, common)
    pixels = [key for key in ("mean", "deviation") if key in top]
    scaling = {key: reader.numbers(key, top.pop(key)) for key in pixels}
    values = reader.values("", Recipe, top)
    if "data" not in values:
        raise InputError(f"{name} names no data", help='such as data = "cifar10"')
    try:
        return Recipe(**values, **given, scaling=PixelScaling(**scaling))
    except InputError as error:
        raise InputError(f"{name}: {error.what}", help=error.help) from error


def _pruned_for_latency(
    reader: "_Reader",
    document: Mapping[str, Any],
    given: Mapping[str, Any],
    common: Mapping[str, Any],
) -> PruneStep | None:
    """Return how channels are pruned where a latency decides, unless a share of MACs was given."""
    table = reader.table(document, "prune")
    if "prune" not in given and not needs_pruning(document["latency"], given["quantize"].weights):
        return None
    step = given.get("prune") or reader.step("prune", PruneStep, {}, FINE_TUNING, common)
    assert isinstance(step, PruneStep)
    return step if "macs" in table else replace(step, macs=None)


_STEPS: Mapping[str, tuple[type[Any], TrainingOptions | None]] = {
    "train": (TrainStep, FINE_TUNING),
    "distill": (DistillStep, None),
    "prune": (PruneStep, FINE_TUNING),
    "sparsify": (SparsifyStep, FINE_TUNING),
    "quantize": (QuantizeStep, ROUNDING),
}
_TRAINING_KEYS = tuple(field.name for field in fields(TrainingOptions))
Kind = TypeVar("Kind", bound=Enum)


class _Reader:
    """Takes tables apart, and says what is wrong with them."""

    def __init__(self, name: str) -> None:
        self._name = name

    def table(self, document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        """Return a table; an empty one where there is none."""
        found = document.get(key, {})
        if not isinstance(found, Mapping):
            raise InputError(f"{self._name}: {key} is no table", help=f"write [{key}]")
        return found

    def step(
        self,
        key: str,
        kind: type[Any],
        table: Mapping[str, Any],
        default: TrainingOptions | None,
        common: Mapping[str, Any],
    ) -> Any:
        """Return a step; in one that may do without training, ``epochs = 0`` trains nothing."""
        if default is None:
            return kind(**self.values(key, kind, table))
        own = {name: value for name, value in table.items() if name in _TRAINING_KEYS}
        rest = {name: value for name, value in table.items() if name not in _TRAINING_KEYS}
        values = self.values(key, kind, rest, _TRAINING_KEYS)
        asked = self.values(key, TrainingOptions, own)
        if asked.get("epochs") == 0 and kind is QuantizeStep:
            return kind(**values, training=None)
        return kind(**values, training=self.training(key, default, {**common, **asked}))

    def training(
        self, table: str, default: TrainingOptions, asked: Mapping[str, Any]
    ) -> TrainingOptions:
        """Return options of a training that are other than usual as far as asked."""
        try:
            return replace(default, **asked)
        except InputError as error:
            raise InputError(f"{self._name}: [{table}] {error.what}", help=error.help) from error

    def values(
        self, table: str, kind: type[Any], given: Mapping[str, Any], others: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return values for a dataclass, enumerations by their names in files.

        ``others`` are known, too, and read elsewhere.
        """
        types = {f.name: f.type for f in fields(kind) if f.name not in _NOT_IN_FILES}
        where = f"[{table}] " if table else ""
        result: dict[str, Any] = {}
        for key, value in given.items():
            if key not in types:
                allowed = sorted({*types, *others, *(() if table else (*_STEPS, *_EXTRA))})
                raise InputError(
                    f"{self._name}: {where}{key} is unknown", help=f"known are {', '.join(allowed)}"
                )
            result[key] = self._value(f"{where}{key}", types[key], value)
        return result

    def _value(self, where: str, kind: Any, value: Any) -> Any:
        if kind == _PAIRS:
            return self._pairs(where, value)
        if isinstance(kind, type) and issubclass(kind, Enum):
            choices = [choice.value for choice in kind]
            if value not in choices:
                raise InputError(
                    f"{self._name}: {where} is {value!r}", help=f"allowed are {', '.join(choices)}"
                )
            return kind(value)
        if isinstance(value, str) and where in _QUANTITIES:
            return self._quantity(where, value)
        allowed = _PLAIN[kind]
        if not _is_number_or_text(value) or not isinstance(value, allowed):
            raise InputError(
                f"{self._name}: {where} is {value!r}", help=f"give {_NAMES[allowed[-1]]}"
            )
        return value

    def _quantity(self, where: str, text: str) -> float:
        """Return a time or a size that has its unit."""
        read, example = _QUANTITIES[where]
        found = read(text)
        if found is None:
            raise InputError(f"{self._name}: {where} is {text!r}", help=f"for example {example}")
        return found

    def _pairs(self, where: str, value: Any) -> tuple[tuple[str, str], ...]:
        is_right = isinstance(value, list) and all(
            isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, str) for n in pair)
            for pair in value
        )
        if not is_right:
            raise InputError(
                f"{self._name}: {where} is {value!r}",
                help='give pairs of names, such as [["blocks.3.project", "blocks.7.project"]]',
            )
        return tuple((own, other) for own, other in value)

    def numbers(self, key: str, value: Any) -> tuple[float, ...]:
        """Return one number or several."""
        values = value if isinstance(value, list) else [value]
        is_right = all(
            isinstance(number, int | float) and _is_number_or_text(number) for number in values
        )
        if not values or not is_right:
            raise InputError(
                f"{self._name}: {key} is {value!r}", help="give a number, or [n, n, n]"
            )
        return tuple(float(number) for number in values)


def _is_number_or_text(value: Any) -> bool:
    """Return whether a value of TOML is neither true nor false, nor infinite or no number."""
    return not isinstance(value, bool) and not (
        isinstance(value, float) and not math.isfinite(value)
    )


_QUANTITIES: Mapping[str, tuple[Callable[[str], float | None], str]] = {
    "latency": (read_duration, 'latency = "100ms", or 0.1 for seconds'),
    "[quantize] size": (read_size, 'size = "500K", or 512000 for bytes'),
}
_NOT_IN_FILES = {"training", "scaling", "train", "distill", "prune", "sparsify", "quantize"}
_EXTRA = ("mean", "deviation", "training")
_PAIRS = tuple[tuple[str, str], ...]
_PLAIN: Mapping[Any, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    float: (int, float),
    float | None: (int, float),
    int | None: (int,),
}
_NAMES: Mapping[type, str] = {str: "a text", int: "a whole number", float: "a number"}
