"""Tensors of a .tflite file: unique printable names, shapes, quantization and constants."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import tflite

from penstock.errors import ModelFormatError, UnsupportedError
from penstock.frontends.tflite.names import unique_names
from penstock.ir.dtype import DType
from penstock.ir.limits import ELEMENTS_MAX, SCALES_MAX
from penstock.ir.nibbles import unpack_nibbles
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Array, Tensor
from penstock.units import format_bytes

_DTYPES = {
    tflite.TensorType.INT8: DType.INT8,
    tflite.TensorType.UINT8: DType.UINT8,
    tflite.TensorType.INT16: DType.INT16,
    tflite.TensorType.INT32: DType.INT32,
    tflite.TensorType.INT64: DType.INT64,
    tflite.TensorType.FLOAT32: DType.FLOAT32,
    tflite.TensorType.BOOL: DType.BOOL,
    tflite.TensorType.INT4: DType.INT8,  # constants, which are unpacked
}
_TYPE_NAMES = {
    number: name for name, number in vars(tflite.TensorType).items() if not name.startswith("_")
}
_RANK_MAX = 8
_SCALE_RANGE = (1e-18, 1e18)
"""Far beyond any real network; products of scales stay within float32."""
_CONSTANT_REUSE_MAX = 8
"""How many times its own size a file may unfold to because tensors share a buffer."""


@dataclass(slots=True)
class TensorReader:
    """Makes IR tensors from those of a verified file, each at most once and only when asked for.

    Attributes:
        model: the verified file.
        subgraph: its only subgraph.
        file_bytes: size of the file, which bounds what constants may unfold to.
    """

    model: tflite.Model
    subgraph: tflite.SubGraph
    file_bytes: int
    names: list[str] = field(init=False)
    _made: dict[int, Tensor] = field(init=False, default_factory=dict)
    _constant_bytes: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        count = self.subgraph.TensorsLength()
        raw = (self.subgraph.Tensors(index).Name() or b"" for index in range(count))
        self.names = unique_names(raw)

    def tensor(self, index: int, where: str) -> Tensor:
        """Return the tensor with this index.

        Args:
            index: position in the file's list.
            where: who refers to it, for error messages.

        Raises:
            ModelFormatError: the index, or what it leads to, is inconsistent.
            UnsupportedError: an element type or property that Penstock does not implement.
        """
        if not 0 <= index < len(self.names):
            raise ModelFormatError(
                f"{where} refers to tensor {index}, but the file has {len(self.names)} tensors"
            )
        if index not in self._made:
            self._made[index] = self._make(index, f"tensor {self.names[index]!r} of {where}")
        return self._made[index]

    def made(self) -> Iterator[Tensor]:
        """Yield the tensors that were asked for, in the file's order."""
        for index in sorted(self._made):
            yield self._made[index]

    def _make(self, index: int, where: str) -> Tensor:
        entry = self.subgraph.Tensors(index)
        dtype = _DTYPES.get(entry.Type())
        if dtype is None:
            type_name = _TYPE_NAMES.get(entry.Type(), f"of unknown type {entry.Type()}")
            raise UnsupportedError(
                f"{where} is {type_name}, which Penstock does not implement",
                help="convert the model with full integer quantization (int8, or int16 with int8 "
                "weights)",
            )
        if entry.Sparsity() is not None:
            raise UnsupportedError(
                f"{where} is stored sparsely", help="convert the model without sparse tensors"
            )
        shape = _shape(entry, where)
        data = self._constant(entry, shape, dtype, where)
        if data is None and entry.Type() == tflite.TensorType.INT4:
            raise UnsupportedError(
                f"{where} is INT4 and no constant; of filters that type is known, of nothing else",
                help="quantize activations to int8",
            )
        if data is None:
            _expect_reasonable_size(shape, dtype, where)
        if entry.IsVariable() and data is not None:
            raise ModelFormatError(f"{where} is a variable, yet has constant data")
        return Tensor(
            name=self.names[index],
            shape=shape,
            dtype=dtype,
            quantization=_quantization(entry, shape, dtype, where),
            data=data,
            is_variable=bool(entry.IsVariable()),
        )

    def _constant(
        self, entry: tflite.Tensor, shape: tuple[int, ...], dtype: DType, where: str
    ) -> Array | None:
        number = entry.Buffer()
        if number == 0:
            return None
        if number >= self.model.BuffersLength():
            raise ModelFormatError(
                f"{where} uses buffer {number}, but the file has {self.model.BuffersLength()}"
            )
        buffer = self.model.Buffers(number)
        # Offset 1 is the writer's placeholder for "not yet known".
        if buffer.Offset() > 1 or buffer.Size() > 1:
            raise UnsupportedError(
                f"{where} has its data outside the flatbuffer (a model of 2 GiB or more)",
                help="export the model with its weights inside the flatbuffer",
            )
        size_bytes = buffer.DataLength()
        if size_bytes == 0:
            return None
        count, is_packed = math.prod(shape), entry.Type() == tflite.TensorType.INT4
        expected = (count + 1) // 2 if is_packed else count * dtype.size_bytes
        if size_bytes != expected:
            name = "i4" if is_packed else dtype.value
            raise ModelFormatError(
                f"{where} is {name}{list(shape)}, {expected} bytes, but its buffer has "
                f"{size_bytes} bytes"
            )
        self._count_constant(count * dtype.size_bytes, where)
        if is_packed:
            return unpack_nibbles(buffer.DataAsNumpy(), count).reshape(shape)
        return _aligned(buffer.DataAsNumpy(), dtype).reshape(shape)

    def _count_constant(self, size_bytes: int, where: str) -> None:
        self._constant_bytes += size_bytes
        if self._constant_bytes > _CONSTANT_REUSE_MAX * self.file_bytes:
            raise ModelFormatError(
                f"{where}: constants sharing buffers unfold to more than {_CONSTANT_REUSE_MAX} "
                f"times the file ({format_bytes(self._constant_bytes)})"
            )


