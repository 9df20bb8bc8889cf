"""Operators that take many elements together: pools, means and softmax."""

from dataclasses import dataclass

from penstock.ir.operators.base import (
    NO_PADDING,
    Activation,
    AverageRounding,
    Operator,
    Padding2D,
    concrete,
    reads,
    writes,
)


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class AveragePool2D(Operator):
    """Average over windows, padded elements not counted; input and output quantized alike."""

    input: str = reads()
    output: str = writes()
    filter: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: Padding2D = NO_PADDING
    activation: Activation = Activation.NONE
    rounding: AverageRounding = AverageRounding.HALF_AWAY


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool2D(Operator):
    """Maximum over windows; input and output quantized alike."""

    input: str = reads()
    output: str = writes()
    filter: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: Padding2D = NO_PADDING
    activation: Activation = Activation.NONE


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Mean(Operator):
    """Average over ``axes`` (each ≥ 0, ascending); the output may have other parameters."""

    input: str = reads()
    output: str = writes()
    axes: tuple[int, ...]
    keep_dims: bool


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax(Operator):
    """Softmax over the last dimension, of ``beta`` times the input."""

    input: str = reads()
    output: str = writes()
    beta: float = 1.0


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class LogSoftmax(Operator):
    """Logarithm of softmax over the last dimension."""

    input: str = reads()
    output: str = writes()
