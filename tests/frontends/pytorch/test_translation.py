"""Modules become graphs that compute what they compute, and int8 files that LiteRT agrees with."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from penstock.errors import VerificationError  # noqa: E402
from penstock.frontends.source_models import SourceModel  # noqa: E402
from penstock.frontends.tflite import write_model  # noqa: E402
from penstock.frontends.torch import export_module, operators, translate_program  # noqa: E402
from penstock.ir import interpreter  # noqa: E402
from penstock.ir.verify import verify  # noqa: E402
from penstock.passes import FuseActivations  # noqa: E402
from penstock.quantize.calibration import calibrate  # noqa: E402
from penstock.quantize.fold_scaling import fold_scaling  # noqa: E402
from penstock.quantize.histograms import RangeRule  # noqa: E402
from penstock.quantize.post_training import quantize_graph  # noqa: E402
from tests.frontends.pytorch.modules import (  # noqa: E402
    Darts,
    Mixture,
    MobileNet,
    with_random_norms,
)
from tests.litert import LiteRT, random_inputs  # noqa: E402

NETWORKS: dict[str, tuple[Callable[[], "torch.nn.Module"], tuple[int, ...]]] = {
    "mobilenet": (MobileNet, (1, 3, 32, 32)),
    "odd mobilenet": (MobileNet, (1, 3, 31, 45)),
    "darts": (Darts, (1, 3, 16, 16)),
    "mixture": (Mixture, (1, 1, 7, 6)),
}


def to_graph_order(values: np.ndarray) -> np.ndarray:
    return values.transpose(0, 2, 3, 1) if values.ndim == 4 else values


@cache
def translated(name: str) -> tuple["torch.nn.Module", SourceModel]:
    torch.manual_seed(0)
    make, shape = NETWORKS[name]
    module = with_random_norms(make())
    model = translate_program(export_module(module, (torch.randn(shape),)), "net")
    verify(model.graph)
    return module, model


def samples(name: str, count: int, generator: np.random.Generator) -> list[np.ndarray]:
    shape = NETWORKS[name][1]
    return [generator.normal(size=shape).astype(np.float32) for _ in range(count)]


@pytest.mark.parametrize("is_folded", [False, True], ids=["as it is", "folded"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_graph_computes_what_the_module_computes(name: str, is_folded: bool) -> None:
    module, model = translated(name)
    generator = np.random.default_rng(0)
    graph = FuseActivations().apply(fold_scaling(model.graph)) if is_folded else model.graph
    oracle = LiteRT(write_model(graph))
    for sample in samples(name, 3, generator):
        with torch.no_grad():
            expected = module(torch.from_numpy(sample)).numpy()
        (found,) = oracle.run([np.ascontiguousarray(to_graph_order(sample))])
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_int8_graph_is_what_litert_computes(name: str) -> None:
    _, model = translated(name)
    generator = np.random.default_rng(0)
    graph = FuseActivations().apply(fold_scaling(model.graph))
    data = [to_graph_order(sample) for sample in samples(name, 8, generator)]
    quantized = quantize_graph(graph, calibrate(graph, data, RangeRule.ALL).ranges)
    verify(quantized)
    assert not [t.name for t in quantized.tensors.values() if t.dtype.value == "float32"]
    oracle = LiteRT(write_model(quantized))
    for seed in range(3):
        inputs = random_inputs(quantized, seed)
        expected = oracle.run(inputs)
        found = interpreter.run(quantized, inputs)
        for left, right in zip(found, expected, strict=True):
            np.testing.assert_array_equal(left, right)


CONSTANTS: dict[str, Callable[["torch.Tensor"], "torch.Tensor"]] = {
    "a number": lambda x: x * torch.tensor(0.5),
    "an integer": lambda x: torch.tensor(3) - x,
    "one for each channel": lambda x: x + torch.tensor([[[[0.5]], [[2.0]]]]),
    "detached": lambda x: x.detach().relu() * x,
}


class Applied(torch.nn.Module):
    """A function behind a convolution; filters given to one are a parameter."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.before, self.name = torch.nn.Conv2d(3, 2, 1), name
        self.weight = torch.nn.Parameter(torch.randn(4, 2, 1, 1))

    def forward(self, x: "torch.Tensor") -> "torch.Tensor":
        x = self.before(x)
        if self.name == "filters":
            return torch.nn.functional.conv2d(x, self.weight.detach())
        return CONSTANTS[self.name](x)


@pytest.mark.parametrize("name", [*CONSTANTS, "filters"])
def test_constants_in_code_are_weights(name: str) -> None:
    torch.manual_seed(0)
    module = Applied(name)
    program = export_module(module, (torch.randn(1, 3, 8, 8),))
    # The translation runs the program beside the graph.
    graph = FuseActivations().apply(fold_scaling(translate_program(program, "net").graph))
    data = np.random.default_rng(0).normal(size=(4, 1, 8, 8, 3)).astype(np.float32)
    quantized = quantize_graph(graph, calibrate(graph, list(data), RangeRule.ALL).ranges)
    verify(quantized)
    inputs = random_inputs(quantized, 0)
    expected = LiteRT(write_model(quantized)).run(inputs)
    np.testing.assert_array_equal(interpreter.run(quantized, inputs)[0], expected[0])


def test_a_wrong_translation_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a mistake of ours would be: torch itself says what the module computes."""
    monkeypatch.setitem(operators.TRANSLATORS, "aten.tanh.default", operators._relu)
    program = export_module(torch.nn.Sequential(torch.nn.Tanh()), (torch.randn(1, 9),))
    with pytest.raises(VerificationError, match="output '0' of the translated network is off"):
        translate_program(program, "net")