def _aligned(data: Array, dtype: DType) -> Array:
    """Return bytes as elements; copied only where the file has them at an odd address."""
    view = data.view(dtype.numpy)
    return view if view.flags.aligned else view.copy()


def _shape(entry: tflite.Tensor, where: str) -> tuple[int, ...]:
    rank = entry.ShapeLength()
    if rank > _RANK_MAX:
        raise UnsupportedError(f"{where} has {rank} dimensions, Penstock allows {_RANK_MAX}")
    shape = tuple(int(extent) for extent in entry.ShapeAsNumpy()) if rank else ()
    if any(extent < 0 for extent in shape):
        raise UnsupportedError(
            f"{where} has the dynamic shape {list(shape)}",
            help="fix every dimension of the input when converting (a concrete function or "
            "input_shapes)",
        )
    if 0 in shape:
        raise UnsupportedError(f"{where} has no elements: its shape is {list(shape)}")
    return shape


def _expect_reasonable_size(shape: tuple[int, ...], dtype: DType, where: str) -> None:
    count = math.prod(shape)
    if count > ELEMENTS_MAX:
        raise UnsupportedError(
            f"{where} is {dtype.value}{list(shape)}, {count} elements; the limit is {ELEMENTS_MAX}",
            help="give the model a smaller input: no microcontroller has memory for this",
        )


def _quantization(
    entry: tflite.Tensor, shape: tuple[int, ...], dtype: DType, where: str
) -> QuantizationParameters | None:
    """Return the affine parameters of an integer tensor; floats keep none."""
    parameters = entry.Quantization()
    if parameters is None or not dtype.is_integer:
        return None
    if parameters.DetailsType() != tflite.QuantizationDetails.NONE:
        raise UnsupportedError(
            f"{where} has a custom quantization; only the affine kind (scale and zero point) "
            "is known"
        )
    count = parameters.ScaleLength()
    if count == 0:
        return None
    if count > SCALES_MAX:
        raise UnsupportedError(f"{where} has {count} scales, the limit is {SCALES_MAX}")
    # float32 scales held exactly by Python floats.
    scale = tuple(float(value) for value in parameters.ScaleAsNumpy())
    low, high = _SCALE_RANGE
    if dtype in (DType.INT32, DType.INT64):
        if not all(math.isfinite(value) and value != 0 for value in scale):
            # Operators that need it refuse its absence; that of a bias follows from its filters.
            return None
    elif not all(low <= abs(value) <= high for value in scale):
        raise ModelFormatError(
            f"{where} has scales from {min(scale)} to {max(scale)}; {low} to {high} are allowed"
        )
    zero_point = _zero_points(parameters, count, dtype, where)
    if count == 1:
        return QuantizationParameters(scale, zero_point)
    axis = _channel_axis(parameters, shape, dtype)
    if not 0 <= axis < len(shape) or shape[axis] != count:
        raise ModelFormatError(
            f"{where} has {count} scales along dimension {axis} of its shape {list(shape)}"
        )
    return QuantizationParameters(scale, zero_point, axis)


def _channel_axis(
    parameters: tflite.QuantizationParameters, shape: tuple[int, ...], dtype: DType
) -> int:
    if dtype in (DType.INT32, DType.INT64) and len(shape) == 1:
        # Some converters copy the filter's axis to the bias, which has one dimension only.
        return 0
    return int(parameters.QuantizedDimension())


def _zero_points(
    parameters: tflite.QuantizationParameters, count: int, dtype: DType, where: str
) -> tuple[int, ...]:
    found = parameters.ZeroPointLength()
    if found == 0:
        return (0,) * count
    if found not in (1, count):
        raise ModelFormatError(f"{where} has {count} scales, but {found} zero points")
    points = tuple(int(value) for value in parameters.ZeroPointAsNumpy())
    low, high = dtype.range
    for point in points:
        if not low <= point <= high:
            raise ModelFormatError(
                f"{where} has the zero point {point}; {dtype.value} allows {low} to {high}"
            )
    return points if found == count else points * count
