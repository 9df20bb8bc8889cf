"""Functions of single elements, and sums and products of two tensors."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.frontends.onnx.values import Computed, Constant, Node, Order, Value, plain
from penstock.ir import operators as ops
from penstock.ir.operators import Activation
from penstock.ir.quantization import QuantizationParameters

if TYPE_CHECKING:
    from penstock.frontends.onnx.translation import Translation

_CLAMPS = {
    (0.0, math.inf): Activation.RELU,
    (0.0, 6.0): Activation.RELU6,
    (-1.0, 1.0): Activation.RELU_N1_TO_1,
}
_SIX = 6.0
_ZERO_TO_SIX = QuantizationParameters.per_tensor(float(np.float32(_SIX / 255)), -128)


def _unary(kind: Any, **attributes: Any) -> Callable[["Translation", Node], None]:
    def translate(t: "Translation", node: Node) -> None:
        value = t.computed(node)
        output = t.add_output(node, t.shape(value), value.order)
        t.append(kind(input=value.tensor, output=output, **attributes))

    return translate


def _clip(t: "Translation", node: Node) -> None:
    bounds = _bound(t, node, 1, -math.inf), _bound(t, node, 2, math.inf)
    if bounds == (-math.inf, math.inf):
        t.set_value(node, t.value(node, 0))
        return
    if bounds not in _CLAMPS:
        raise t.refused(
            node,
            f"clips to {bounds[0]:g} … {bounds[1]:g}",
            "clip from 0, from 0 to 6, or from -1 to 1",
        )
    _unary(ops.Relu, activation=_CLAMPS[bounds])(t, node)


def _bound(t: "Translation", node: Node, position: int, missing: float) -> float:
    """Return a bound; the largest numbers of float32 stand for none."""
    given = t.numbers(node, position)
    bound = missing if given is None or not given.size else float(given.reshape(-1)[0])
    is_none = abs(bound) >= float(np.finfo(np.float32).max)
    return math.copysign(math.inf, bound) if is_none else bound


def _leaky_relu(t: "Translation", node: Node) -> None:
    _unary(ops.LeakyRelu, alpha=float(node.attribute("alpha", 0.01)))(t, node)


def _prelu(t: "Translation", node: Node) -> None:
    slopes = np.unique(t.constant(node, node.input_name(1)).data)
    if len(slopes) != 1:
        raise t.refused(
            node, f"has {len(slopes)} different slopes", "use one for all channels, or LeakyRelu"
        )
    _unary(ops.LeakyRelu, alpha=float(slopes[0]))(t, node)


def _hard_sigmoid(t: "Translation", node: Node) -> None:
    """Alpha · x + beta from 0 to 1 is relu6(6 · alpha · x + 6 · beta) / 6."""
    value = t.computed(node)
    alpha, beta = float(node.attribute("alpha", 0.2)), float(node.attribute("beta", 0.5))
    output = t.add_output(node, t.shape(value), value.order)
    source = value.tensor
    # 1/6 is what all networks have, and float32 rounds it.
    if not math.isclose(alpha * _SIX, 1.0, rel_tol=1e-6):
        source = _with_number(t, ops.Mul, source, f"{output}.slope", alpha * _SIX)
    source = _with_number(t, ops.Add, source, f"{output}.raised", beta * _SIX)
    clamped = t.add_hidden(f"{output}.clamped", output)
    t.limits[clamped] = _ZERO_TO_SIX
    t.append(ops.Relu(input=source, output=clamped, activation=Activation.RELU6))
    sixth = t.add_constant(f"{output}.sixth", Constant(np.array([1 / _SIX])))
    t.append(ops.Mul(left=clamped, right=sixth, output=output))


def _with_number(t: "Translation", kind: Any, source: str, name: str, number: float) -> str:
    result = t.add_hidden(name, source)
    constant = t.add_constant(f"{name}.number", Constant(np.array([number])))
    t.append(kind(left=source, right=constant, output=result))
    return result


def _binary(kind: Any) -> Callable[["Translation", Node], None]:
    def translate(t: "Translation", node: Node) -> None:
        count = len(node.proto.input)
        if count != 2:
            raise t.refused(node, f"has {count} inputs, 2 are allowed", "use several, in a row")
        _combine(t, node, kind, t.value(node, 0), t.value(node, 1))

    return translate


def _divide(t: "Translation", node: Node) -> None:
    divisor = t.value(node, 1)
    if isinstance(divisor, Computed):
        raise t.refused(node, "divides by a computed tensor", "multiply, or divide by a constant")
    with np.errstate(divide="ignore"):
        factor = Constant(1 / np.asarray(divisor.data, np.float64))
    _combine(t, node, ops.Mul, t.value(node, 0), factor)


def _combine(t: "Translation", node: Node, kind: Any, left: Value, right: Value) -> None:
    """Add an operator on two tensors, either of which may be a constant."""
    shapes = t.shape(left), t.shape(right)
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise t.refused(
            node,
            f"combines {list(shapes[0])} with {list(shapes[1])}, which do not fit",
            "export the model again",
        ) from None
    order = _common_order(t, left, right)
    names = [_operand(t, node, side, order) for side in (left, right)]
    output = t.add_output(node, shape, order)
    t.append(kind(left=names[0], right=names[1], output=output))


def _common_order(t: "Translation", left: Value, right: Value) -> Order:
    """Return the order of the operand with more dimensions, the left one's of equals."""
    rank = max(len(t.shape(left)), len(t.shape(right)))
    for side in (left, right):
        if isinstance(side, Computed) and len(side.order) == rank:
            return side.order
    return plain(rank)


def _operand(t: "Translation", node: Node, value: Value, order: Order) -> str:
    missing = len(order) - len(t.shape(value))
    if isinstance(value, Constant):
        if value.data.size == 1:
            data = value.data.reshape(1)
            return t.add_constant(
                f"{node.proto.output[0]}.number", Constant(data, value.quantization)
            )
        extended = value.data.reshape((1,) * missing + value.data.shape)
        turned = tuple(order.index(axis) for axis in range(len(order)))
        return t.add_constant(f"{node.proto.output[0]}.constant", Constant(extended), turned)
    if not missing:
        return t.in_order(value, order)
    shape = (1,) * missing + t.shape(value)
    return t.in_order(t.reshaped(value, shape), order)


ELEMENTWISE: dict[str, Callable[["Translation", Node], None]] = {
    "Add": _binary(ops.Add),
    "Clip": _clip,
    "Div": _divide,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _unary(ops.HardSwish),
    "LeakyRelu": _leaky_relu,
    "Max": _binary(ops.Maximum),
    "Min": _binary(ops.Minimum),
    "Mul": _binary(ops.Mul),
    "PRelu": _prelu,
    "Relu": _unary(ops.Relu, activation=Activation.RELU),
    "Sigmoid": _unary(ops.Logistic),
    "Sub": _binary(ops.Sub),
    "Tanh": _unary(ops.Tanh),
}
"""Functions of one element of each tensor."""
