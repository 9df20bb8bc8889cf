"""QuantizeLinear and DequantizeLinear: what they say of tensors; they compute nothing themselves.

uint8 becomes int8 exactly: numbers and zero points are 128 less.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from penstock.frontends.onnx.values import Computed, Constant, Node, Numbers
from penstock.ir.quantization import QuantizationParameters

if TYPE_CHECKING:
    from penstock.frontends.onnx.translation import Translation

_UINT8_OFFSET = 128
_EIGHT_BITS = "quantize activations and weights to 8 bits, biases to 32"


def _quantize(t: "Translation", node: Node) -> None:
    value = t.computed(node)
    point = t.numbers(node, 2)
    dtype = np.dtype(np.uint8) if point is None else point.dtype
    parameters = _parameters(t, node, dtype, point, len(value.order))
    if not parameters.is_per_tensor:
        raise t.refused(
            node,
            f"quantizes a computed tensor with {len(parameters.scale)} scales",
            "give activations one scale; weights may have one for each output channel",
        )
    t.set_value(node, t.quantized(node, value, parameters))


def _dequantize(t: "Translation", node: Node) -> None:
    value = t.value(node, 0)
    point = t.numbers(node, 2)
    if isinstance(value, Computed):
        dtype = t.integer_type(value) if point is None else point.dtype
        parameters = _parameters(t, node, dtype, point, len(value.order))
        _expect_meaning(t, node, value, parameters)
        t.set_value(node, value)
        return
    parameters = _parameters(t, node, value.data.dtype, point, value.data.ndim)
    real = _real_numbers(t, node, value.data, parameters)
    is_bias = value.data.dtype == np.int32
    t.set_value(node, Constant(real, None if is_bias else parameters))


def _expect_meaning(
    t: "Translation", node: Node, value: Computed, parameters: QuantizationParameters
) -> None:
    """Let integers mean what they were made with; those of an input get their meaning here."""
    known = t.parameters.setdefault(value.tensor, parameters)
    if known != parameters:
        raise t.refused(
            node,
            f"gives the integers of {value.tensor!r} another scale or zero point than they have",
            "quantize the model again",
        )


def _parameters(
    t: "Translation",
    node: Node,
    dtype: "np.dtype[np.generic]",
    point: Numbers | None,
    rank: int,
) -> QuantizationParameters:
    """Return scales and zero points as int8 has them, or int32 of a bias."""
    scale = t.constant(node, node.input_name(1)).data
    if dtype not in (np.int8, np.uint8, np.int32):
        raise t.refused(node, f"has integers of the type {dtype.name}", _EIGHT_BITS)
    if node.attribute("block_size", 0):
        raise t.refused(node, "has a scale for each block of a tensor", _EIGHT_BITS)
    scales = tuple(float(number) for number in np.asarray(scale, np.float32).reshape(-1))
    if not scales or not all(0 < number < np.inf for number in scales):
        raise t.refused(
            node, "has a scale that is not above 0, or no number", "quantize the model again"
        )
    points = (0,) * len(scales) if point is None else tuple(int(n) for n in point.reshape(-1))
    if dtype == np.uint8:
        points = tuple(number - _UINT8_OFFSET for number in points)
    if len(points) != len(scales):
        raise t.refused(
            node, f"has {len(scales)} scales and {len(points)} zero points", "quantize again"
        )
    if len(scales) == 1:
        return QuantizationParameters(scales, points)
    return QuantizationParameters(scales, points, t.axis(node, node.attribute("axis", 1), rank))


def _real_numbers(
    t: "Translation", node: Node, integers: Numbers, parameters: QuantizationParameters
) -> Numbers:
    offset = _UINT8_OFFSET if integers.dtype == np.uint8 else 0
    shape = [1] * integers.ndim
    if parameters.axis is not None:
        if integers.shape[parameters.axis] != len(parameters.scale):
            raise t.refused(
                node,
                f"has {len(parameters.scale)} scales for dimension {parameters.axis} of "
                f"{list(integers.shape)}",
                "quantize the model again",
            )
        shape[parameters.axis] = -1
    scale, point = (
        np.array(numbers, np.float64).reshape(shape)
        for numbers in (parameters.scale, parameters.zero_point)
    )
    return np.asarray((integers.astype(np.float64) - offset - point) * scale)


QUANTIZING: dict[str, Callable[["Translation", Node], None]] = {
    "DequantizeLinear": _dequantize,
    "QuantizeLinear": _quantize,
}
"""Between real numbers and integers."""
