"""A graph: tensors by name, operators in execution order, inputs and outputs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from penstock.errors import GraphError
from penstock.ir.operators import Operator
from penstock.ir.tensor import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A network.

    Attributes:
        name: a C identifier in lower case, made from the file name.
        tensors: every tensor by its name, in a stable order.
        operators: in an order in which each reads only what earlier ones wrote.
        inputs: names of the tensors that the user fills.
        outputs: names of the tensors that the user reads.
    """

    name: str
    tensors: Mapping[str, Tensor]
    operators: tuple[Operator, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "tensors", MappingProxyType(dict(self.tensors)))

    def __deepcopy__(self, _memo: object) -> "Graph":
        """Return the graph itself: nothing about it ever changes."""
        return self

    @staticmethod
    def build(
        name: str,
        tensors: Iterable[Tensor],
        operators: Iterable[Operator],
        inputs: Iterable[str],
        outputs: Iterable[str],
    ) -> "Graph":
        """Return a graph of these tensors; raises GraphError when two share a name."""
        by_name: dict[str, Tensor] = {}
        for tensor in tensors:
            if tensor.name in by_name:
                raise GraphError(f"two tensors are named {tensor.name!r}")
            by_name[tensor.name] = tensor
        return Graph(name, by_name, tuple(operators), tuple(inputs), tuple(outputs))

    def producers(self) -> dict[str, int]:
        """Return for each computed tensor the position of the operator that writes it."""
        return {
            name: position
            for position, operator in enumerate(self.operators)
            for name in operator.outputs
        }

    def consumers(self) -> dict[str, list[int]]:
        """Return for each tensor the positions of the operators that read it, ascending."""
        readers: dict[str, list[int]] = {name: [] for name in self.tensors}
        for position, operator in enumerate(self.operators):
            for name in dict.fromkeys(operator.inputs):
                readers[name].append(position)
        return readers

    def with_changes(
        self,
        *,
        tensors: Mapping[str, Tensor] | None = None,
        operators: Iterable[Operator] | None = None,
    ) -> "Graph":
        """Return the graph with some tensors replaced or added, and other operators.

        Tensors that nothing refers to any more are dropped, so passes need not keep count.
        """
        chosen = self.operators if operators is None else tuple(operators)
        merged = {**self.tensors, **(tensors or {})}
        used = {*self.inputs, *self.outputs}
        for operator in chosen:
            used.update(operator.inputs, operator.outputs)
        kept = {name: tensor for name, tensor in merged.items() if name in used}
        return replace(self, tensors=kept, operators=chosen)
