"""Recipes are read from their files; `documents` is the way back."""

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from penstock.design.compression.recipe import (
    FINE_TUNING,
    ROUNDING,
    DistillStep,
    PruneStep,
    QuantizeStep,
    Recipe,
    SparsifyStep,
    TrainStep,
    needs_pruning,
)
from penstock.design.learning.options import TrainingOptions
from penstock.errors import InputError, os_reason
from penstock.frontends.samples import PixelScaling
from penstock.units import read_duration, read_size


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
