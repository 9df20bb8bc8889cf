"""The model descriptor of penstock/model.h, read from the target's memory."""

import struct
from dataclasses import dataclass
from typing import Protocol

from penstock.errors import SimulationError
from penstock.ir.dtype import DType

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

_TENSOR = struct.Struct("<IIIB3xIIfi")  # an enumeration has 1 or 4 bytes, as the compiler likes
_MODEL = struct.Struct("<9I")
_NAME_LIMIT_BYTES = 256
_RANK_LIMIT = 8
_COUNT_LIMIT = 1 << 16


class TargetMemory(Protocol):
    """Whatever reads the memory of a target."""

    def read(self, address: int, size_bytes: int) -> bytes:
        """Return bytes."""

    def read_word(self, address: int) -> int:
        """Return a word."""


@dataclass(frozen=True, slots=True)
class TargetTensor:
    """An input or output of the model in the target's memory.

    Attributes:
        name: as in the graph.
        address: of the first element.
        size_bytes: extent.
        dtype: element type.
        shape: extents.
        scale: 0 when not quantized.
        zero_point: quantized value of real zero.
    """

    name: str
    address: int
    size_bytes: int
    dtype: DType
    shape: tuple[int, ...]
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class TargetModel:
    """What ``ps_model`` says.

    Attributes:
        name: the model's C identifier.
        operator_names: of the steps, in order.
        inputs: what to fill.
        outputs: what to read.
    """

    name: str
    operator_names: tuple[str, ...]
    inputs: tuple[TargetTensor, ...]
    outputs: tuple[TargetTensor, ...]


def read_target_model(memory: TargetMemory, address: int) -> TargetModel:
    """Return the descriptor at an address.

    Raises:
        SimulationError: what lies there is no descriptor.
    """
    fields = _MODEL.unpack(memory.read(address, _MODEL.size))
    name, operator_count, input_count, output_count, inputs, outputs, operators = fields[:7]
    if max(operator_count, input_count, output_count) > _COUNT_LIMIT:
        raise SimulationError(f"there is no model descriptor at {address:#010x}")
    return TargetModel(
        name=_read_text(memory, name),
        operator_names=tuple(
            _read_text(memory, memory.read_word(operators + 4 * i)) for i in range(operator_count)
        ),
        inputs=tuple(_read_tensor(memory, inputs, i) for i in range(input_count)),
        outputs=tuple(_read_tensor(memory, outputs, i) for i in range(output_count)),
    )


def _read_tensor(memory: TargetMemory, table: int, index: int) -> TargetTensor:
    content = memory.read(table + index * _TENSOR.size, _TENSOR.size)
    name, data, size_bytes, dtype, rank, shape, scale, zero_point = _TENSOR.unpack(content)
    if dtype >= len(_DTYPES) or rank > _RANK_LIMIT:
        raise SimulationError(f"there is no tensor descriptor at {table:#010x}")
    return TargetTensor(
        name=_read_text(memory, name),
        address=data,
        size_bytes=size_bytes,
        dtype=_DTYPES[dtype],
        shape=struct.unpack(f"<{rank}i", memory.read(shape, 4 * rank)),
        scale=scale,
        zero_point=zero_point,
    )


def _read_text(memory: TargetMemory, address: int) -> str:
    text = bytearray()
    while len(text) < _NAME_LIMIT_BYTES and (byte := memory.read(address + len(text), 1)) != b"\0":
        text += byte
    return text.decode("utf-8", "replace")
