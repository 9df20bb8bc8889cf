"""Filters that go take their channels along, those that matter least first, and nothing breaks."""

from collections.abc import Callable, Iterable
from functools import cache

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")
pytest.importorskip("torch_pruning", reason="needs the extra 'design'")

from torch import nn  # noqa: E402

from penstock.design.compression.choices import Criterion  # noqa: E402
from penstock.design.compression.structured import (  # noqa: E402
    CHANNEL_MULTIPLE,
    gradients_of,
    prune_channels,
)
from penstock.design.trainable import TrainableGraph, add_normalization  # noqa: E402
from penstock.design.trainable.layout import to_graph_order  # noqa: E402
from penstock.errors import InputError  # noqa: E402
from penstock.frontends.tflite import write_model  # noqa: E402
from penstock.frontends.torch import export_module, translate_program  # noqa: E402
from penstock.ir import operators as ops  # noqa: E402
from penstock.ir.dtype import DType  # noqa: E402
from penstock.ir.graph import Graph  # noqa: E402
from penstock.ir.macs import graph_macs  # noqa: E402
from penstock.ir.operators import Activation, Operator, Padding2D  # noqa: E402
from penstock.ir.tensor import Tensor  # noqa: E402
from penstock.ir.verify import verify  # noqa: E402
from penstock.passes import FuseActivations  # noqa: E402
from penstock.quantize.fold_scaling import fold_scaling  # noqa: E402
from tests.design.allowances import allowing  # noqa: E402
from tests.design.test_trainable import NETWORKS  # noqa: E402
from tests.frontends.pytorch.modules import MobileNet  # noqa: E402
from tests.litert import LiteRT  # noqa: E402

torch.set_num_threads(1)


