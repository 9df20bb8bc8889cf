"""A program of ``torch.export`` → a float32 graph, operator by operator.

Images are ``[N, C, H, W]`` in torch and ``[N, H, W, C]`` in the graph: tensors of four dimensions
have their channels moved, weights likewise; nothing is optimised here.
"""

import operator
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Node

from penstock.errors import UnsupportedError
from penstock.frontends.source_models import SourceModel
from penstock.frontends.tflite import identifier
from penstock.frontends.torch.advice import instead_of, with_known
from penstock.frontends.torch.checking import check_translation
from penstock.frontends.torch.modes import expect_inference_mode
from penstock.frontends.torch.operators import FROM_TORCH, IMAGE_RANK, TRANSLATORS
from penstock.frontends.torch.places import module_of, place_of
from penstock.frontends.torch.programs import load_program
from penstock.frontends.torch.refusals import RefusedOperatorError, together
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Operator
from penstock.ir.tensor import Tensor


def load_torch_model(path: Path) -> SourceModel:
    """Return the network of a .pt2 file, which computes what the program computes.

    Raises:
        InputError: as `load_program`.
        UnsupportedError: as `translate_program`.
    """
    return translate_program(load_program(path), identifier(path.stem))


def translate_program(program: ExportedProgram, name: str) -> SourceModel:
    """Return a program as a float32 graph, both checked to compute the same.

    Args:
        program: for a batch of 1.
        name: the graph's name, a C identifier.

    Raises:
        InputError: it was exported in training mode.
        UnsupportedError: naming the modules and the operators that cannot be translated, and what
            to put in their place; or an output that is not computed from an input.
    """
    expect_inference_mode(program)
    translation = _follow_all(program)
    graph = Graph.build(
        name,
        translation.tensors.values(),
        translation.operators,
        translation.inputs,
        translation.outputs,
    )
    images = [n for n in graph.inputs if len(graph.tensors[n].shape) == IMAGE_RANK]
    model = SourceModel(graph, dict.fromkeys(images, FROM_TORCH))
    check_translation(program, model)
    return model


def _follow_all(program: ExportedProgram) -> "Translation":
    """Translate all nodes, or say of all that cannot be."""
    translation = Translation(program)
    refusals: list[RefusedOperatorError] = []
    for node in program.graph.nodes:
        if refusals and node.op == "output":
            break
        try:
            translation.follow(node)
        except RefusedOperatorError as refusal:
            refusals.append(refusal)
            if node.op == "placeholder" or not translation.stand_in(node):
                break
    if refusals:
        raise together(refusals)
    return translation


