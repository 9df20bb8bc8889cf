"""Inputs of an ONNX graph: shapes that are known at compile time, and where channels are."""

from typing import Any

import numpy as np
from onnx import TensorProto

from penstock.errors import UnsupportedError
from penstock.frontends.onnx.values import IMAGE, Order, plain

_PASSED = ("Cast", "DequantizeLinear", "Identity", "QuantizeLinear")
_IMAGE_CHANNELS = (1, 3)
_INTEGERS: dict[int, np.dtype[np.generic]] = {
    TensorProto.INT8: np.dtype(np.int8),
    TensorProto.UINT8: np.dtype(np.uint8),
}
_TYPES = (TensorProto.FLOAT, *_INTEGERS)


def input_shape(entry: Any) -> tuple[int, ...]:
    """Return the shape of an input; a batch without a size becomes 1.

    Raises:
        UnsupportedError: another dimension has no size, the batch is not 1, or the type is none
            that networks for microcontrollers take.
    """
    kind = entry.type.tensor_type
    if kind.elem_type not in _TYPES:
        name = TensorProto.DataType.Name(kind.elem_type)
        raise UnsupportedError(
            f"the input {entry.name!r} has the type {name}; float32 is allowed, and int8 and uint8 "
            "in quantized models",
            help="export the network in float32",
        )
    shape = [_extent(entry.name, axis, dim) for axis, dim in enumerate(kind.shape.dim)]
    if shape[:1] != [1]:
        raise UnsupportedError(
            f"the input {entry.name!r} has the shape {shape}: a batch of 1 is allowed",
            help="export the network with an example of one image or sample",
        )
    return tuple(shape)


def _extent(name: str, axis: int, dim: Any) -> int:
    if dim.HasField("dim_value") and dim.dim_value > 0:
        return int(dim.dim_value)
    if axis == 0:
        return 1
    called = f" ({dim.dim_param!r})" if dim.dim_param else ""
    raise UnsupportedError(
        f"dimension {axis}{called} of the input {name!r} has no fixed size; only the batch, "
        "dimension 0, may have none",
        help="export the network without dynamic axes, or give the dimension a size: "
        "`python -m onnxruntime.tools.make_dynamic_shape_fixed --help`",
    )


def integer_type(entry: Any) -> np.dtype[np.generic] | None:
    """Return the type of an input of integers; None of float32."""
    return _INTEGERS.get(entry.type.tensor_type.elem_type)


def input_order(graph: Any, name: str, shape: tuple[int, ...]) -> Order:
    """Return where an input's dimensions lie in the graph: images have their channels last.

    Networks that other frameworks made may take channels last already: where the last dimension
    has as many elements as colours have and the second has not, or a Transpose comes first.
    """
    if len(shape) != len(IMAGE):
        return plain(len(shape))
    is_last = shape[3] in _IMAGE_CHANNELS and shape[1] not in _IMAGE_CHANNELS
    readers = _readers(graph, name)
    is_turned = bool(readers) and all(reader.op_type == "Transpose" for reader in readers)
    return plain(4) if is_last or is_turned else IMAGE


def _readers(graph: Any, name: str) -> list[Any]:
    """Return the nodes that compute with a value, behind those that only hand it on."""
    found = []
    names = {name}
    for node in graph.node:
        if names.isdisjoint(node.input):
            continue
        if node.op_type in _PASSED:
            names.update(node.output)
        else:
            found.append(node)
    return found
