"""Outputs of a module are tensors computed from its inputs, each once; others are refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from penstock.errors import UnsupportedError  # noqa: E402
from penstock.frontends.torch import export_module, translate_program  # noqa: E402
from penstock.ir import interpreter  # noqa: E402
from penstock.ir.graph import Graph  # noqa: E402

Results = Callable[["Returning", torch.Tensor, torch.Tensor], Any]
IMAGE = (1, 4, 8, 8)


class Returning(nn.Module):
    """A convolution; what is returned is made of the input and its result."""

    def __init__(self, results: Results) -> None:
        super().__init__()
        self.c = nn.Conv2d(4, 4, 1)
        self.register_buffer("k", torch.ones(1, 4, 1, 1))
        self.results = results

    def forward(self, x: torch.Tensor) -> Any:
        return self.results(self, x, self.c(x))


def translated(results: Results) -> Graph:
    program = export_module(Returning(results), (torch.randn(IMAGE),))
    return translate_program(program, "net").graph


REFUSED: dict[str, tuple[Results, str, str]] = {
    "twice the same": (
        lambda m, x, y: (y, y),
        "output 1 of the module is 'c', the same as output 0",
        "return each value once",
    ),
    "the same behind a dropout": (
        lambda m, x, y: (y.relu(), y, functional.dropout(y, 0.2, training=False)),
        "output 2 of the module is 'c', the same as output 1",
        "return each value once",
    ),
    "a parameter": (
        lambda m, x, y: (y, m.c.bias),
        "output 1 of the module is 'c.bias', which no input changes",
        "as a constant",
    ),
    "a parameter, detached": (
        lambda m, x, y: (m.c.bias.detach(), y),
        "output 0 of the module is 'c.bias', which no input changes",
        "as a constant",
    ),
    "computed from constants": (
        lambda m, x, y: (y, m.k + m.k),
        "output 1 of the module is computed by the outermost module (add) from constants, no "
        "input changes it",
        "as a constant",
    ),
    "none": (
        lambda m, x, y: (y, None),
        "output 1 of the module is None, a tensor is allowed",
        "return tensors alone",
    ),
    "a number": (
        lambda m, x, y: (y.shape[1], y),
        "output 0 of the module is 4, a tensor is allowed",
        "return tensors alone",
    ),
    "nothing": (lambda m, x, y: (), "the module returns nothing", "return what it computes"),
    "its input": (
        lambda m, x, y: x,
        "output 0 of the module is the input 'x', unchanged",
        "the application has its inputs",
    ),
    "its input beside what is computed": (
        lambda m, x, y: (y, x),
        "output 1 of the module is the input 'x', unchanged",
        "the application has its inputs",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_output_is_refused(name: str) -> None:
    results, what, instead = REFUSED[name]
    with pytest.raises(UnsupportedError) as caught:
        translated(results)
    assert caught.value.what == what
    assert instead in caught.value.help


TAKEN: dict[str, Results] = {
    "a dictionary": lambda m, x, y: {"z": y, "a": y.relu(), "k": y.tanh()},
    "within each other": lambda m, x, y: (y, [y.relu(), (y.tanh(),)]),
}


@pytest.mark.parametrize("name", TAKEN)
def test_outputs_in_their_order(name: str) -> None:
    graph = translated(TAKEN[name])
    assert graph.outputs == ("c", "relu", "tanh")
    values = np.random.default_rng(0).normal(size=(1, 8, 8, 4)).astype(np.float32)
    y, relu, tanh = interpreter.run(graph, [values])
    np.testing.assert_array_equal(relu, np.maximum(y, 0))
    np.testing.assert_allclose(tanh, np.tanh(y), rtol=1e-4, atol=1e-6)
