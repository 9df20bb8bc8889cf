"""Affine quantization: ``real = scale · (quantized − zero_point)``."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QuantizationParameters:
    """Scales and zero points of a tensor, one for the tensor or one per slice along ``axis``.

    Attributes:
        scale: real value of one step; float32 values held as Python floats, each > 0 and finite.
        zero_point: quantized value of real zero; as many as scales.
        axis: dimension along which scales vary; None for one scale per tensor.

    Source: TensorFlow Lite 8-bit quantization specification.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None

    def __post_init__(self) -> None:
        if not self.scale or len(self.scale) != len(self.zero_point):
            raise ValueError(
                f"quantization needs as many zero points as scales, at least one: "
                f"found {len(self.zero_point)} and {len(self.scale)}"
            )
        if self.axis is None and len(self.scale) != 1:
            raise ValueError(f"{len(self.scale)} scales need an axis")

    @staticmethod
    def per_tensor(scale: float, zero_point: int) -> "QuantizationParameters":
        """Return parameters with a single scale."""
        return QuantizationParameters((scale,), (zero_point,))

    @property
    def is_per_tensor(self) -> bool:
        """True when one scale and zero point hold for all elements."""
        return len(self.scale) == 1


@dataclass(frozen=True, slots=True)
class GivenQuantization:
    """What a model file says of how a float32 graph is quantized.

    Attributes:
        activations: of inputs and computed tensors, int8, by name; one scale each.
        constants: of those that the file has as int8; their values are what the integers mean.
    """

    activations: Mapping[str, QuantizationParameters]
    constants: Mapping[str, QuantizationParameters]
