"""A generated project as a shared library of this machine, driven through its own descriptor."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from penstock.errors import GraphError, InputError
from penstock.ir.dtype import DType
from penstock.ir.tensor import Array

_DTYPES = (
    DType.INT8,
    DType.UINT8,
    DType.INT16,
    DType.INT32,
    DType.INT64,
    DType.FLOAT32,
    DType.BOOL,
)
"""In the order of ``ps_dtype``."""


class _CTensor(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("size_bytes", ctypes.c_uint32),
        ("dtype", ctypes.c_int),
        ("rank", ctypes.c_uint32),
        ("shape", ctypes.POINTER(ctypes.c_int32)),
        ("scale", ctypes.c_float),
        ("zero_point", ctypes.c_int32),
    )


class _CModel(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("operator_count", ctypes.c_uint32),
        ("input_count", ctypes.c_uint32),
        ("output_count", ctypes.c_uint32),
        ("inputs", ctypes.POINTER(_CTensor)),
        ("outputs", ctypes.POINTER(_CTensor)),
        ("operator_names", ctypes.POINTER(ctypes.c_char_p)),
        ("init", ctypes.CFUNCTYPE(ctypes.c_int)),
        ("run_range", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, ctypes.c_uint32)),
    )


@dataclass(frozen=True, slots=True)
class HostTensor:
    """An input or output of a loaded model.

    Attributes:
        name: as in the graph.
        shape: extents.
        dtype: element type.
        scale: 0 when not quantized.
        zero_point: quantized value of real zero.
        address: of the first element.
        size_bytes: extent.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    scale: float
    zero_point: int
    address: int
    size_bytes: int


class HostModel:
    """A model that runs in this process; a context manager that unloads it at the end.

    Models of one file share one memory, so that a second load of the same file is no second model.
    """

    def __init__(self, library: Path, name: str) -> None:
        """Load ``NAME_model`` from a shared library and initialize it.

        Raises:
            InputError: the file is no library, or holds no such model.
        """
        self.name = name
        try:
            self._library = ctypes.CDLL(str(library.resolve()))
            self._model = _CModel.in_dll(self._library, f"{name}_model")
        except (OSError, ValueError) as error:
            raise InputError(f"{library.name!r} holds no model {name!r}: {error}") from error
        model = self._model
        self.inputs = [_describe(model.inputs[i]) for i in range(model.input_count)]
        self.outputs = [_describe(model.outputs[i]) for i in range(model.output_count)]
        self.operator_names = [
            model.operator_names[i].decode() for i in range(model.operator_count)
        ]
        self.init()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Unload the library; no other method may be called afterwards."""
        import _ctypes

        _ctypes.dlclose(self._library._handle)

    @property
    def operator_count(self) -> int:
        """Number of steps."""
        return len(self.operator_names)

    def init(self) -> None:
        """Prepare the model, and clear its state."""
        self._check(self._model.init(), "init")

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Fill the inputs, run one inference, and return copies of the outputs.

        Raises:
            InputError: the number, type or shape of the inputs is not the model's.
        """
        self.write_inputs(inputs)
        self.run_range(0, self.operator_count)
        return self.read_outputs()

    def write_inputs(self, inputs: Sequence[Array]) -> None:
        """Fill the inputs; raises InputError when they are not what the model takes."""
        if len(inputs) != len(self.inputs):
            raise InputError(f"{self.name} takes {len(self.inputs)} inputs, found {len(inputs)}")
        for tensor, value in zip(self.inputs, inputs, strict=True):
            if value.shape != tensor.shape or value.dtype != tensor.dtype.numpy:
                raise InputError(
                    f"input {tensor.name!r} is {tensor.dtype.value}{list(tensor.shape)}, "
                    f"found {value.dtype}{list(value.shape)}"
                )
            content = np.ascontiguousarray(value).tobytes()
            ctypes.memmove(tensor.address, content, len(content))

    def read_outputs(self) -> list[Array]:
        """Return copies of the outputs."""
        return [_read_array(tensor) for tensor in self.outputs]

    def run_range(self, first: int, last: int) -> None:
        """Run the steps ``first`` to ``last - 1``."""
        self._check(self._model.run_range(first, last), f"run_range({first}, {last})")

    def read_block(self, block: str, offset_bytes: int, size_bytes: int, /) -> bytes:
        """Return bytes of one of the model's blocks: ``arena``, ``state`` and others."""
        symbol = ctypes.c_uint8.in_dll(self._library, f"{self.name}_{block}")
        return ctypes.string_at(ctypes.addressof(symbol) + offset_bytes, size_bytes)

    def _check(self, status: int, call: str) -> None:
        if status != 0:
            raise GraphError(f"{self.name}: {call} returned status {status}")


def _describe(tensor: _CTensor) -> HostTensor:
    return HostTensor(
        name=tensor.name.decode(),
        shape=tuple(tensor.shape[i] for i in range(tensor.rank)),
        dtype=_DTYPES[tensor.dtype],
        scale=tensor.scale,
        zero_point=tensor.zero_point,
        address=tensor.data,
        size_bytes=tensor.size_bytes,
    )


def _read_array(tensor: HostTensor) -> Array:
    content = ctypes.string_at(tensor.address, tensor.size_bytes)
    return np.frombuffer(content, tensor.dtype.numpy).reshape(tensor.shape).copy()
