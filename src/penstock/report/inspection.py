"""What ``penstock inspect`` finds in a model."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from penstock.ir.graph import Graph
from penstock.ir.macs import operator_macs
from penstock.ir.operators import Operator
from penstock.ir.tensor import Tensor
from penstock.report.estimation import EstimateResult


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """One operator: ``index`` is its position, ``source`` that in the model file."""

    index: int
    source: int | None
    kind: str
    shape: tuple[int, ...]
    dtype: str
    macs: int
    parameters: int
    quantization: str


@dataclass(frozen=True, slots=True)
class GraphTotals:
    """What a whole graph adds up to.

    Attributes:
        operators: how many there are.
        macs: multiply-accumulates of one inference.
        parameters: elements of constant tensors read by operators with MACs.
        weights_bytes: constants of the graph; of a compiled program also what its kernels read
            beside the weights, such as multipliers and tables.
    """

    operators: int
    macs: int
    parameters: int
    weights_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """A model's operators and needs, before and after the passes.

    Attributes:
        graph: as in the file, or after the passes.
        is_optimized: which of the two.
        operators: one row for each operator of ``graph``.
        file: totals of the model file.
        after_passes: totals of the program that is compiled; None when it cannot be compiled.
        arena_bytes: planned arena of that program; None likewise.
        arena_bytes_lower_bound: none can be smaller; None likewise.
        obstacle: why it cannot be compiled; empty when it can.
        estimate: of its time on a board; None where no board was asked for, or it cannot be
            compiled for it.
    """

    graph: Graph
    is_optimized: bool
    operators: Sequence[OperatorRow]
    file: GraphTotals
    after_passes: GraphTotals | None
    arena_bytes: int | None
    arena_bytes_lower_bound: int | None
    obstacle: str
    estimate: EstimateResult | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the ``penstock.inspect/1`` form."""
        shown = self.after_passes if self.is_optimized else self.file
        program = self.after_passes
        return {
            "schema": "penstock.inspect/1",
            "model": self.graph.name,
            "optimized": self.is_optimized,
            "macs": (shown or self.file).macs,
            "parameters": (shown or self.file).parameters,
            "weights_bytes": None if program is None else program.weights_bytes,
            "arena_bytes": self.arena_bytes,
            "arena_bytes_lower_bound": self.arena_bytes_lower_bound,
            "file": asdict(self.file),
            "after_passes": None if program is None else asdict(program),
            "obstacle": self.obstacle or None,
            "estimate": None if self.estimate is None else self.estimate.to_json(),
            "inputs": [_tensor_to_json(self.graph.tensors[name]) for name in self.graph.inputs],
            "outputs": [_tensor_to_json(self.graph.tensors[name]) for name in self.graph.outputs],
            "operators": [
                {
                    "index": row.index,
                    "source": row.source,
                    "kind": row.kind,
                    "shape": list(row.shape),
                    "dtype": row.dtype,
                    "macs": row.macs,
                    "parameters": row.parameters,
                    **self._estimated(row),
                }
                for row in self.operators
            ],
        }

    def estimated_cycles(self, row: OperatorRow) -> int | None:
        """Return what an operator is estimated to take; None for one that runs no code.

        Nothing is known either of what was put in on the way from the file.
        """
        if self.estimate is None:
            return None
        position = row.index if self.is_optimized else row.source
        return None if position is None else self.estimate.operator_cycles.get(position)

    def _estimated(self, row: OperatorRow) -> dict[str, int | None]:
        if self.estimate is None:
            return {}
        return {"estimated_cycles": self.estimated_cycles(row)}


def graph_totals(graph: Graph, weights_bytes: int | None = None) -> GraphTotals:
    """Return what a graph adds up to; its own constants count where no program's are given."""
    rows = operator_rows(graph)
    if weights_bytes is None:
        constants = (tensor for tensor in graph.tensors.values() if tensor.is_constant)
        weights_bytes = sum(tensor.size_bytes for tensor in constants)
    return GraphTotals(
        operators=len(rows),
        macs=sum(row.macs for row in rows),
        parameters=sum(row.parameters for row in rows),
        weights_bytes=weights_bytes,
    )


def operator_rows(graph: Graph) -> list[OperatorRow]:
    """Return one row per operator, about its first output."""
    return [_row(graph, index, operator) for index, operator in enumerate(graph.operators)]


def _row(graph: Graph, index: int, operator: Operator) -> OperatorRow:
    output = graph.tensors[operator.outputs[0]]
    macs = operator_macs(graph, operator)
    constants = [graph.tensors[name] for name in operator.inputs]
    parameters = sum(tensor.element_count for tensor in constants if tensor.is_constant)
    return OperatorRow(
        index,
        operator.source,
        operator.kind,
        output.shape,
        output.dtype.value,
        macs,
        parameters if macs else 0,
        describe_quantization(output),
    )


def describe_quantization(tensor: Tensor) -> str:
    """Return "scale, zero point" for people; empty for plain values."""
    parameters = tensor.quantization
    if parameters is None:
        return ""
    if not parameters.is_per_tensor:
        return f"{len(parameters.scale)} scales along axis {parameters.axis}"
    return f"{parameters.scale[0]:.6g}, {parameters.zero_point[0]}"


def describe_tensor(tensor: Tensor) -> str:
    """Return name, type, shape and quantization in one line."""
    shape = "×".join(map(str, tensor.shape)) or "scalar"
    quantization = describe_quantization(tensor)
    return f"{tensor.name}: {tensor.dtype.value} {shape}" + (
        f", scale and zero point {quantization}" if quantization else ""
    )


def _tensor_to_json(tensor: Tensor) -> dict[str, Any]:
    parameters = tensor.quantization
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype.value,
        "scale": None if parameters is None else parameters.scale[0],
        "zero_point": None if parameters is None else parameters.zero_point[0],
    }
