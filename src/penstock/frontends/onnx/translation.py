"""An ONNX model → a graph, node by node; nothing is optimised here.

Dimensions lie as they suit the graph: images ``[N, C, H, W]`` are ``[N, H, W, C]`` there, and a
Transpose only changes the account of where each dimension is. Where a node needs another order than
a tensor has, the elements are moved.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from onnx import numpy_helper

from penstock.errors import ModelFormatError, PenstockError, UnsupportedError
from penstock.frontends.onnx.advice import instead_of, others_named
from penstock.frontends.onnx.folding import fold, is_foldable, is_small
from penstock.frontends.onnx.inputs import input_order, input_shape, integer_type
from penstock.frontends.onnx.operators import TRANSLATORS
from penstock.frontends.onnx.values import (
    IMAGE,
    Computed,
    Constant,
    Node,
    Numbers,
    Order,
    Value,
    moved,
    plain,
    real,
)
from penstock.frontends.tflite.names import claim, printable
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.limits import ELEMENTS_MAX, FOLDED_ELEMENTS_MAX
from penstock.ir.operators import Operator
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor


@dataclass(eq=False)
class Translation:
    """An ONNX graph as far as it is translated.

    Attributes:
        model: the `onnx.GraphProto`.
        opset: version of its operators.
        tensors: of the graph, all float32.
        operators: of the graph.
        inputs: of the graph.
        orders: of the dimensions of inputs: dimension i of the graph's tensor is dimension
            ``order[i]`` of ONNX's.
        parameters: of tensors that the file quantizes.
        scales: of constants that the file has as integers.
        limits: parameters of tensors between operators that stand for one node, where these limit
            what values occur; for files that quantize.
    """

    model: Any
    opset: int
    tensors: dict[str, Tensor] = field(default_factory=dict)
    operators: list[Operator] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    parameters: dict[str, QuantizationParameters] = field(default_factory=dict)
    scales: dict[str, QuantizationParameters] = field(default_factory=dict)
    limits: dict[str, QuantizationParameters] = field(default_factory=dict)
    _values: dict[str, Value] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    _turned: dict[tuple[str, Order], str] = field(default_factory=dict)
    _integers: dict[str, "np.dtype[np.generic]"] = field(default_factory=dict)
    _folded_elements: int = 0
    _source: int | None = None

    def __post_init__(self) -> None:
        for tensor in self.model.initializer:
            self._values[tensor.name] = Constant(numpy_helper.to_array(tensor))
        for entry in self.model.input:
            if entry.name not in self._values:
                self._add_input(entry)

    def _add_input(self, entry: Any) -> None:
        shape = input_shape(entry)
        order = input_order(self.model, entry.name, shape)
        tensor = self._add_tensor(entry.name, shape, order)
        integers = integer_type(entry)
        if integers is not None:
            self._integers[tensor] = integers
        self._values[entry.name] = Computed(tensor, order)
        self.orders[tensor] = tuple(order.index(axis) for axis in range(len(order)))
        self.inputs.append(tensor)

    def follow(self, node: Node) -> None:
        """Translate one node, or compute it where it depends on constants only."""
        self._source = node.index
        names = [name for name in node.proto.input if name]
        known = [self._values.get(name) for name in names]
        if is_foldable(node.kind) and all(isinstance(value, Constant) for value in known):
            self._fold(node, names)
            return
        translate = TRANSLATORS.get(node.kind)
        if translate is None:
            raise self._unknown(node)
        translate(self, node)

    def _unknown(self, node: Node) -> UnsupportedError:
        """Return the error for a node of an unknown kind, which names those behind it too."""
        behind = [Node(n, proto) for n, proto in enumerate(self.model.node) if n > node.index]
        others = [n for n in behind if n.kind not in TRANSLATORS and not is_foldable(n.kind)]
        what, instead = others_named(node, others, TRANSLATORS)
        return self.refused(
            node, f"is unknown here{what}", f"{instead_of(node.kind, TRANSLATORS)}{instead}"
        )

    def _fold(self, node: Node, names: Sequence[str]) -> None:
        constants = [self.constant(node, name) for name in names]
        arrays = [constant.data for constant in constants]
        try:
            if not is_small(node.kind, arrays):
                raise self.refused(
                    node,
                    f"computes a constant of more than {ELEMENTS_MAX} elements",
                    "compute it before exporting the model, and store the result",
                )
            result = fold(node, names, arrays, self.opset)
        except PenstockError:
            raise
        except Exception as error:  # numpy's, of values that do not fit together
            raise ModelFormatError(f"{node.where} cannot be computed: {error}") from error
        self._folded_elements += result.size
        if self._folded_elements > FOLDED_ELEMENTS_MAX:
            raise self.refused(
                node,
                f"and the nodes before it compute constants of more than {FOLDED_ELEMENTS_MAX} "
                "elements",
                "compute them before exporting the model, and store the results",
            )
        kept = constants[0].quantization if node.kind == "Transpose" else None
        if kept is not None:
            order = node.attribute("perm", list(reversed(range(arrays[0].ndim))))
            kept = moved(kept, tuple(order))
        self.set_value(node, Constant(result, kept))

    def output(self, name: str) -> str:
        """Return the tensor of one of the model's outputs, an image as images are."""
        value = self._values.get(name)
        if not isinstance(value, Computed):
            raise UnsupportedError(
                f"the output {name!r} does not depend on the input",
                help="leave it out of the outputs",
            )
        wanted = plain(len(value.order))
        return value.tensor if value.order in (wanted, IMAGE) else self.in_order(value, wanted)

    def expect_dequantized(self) -> None:
        """Refuse inputs of integers of which nothing says what they mean."""
        for name in self._integers:
            if name not in self.parameters:
                raise UnsupportedError(
                    f"the input {name!r} has integers, and no DequantizeLinear says their scale",
                    help="quantize the network in the QDQ format",
                )

    # What a node reads.

    def value(self, node: Node, position: int) -> Value:
        """Return an input of a node."""
        name = node.input_name(position)
        found = self._values.get(name)
        if found is None:
            raise ModelFormatError(f"{node.where} lacks its input {position}")
        return found

    def constant(self, node: Node, name: str) -> Constant:
        """Return an input that must be known at compile time."""
        found = self._values.get(name)
        if not isinstance(found, Constant):
            raise self.refused(
                node, f"takes {name!r} from a computation", "make it a constant of the model"
            )
        return found

    def computed(self, node: Node, position: int = 0) -> Computed:
        """Return an input that must be computed."""
        found = self.value(node, position)
        if isinstance(found, Constant):
            raise self.refused(
                node,
                f"computes with the constant {node.input_name(position)!r} only",
                "compute it before exporting the model, and store the result",
            )
        return found

    def numbers(self, node: Node, position: int) -> Numbers | None:
        """Return a constant input; None where it is left out."""
        name = node.input_name(position)
        return self.constant(node, name).data if name else None

    def integers(self, node: Node, position: int, name: str) -> list[int] | None:
        """Return integers that are an attribute in old opsets and an input in new ones."""
        given = self.numbers(node, position)
        if given is None:
            attribute = node.attribute(name)
            return None if attribute is None else [int(number) for number in attribute]
        return [int(number) for number in given.reshape(-1)]

    def shape(self, value: Value) -> tuple[int, ...]:
        """Return a value's shape as ONNX has it."""
        if isinstance(value, Constant):
            return tuple(value.data.shape)
        extents = self.tensors[value.tensor].shape
        return tuple(extents[axis] for axis in value.order)

    def image(self, node: Node, position: int = 0) -> str:
        """Return the tensor ``[N, H, W, C]`` of an input that must be an image."""
        value = self.computed(node, position)
        if len(value.order) != len(IMAGE):
            raise self.refused(
                node,
                f"reads a tensor of {len(value.order)} dimensions, an image has 4",
                "give one-dimensional data a height of 1, [N, C, 1, W]",
            )
        return self.in_order(value, IMAGE)

    def in_order(self, value: Computed, order: Order) -> str:
        """Return a tensor with a value's elements in another order of dimensions."""
        if value.order == order:
            return value.tensor
        made = self._turned.get((value.tensor, order))
        if made is not None:
            return made
        rank = len(order)
        permutation = tuple(value.order[order.index(axis)] for axis in range(rank))
        extents = self.tensors[value.tensor].shape
        turned = self._add_tensor(f"{value.tensor}.turned", [extents[p] for p in permutation])
        if _keeps_elements(permutation, extents):
            self.append(ops.Reshape(input=value.tensor, output=turned))
        else:
            self.append(ops.Transpose(input=value.tensor, output=turned, permutation=permutation))
        self._turned[value.tensor, order] = turned
        return turned

    def elements(self, value: Computed) -> str:
        """Return a tensor of any shape that has a value's elements as ONNX counts them."""
        extents = self.tensors[value.tensor].shape
        wanted = plain(len(extents))
        if _keeps_elements(value.order, extents):
            return value.tensor
        return self.in_order(value, wanted)

    # What it makes.

    def set_value(self, node: Node, value: Value) -> None:
        """Let a node's only output be a value."""
        self._values[node.proto.output[0]] = value

    def add_output(
        self, node: Node, shape: Sequence[int], order: Order | None = None, position: int = 0
    ) -> str:
        """Add the tensor of an output.

        Args:
            node: that writes it.
            shape: as ONNX has it.
            order: where its dimensions lie; None leaves them where they are.
            position: of the output.
        """
        name = str(node.proto.output[position])
        chosen = plain(len(shape)) if order is None else order
        tensor = self._add_tensor(name, shape, chosen)
        self._values[name] = Computed(tensor, chosen)
        return tensor

    def turned(self, value: Computed, permutation: Sequence[int]) -> Computed:
        """Return a value whose dimension i is dimension ``permutation[i]`` of another."""
        return Computed(value.tensor, tuple(value.order[axis] for axis in permutation))

    def reshaped(self, value: Computed, shape: Sequence[int]) -> Computed:
        """Return a value with the same elements in another shape."""
        result = self.add_between(f"{value.tensor}.reshaped", shape)
        self.append(ops.Reshape(input=self.elements(value), output=result))
        return Computed(result, plain(len(shape)))

    def axis(self, node: Node, axis: int, rank: int) -> int:
        """Return a dimension from 0 of one that may count from the end."""
        if not -rank <= axis < rank:
            raise ModelFormatError(f"{node.where} has the axis {axis} of {rank} dimensions")
        return axis % rank

    def quantized(
        self, node: Node, value: Computed, parameters: QuantizationParameters
    ) -> Computed:
        """Return a value as the file quantizes it; with other parameters than before, a new one."""
        if self.parameters.setdefault(value.tensor, parameters) == parameters:
            return value
        again = self.add_hidden(f"{node.proto.output[0]}", value.tensor)
        self.append(ops.Reshape(input=value.tensor, output=again))
        self.parameters[again] = parameters
        return Computed(again, value.order)

    def integer_type(self, value: Computed) -> "np.dtype[np.generic]":
        """Return the type of integers whose DequantizeLinear has no zero point."""
        known = self.parameters.get(value.tensor)
        if known is None:
            return self._integers.get(value.tensor, np.dtype(np.int8))
        is_unsigned = known.zero_point == (DType.INT8.range[0],)
        return np.dtype(np.uint8) if is_unsigned else np.dtype(np.int8)

    def add_between(self, wanted: str, shape: Sequence[int]) -> str:
        """Add a tensor between operators that stand for one node, of the shape in the graph."""
        return self._add_tensor(wanted, shape)

    def add_hidden(self, wanted: str, like: str) -> str:
        """Add a tensor between operators that stand for one node, with the shape of another."""
        return self.add_between(wanted, self.tensors[like].shape)

    def _add_tensor(self, wanted: str, shape: Sequence[int], order: Order | None = None) -> str:
        name = claim(printable(wanted.encode()) or "tensor", self._names)
        extents = shape if order is None else [shape[order.index(n)] for n in range(len(shape))]
        self.tensors[name] = Tensor(name, tuple(extents), DType.FLOAT32)
        if math.prod(extents) > ELEMENTS_MAX or 0 in extents:
            raise UnsupportedError(
                f"the tensor {name!r} would have the shape {list(shape)}; from 1 to {ELEMENTS_MAX} "
                "elements are allowed",
                help="give the network a smaller input: no microcontroller has memory for this",
            )
        return name

    def add_constant(self, wanted: str, constant: Constant, order: Order | None = None) -> str:
        """Add a constant, dimension i of which is dimension ``order[i]`` of what is given."""
        turned = plain(constant.data.ndim) if order is None else order
        values = np.ascontiguousarray(real(constant).transpose(turned))
        name = claim(printable(wanted.encode()), self._names)
        self.tensors[name] = Tensor(name, values.shape, DType.FLOAT32, data=values)
        parameters = moved(constant.quantization, turned)
        if parameters is not None:
            self.scales[name] = parameters
        return name

    def append(self, operator: Operator) -> None:
        """Add an operator of the node that is being translated."""
        self.operators.append(replace(operator, source=self._source))

    def refused(self, node: Node, why: str, instead: str) -> UnsupportedError:
        """Return the error for a node that cannot be translated."""
        return UnsupportedError(f"{node.where} {why}", help=instead)


def _keeps_elements(permutation: Sequence[int], extents: Sequence[int]) -> bool:
    """Return whether a permutation only moves dimensions of extent 1."""
    moving = [axis for axis in permutation if extents[axis] != 1]
    return moving == sorted(moving)