class Flat(nn.Module):
    """Positions become features: what they mean depends on how many channels there are."""

    def __init__(self) -> None:
        super().__init__()
        self.convolve = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 8, 3, 2), nn.ReLU()
        )
        self.classify = nn.Sequential(nn.Flatten(), nn.Linear(72, 12), nn.ReLU(), nn.Linear(12, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classify(self.convolve(x))


class Gated(nn.Module):
    """Factors and summands of channels that are no weights; gates of channels and of places."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.hidden = nn.Conv2d(8, 16, 3, padding=1)
        self.second = nn.Conv2d(16, 12, 3, padding=1)
        self.gate = nn.Conv2d(12, 12, 1)
        self.register_buffer("factor", torch.linspace(0.5, 2, 8).reshape(1, 8, 1, 1))
        self.register_buffer("shift", torch.full((1, 1, 1, 1), 0.5))
        self.place = nn.Conv2d(12, 1, 3, padding=1)
        self.classify = nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.second(torch.relu(self.hidden(torch.relu(self.first(x)) * self.factor)))
        x = torch.relu(x) * torch.sigmoid(self.gate(x.mean(dim=(2, 3), keepdim=True))) + self.shift
        x = x * torch.sigmoid(self.place(x))
        return self.classify(x.mean(dim=(2, 3)))


class Grouped(nn.Module):
    """Grouped convolutions: of two parts with four filters each, and of four with two."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1, groups=2),
            nn.ReLU(),
            nn.Conv2d(16, 24, 3, padding=1, groups=4),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(24, 4),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    **{name: NETWORKS[name] for name in ("odd mobilenet", "darts", "classifier", "autoencoder")},
    "flat": (Flat, (3, 8, 8)),
    "gated": (Gated, (3, 6, 6)),
    "grouped": (Grouped, (3, 6, 6)),
}


def split_network() -> Graph:
    """Halves of an image go separate ways and are joined; others are taken from channels."""
    generator = np.random.default_rng(0)
    tensors: dict[str, Tensor] = {}
    operators: list[Operator] = []

    def put(name: str, *shape: int) -> str:
        tensors[name] = Tensor(name, shape, DType.FLOAT32)
        return name

    def constant(name: str, *shape: int) -> str:
        values = generator.normal(size=shape).astype(np.float32) / np.sqrt(np.prod(shape[1:]))
        tensors[name] = Tensor(name, shape, DType.FLOAT32, data=values.astype(np.float32))
        return name

    def convolve(source: str, name: str, channels: int, activation: Activation) -> str:
        _, height, width, depth = tensors[source].shape
        operators.append(
            ops.Conv2D(
                input=source,
                filters=constant(f"{name}.filters", channels, 3, 3, depth),
                bias=constant(f"{name}.bias", channels),
                output=put(name, 1, height, width, channels),
                padding=Padding2D(1, 1, 1, 1),
                activation=activation,
            )
        )
        return name

    start = convolve(put("x", 1, 6, 6, 3), "start", 16, Activation.RELU)
    halves = put("top", 1, 3, 6, 16), put("bottom", 1, 3, 6, 16)
    operators.append(ops.Split(input=start, results=halves, axis=1))
    upper = convolve("top", "upper", 8, Activation.NONE)
    lower = convolve("bottom", "lower", 8, Activation.RELU6)
    operators.append(
        ops.Concatenation(operands=(upper, lower), output=put("whole", 1, 6, 6, 8), axis=1)
    )
    wide = convolve("whole", "wide", 8, Activation.RELU)
    quarters = put("left", 1, 6, 6, 4), put("right", 1, 6, 6, 4)
    operators.append(ops.Split(input=wide, results=quarters, axis=3))
    operators.append(ops.Maximum(left="left", right="right", output=put("most", 1, 6, 6, 4)))
    beside = convolve("whole", "beside", 12, Activation.RELU)
    operators.append(
        ops.Concatenation(operands=("most", beside), output=put("both", 1, 6, 6, 16), axis=3)
    )
    end = convolve("both", "end", 8, Activation.RELU)
    operators.append(ops.Mean(input=end, output=put("mean", 1, 8), axes=(1, 2), keep_dims=False))
    operators.append(
        ops.FullyConnected(
            input="mean",
            filters=constant("scores.filters", 5, 8),
            bias=constant("scores.bias", 5),
            output=put("y", 1, 5),
        )
    )
    return Graph.build("net", tensors.values(), operators, ("x",), ("y",))


def graph_of(module: nn.Module, shape: tuple[int, ...]) -> Graph:
    program = export_module(module.eval(), (torch.zeros(1, *shape),))
    return FuseActivations().apply(fold_scaling(translate_program(program, "net").graph))


@cache
def network(name: str) -> Graph:
    if name == "split":
        return split_network()
    torch.manual_seed(1)
    make, shape = MODULES[name]
    return graph_of(make(), shape)


def inputs(graph: Graph, count: int = 24) -> torch.Tensor:
    _, height, width, channels = graph.tensors[graph.inputs[0]].shape
    generator = torch.Generator().manual_seed(3)
    return torch.randn(count, channels, height, width, generator=generator)


def prepared(graph: Graph) -> TrainableGraph:
    made = TrainableGraph(graph)
    add_normalization(made, [inputs(graph)])
    return made


def pruned(graph: Graph, criterion: Criterion, fits: Callable[[Graph], bool]) -> TrainableGraph:
    accumulate = gradients_of(lambda n, b: n(b).square().mean(), inputs(graph).split(8))
    return prune_channels(prepared(graph), allowing(fits), criterion, accumulate)


def run(made: TrainableGraph, values: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(made.eval()(values).numpy())


def channels(made: TrainableGraph, graph: Graph) -> list[int]:
    return [graph.tensors[operator.output].shape[-1] for operator in made.weighted]


def cases(names: Iterable[str], *criteria: Criterion) -> list[tuple[str, Criterion]]:
    """Some criteria for all networks, all of them for one."""
    some = [(name, criterion) for name in names for criterion in criteria]
    return some + [
        ("classifier", criterion) for criterion in Criterion if criterion not in criteria
    ]


@pytest.mark.parametrize(
    ("name", "criterion"), cases([*MODULES, "split"], Criterion.L2, Criterion.TAYLOR)
)
def test_what_is_left_is_a_network_that_fits(name: str, criterion: Criterion) -> None:
    graph = network(name)
    limit = 0.6 * graph_macs(graph)
    made = pruned(graph, criterion, lambda g: graph_macs(g) <= limit)
    result = made.to_graph()
    verify(result)
    assert graph_macs(result) <= limit
    for name_of in (*graph.inputs, *graph.outputs):
        assert result.tensors[name_of].shape == graph.tensors[name_of].shape
    for left, before in zip(channels(made, result), channels(made, graph), strict=True):
        assert left == before or (left < before and left % CHANNEL_MULTIPLE == 0)
    values = inputs(graph, 3)
    oracle = LiteRT(write_model(result))
    for one, expected in zip(values, run(made, values), strict=True):
        (found,) = oracle.run([np.ascontiguousarray(to_graph_order(one[None]).numpy())])
        np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-4)


def without_odd_channels(module: nn.Module) -> nn.Module:
    """Make every other channel of each layer 0, but for the last layer's: nothing reads them."""
    layers = [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for layer in layers[:-1]:
        layer.weight.data[1::2] = 0
        if layer.bias is not None:
            layer.bias.data[1::2] = 0
    return module


def dead_filters(graph: Graph) -> int:
    """How many filters have no weight but 0."""
    filters = [
        TrainableGraph(graph).layer(operator).weight.flatten(1)
        for operator in TrainableGraph(graph).weighted
    ]
    return sum(int((rows == 0).all(dim=1).sum()) for rows in filters)


DEAD = {
    "mobilenet": (MobileNet, (3, 16, 16)),
    **{name: MODULES[name] for name in ("darts", "classifier", "flat", "gated", "grouped")},
}


@pytest.mark.parametrize(("name", "criterion"), cases(DEAD, Criterion.L1, Criterion.TAYLOR))
def test_what_matters_least_goes_first(name: str, criterion: Criterion) -> None:
    """Channels that are 0 go, with those that they belong to, and no output changes."""
    torch.manual_seed(2)
    make, shape = DEAD[name]
    graph = graph_of(without_odd_channels(make()), shape)
    values = inputs(graph, 4)
    before = run(prepared(graph), values)
    limit = 0.7 * dead_filters(graph)  # some stay, for the sake of multiples
    made = pruned(graph, criterion, lambda candidate: dead_filters(candidate) <= limit)
    np.testing.assert_allclose(run(made, values), before, rtol=1e-3, atol=1e-4)


def test_the_smallest_share_that_fits_is_taken() -> None:
    """And asking for less takes less: whatever the limit, nothing smaller is refused."""
    graph = network("odd mobilenet")
    found = []
    for share in (0.9, 0.7, 0.5, 0.35, 0.3):
        tried: list[tuple[int, bool]] = []

        def fits(
            candidate: Graph, into: list[tuple[int, bool]] = tried, most: float = share
        ) -> bool:
            into.append((graph_macs(candidate), graph_macs(candidate) <= most * graph_macs(graph)))
            return into[-1][1]

        made = pruned(graph, Criterion.L2, fits)
        macs = graph_macs(made.to_graph())
        assert macs == max(size for size, is_small in tried if is_small)
        assert min(size for size, _ in tried) == tried[0][0]  # the most that can go was tried first
        found.append(macs)
    assert found == sorted(found, reverse=True)


def test_what_is_given_stays_as_it_is_and_gives_the_same_again() -> None:
    graph = network("classifier")
    original = prepared(graph)
    before = [value.clone() for value in original.state_dict().values()]
    limit = graph_macs(graph) / 2
    accumulate = gradients_of(lambda n, b: n(b).square().mean(), [inputs(graph)])
    first, second = (
        prune_channels(
            original, allowing(lambda g: graph_macs(g) <= limit), Criterion.TAYLOR, accumulate
        )
        for _ in range(2)
    )
    for value, kept in zip(original.state_dict().values(), before, strict=True):
        assert torch.equal(value, kept)
    for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert all(parameter.grad is None for parameter in first.parameters())


def test_gradients_are_asked_for_by_taylor_alone() -> None:
    graph = network("flat")
    for criterion in Criterion:
        asked: list[nn.Module] = []

        def accumulate(judged: nn.Module, into: list[nn.Module] = asked) -> None:
            into.append(judged)
            judged(inputs(graph)).square().mean().backward()

        prune_channels(prepared(graph), allowing(lambda g: True), criterion, accumulate)
        assert len(asked) == (criterion is Criterion.TAYLOR)


REFUSED = {
    "too much": ("mobilenet", Criterion.L2, 0.001),
    "positions and groups of three": ("mixture", Criterion.L2, 0.99),
    "no normalization": ("autoencoder", Criterion.NORMALIZATION, 0.99),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_made_to_fit_is_refused(name: str) -> None:
    module, criterion, share = REFUSED[name]
    make, shape = NETWORKS[module]
    graph = graph_of(make(), shape)
    with pytest.raises(InputError) as refused:
        pruned(graph, criterion, lambda g: graph_macs(g) <= share * graph_macs(graph))
    text = f"85 % of the channels that the criterion {criterion.value} can compare, the network"
    assert text in str(refused.value) and "take another criterion" in str(refused.value)
