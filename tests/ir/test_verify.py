"""Each invariant of a graph, broken once, is found and named."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from graphs import activation, sample_graph

from penstock.errors import GraphError
from penstock.ir import operators as ir
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.verify import verify

Break = Callable[[Graph], Graph]


def test_the_sample_is_valid() -> None:
    verify(sample_graph())


def tensor(name: str, **changes: object) -> Break:
    """Return a change of one tensor."""

    def apply(graph: Graph) -> Graph:
        made = replace(graph.tensors[name], **changes)
        return replace(graph, tensors={**graph.tensors, name: made})

    return apply


def operator(position: int, **changes: object) -> Break:
    """Return a change of one operator."""

    def apply(graph: Graph) -> Graph:
        operators = list(graph.operators)
        operators[position] = replace(operators[position], **changes)
        return replace(graph, operators=tuple(operators))

    return apply


def graph_of(**changes: object) -> Break:
    return lambda graph: replace(graph, **changes)


def scale(value: float, zero_point: int = 0) -> QuantizationParameters:
    return QuantizationParameters.per_tensor(value, zero_point)


def swapped(graph: Graph) -> Graph:
    first, second, *rest = graph.operators
    return replace(graph, operators=(second, first, *rest))


def repeated(graph: Graph) -> Graph:
    return replace(graph, operators=(*graph.operators, graph.operators[-1]))


def without(name: str) -> Break:
    def apply(graph: Graph) -> Graph:
        kept = {key: value for key, value in graph.tensors.items() if key != name}
        return replace(graph, tensors=kept)

    return apply


def misfiled(graph: Graph) -> Graph:
    renamed = replace(graph.tensors["bias"], name="bays")
    return replace(graph, tensors={**graph.tensors, "bias": renamed})


BROKEN: dict[str, tuple[Break, str]] = {
    "order": (swapped, r"operator 0 \(CONV_2D\) reads 'image_int8' before anything has written"),
    "two writers": (repeated, r"operator 9 \(SOFTMAX\) writes 'scores', which already has a value"),
    "read name": (without("bias"), r"operator 1 \(CONV_2D\) reads 'bias', which is no tensor"),
    "written name": (without("pooled"), r"operator 2 .* writes 'pooled', which is no tensor"),
    "misfiled": (misfiled, "tensor 'bays' is filed under the name 'bias'"),
    "no input": (graph_of(inputs=("picture",)), "input 'picture' is no tensor"),
    "constant input": (graph_of(inputs=("image", "bias")), "input 'bias' is a constant"),
    "variable input": (graph_of(inputs=("image", "memory")), "input 'memory' is a constant or"),
    "input twice": (graph_of(inputs=("image", "image")), "have one twice"),
    "no output": (graph_of(outputs=("picture",)), "output 'picture' is no tensor"),
    "output twice": (graph_of(outputs=("scores", "scores")), "have one twice"),
    "unwritten output": (
        lambda graph: replace(graph, operators=graph.operators[:-1]),
        "nothing writes the graph's output 'scores'",
    ),
    "written constant": (
        tensor("pooled", data=np.zeros((1, 1, 1, 12), np.int8)),
        "writes 'pooled', which already has a value",
    ),
    "variable constant": (tensor("features", is_variable=True), "both a variable and a constant"),
    "float scale": (
        lambda graph: tensor("image", dtype=DType.FLOAT32)(graph),
        "'image' is f32, yet has a quantization",
    ),
    "scale": (tensor("pooled", quantization=scale(0.0)), "'pooled' has the scale 0.0"),
    "infinite scale": (tensor("pooled", quantization=scale(float("inf"))), "has the scale inf"),
    "zero point": (tensor("pooled", quantization=scale(0.1, 128)), "i8 allows -128 to 127"),
    "scale count": (
        tensor("filters", quantization=QuantizationParameters((1.0, 2.0), (0, 0), 0)),
        "2 scales along dimension 0 of its shape",
    ),
    "scale axis": (
        tensor("features", quantization=QuantizationParameters((1.0,), (0,), 5)),
        "1 scales along dimension 5",
    ),
    "shape": (tensor("pooled", shape=(1, 1, 2, 12)), r"gives 'pooled' the shape \[1, 1, 1, 12\]"),
    "stride": (operator(1, stride=(0, 2)), "stride is"),
    "padding": (operator(1, padding=ir.Padding2D(-1)), "padding is"),
    "window": (operator(2, filter=(4, 3)), "does not fit"),
    "empty window": (operator(2, padding=ir.Padding2D(3, 0, 0, 0)), "without elements"),
    "split axis": (operator(3, axis=4), "axis 4 is not within 'pooled'"),
    "split parts": (operator(3, axis=2), "differ beside axis 2"),
    "split sum": (tensor("second", shape=(1, 1, 1, 5)), r"parts of \[6, 5\] along axis 3 do not"),
    "rank": (operator(6, rank=3), "the rank 3 does not divide the 4 filters"),
    "raw activation": (tensor("pooled", quantization=None), "'pooled' .* needs one scale"),
    "unlike": (tensor("pooled", quantization=scale(0.2, -128)), "must be quantized alike"),
    "activation type": (tensor("image_int8", dtype=DType.INT32), "must have the type of"),
    "uint8 inside": (
        lambda graph: tensor("flat", dtype=DType.UINT8, quantization=scale(0.1))(
            tensor("joined", dtype=DType.UINT8, quantization=scale(0.1))(graph)
        ),
        r"\(u8\)",
    ),
    "filters": (tensor("filters", data=None), "reads 'filters' before anything has written it"),
    "filter axis": (
        tensor("product", quantization=QuantizationParameters((1.0, 2.0), (0, 0), 1)),
        "scales along dimension 1, not 0",
    ),
    "filter zero points": (
        tensor("product", quantization=QuantizationParameters((1.0,) * 3, (0, 1, 0), 0)),
        "scales per channel and zero points",
    ),
    "bias type": (
        tensor("bias", dtype=DType.INT64, data=np.zeros(12, np.int64)),
        "'bias' .* must be i32",
    ),
    "bias shape": (
        tensor("bias", shape=(11,), data=np.zeros(11, np.int32)),
        r"'bias' \[11\] must have the shape \[12\]",
    ),
    "state": (tensor("memory", is_variable=False), "before anything has written it"),
    "softmax output": (
        tensor("scores", quantization=scale(0.5)),
        "always 0.00390625 and -128",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_invariants_are_named(name: str) -> None:
    change, message = BROKEN[name]
    with pytest.raises(GraphError, match=message):
        verify(change(sample_graph()))


@pytest.mark.parametrize("name", ["", 'a"b', "a\nb", "a\tb"])
def test_unprintable_names_are_refused(name: str) -> None:
    graph = Graph.build("g", [activation(name, (1,))], [], [name], [name])
    with pytest.raises(GraphError, match="must be printable"):
        verify(graph)
