"""Graph → .tflite file: what `load_model` reads back as the same graph and LiteRT runs.

Source: schema.fbs of TensorFlow Lite, version 3, file identifier ``TFL3``.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import flatbuffers
import numpy as np
import tflite

from penstock.frontends.tflite import file_elementwise, file_movement, file_products
from penstock.frontends.tflite.file_calls import TENSOR_TYPES, CallList, FileCall, OptionValue
from penstock.frontends.tflite.file_products import stored_as_nibbles
from penstock.ir.graph import Graph
from penstock.ir.nibbles import pack_nibbles
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor

_SCHEMA_VERSION = 3
_FILE_IDENTIFIER = b"TFL3"
_BUFFER_ALIGNMENT_BYTES = 16
_ABSENT_TENSOR = -1
_WRITERS = {**file_products.WRITERS, **file_elementwise.WRITERS, **file_movement.WRITERS}


def write_model(
    graph: Graph, *, description: str = "penstock", int4_filters: bool = False
) -> bytes:
    """Return the contents of a .tflite file that computes ``graph``; the same graph, same bytes.

    Explicit padding is written as SAME or VALID where that means the same, else as a PAD operator.

    Args:
        graph: what is written.
        description: of the model, for people.
        int4_filters: store filters of convolutions and fully connected layers as INT4, two to a
            byte, where all of their values are within [-8, 7].

    Raises:
        UnsupportedError: an operator rounds in the way of legacy uint8 kernels, or pools with a
            padding that the format has no word for.
    """
    calls = CallList(graph, stored_as_nibbles(graph) if int4_filters else frozenset())
    for operator in graph.operators:
        _WRITERS[type(operator)](calls, operator)
    return _ModelBuilder(calls, graph).finish(description)


class _ModelBuilder:
    """Serializes calls and tensors; flatbuffers are built leaves first."""

    def __init__(self, calls: CallList, graph: Graph) -> None:
        self._builder = flatbuffers.Builder(1 << 16)
        self._calls = calls.calls
        self._nibbles = calls.nibbles
        self._tensors = list(calls.tensors.values())
        self._positions = {tensor.name: i for i, tensor in enumerate(self._tensors)}
        self._codes = sorted({(call.builtin, call.version) for call in self._calls})
        self._graph = graph

    def finish(self, description: str) -> bytes:
        """Return the bytes of the file."""
        buffers = [self._buffer(b"")]
        tensors = []
        for tensor in self._tensors:
            has_data = tensor.data is not None
            tensors.append(self._tensor(tensor, len(buffers) if has_data else 0))
            if tensor.data is not None:
                is_packed = tensor.name in self._nibbles
                data = pack_nibbles(tensor.data) if is_packed else tensor.data
                buffers.append(self._buffer(np.ascontiguousarray(data).tobytes()))
        operators = [self._operator(call) for call in self._calls]
        model = self._table(
            "Model",
            Version=_SCHEMA_VERSION,
            OperatorCodes=self._offsets([self._operator_code(*code) for code in self._codes]),
            Subgraphs=self._offsets([self._subgraph(tensors, operators)]),
            Description=self._builder.CreateString(description),
            Buffers=self._offsets(buffers),
        )
        self._builder.Finish(model, file_identifier=_FILE_IDENTIFIER)
        return bytes(self._builder.Output())

    def _table(self, table: str, **fields: Any) -> int:
        """Write a table from its fields, named as the schema's builder functions name them."""
        _function(table, "Start")(self._builder)
        for name, value in fields.items():
            _function(table, f"Add{name}")(self._builder, value)
        return int(_function(table, "End")(self._builder))

    def _subgraph(self, tensors: Sequence[int], operators: Sequence[int]) -> int:
        return self._table(
            "SubGraph",
            Tensors=self._offsets(tensors),
            Inputs=self._indices(self._graph.inputs),
            Outputs=self._indices(self._graph.outputs),
            Operators=self._offsets(operators),
            Name=self._builder.CreateString(self._graph.name),
        )

    def _tensor(self, tensor: Tensor, buffer: int) -> int:
        is_packed = tensor.name in self._nibbles
        fields: dict[str, Any] = {
            "Shape": self._vector(tensor.shape, np.int32),
            "Type": tflite.TensorType.INT4 if is_packed else TENSOR_TYPES[tensor.dtype],
            "Buffer": buffer,
            "Name": self._builder.CreateString(tensor.name),
            "IsVariable": tensor.is_variable,
            # A scalar's empty shape reads as "unknown" unless the rank is said to be known.
            "HasRank": True,
        }
        if tensor.quantization is not None:
            fields["Quantization"] = self._quantization(tensor.quantization)
        return self._table("Tensor", **fields)

    def _quantization(self, parameters: QuantizationParameters) -> int:
        return self._table(
            "QuantizationParameters",
            Scale=self._vector(parameters.scale, np.float32),
            ZeroPoint=self._vector(parameters.zero_point, np.int64),
            QuantizedDimension=parameters.axis or 0,
        )

    def _operator(self, call: FileCall) -> int:
        fields: dict[str, Any] = {
            "OpcodeIndex": self._codes.index((call.builtin, call.version)),
            "Inputs": self._indices(call.inputs),
            "Outputs": self._indices(call.outputs),
        }
        if call.table is not None:
            options = {name: self._option(value) for name, value in call.options.items()}
            fields["BuiltinOptions"] = self._table(call.table, **options)
            fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, call.table)
        return self._table("Operator", **fields)

    def _option(self, value: OptionValue) -> Any:
        return self._vector(value, np.int32) if isinstance(value, tuple) else value

    def _operator_code(self, builtin: str, version: int) -> int:
        code = int(getattr(tflite.BuiltinOperator, builtin))
        # Readers take the larger of both fields; the old one saturates at 127.
        deprecated = min(code, tflite.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES)
        return self._table(
            "OperatorCode", DeprecatedBuiltinCode=deprecated, Version=version, BuiltinCode=code
        )

    def _buffer(self, contents: bytes) -> int:
        if not contents:
            return self._table("Buffer")
        self._builder.Prep(_BUFFER_ALIGNMENT_BYTES, len(contents))
        return self._table("Buffer", Data=self._builder.CreateByteVector(contents))

    def _indices(self, names: Iterable[str | None]) -> int:
        positions = [_ABSENT_TENSOR if name is None else self._positions[name] for name in names]
        return self._vector(positions, np.int32)

    def _vector(self, values: Sequence[float], dtype: Any) -> int:
        return int(self._builder.CreateNumpyVector(np.asarray(values, dtype).reshape(-1)))

    def _offsets(self, offsets: Sequence[int]) -> int:
        self._builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        return int(self._builder.EndVector())


def _function(table: str, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(tflite, f"{table}{name}")
    return function
