"""Element types of tensors."""

from enum import Enum

import numpy as np


class DType(Enum):
    """An element type; the value is its name in the text form."""

    INT8 = "i8"
    UINT8 = "u8"
    INT16 = "i16"
    INT32 = "i32"
    INT64 = "i64"
    FLOAT32 = "f32"
    BOOL = "bool"

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The NumPy type with the same bytes (little-endian)."""
        return _NUMPY[self]

    @property
    def size_bytes(self) -> int:
        """Bytes per element."""
        return self.numpy.itemsize

    @property
    def is_integer(self) -> bool:
        """True for every type but float and bool."""
        return self not in (DType.FLOAT32, DType.BOOL)

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest value of an integer type."""
        info = np.iinfo(self.numpy.type)  # type: ignore[type-var]
        return int(info.min), int(info.max)

    @staticmethod
    def from_numpy(dtype: np.dtype[np.generic]) -> "DType":
        """Return the type of an array; raises KeyError for one that Penstock does not know."""
        return _FROM_NUMPY[np.dtype(dtype)]


_NUMPY: dict[DType, np.dtype[np.generic]] = {
    DType.INT8: np.dtype("i1"),
    DType.UINT8: np.dtype("u1"),
    DType.INT16: np.dtype("<i2"),
    DType.INT32: np.dtype("<i4"),
    DType.INT64: np.dtype("<i8"),
    DType.FLOAT32: np.dtype("<f4"),
    DType.BOOL: np.dtype("?"),
}
_FROM_NUMPY = {numpy_type: dtype for dtype, numpy_type in _NUMPY.items()}
