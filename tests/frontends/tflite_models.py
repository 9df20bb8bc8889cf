"""Small .tflite models made directly from the schema, so that tests are not limited to writers.

LiteRT's own object interface of the schema serializes them: neither Penstock's writer nor its
reader takes part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = {
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "float32": schema.TensorType.FLOAT32,
}


@dataclass
class FileTensor:
    """A tensor; ``scale`` and ``zero_point`` may be numbers or sequences of them."""

    name: str
    shape: Sequence[int]
    dtype: str = "int8"
    scale: Any = None
    zero_point: Any = 0
    axis: int = 0
    data: Any = None
    is_variable: bool = False
    signature: Sequence[int] | None = None


@dataclass
class FileOperator:
    """An operator: builtin name, tensor names (None for an absent one), options object."""

    builtin: str
    inputs: Sequence[str | None]
    outputs: Sequence[str]
    options: Any = None
    custom_code: str | None = None
    version: int = 1


@dataclass
class FileModel:
    """A model with one subgraph, or several copies of it."""

    tensors: list[FileTensor]
    operators: list[FileOperator]
    inputs: list[str]
    outputs: list[str]
    subgraph_count: int = 1
    schema_version: int = 3
    edit: Any = field(default=None)
    """Called with the schema's ModelT just before it is serialized."""

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {tensor.name: position for position, tensor in enumerate(self.tensors)}

    def to_bytes(self) -> bytes:
        model = schema.ModelT()
        model.version = self.schema_version
        model.buffers = [schema.BufferT()]
        model.operatorCodes = []
        subgraph = schema.SubGraphT()
        subgraph.name = b"main"
        subgraph.tensors = [self._tensor(model, tensor) for tensor in self.tensors]
        subgraph.operators = [self._operator(model, operator) for operator in self.operators]
        subgraph.inputs = self._indices(self.inputs)
        subgraph.outputs = self._indices(self.outputs)
        model.subgraphs = [subgraph] * self.subgraph_count
        if self.edit is not None:
            self.edit(model)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _indices(self, names: Sequence[str | None]) -> list[int]:
        return [-1 if name is None else self._positions[name] for name in names]

    def _tensor(self, model: schema.ModelT, tensor: FileTensor) -> schema.TensorT:
        made = schema.TensorT()
        made.name = tensor.name.encode()
        made.shape = list(tensor.shape)
        made.type = TYPES[tensor.dtype]
        made.isVariable = tensor.is_variable
        made.hasRank = True
        made.buffer = 0
        if tensor.signature is not None:
            made.shapeSignature = list(tensor.signature)
        if tensor.data is not None:
            buffer = schema.BufferT()
            content = np.ascontiguousarray(tensor.data, tensor.dtype).tobytes()
            buffer.data = np.frombuffer(content, np.uint8)
            made.buffer = len(model.buffers)
            model.buffers.append(buffer)
        if tensor.scale is not None:
            quantization = schema.QuantizationParametersT()
            scales = np.atleast_1d(np.asarray(tensor.scale, np.float32))
            quantization.scale = list(scales)
            quantization.zeroPoint = list(
                np.broadcast_to(np.asarray(tensor.zero_point, np.int64), scales.shape)
            )
            quantization.quantizedDimension = tensor.axis
            made.quantization = quantization
        return made

    def _operator(self, model: schema.ModelT, operator: FileOperator) -> schema.OperatorT:
        code = schema.OperatorCodeT()
        number = getattr(schema.BuiltinOperator, operator.builtin)
        code.builtinCode = number
        code.deprecatedBuiltinCode = min(number, 127)
        code.version = operator.version
        code.customCode = operator.custom_code
        model.operatorCodes.append(code)
        made = schema.OperatorT()
        made.opcodeIndex = len(model.operatorCodes) - 1
        made.inputs = self._indices(operator.inputs)
        made.outputs = self._indices(operator.outputs)
        if operator.options is not None:
            made.builtinOptions = operator.options
            name = type(operator.options).__name__.removesuffix("T")
            made.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        return made


def options(name: str, **values: Any) -> Any:
    """Return an options object of the schema, for example ``options("AddOptions")``."""
    made = getattr(schema, f"{name}T")()
    for key, value in values.items():
        assert hasattr(made, key), f"{name} has no {key}"
        setattr(made, key, value)
    return made
