"""Operators: one frozen dataclass each, with explicit geometry and named tensors.

Semantics, quantization included, are those of TensorFlow Lite's reference kernels; the NumPy
interpreter (`penstock.ir.interpreter`) is their definition here. Spatial attributes are
``(height, width)``. Padding is always explicit, in elements; padded elements have the real value 0,
that is the input's zero point, and average and maximum pooling leave them out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any, ClassVar, Self, TypeVar

_INPUT: dict[str, str] = {"role": "input"}
_OUTPUT: dict[str, str] = {"role": "output"}


def _input() -> Any:
    return field(metadata=_INPUT)


def _output() -> Any:
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


def _tensor_names(operator: Operator, role: str) -> list[str]:
    names: list[str] = []
    for item in fields(operator):
        if item.metadata.get("role") != role:
            continue
        value = getattr(operator, item.name)
        if isinstance(value, tuple):
            names.extend(value)
        elif value is not None:
            names.append(value)
    return names


OPERATORS: dict[str, type[Operator]] = {}
"""Every concrete operator by its kind, for example ``CONV_2D``."""

_Concrete = TypeVar("_Concrete", bound=Operator)


def _concrete(cls: type[_Concrete]) -> type[_Concrete]:
    """Register an operator under its kind: the class name in capitals, words joined by ``_``."""
    cls.kind = re.sub(r"(?<=[a-z])(?=[A-Z0-9])", "_", cls.__name__).upper()
    OPERATORS[cls.kind] = cls
    return cls


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Conv2D(Operator):
    """Convolution of ``[N, H, W, C_IN]`` with filters ``[C_OUT, KH, KW, C_IN / groups]``.

    The number of groups follows from the shapes. Filters may have a non-zero zero point (legacy
    uint8 models). ``bias`` is int32 ``[C_OUT]``, or int64 when activations are int16.
    """

    input: str = _input()
    filters: str = _input()
    bias: str | None = field(default=None, metadata=_INPUT)
    output: str = _output()
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding2D = NO_PADDING
    activation: Activation = Activation.NONE
    multiplier_source: MultiplierSource = MultiplierSource.DOUBLE


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class DepthwiseConv2D(Operator):
    """Convolution of each channel with its own filters, ``[1, KH, KW, C_OUT]``.

    Output channel ``c`` reads input channel ``c // (C_OUT / C_IN)``.
    """

    input: str = _input()
    filters: str = _input()
    bias: str | None = field(default=None, metadata=_INPUT)
    output: str = _output()
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding2D = NO_PADDING
    activation: Activation = Activation.NONE
    multiplier_source: MultiplierSource = MultiplierSource.DOUBLE


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class TransposeConv2D(Operator):
    """Transposed convolution with filters ``[C_OUT, KH, KW, C_IN]``.

    ``padding`` is what the forward convolution of the output would use: input row ``y`` and
    filter row ``ky`` add to output row ``y · stride + ky − top``, and columns alike.
    """

    input: str = _input()
    filters: str = _input()
    bias: str | None = field(default=None, metadata=_INPUT)
    output: str = _output()
    stride: tuple[int, int] = (1, 1)
    padding: Padding2D = NO_PADDING
    activation: Activation = Activation.NONE
    multiplier_source: MultiplierSource = MultiplierSource.DOUBLE


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class FullyConnected(Operator):
    """Product of the input, flattened to ``[batches, C_IN]``, with filters ``[C_OUT, C_IN]``."""

    input: str = _input()
    filters: str = _input()
    bias: str | None = field(default=None, metadata=_INPUT)
    output: str = _output()
    activation: Activation = Activation.NONE


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Svdf(Operator):
    """One step of a rank-decomposed recurrent filter (SVDF).

    ``feature_weights`` int8 ``[filters, C_IN]``; ``time_weights`` int8 or int16
    ``[filters, memory]``; ``state`` is a variable tensor ``[N, filters · memory]``,
    shifted by one and updated in place; output ``[N, filters / rank]``.
    """

    input: str = _input()
    feature_weights: str = _input()
    time_weights: str = _input()
    bias: str | None = field(default=None, metadata=_INPUT)
    state: str = _input()
    output: str = _output()
    rank: int
    activation: Activation = Activation.NONE


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Operator):
    """Element-wise sum with NumPy broadcasting.

    ``pot_scale_int16`` asks for arithmetic by shifts on int16 tensors whose three scales are powers
    of two, as in TensorFlow Lite's option of that name; elsewhere it means nothing.
    """

    left: str = _input()
    right: str = _input()
    output: str = _output()
    activation: Activation = Activation.NONE
    pot_scale_int16: bool = False


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Sub(Operator):
    """Element-wise ``left − right`` with NumPy broadcasting.

    ``pot_scale_int16`` asks for arithmetic by shifts on int16 tensors whose three scales are powers
    of two, as in TensorFlow Lite's option of that name; elsewhere it means nothing.
    """

    left: str = _input()
    right: str = _input()
    output: str = _output()
    activation: Activation = Activation.NONE
    pot_scale_int16: bool = False


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Mul(Operator):
    """Element-wise product with NumPy broadcasting."""

    left: str = _input()
    right: str = _input()
    output: str = _output()
    activation: Activation = Activation.NONE


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Maximum(Operator):
    """Element-wise maximum with broadcasting; all quantized alike."""

    left: str = _input()
    right: str = _input()
    output: str = _output()


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum(Operator):
    """Element-wise minimum with broadcasting; all quantized alike."""

    left: str = _input()
    right: str = _input()
    output: str = _output()


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class AveragePool2D(Operator):
    """Average over windows, padded elements not counted; input and output quantized alike."""

    input: str = _input()
    output: str = _output()
    filter: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: Padding2D = NO_PADDING
    activation: Activation = Activation.NONE
    rounding: AverageRounding = AverageRounding.HALF_AWAY


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool2D(Operator):
    """Maximum over windows; input and output quantized alike."""

    input: str = _input()
    output: str = _output()
    filter: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: Padding2D = NO_PADDING
    activation: Activation = Activation.NONE


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Mean(Operator):
    """Average over ``axes`` (each ≥ 0, ascending); the output may have other parameters."""

    input: str = _input()
    output: str = _output()
    axes: tuple[int, ...]
    keep_dims: bool


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Pad(Operator):
    """Constant padding, ``(before, after)`` for each dimension.

    ``value`` is the quantized element written; None means the zero point.
    """

    input: str = _input()
    output: str = _output()
    paddings: tuple[tuple[int, int], ...]
    value: int | None = None


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Reshape(Operator):
    """The same elements in another shape, which is the output tensor's.

    ``shape`` names the tensor that computed the shape, when the model file had one that is not
    constant; folding removes it, and nothing after the passes accepts it.
    """

    input: str = _input()
    shape: str | None = field(default=None, metadata=_INPUT)
    output: str = _output()


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Transpose(Operator):
    """Permuted dimensions: output dimension ``i`` is input dimension ``permutation[i]``."""

    input: str = _input()
    output: str = _output()
    permutation: tuple[int, ...]


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class StridedSlice(Operator):
    """Output element ``i`` of each dimension is input element ``begin + i · stride``.

    All masks and negative indices of the model file are resolved; dimensions that its shrink mask
    drops are missing from the output's shape, which otherwise has ``extents``.
    """

    input: str = _input()
    output: str = _output()
    begin: tuple[int, ...]
    extents: tuple[int, ...]
    strides: tuple[int, ...]


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Concatenation(Operator):
    """Inputs joined along ``axis`` (≥ 0), each requantized to the output where it differs."""

    operands: tuple[str, ...] = _input()
    output: str = _output()
    axis: int


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Operator):
    """The input cut along ``axis`` (≥ 0) into the outputs, in order."""

    input: str = _input()
    results: tuple[str, ...] = _output()
    axis: int


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Pack(Operator):
    """Inputs stacked along a new ``axis`` (≥ 0)."""

    operands: tuple[str, ...] = _input()
    output: str = _output()
    axis: int


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Shape(Operator):
    """The input's shape as an integer vector."""

    input: str = _input()
    output: str = _output()


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Quantize(Operator):
    """Real or quantized values to the output's type and quantization."""

    input: str = _input()
    output: str = _output()


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Dequantize(Operator):
    """Quantized values to float32."""

    input: str = _input()
    output: str = _output()


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax(Operator):
    """Softmax over the last dimension, of ``beta`` times the input."""

    input: str = _input()
    output: str = _output()
    beta: float = 1.0


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class LogSoftmax(Operator):
    """Logarithm of softmax over the last dimension."""

    input: str = _input()
    output: str = _output()


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Relu(Operator):
    """A clamp as an operator of its own: RELU, RELU6, RELU_N1_TO_1 by ``activation``."""

    input: str = _input()
    output: str = _output()
    activation: Activation


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyRelu(Operator):
    """``x`` where positive, ``alpha · x`` elsewhere."""

    input: str = _input()
    output: str = _output()
    alpha: float


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic(Operator):
    """``1 / (1 + exp(−x))``."""

    input: str = _input()
    output: str = _output()


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Tanh(Operator):
    """Hyperbolic tangent."""

    input: str = _input()
    output: str = _output()


@_concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class HardSwish(Operator):
    """``x · relu6(x + 3) / 6``."""

    input: str = _input()
    output: str = _output()
