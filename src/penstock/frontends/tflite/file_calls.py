"""Operators of a graph as the operator calls of a TensorFlow Lite file.

A call names a builtin operator, its version, its options table and its tensors. What our operators
hold as attributes and the file wants as tensors (axes, permutations, paddings …) becomes constants.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tflite

from penstock.errors import UnsupportedError
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Activation, Operator
from penstock.ir.tensor import Tensor

OptionValue = int | float | bool | tuple[int, ...]

ACTIVATIONS = {
    Activation.NONE: tflite.ActivationFunctionType.NONE,
    Activation.RELU: tflite.ActivationFunctionType.RELU,
    Activation.RELU6: tflite.ActivationFunctionType.RELU6,
    Activation.RELU_N1_TO_1: tflite.ActivationFunctionType.RELU_N1_TO_1,
}
TENSOR_TYPES: dict[DType, int] = {
    DType.INT8: tflite.TensorType.INT8,
    DType.UINT8: tflite.TensorType.UINT8,
    DType.INT16: tflite.TensorType.INT16,
    DType.INT32: tflite.TensorType.INT32,
    DType.INT64: tflite.TensorType.INT64,
    DType.FLOAT32: tflite.TensorType.FLOAT32,
    DType.BOOL: tflite.TensorType.BOOL,
}


@dataclass(frozen=True, slots=True)
class FileCall:
    """One operator of the file.

    Attributes:
        builtin: name in the schema, for example ``CONV_2D``.
        version: the lowest that TensorFlow Lite defines for these element types.
        inputs: tensor names; None where an optional tensor is absent.
        outputs: tensor names.
        table: the options table of the schema, for example ``Conv2DOptions``; None for none.
        options: values of the table's fields by the name that the schema's builder uses.
    """

    builtin: str
    version: int
    inputs: tuple[str | None, ...]
    outputs: tuple[str, ...]
    table: str | None = None
    options: Mapping[str, OptionValue] = field(default_factory=dict)


class CallList:
    """The calls and tensors of a file while the operators of ``graph`` are written one by one.

    Attributes:
        nibbles: names of the filters that are stored as INT4.
    """

    def __init__(self, graph: Graph, nibbles: frozenset[str] = frozenset()) -> None:
        self.graph = graph
        self.nibbles = nibbles
        self.tensors: dict[str, Tensor] = dict(graph.tensors)
        self.calls: list[FileCall] = []

    def add_constant(self, wanted: str, values: Any, dtype: DType = DType.INT32) -> str:
        """Add a constant tensor and return its name."""
        array = np.asarray(values, dtype.numpy)
        return self.add_tensor(Tensor(wanted, array.shape, dtype, data=array))

    def add_tensor(self, tensor: Tensor) -> str:
        """Add a tensor under its own name, or a free one made from it, and return that."""
        name, number = tensor.name, 1
        while name in self.tensors:
            name = f"{tensor.name}.{number}"
            number += 1
        self.tensors[name] = Tensor(
            name, tensor.shape, tensor.dtype, tensor.quantization, tensor.data
        )
        return name

    def call(
        self,
        builtin: str,
        version: int,
        inputs: tuple[str | None, ...],
        outputs: tuple[str, ...],
        table: str | None = None,
        **options: OptionValue,
    ) -> None:
        """Append one call."""
        self.calls.append(FileCall(builtin, version, inputs, outputs, table, options))

    def pad(
        self, source: str, result: str, paddings: tuple[tuple[int, int], ...], value: int | None
    ) -> None:
        """Append a PAD call, by the zero point, or a PADV2 call, by ``value``."""
        output = self.tensors[result]
        version = version_for(output, int8=2, int16=3)
        amounts = self.add_constant(f"{result}_paddings", paddings)
        if value is None:
            self.call("PAD", version, (source, amounts), (result,), "PadOptions")
            return
        filler = np.full((1,), value, output.dtype.numpy)
        constant = self.add_tensor(
            Tensor(f"{result}_value", (1,), output.dtype, output.quantization, filler)
        )
        inputs = (source, amounts, constant)
        self.call("PADV2", version, inputs, (result,), "PadV2Options")


CallWriter = Callable[[CallList, Any], None]
"""Appends the calls of one operator; raises UnsupportedError where the format cannot say it."""


def version_for(tensor: Tensor, *, int8: int = 1, int16: int = 1, other: int = 1) -> int:
    """Return the operator version for the tensor's element type."""
    return {DType.INT8: int8, DType.INT16: int16}.get(tensor.dtype, other)


def refuse(operator: Operator, reason: str) -> UnsupportedError:
    """Return the error that says why ``operator`` has no form in the file."""
    return UnsupportedError(
        f"operator {operator.kind} that writes {operator.outputs[0]!r} cannot be written to a "
        f".tflite file: {reason}"
    )
