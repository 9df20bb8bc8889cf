"""Check that a .tflite file is a well-formed flatbuffer before anything reads it.

The flatbuffers package for Python has no verifier: its accessors follow whatever offsets the file
holds. `open_model` walks every table and vector that Penstock reads and proves each within the
file; after that the accessors of the ``tflite`` schema package are safe. The walk does not
remember what it has seen and has a byte budget in proportion to the file, so a small file whose
tables share parts over and over (a decompression bomb) is refused early.

Source: FlatBuffers binary format; TensorFlow Lite schema version 3.
"""

import struct
from dataclasses import dataclass, field

import tflite

from penstock.errors import ModelFormatError

_IDENTIFIER = b"TFL3"
_SCHEMA_VERSION = 3
_REUSE_LIMIT = 8
"""How many times its own size a file may seem to hold because its parts are shared."""
_TABLES_MAX = 200_000
"""A thousand times what networks for microcontrollers have; bounds the time of the walk."""


@dataclass(frozen=True, slots=True)
class _Scalar:
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Vector:
    """A vector of scalars; a string is one of bytes."""

    element_bytes: int


@dataclass(frozen=True, slots=True)
class _Tables:
    table: str


@dataclass(frozen=True, slots=True)
class _Table:
    table: str


@dataclass(frozen=True, slots=True)
class _Options:
    """The union of operator options; ``type_slot`` holds which."""

    type_slot: int


_Field = _Scalar | _Vector | _Table | _Tables | _Options
_BYTE, _WORD, _LONG = _Scalar(1), _Scalar(4), _Scalar(8)
_STRING, _INTS, _FLOATS, _LONGS = _Vector(1), _Vector(4), _Vector(4), _Vector(8)

# Slots are byte offsets into the vtable: 4 + 2 · (number of the field in the schema).
_TABLES: dict[str, dict[int, tuple[str, _Field]]] = {
    "Model": {
        4: ("version", _WORD),
        6: ("operator_codes", _Tables("OperatorCode")),
        8: ("subgraphs", _Tables("SubGraph")),
        12: ("buffers", _Tables("Buffer")),
    },
    "OperatorCode": {
        4: ("deprecated_builtin_code", _BYTE),
        6: ("custom_code", _STRING),
        8: ("version", _WORD),
        10: ("builtin_code", _WORD),
    },
    "SubGraph": {
        4: ("tensors", _Tables("Tensor")),
        6: ("inputs", _INTS),
        8: ("outputs", _INTS),
        10: ("operators", _Tables("Operator")),
    },
    "Buffer": {4: ("data", _Vector(1)), 6: ("offset", _LONG), 8: ("size", _LONG)},
    "Tensor": {
        4: ("shape", _INTS),
        6: ("type", _BYTE),
        8: ("buffer", _WORD),
        10: ("name", _STRING),
        12: ("quantization", _Table("QuantizationParameters")),
        14: ("is_variable", _BYTE),
        16: ("sparsity", _Table("Opaque")),
    },
    "QuantizationParameters": {
        8: ("scale", _FLOATS),
        10: ("zero_point", _LONGS),
        12: ("details_type", _BYTE),
        16: ("quantized_dimension", _WORD),
    },
    "Operator": {
        4: ("opcode_index", _WORD),
        6: ("inputs", _INTS),
        8: ("outputs", _INTS),
        10: ("builtin_options_type", _BYTE),
        12: ("builtin_options", _Options(type_slot=10)),
    },
    "Opaque": {},
}


def _option_slots(*sizes: int) -> dict[int, tuple[str, _Field]]:
    """Return the slots of an options table that holds only scalars of these sizes, in order."""
    return {
        4 + 2 * number: (f"option {number}", _Scalar(size)) for number, size in enumerate(sizes)
    }


_OPTIONS: dict[str, dict[int, tuple[str, _Field]]] = {
    "AddOptions": _option_slots(1, 1),
    "ConcatenationOptions": _option_slots(4, 1),
    "Conv2DOptions": _option_slots(1, 4, 4, 1, 4, 4),
    "DepthwiseConv2DOptions": _option_slots(1, 4, 4, 4, 1, 4, 4),
    "FullyConnectedOptions": _option_slots(1, 1, 1, 1),
    "LeakyReluOptions": _option_slots(4),
    "MulOptions": _option_slots(1),
    "PackOptions": _option_slots(4, 4),
    "Pool2DOptions": _option_slots(1, 4, 4, 4, 4, 1),
    "ReducerOptions": _option_slots(1),
    "ReshapeOptions": {4: ("new_shape", _INTS)},
    "ShapeOptions": _option_slots(1),
    "SoftmaxOptions": _option_slots(4),
    "SplitOptions": _option_slots(4),
    "SqueezeOptions": {4: ("squeeze_dims", _INTS)},
    "StridedSliceOptions": _option_slots(4, 4, 4, 4, 4, 1),
    "SubOptions": _option_slots(1, 1),
    "SVDFOptions": _option_slots(4, 1, 1),
    "TransposeConvOptions": _option_slots(1, 4, 4, 1),
}
_OPTION_NAMES: dict[int, str] = {
    number: name for name, number in vars(tflite.BuiltinOptions).items() if not name.startswith("_")
}


