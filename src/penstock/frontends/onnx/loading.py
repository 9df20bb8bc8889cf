"""Load an .onnx file: its nodes become operators, in order."""

from pathlib import Path
from typing import Any

from penstock.errors import GraphError, ModelFormatError, PenstockError
from penstock.frontends.onnx.reading import expect_sound_types, opset_of, read_onnx
from penstock.frontends.onnx.translation import Translation
from penstock.frontends.onnx.values import Node
from penstock.frontends.source_models import SourceModel
from penstock.frontends.tflite import identifier
from penstock.frontends.tflite.reasonable import expect_reasonable_sizes, expect_reasonable_work
from penstock.ir.graph import Graph
from penstock.ir.quantization import GivenQuantization
from penstock.ir.verify import verify


def load_onnx_model(path: Path) -> SourceModel:
    """Return the network of an .onnx file: float32, or int8 where it says how it is quantized.

    Raises:
        InputError: the file, or one that holds its weights, cannot be read.
        ModelFormatError: it is no ONNX model, or damaged.
        UnsupportedError: naming the node that cannot be translated, and what to put in its place.
    """
    try:
        return _translate(read_onnx(path), identifier(path.stem))
    except PenstockError as error:
        raise type(error)(f"{path.name}: {error.what}", help=error.help) from error


def _translate(model: Any, name: str) -> SourceModel:
    translation = Translation(model.graph, opset_of(model))
    for index, proto in enumerate(model.graph.node):
        _follow(model, translation, Node(index, proto))
    outputs = [translation.output(entry.name) for entry in model.graph.output]
    translation.expect_dequantized()
    graph = Graph.build(
        name, translation.tensors.values(), translation.operators, translation.inputs, outputs
    )
    expect_reasonable_sizes(graph)
    _verify_file(graph)
    expect_reasonable_work(graph)
    if not translation.parameters:
        return SourceModel(graph, translation.orders)
    activations = {**translation.limits, **translation.parameters}
    given = GivenQuantization(activations, translation.scales)
    return SourceModel(graph, translation.orders, given)


def _follow(model: Any, translation: Translation, node: Node) -> None:
    """Translate a node; where that breaks down, find out whether the file is to blame."""
    try:
        translation.follow(node)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        expect_sound_types(model)
        raise


def _verify_file(graph: Graph) -> None:
    """Check the invariants: right after translation, what breaks them is the file's fault."""
    try:
        verify(graph)
    except GraphError as error:
        raise ModelFormatError(
            f"the model contradicts itself: {error}",
            help="export the model again; if onnxruntime runs it, please report this",
        ) from error
