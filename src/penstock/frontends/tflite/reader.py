"""Read a .tflite file into a graph: translation only, nothing is optimized here."""

from collections.abc import Sequence
from pathlib import Path

import tflite

from penstock.errors import (
    GraphError,
    InputError,
    ModelFormatError,
    PenstockError,
    UnsupportedError,
)
from penstock.frontends.tflite.arithmetic import ARITHMETIC
from penstock.frontends.tflite.data_movement import DATA_MOVEMENT
from penstock.frontends.tflite.names import identifier
from penstock.frontends.tflite.operator_view import OperatorView, operator_kind
from penstock.frontends.tflite.positive_scales import make_scales_positive
from penstock.frontends.tflite.reasonable import (
    expect_reasonable_counts,
    expect_reasonable_sizes,
    expect_reasonable_work,
)
from penstock.frontends.tflite.schema import open_model
from penstock.frontends.tflite.tensors import TensorReader
from penstock.frontends.tflite.uint8 import convert_uint8
from penstock.frontends.tflite.weighted_sums import WEIGHTED_SUMS
from penstock.ir.graph import Graph
from penstock.ir.limits import FILE_BYTES_MAX
from penstock.ir.operators import Operator
from penstock.ir.tensor import Tensor
from penstock.ir.verify import verify
from penstock.units import format_bytes

TRANSLATIONS = {**WEIGHTED_SUMS, **ARITHMETIC, **DATA_MOVEMENT}
"""Every builtin operator that Penstock reads, with the function that translates it."""


_HELP = {
    "WHILE": "control flow must be unrolled or removed before conversion",
    "IF": "control flow must be unrolled or removed before conversion",
    "CALL": "control flow must be unrolled or removed before conversion",
    "CALL_ONCE": "freeze variables into constants before conversion",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "replace the LSTM by convolutions or an SVDF",
    "LSTM": "replace the LSTM by convolutions or an SVDF",
}


def load_model(path: Path) -> Graph:
    """Return the graph of a .tflite file; its name is made from the file's.

    Raises:
        InputError: the file cannot be read.
        ModelFormatError: it is no .tflite file, or truncated, corrupt or inconsistent.
        UnsupportedError: it uses something that Penstock does not implement.
    """
    path = Path(path)
    content = _read_bytes(path)
    try:
        return read_model(content, identifier(path.stem))
    except PenstockError as error:
        raise type(error)(f"{path.name}: {error.what}", help=error.help) from error


def _read_bytes(path: Path) -> bytes:
    try:
        if not path.exists():
            raise InputError(f"there is no model file {str(path)!r}", help="check the path")
        if not path.is_file():
            raise InputError(f"{str(path)!r} is no file", help="give the path of a .tflite file")
        size_bytes = path.stat().st_size
        if size_bytes > FILE_BYTES_MAX:
            raise InputError(
                f"{str(path)!r} has {format_bytes(size_bytes)}, the limit is "
                f"{format_bytes(FILE_BYTES_MAX)}",
                help="this is far beyond a microcontroller: check that it is the right file",
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {str(path)!r}: {error}") from error


def read_model(data: bytes, name: str) -> Graph:
    """Return the graph of a .tflite file's bytes.

    Args:
        data: the whole file.
        name: the graph's name, a C identifier.

    Raises:
        ModelFormatError: the bytes are no .tflite file, or truncated, corrupt or inconsistent.
        UnsupportedError: the model uses something that Penstock does not implement.
    """
    model = open_model(data)
    _expect_one_subgraph(model)
    subgraph = model.Subgraphs(0)
    expect_reasonable_counts(subgraph)
    tensors = TensorReader(model, subgraph, len(data))
    operators = tuple(
        _translate(model, subgraph.Operators(index), index, tensors)
        for index in range(subgraph.OperatorsLength())
    )
    graph = _build(name, tensors, subgraph, operators)
    expect_reasonable_sizes(graph)
    graph = convert_uint8(make_scales_positive(graph))
    _verify_file(graph)
    expect_reasonable_work(graph)
    return graph


def _expect_one_subgraph(model: tflite.Model) -> None:
    count = model.SubgraphsLength()
    if count == 0:
        raise ModelFormatError("the model file holds no subgraph")
    if count > 1:
        raise UnsupportedError(
            f"the model has {count} subgraphs (control flow such as IF, WHILE or CALL_ONCE), "
            "Penstock takes exactly one",
            help="freeze variables and unroll control flow before conversion",
        )


def _translate(
    model: tflite.Model, entry: tflite.Operator, index: int, tensors: TensorReader
) -> Operator:
    number = entry.OpcodeIndex()
    if number >= model.OperatorCodesLength():
        raise ModelFormatError(
            f"operator {index} has the code {number}, the file has {model.OperatorCodesLength()}"
        )
    kind = operator_kind(model.OperatorCodes(number))
    view = OperatorView(index, kind, entry, tensors)
    translate = TRANSLATIONS.get(kind)
    if translate is None:
        default = f"supported operators: {', '.join(sorted(TRANSLATIONS))}"
        raise view.refuse("is not supported", help=_HELP.get(kind, default))
    return translate(view)


def _build(
    name: str, tensors: TensorReader, subgraph: tflite.SubGraph, operators: tuple[Operator, ...]
) -> Graph:
    inputs = [
        tensors.tensor(int(subgraph.Inputs(i)), f"model input {i}")
        for i in range(subgraph.InputsLength())
    ]
    outputs = [
        tensors.tensor(int(subgraph.Outputs(i)), f"model output {i}")
        for i in range(subgraph.OutputsLength())
    ]
    if not outputs:
        raise ModelFormatError("the model has no outputs")
    _expect_distinct(inputs, "inputs")
    _expect_distinct(outputs, "outputs")
    used = {tensor.name for tensor in (*inputs, *outputs)}
    for operator in operators:
        used.update(operator.inputs, operator.outputs)
    return Graph.build(
        name,
        (tensor for tensor in tensors.made() if tensor.name in used),
        operators,
        (tensor.name for tensor in inputs),
        (tensor.name for tensor in outputs),
    )


def _expect_distinct(ports: Sequence[Tensor], role: str) -> None:
    """Refuse a tensor listed twice, which TensorFlow Lite runs: its bytes are at one place here."""
    first: dict[str, int] = {}
    for index, tensor in enumerate(ports):
        earlier = first.setdefault(tensor.name, index)
        if earlier != index:
            raise UnsupportedError(
                f"{tensor.name!r} is number {earlier} and number {index} of the model's {role}; "
                "supported is each tensor once",
                help=f"take the second one out of the {role} and use the first in its place",
            )


def _verify_file(graph: Graph) -> None:
    """Check the invariants: right after translation, what breaks them is the file's fault."""
    try:
        verify(graph)
    except GraphError as error:
        raise ModelFormatError(
            f"the model file contradicts itself: {error}",
            help="convert the model again; if TensorFlow Lite runs it, please report this",
        ) from error