@dataclass(slots=True)
class _Verifier:
    """Walks tables, keeping count of the bytes it may still visit."""

    data: bytes
    budget_bytes: int = field(init=False)
    budget_tables: int = _TABLES_MAX

    def __post_init__(self) -> None:
        self.budget_bytes = _REUSE_LIMIT * len(self.data) + (1 << 16)

    def table(self, position: int, fields: dict[int, tuple[str, _Field]], where: str) -> None:
        """Check the table at ``position`` and all that its known fields lead to."""
        vtable, vtable_bytes, table_bytes = self._table_extent(position, where)
        self._spend(table_bytes, where)
        self.budget_tables -= 1
        if self.budget_tables < 0:
            raise self._corrupt(where, f"the file has more than {_TABLES_MAX} tables")
        for slot, (name, kind) in fields.items():
            if slot + 2 > vtable_bytes:
                continue
            offset = self._read("<H", vtable + slot, where)
            if offset == 0:
                continue
            size = kind.size_bytes if isinstance(kind, _Scalar) else 4
            if offset < 4 or offset + size > table_bytes:
                raise self._corrupt(f"{where}.{name}", f"offset {offset} in {table_bytes} bytes")
            if not isinstance(kind, _Scalar):
                union = self._union_type(vtable, vtable_bytes, position, kind, where)
                self._follow(position + offset, kind, union, f"{where}.{name}")

    def _table_extent(self, position: int, where: str) -> tuple[int, int, int]:
        vtable = position - self._read("<i", position, where)
        if vtable < 0:
            raise self._corrupt(where, f"its vtable starts at {vtable}")
        vtable_bytes = self._read("<H", vtable, where)
        table_bytes = self._read("<H", vtable + 2, where)
        # Slots have two bytes; the accessors would read half a slot of an odd vtable.
        if vtable_bytes < 4 or vtable_bytes % 2 or vtable + vtable_bytes > len(self.data):
            raise self._corrupt(where, f"its vtable has {vtable_bytes} bytes")
        if table_bytes < 4 or position + table_bytes > len(self.data):
            raise self._corrupt(where, f"it has {table_bytes} bytes at position {position}")
        return vtable, vtable_bytes, table_bytes

    def _union_type(
        self, vtable: int, vtable_bytes: int, position: int, kind: _Field, where: str
    ) -> int:
        if not isinstance(kind, _Options) or kind.type_slot + 2 > vtable_bytes:
            return 0
        offset = self._read("<H", vtable + kind.type_slot, where)
        return self._read("<B", position + offset, where) if offset else 0

    def _follow(self, position: int, kind: _Field, union: int, where: str) -> None:
        target = position + self._read("<I", position, where)
        match kind:
            case _Table(name):
                self.table(target, _TABLES[name], where)
            case _Options():
                self.table(target, _OPTIONS.get(_OPTION_NAMES.get(union, ""), {}), where)
            case _Vector(element_bytes):
                self._vector(target, element_bytes, where)
            case _Tables(name):
                length = self._vector(target, 4, where)
                for index in range(length):
                    entry = target + 4 + 4 * index
                    item = entry + self._read("<I", entry, where)
                    self.table(item, _TABLES[name], f"{where}[{index}]")

    def _vector(self, position: int, element_bytes: int, where: str) -> int:
        length = self._read("<I", position, where)
        if position + 4 + length * element_bytes > len(self.data):
            raise self._corrupt(
                where, f"{length} elements at position {position} reach beyond the file's end"
            )
        self._spend(4 + length * element_bytes, where)
        return length

    def _read(self, layout: str, position: int, where: str) -> int:
        try:
            (value,) = struct.unpack_from(layout, self.data, position)
        except struct.error:
            raise self._corrupt(where, f"position {position} is outside the file") from None
        return int(value)

    def _spend(self, size_bytes: int, where: str) -> None:
        self.budget_bytes -= size_bytes
        if self.budget_bytes < 0:
            raise self._corrupt(where, "the same parts are used over and over")

    def _corrupt(self, where: str, what: str) -> ModelFormatError:
        return ModelFormatError(
            f"the model file is truncated or corrupt at {where}: {what}; found "
            f"{len(self.data)} bytes in all",
            help="download or export the model again and compare its size and checksum",
        )


def _spelled(content: bytes) -> str:
    text = content.decode("latin-1")
    return text if text.isascii() and text.isprintable() else f"the bytes {content.hex(' ')}"


def open_model(data: bytes) -> tflite.Model:
    """Return the schema package's view of a file, every part of it proven to lie within.

    Raises:
        ModelFormatError: the bytes are no .tflite file, or one that is truncated or corrupt.
    """
    if len(data) < 8 or data[4:8] != _IDENTIFIER:
        found = f"{len(data)} bytes" if len(data) < 8 else _spelled(data[4:8])
        raise ModelFormatError(
            f"this is no TensorFlow Lite model: bytes 4 to 8 must be {_spelled(_IDENTIFIER)}, "
            f"found {found}",
            help="give the .tflite file that the TensorFlow Lite converter wrote",
        )
    verifier = _Verifier(data)
    (root,) = struct.unpack_from("<I", data)
    verifier.table(root, _TABLES["Model"], "model")
    model = tflite.Model.GetRootAs(data, 0)
    if model.Version() != _SCHEMA_VERSION:
        raise ModelFormatError(
            f"the model has schema version {model.Version()}, Penstock reads {_SCHEMA_VERSION}",
            help="convert the model again with a current TensorFlow Lite converter",
        )
    return model
