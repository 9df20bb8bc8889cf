"""A tensor: a name, a shape, an element type, quantization, and data when it is constant."""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from penstock.ir.dtype import DType
from penstock.ir.quantization import QuantizationParameters

Array = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor of a graph, in NHWC order where it has four dimensions.

    Attributes:
        name: unique within its graph; printable, without ``"`` and newlines.
        shape: every dimension ≥ 0 and known; () is a scalar.
        dtype: element type.
        quantization: None for plain integers and floats.
        data: read-only constant of exactly ``shape`` and ``dtype``; None for computed tensors.
        is_variable: state that survives from one inference to the next, first filled with
            the zero point (SVDF).
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    quantization: QuantizationParameters | None = None
    data: Array | None = field(default=None, repr=False)
    is_variable: bool = False

    def __post_init__(self) -> None:
        if any(extent < 0 for extent in self.shape):
            raise ValueError(f"tensor {self.name!r} has a negative dimension: {self.shape}")
        if self.data is not None:
            if self.data.shape != self.shape or self.data.dtype != self.dtype.numpy:
                raise ValueError(
                    f"tensor {self.name!r} is {self.dtype.value}{list(self.shape)}, its data "
                    f"{self.data.dtype}{list(self.data.shape)}"
                )
            if self.data.flags.writeable:
                frozen = self.data.view()
                frozen.flags.writeable = False
                object.__setattr__(self, "data", frozen)

    @property
    def is_constant(self) -> bool:
        """True when the value is known at compile time."""
        return self.data is not None

    @property
    def element_count(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes of all elements, without padding."""
        return self.element_count * self.dtype.size_bytes

    @property
    def scale(self) -> float:
        """The scale of a per-tensor quantized tensor."""
        return self._per_tensor().scale[0]

    @property
    def zero_point(self) -> int:
        """The zero point of a per-tensor quantized tensor."""
        return self._per_tensor().zero_point[0]

    def _per_tensor(self) -> QuantizationParameters:
        if self.quantization is None or not self.quantization.is_per_tensor:
            raise ValueError(f"tensor {self.name!r} has no per-tensor quantization")
        return self.quantization

    def with_data(self, data: Array) -> "Tensor":
        """Return the same tensor as a constant."""
        return replace(self, data=data)
