"""What a name in an ONNX graph stands for, and a node with its attributes at hand."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import helper

from penstock.ir.quantization import QuantizationParameters

Order = tuple[int, ...]
Numbers = npt.NDArray[Any]

IMAGE: Order = (0, 3, 1, 2)
"""Images ``[N, C, H, W]`` of ONNX are ``[N, H, W, C]`` in the graph."""


def plain(rank: int) -> Order:
    """Return the order of a tensor that has its dimensions as ONNX has them."""
    return tuple(range(rank))


@dataclass(frozen=True, slots=True)
class Computed:
    """A value that is computed, or an input.

    Attributes:
        tensor: of the graph.
        order: dimension i of the value is dimension ``order[i]`` of the tensor.
    """

    tensor: str
    order: Order


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """A value that the file holds, or that follows from it.

    Attributes:
        data: as ONNX has it; where integers were dequantized, the real numbers.
        quantization: of these integers, made int8 where they were uint8; None for others.
    """

    data: Numbers
    quantization: QuantizationParameters | None = None


Value = Computed | Constant


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A node of the ONNX graph.

    Attributes:
        index: its position.
        proto: the `onnx.NodeProto`.
    """

    index: int
    proto: Any

    @property
    def kind(self) -> str:
        """The operator, with its domain unless that is the standard's."""
        domain = self.proto.domain
        return str(self.proto.op_type if domain in ("", "ai.onnx") else f"{domain}.{self.op_type}")

    @property
    def op_type(self) -> str:
        """The operator without its domain."""
        return str(self.proto.op_type)

    @property
    def where(self) -> str:
        """The node for people: position, name and operator."""
        name = f" {self.proto.name!r}" if self.proto.name else ""
        return f"node {self.index}{name} ({self.kind})"

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute: a number, text, or a list."""
        for entry in self.proto.attribute:
            if entry.name == name:
                value = helper.get_attribute_value(entry)
                return value.decode() if isinstance(value, bytes) else value
        return default

    def input_name(self, position: int) -> str:
        """Return the name of an input; empty where it is left out."""
        names = self.proto.input
        return str(names[position]) if position < len(names) else ""


def moved(parameters: QuantizationParameters | None, order: Order) -> QuantizationParameters | None:
    """Return the parameters of a constant whose dimension i was dimension ``order[i]``."""
    if parameters is None or parameters.axis is None:
        return parameters
    axis = order.index(parameters.axis)
    return QuantizationParameters(parameters.scale, parameters.zero_point, axis)


def real(constant: Constant) -> npt.NDArray[np.float32]:
    """Return a constant's values as real numbers."""
    return np.asarray(constant.data, np.float32)
