"""Tensors, quantizations and window geometry of random graphs of one operator."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Activation, Padding2D
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor

Draw = Callable[..., Any]

ACTIVATIONS = st.sampled_from(Activation)
NARROW = st.sampled_from([DType.INT8, DType.INT16])


def float32(value: float) -> float:
    return float(np.float32(value))


@dataclass
class Builder:
    """Collects the tensors of one operator."""

    draw: Draw
    tensors: list[Tensor] = field(default_factory=list)
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.draw(st.integers(0, 2**32 - 1), label="seed"))

    def scale(self, low: float = 1e-5, high: float = 10.0) -> float:
        exponent = self.draw(st.floats(math.log2(low), math.log2(high)), label="log2 scale")
        if self.draw(st.booleans(), label="power of two"):
            exponent = round(exponent)
        return float32(2.0**exponent)

    def zero_point(self, dtype: DType) -> int:
        return self.draw(st.integers(*dtype.range)) if dtype is DType.INT8 else 0

    def add(self, name: str, shape: tuple[int, ...], dtype: DType, **changes: Any) -> str:
        quantization = changes.pop("quantization", None)
        if "scale" in changes or "zero_point" in changes:
            scale = changes.pop("scale", None) or self.scale()
            point = changes.pop("zero_point", None)
            quantization = QuantizationParameters.per_tensor(
                float32(scale), self.zero_point(dtype) if point is None else point
            )
        self.tensors.append(Tensor(name, shape, dtype, quantization, **changes))
        return name

    def graph(self, operator: ops.Operator, *inputs: str) -> Graph:
        return Graph.build("case", self.tensors, [operator], inputs, operator.outputs)

    def filters(self, shape: tuple[int, ...], axis: int, *, per_channel: bool | None = None) -> str:
        if per_channel is None:
            per_channel = self.draw(st.booleans(), label="per channel")
        base = self.scale(1e-4, 1.0)
        spread = self.rng.uniform(0.05, 1.0, shape[axis]) if per_channel else np.ones(1)
        scales = tuple(float32(base * factor) for factor in spread)
        per_tensor = len(scales) == 1
        quantization = QuantizationParameters(
            scales, (0,) * len(scales), None if per_tensor else axis
        )
        data = self.rng.integers(-127, 128, shape, dtype=np.int8)
        if self.draw(st.booleans(), label="sparse filters"):
            data[self.rng.random(shape) < 0.7] = 0
        return self.add("filters", shape, DType.INT8, quantization=quantization, data=data)

    def bias(
        self, count: int, data_scale: float, dtype: DType, *, narrow: bool = True
    ) -> str | None:
        """Add a bias or none; int16 layers take int64 and, where ``narrow``, int32."""
        if self.draw(st.integers(0, 3), label="bias") == 0:
            return None
        filters = next(t for t in self.tensors if t.name == "filters").quantization
        scales = tuple(float32(data_scale * scale) for scale in filters.scale)
        axis = None if len(scales) == 1 else 0
        limit = self.draw(
            st.sampled_from([100, 10_000, 1_000_000, 2**31 - 1]), label="largest bias"
        )
        wide = DType.INT32
        if dtype is DType.INT16:
            types = [DType.INT64, DType.INT32] if narrow else [DType.INT64]
            wide = self.draw(st.sampled_from(types))
        quantization = QuantizationParameters(scales, (0,) * len(scales), axis)
        data = self.rng.integers(-limit, limit + 1, count).astype(wide.numpy)
        return self.add("bias", (count,), wide, quantization=quantization, data=data)

    def fitting_scale(self, products: int, data_scale: float, dtype: DType) -> float:
        """Return an output scale under which a sum of products mostly stays in range."""
        filters = next(t for t in self.tensors if t.name == "filters").quantization
        steps = 127 * 60 if dtype is DType.INT8 else 32767 * 60
        typical = data_scale * max(filters.scale) * steps * math.sqrt(products)
        levels = dtype.range[1]
        stretch = self.draw(st.sampled_from([0.02, 0.3, 1.0, 3.0, 50.0]), label="stretch")
        return float32(typical / levels * stretch)


def extents(draw: Draw, low: int = 1, high: int = 9) -> tuple[int, int]:
    return draw(st.integers(low, high)), draw(st.integers(low, high))


def pair(draw: Draw, high: int) -> tuple[int, int]:
    return draw(st.integers(1, high)), draw(st.integers(1, high))


def same_padding(
    size: tuple[int, int], span: tuple[int, int], stride: tuple[int, int]
) -> Padding2D:
    amounts = []
    for axis in range(2):
        output = -(-size[axis] // stride[axis])
        total = max(0, (output - 1) * stride[axis] + span[axis] - size[axis])
        amounts += [total // 2, total - total // 2]
    return Padding2D(*amounts)


@dataclass(frozen=True)
class Geometry:
    """Windows over an image; the output is never empty."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Padding2D
    output: tuple[int, int]


def geometry(draw: Draw, *, dilated: bool = True, explicit: bool = True) -> Geometry:
    kernel = pair(draw, 4)
    stride = pair(draw, 3)
    dilation = pair(draw, 2) if dilated and draw(st.booleans()) else (1, 1)
    span = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    kind = draw(st.sampled_from(["same", "valid", "explicit"] if explicit else ["same", "valid"]))
    smallest = span if kind == "valid" else (1, 1)
    size = tuple(draw(st.integers(low, max(low, 9))) for low in smallest)
    padding = Padding2D()
    if kind == "same":
        padding = same_padding(size, span, stride)
    if kind == "explicit":
        missing = [max(0, s - e) for s, e in zip(span, size, strict=True)]
        extra = [draw(st.integers(0, 2)) for _ in range(4)]
        padding = Padding2D(extra[0] + missing[0], extra[1], extra[2], extra[3] + missing[1])
    padded = (
        size[0] + padding.top + padding.bottom,
        size[1] + padding.left + padding.right,
    )
    output = tuple((p - k) // s + 1 for p, k, s in zip(padded, span, stride, strict=True))
    return Geometry(size, kernel, stride, dilation, padding, output)


def any_zero_point(draw: Draw, dtype: DType) -> int:
    if dtype in (DType.INT8, DType.UINT8):
        return draw(st.integers(*dtype.range))
    return 0