@dataclass(eq=False)
class Translation:
    """A program as far as it is translated."""

    program: ExportedProgram
    tensors: dict[str, Tensor] = field(default_factory=dict)
    operators: list[Operator] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    _values: dict[str, str] = field(default_factory=dict)
    _weights: dict[str, torch.Tensor] = field(default_factory=dict)
    _weight_names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for spec in self.program.graph_signature.input_specs:
            if spec.kind is InputKind.USER_INPUT or spec.target is None:
                continue
            stored = {**self.program.state_dict, **self.program.constants}
            self._weights[spec.arg.name] = stored[spec.target].detach()
            self._weight_names[spec.arg.name] = spec.target

    def follow(self, node: Node) -> None:
        """Translate one node."""
        if node.name in self._values:  # of one that something stands in for
            return
        if node.op == "placeholder":
            if node.name not in self._weights:
                self._add_input(node)
        elif node.op == "output":
            self._set_outputs(node)
        else:
            self._call(node)

    def _add_input(self, node: Node) -> None:
        shape = self.shape(node)
        if shape[:1] != (1,):
            raise UnsupportedError(
                f"the input {node.name!r} has the shape {list(shape)}: a batch of 1 is allowed",
                help="export the module with an example of one image or sample",
            )
        name = self.add_output(node, node.name)
        self.inputs.append(name)

    def _set_outputs(self, node: Node) -> None:
        results = node.args[0]
        if not results:
            raise UnsupportedError("the module returns nothing", help="return what it computes")
        for result in results if isinstance(results, tuple | list) else (results,):
            self._add_result(result)

    def _add_result(self, result: object) -> None:
        """Let a value be the next output, if it is computed from an input, and none before."""
        where = f"output {len(self.outputs)} of the module"
        if not isinstance(result, Node):
            raise UnsupportedError(
                f"{where} is {result!r}, a tensor is allowed", help="return tensors alone"
            )
        if result.name in self._weights:
            raise UnsupportedError(
                f"{where} is {self._weight_names[result.name]!r}, which no input changes",
                help="leave it out: the application can have it as a constant",
            )
        name = self.tensor(result)
        if name in self.inputs:
            raise UnsupportedError(
                f"{where} is the input {name!r}, unchanged",
                help="return computed values alone: the application has its inputs",
            )
        if name in self.outputs:
            raise UnsupportedError(
                f"{where} is {name!r}, the same as output {self.outputs.index(name)}",
                help="return each value once",
            )
        if name not in self._computed_from_inputs():
            raise UnsupportedError(
                f"{where} is computed by {place_of(result)} from constants, no input changes it",
                help="leave it out: the application can have it as a constant",
            )
        self.outputs.append(name)

    def _computed_from_inputs(self) -> set[str]:
        computed = set(self.inputs)
        for added in self.operators:
            if not computed.isdisjoint(added.inputs):
                computed.update(added.outputs)
        return computed

    def _call(self, node: Node) -> None:
        target = str(node.target)
        translate = TRANSLATORS.get(target)
        if translate is None:
            raise self.refused(
                node,
                f"the operator {target} is unknown here",
                instead_of(target, TRANSLATORS),
                otherwise=with_known(TRANSLATORS),
            )
        translate(self, node)

    def stand_in(self, node: Node) -> bool:
        """Let a node that cannot be translated have values, and return whether it could be done.

        Nodes behind it can be translated then, to find others that cannot be.
        """
        parts = [user for user in node.users if user.target is operator.getitem]
        missing = [node] if len(parts) < len(node.users) else parts
        for part in missing:
            if _fixed_shape(part) is None:
                return False
            self.add_output(part)
        return True

    def shape(self, node: Node) -> tuple[int, ...]:
        """Return the shape of a node's value, in torch's order.

        Raises:
            UnsupportedError: a dimension depends on the input, or the value is no tensor.
        """
        shape = _fixed_shape(node)
        if shape is None:
            raise self.refused(
                node, "its shape is not fixed", "export the module without dynamic shapes"
            )
        return shape

    def tensor(self, node: object) -> str:
        """Return the tensor of a node that was computed or is an input."""
        assert isinstance(node, Node)
        if node.name in self._weights:
            return self._constant_operand(node)
        return self._values[node.name]

    def _constant_operand(self, node: Node) -> str:
        data = self.weight(node)
        moved = data.transpose(FROM_TORCH) if data.ndim == IMAGE_RANK else data
        return self.add_constant(node.name, moved)

    def weight(self, node: object) -> npt.NDArray[np.float32]:
        """Return a weight's values in torch's order.

        Raises:
            UnsupportedError: it is computed by the program.
        """
        assert isinstance(node, Node)
        value = self._weights.get(node.name)
        if value is None:
            raise self.refused(node, "it is computed and used as a weight", "make it a parameter")
        return np.asarray(value.to(torch.float32).numpy())

    def add_output(self, node: Node, name: str = "") -> str:
        """Add the tensor of a node's value and return its name: the module's, where it is free."""
        name = self._free_name(name or module_of(node) or node.name)
        shape = self.shape(node)
        if len(shape) == IMAGE_RANK:
            shape = tuple(shape[axis] for axis in FROM_TORCH)
        self.tensors[name] = Tensor(name, shape, DType.FLOAT32)
        self._values[node.name] = name
        return name

    def add_hidden(self, name: str, shape: Iterable[int]) -> str:
        """Add a tensor that no node has, between operators that stand for one; return its name."""
        name = self._free_name(name)
        self.tensors[name] = Tensor(name, tuple(shape), DType.FLOAT32)
        return name

    def add_constant(self, name: str, data: npt.NDArray[Any]) -> str:
        """Add a constant and return its name."""
        name = self._free_name(name)
        values = np.ascontiguousarray(data, np.float32)
        self.tensors[name] = Tensor(name, values.shape, DType.FLOAT32, data=values)
        return name

    def alias(self, node: Node, source: object) -> None:
        """Let a node have the value of another; that of a weight is one too."""
        assert isinstance(source, Node)
        if source.name in self._weights:
            self._weights[node.name] = self._weights[source.name]
            self._weight_names[node.name] = self._weight_names[source.name]
        else:
            self._values[node.name] = self._values[source.name]

    def append(self, added: Operator) -> None:
        """Add an operator."""
        self.operators.append(added)

    def _free_name(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self.tensors:
            name, number = f"{wanted}.{number}", number + 1
        return name

    def refused(
        self, node: Node, why: str, instead: str, otherwise: str = ""
    ) -> RefusedOperatorError:
        """Return the error for a node that cannot be translated."""
        return RefusedOperatorError(place_of(node), why, instead, otherwise)


def _fixed_shape(node: Node) -> tuple[int, ...] | None:
    """Return the shape of a node's value; None if it depends on the input, or is no tensor."""
    dims = getattr(node.meta.get("val"), "shape", None)
    if dims is None or not all(isinstance(size, int) for size in dims):
        return None
    return tuple(dims)
