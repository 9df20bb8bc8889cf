"""Operators that move elements and compute nothing with them."""

from dataclasses import dataclass

from penstock.ir.operators.base import Operator, concrete, may_read, reads, writes


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Pad(Operator):
    """Constant padding, ``(before, after)`` for each dimension.

    ``value`` is the quantized element written; None means the zero point.
    """

    input: str = reads()
    output: str = writes()
    paddings: tuple[tuple[int, int], ...]
    value: int | None = None


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Reshape(Operator):
    """The same elements in another shape, which is the output tensor's.

    ``shape`` names the tensor that computed the shape, when the model file had one that is not
    constant; folding removes it, and nothing after the passes accepts it.
    """

    input: str = reads()
    shape: str | None = may_read()
    output: str = writes()


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Transpose(Operator):
    """Permuted dimensions: output dimension ``i`` is input dimension ``permutation[i]``."""

    input: str = reads()
    output: str = writes()
    permutation: tuple[int, ...]


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class StridedSlice(Operator):
    """Output element ``i`` of each dimension is input element ``begin + i · stride``.

    All masks and negative indices of the model file are resolved; dimensions that its shrink mask
    drops are missing from the output's shape, which otherwise has ``extents``.
    """

    input: str = reads()
    output: str = writes()
    begin: tuple[int, ...]
    extents: tuple[int, ...]
    strides: tuple[int, ...]


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Concatenation(Operator):
    """Inputs joined along ``axis`` (≥ 0), each requantized to the output where it differs."""

    operands: tuple[str, ...] = reads()
    output: str = writes()
    axis: int


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Operator):
    """The input cut along ``axis`` (≥ 0) into the outputs, in order."""

    input: str = reads()
    results: tuple[str, ...] = writes()
    axis: int


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Pack(Operator):
    """Inputs stacked along a new ``axis`` (≥ 0)."""

    operands: tuple[str, ...] = reads()
    output: str = writes()
    axis: int


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Shape(Operator):
    """The input's shape as an integer vector."""

    input: str = reads()
    output: str = writes()
