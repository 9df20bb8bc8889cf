"""What all operators share: the base class, the registry, and types of attributes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from functools import cache
from typing import Any, ClassVar, Self, TypeVar

_INPUT: dict[str, str] = {"role": "input"}
_OUTPUT: dict[str, str] = {"role": "output"}


def reads() -> Any:
    """Return the field of a tensor that the operator reads."""
    return field(metadata=_INPUT)


def may_read() -> Any:
    """Return the field of a tensor that may be None."""
    return field(default=None, metadata=_INPUT)


def writes() -> Any:
    """Return the field of a tensor that the operator writes."""
    return field(metadata=_OUTPUT)


class Activation(Enum):
    """A clamp fused into an operator's output; the value is its name in the text form."""

    NONE = "none"
    RELU = "relu"
    RELU6 = "relu6"
    RELU_N1_TO_1 = "relu_n1_to_1"

    @property
    def real_range(self) -> tuple[float, float]:
        """Smallest and largest real value that passes."""
        return _REAL_RANGES[self]


_REAL_RANGES = {
    Activation.NONE: (-float("inf"), float("inf")),
    Activation.RELU: (0.0, float("inf")),
    Activation.RELU6: (0.0, 6.0),
    Activation.RELU_N1_TO_1: (-1.0, 1.0),
}


class AverageRounding(Enum):
    """How an average of integers is rounded.

    ``HALF_AWAY`` is the rule of int8 and int16 kernels. ``HALF_UP`` is what the rule of legacy
    uint8 kernels, (sum + count / 2) / count on non-negative sums, becomes after the exact
    conversion to int8.
    """

    HALF_AWAY = "half_away"
    HALF_UP = "half_up"


class MultiplierSource(Enum):
    """How the real requantization multiplier is formed from the scales.

    ``DOUBLE`` multiplies scales in double precision. ``SINGLE`` rounds the product of input and
    filter scale to float32 first, as legacy uint8 convolutions do; the two can differ in the last
    bit of the 31-bit multiplier.
    """

    DOUBLE = "double"
    SINGLE = "single"


@dataclass(frozen=True, slots=True)
class Padding2D:
    """Elements added around the two spatial dimensions; each ≥ 0."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    @property
    def is_none(self) -> bool:
        """True when nothing is added."""
        return not (self.top or self.bottom or self.left or self.right)


NO_PADDING = Padding2D()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Base of all operators: abstract, never instantiated.

    Attributes:
        source: index of the operator in the model file it came from; None when a pass made it.
    """

    source: int | None = None
    kind: ClassVar[str] = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the tensors read, in order; absent optional ones left out."""
        return tuple(_tensor_names(self, "input"))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the tensors written."""
        return tuple(_tensor_names(self, "output"))

    def rename(self, names: Mapping[str, str]) -> Self:
        """Return the operator with each tensor name found in ``names`` replaced."""
        changes: dict[str, Any] = {}
        for item in fields(self):
            if "role" not in item.metadata:
                continue
            value = getattr(self, item.name)
            if isinstance(value, tuple):
                changes[item.name] = tuple(names.get(name, name) for name in value)
            elif value is not None:
                changes[item.name] = names.get(value, value)
        return replace(self, **changes)


@cache
def _attributes_of(kind: type[Any], role: str) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind) if item.metadata.get("role") == role)


def _tensor_names(operator: Operator, role: str) -> list[str]:
    names: list[str] = []
    kind: Any = type(operator)  # mypy takes a class's hash for that of its instances
    for attribute in _attributes_of(kind, role):
        value = getattr(operator, attribute)
        if isinstance(value, tuple):
            names.extend(value)
        elif value is not None:
            names.append(value)
    return names


OPERATORS: dict[str, type[Operator]] = {}
"""Every concrete operator by its kind, for example ``CONV_2D``."""

_Concrete = TypeVar("_Concrete", bound=Operator)


def concrete(cls: type[_Concrete]) -> type[_Concrete]:
    """Register an operator under its kind: the class name in capitals, words joined by ``_``."""
    cls.kind = re.sub(r"(?<=[a-z])(?=[A-Z0-9])", "_", cls.__name__).upper()
    OPERATORS[cls.kind] = cls
    return cls
