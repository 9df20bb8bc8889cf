"""Layers are called after the modules with the weights, whatever is folded into them."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from torch import nn  # noqa: E402

from penstock.design.quantization import prepare, quantize_module  # noqa: E402
from penstock.frontends.torch import export_module, translate_program  # noqa: E402
from penstock.ir import interpreter  # noqa: E402
from penstock.ir import operators as ops  # noqa: E402
from penstock.ir.dtype import DType  # noqa: E402
from penstock.ir.graph import Graph  # noqa: E402
from penstock.ir.operators import Activation  # noqa: E402
from penstock.ir.tensor import Tensor  # noqa: E402
from penstock.ir.verify import verify  # noqa: E402
from penstock.passes.fuse_activations import FuseActivations  # noqa: E402
from penstock.quantize.affine import Weighted  # noqa: E402
from penstock.quantize.fold_scaling import fold_scaling  # noqa: E402
from penstock.quantize.layer_names import keep_layer_names  # noqa: E402
from tests.frontends.pytorch.modules import with_random_norms  # noqa: E402

SHAPE = (1, 3, 8, 8)
FILTERS = Tensor("f", (1, 1, 1, 1), DType.FLOAT32, data=np.ones((1, 1, 1, 1), np.float32))


class Block(nn.Module):
    """One ReLU for two convolutions; the second result is added to the input."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.norm_1 = nn.BatchNorm2d(8)
        self.pointwise = nn.Conv2d(8, 8, 1, bias=False)
        self.norm_2 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.relu(self.norm_1(self.depthwise(x)))
        return self.relu(self.norm_2(self.pointwise(inner))) + x


def network() -> nn.Module:
    torch.manual_seed(0)
    stem = (nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4), nn.ReLU())
    return with_random_norms(nn.Sequential(*stem, Block(), *head))


def translated() -> Graph:
    return translate_program(export_module(network(), (torch.randn(SHAPE),)), "net").graph


def layers(graph: Graph) -> list[str]:
    return [operator.output for operator in graph.operators if isinstance(operator, Weighted)]


def test_layers_have_the_names_of_their_modules() -> None:
    graph = translated()
    named = prepare(graph)
    verify(named)
    assert layers(named) == ["0", "3.depthwise", "3.pointwise", "7"]  # the last: an output
    assert named.outputs == graph.outputs


def test_nothing_else_changes() -> None:
    graph = translated()
    folded = FuseActivations().apply(fold_scaling(graph))
    named = keep_layer_names(graph, folded)
    assert [tensor.shape for tensor in named.tensors.values()] == [
        tensor.shape for tensor in folded.tensors.values()
    ]
    values = [np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32)]
    expected, found = interpreter.run(folded, values), interpreter.run(named, values)
    assert np.array_equal(found[0], expected[0])
    assert keep_layer_names(graph, graph).operators == graph.operators


def test_int8_layers_are_called_alike() -> None:
    samples = list(np.random.default_rng(0).normal(size=(4, *SHAPE)).astype(np.float32))
    made = quantize_module(network(), samples, "net").graph
    assert layers(made) == ["0", "3.depthwise", "3.pointwise", "7"]


def test_no_two_tensors_get_one_name() -> None:
    """A convolution for each of two readers, as a pass might make them; one is the first's name."""
    graph = Graph.build(
        "net",
        [*(Tensor(name, (1, 4, 4, 1), DType.FLOAT32) for name in "xabcde"), FILTERS],
        [
            ops.Conv2D(input="x", filters="f", bias=None, output="a"),
            ops.Relu(input="a", output="b", activation=Activation.RELU),
            ops.Relu(input="a", output="c", activation=Activation.RELU6),
            ops.Add(left="b", right="c", output="d"),
            ops.Add(left="d", right="a", output="e"),
        ],
        ["x"],
        ["e"],
    )
    conv, _, _, both, last = graph.operators
    assert isinstance(conv, ops.Conv2D)
    first = replace(conv, output="b", activation=Activation.RELU)
    second = replace(conv, output="c", activation=Activation.RELU6)
    kept = graph.with_changes(operators=[conv, first, second, both, last])
    assert keep_layer_names(graph, kept).operators == kept.operators

    alone = [first, second, both, replace(last, right="c")]
    named = keep_layer_names(graph, graph.with_changes(operators=alone))
    verify(named)
    assert layers(named) == ["a", "c"]
