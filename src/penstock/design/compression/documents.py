"""Recipes as they stand in files and results: the way back from `recipe_files`."""

from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from typing import Any

from penstock.design.compression.recipe import Recipe
from penstock.design.learning.options import TrainingOptions

Document = Mapping[str, Any]
_STEPS = ("train", "distill", "prune", "sparsify", "quantize")


def recipe_document(recipe: Recipe) -> Document:
    """Return a recipe as the tables of its file; what was not asked for is left out."""
    scaling = {"mean": list(recipe.scaling.mean), "deviation": list(recipe.scaling.deviation)}
    steps = {key: getattr(recipe, key) for key in _STEPS}
    given = {key: step_document(step) for key, step in steps.items() if step is not None}
    return {**_values(recipe, {"scaling", *_STEPS}), **scaling, **given}


def step_document(step: Any) -> Document:
    """Return a step as its table: its own keys, and those of its training.

    Args:
        step: a dataclass of `penstock.design.compression.recipe`, or options of a training.
    """
    own = _values(step, {"training"})
    if not any(field.name == "training" for field in fields(step)):
        return own
    training: TrainingOptions | None = step.training
    return {**own, **({"epochs": 0} if training is None else _values(training, set()))}


def _values(given: Any, left_out: set[str]) -> dict[str, Any]:
    """Return the values of a dataclass that are not None, as TOML and JSON know them."""
    found = {f.name: getattr(given, f.name) for f in fields(given) if f.name not in left_out}
    return {key: _plain(value) for key, value in found.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
