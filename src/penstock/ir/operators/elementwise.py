"""Operators that work element by element, on one tensor or two."""

from dataclasses import dataclass

from penstock.ir.operators.base import Activation, Operator, concrete, reads, writes


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Operator):
    """Element-wise sum with NumPy broadcasting.

    ``pot_scale_int16`` asks for arithmetic by shifts on int16 tensors whose three scales are powers
    of two, as in TensorFlow Lite's option of that name; elsewhere it means nothing.
    """

    left: str = reads()
    right: str = reads()
    output: str = writes()
    activation: Activation = Activation.NONE
    pot_scale_int16: bool = False


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Sub(Operator):
    """Element-wise ``left − right`` with NumPy broadcasting.

    ``pot_scale_int16`` asks for arithmetic by shifts on int16 tensors whose three scales are powers
    of two, as in TensorFlow Lite's option of that name; elsewhere it means nothing.
    """

    left: str = reads()
    right: str = reads()
    output: str = writes()
    activation: Activation = Activation.NONE
    pot_scale_int16: bool = False


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Mul(Operator):
    """Element-wise product with NumPy broadcasting."""

    left: str = reads()
    right: str = reads()
    output: str = writes()
    activation: Activation = Activation.NONE


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Maximum(Operator):
    """Element-wise maximum with broadcasting; all quantized alike."""

    left: str = reads()
    right: str = reads()
    output: str = writes()


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum(Operator):
    """Element-wise minimum with broadcasting; all quantized alike."""

    left: str = reads()
    right: str = reads()
    output: str = writes()


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Relu(Operator):
    """A clamp as an operator of its own: RELU, RELU6, RELU_N1_TO_1 by ``activation``."""

    input: str = reads()
    output: str = writes()
    activation: Activation


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyRelu(Operator):
    """``x`` where positive, ``alpha · x`` elsewhere."""

    input: str = reads()
    output: str = writes()
    alpha: float


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic(Operator):
    """``1 / (1 + exp(−x))``."""

    input: str = reads()
    output: str = writes()


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Tanh(Operator):
    """Hyperbolic tangent."""

    input: str = reads()
    output: str = writes()


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class HardSwish(Operator):
    """``x · relu6(x + 3) / 6``."""

    input: str = reads()
    output: str = writes()


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Quantize(Operator):
    """Real or quantized values to the output's type and quantization."""

    input: str = reads()
    output: str = writes()


@concrete
@dataclass(frozen=True, slots=True, kw_only=True)
class Dequantize(Operator):
    """Quantized values to float32."""

    input: str = reads()
    output: str = writes()
