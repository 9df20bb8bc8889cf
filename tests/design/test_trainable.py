"""Graphs as modules: they compute what they were made from, while and after they are trained."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from torch import nn  # noqa: E402

from penstock.design.networks import (  # noqa: E402
    Autoencoder,
    BlockSpec,
    Classifier,
    NetworkSpec,
)
from penstock.design.trainable import TrainableGraph, add_normalization  # noqa: E402
from penstock.design.trainable.layout import to_graph_order, to_torch_order  # noqa: E402
from penstock.design.trainable.network import key  # noqa: E402
from penstock.errors import InputError, UnsupportedError  # noqa: E402
from penstock.frontends.tflite import write_model  # noqa: E402
from penstock.frontends.torch import export_module, translate_program  # noqa: E402
from penstock.ir import operators as ops  # noqa: E402
from penstock.ir.dtype import DType  # noqa: E402
from penstock.ir.graph import Graph  # noqa: E402
from penstock.ir.operators import Activation, Operator, Padding2D  # noqa: E402
from penstock.ir.tensor import Tensor  # noqa: E402
from penstock.ir.verify import verify  # noqa: E402
from penstock.passes import FuseActivations  # noqa: E402
from penstock.quantize.fold_scaling import fold_scaling  # noqa: E402
from tests.float_networks import shared_weights  # noqa: E402
from tests.frontends.pytorch.modules import (  # noqa: E402
    Darts,
    Mixture,
    MobileNet,
    with_random_norms,
)
from tests.litert import LiteRT  # noqa: E402

torch.set_num_threads(1)

SPEC = NetworkSpec(
    shape=(9, 12, 3),
    stem_channels=8,
    stem_stride=2,
    blocks=(BlockSpec(8, 2, 1), BlockSpec(12, 3, 2), BlockSpec(12, 1, 1)),
    head_channels=16,
    classes=4,
)
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mobilenet": (MobileNet, (3, 16, 16)),
    "odd mobilenet": (MobileNet, (3, 15, 21)),
    "darts": (Darts, (3, 8, 8)),
    "mixture": (Mixture, (1, 7, 6)),
    "classifier": (lambda: Classifier(SPEC), (3, 9, 12)),
    "autoencoder": (lambda: Autoencoder((24, 16, 8)), (1, 4, 6)),
}


@cache
def made(name: str) -> tuple[nn.Module, Graph]:
    """A module, and its graph as it was translated."""
    torch.manual_seed(0)
    make, shape = NETWORKS[name]
    module = with_random_norms(make())
    return module, translate_program(export_module(module, (torch.randn(1, *shape),)), "net").graph


def folded(name: str) -> Graph:
    return FuseActivations().apply(fold_scaling(made(name)[1]))


def samples(name: str, count: int = 5, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *NETWORKS[name][1], generator=generator)


def run(network: nn.Module, inputs: torch.Tensor) -> np.ndarray:
    network.eval()
    with torch.no_grad():
        return np.asarray(network(inputs).numpy())


def one_by_one(network: nn.Module, inputs: torch.Tensor) -> np.ndarray:
    """What a module gives that was written for a batch of 1."""
    return np.concatenate([run(network, one[None]) for one in inputs])


def without_softmax(values: np.ndarray, graph: Graph) -> np.ndarray:
    return np.log(values) if isinstance(graph.operators[-1], ops.Softmax) else values


def expect_same_scores(found: np.ndarray, expected: np.ndarray, graph: Graph) -> None:
    """Scores that a softmax follows are known up to a summand."""
    if isinstance(graph.operators[-1], ops.Softmax):
        found = found - found.mean(axis=1, keepdims=True)
        logs = np.log(expected)
        expected = logs - logs.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("is_folded", [False, True], ids=["as it is", "folded"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_graph_computes_what_its_module_computes(name: str, is_folded: bool) -> None:
    module, graph = made(name)
    network = TrainableGraph(folded(name) if is_folded else graph)
    inputs = samples(name)
    expect_same_scores(run(network, inputs), one_by_one(module, inputs), graph)


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_is_lost_on_the_way_back(name: str) -> None:
    """The graph of a network that was not trained is the one it was made from."""
    graph = folded(name)
    back = TrainableGraph(graph).to_graph()
    verify(back)
    assert (back.inputs, back.outputs) == (graph.inputs, graph.outputs)
    assert [type(o) for o in back.operators] == [type(o) for o in graph.operators]
    for found, expected in zip(back.tensors.values(), graph.tensors.values(), strict=True):
        assert (found.name, found.shape, found.dtype) == (
            expected.name,
            expected.shape,
            expected.dtype,
        )
        if expected.data is not None:
            np.testing.assert_array_equal(found.data, expected.data)


@pytest.mark.parametrize("name", NETWORKS)
def test_normalization_changes_nothing_at_first(name: str) -> None:
    graph = folded(name)
    network = TrainableGraph(graph)
    inputs = samples(name, 40)
    before = run(network, inputs)
    add_normalization(network, inputs.split(7))
    np.testing.assert_allclose(run(network, inputs), before, rtol=1e-3, atol=1e-4)
    back = network.to_graph()
    verify(back)
    np.testing.assert_allclose(run(TrainableGraph(back), inputs), before, rtol=1e-3, atol=1e-4)
    convolutions = [
        key(operator.output)
        for operator in graph.operators
        if isinstance(operator, ops.Conv2D | ops.DepthwiseConv2D)
    ]
    assert list(network.normalizations) == convolutions  # whatever Python's hashes are


def test_statistics_are_those_of_the_samples() -> None:
    """In training mode a batch of all of them is normalized as in inference."""
    network = TrainableGraph(folded("mobilenet"))
    inputs = samples("mobilenet", 64)
    add_normalization(network, inputs.split(10))
    expected = run(network, inputs)
    network.train()
    with torch.no_grad():
        found = network(inputs).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("is_normalized", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_what_was_trained_is_in_the_graph(name: str, is_normalized: bool) -> None:
    graph = folded(name)
    network = TrainableGraph(graph)
    inputs = samples(name, 16)
    before = run(network, inputs)
    if is_normalized:
        add_normalization(network, [inputs])
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(4):
        loss = network(inputs).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = run(network, inputs)
    assert np.abs(after - before).max() > 1e-3
    back = network.to_graph()
    verify(back)
    oracle = LiteRT(write_model(back))
    for one, expected in zip(inputs, after, strict=True):
        value = np.ascontiguousarray(to_graph_order(one[None]).numpy())
        (found,) = oracle.run([value])
        expect_same_scores(expected[None], found, graph)


SIZES = st.tuples(st.integers(1, 3), st.integers(4, 7), st.integers(4, 7), st.just(4))
PADDINGS = st.builds(Padding2D, *[st.integers(0, 1)] * 4)
ACTIVATIONS = st.sampled_from(list(Activation))


def single(operator: Operator, *extra: Tensor, shape: tuple[int, ...]) -> TrainableGraph:
    """A network of one operator from ``x``."""
    tensors = [Tensor("x", (1, *shape), DType.FLOAT32), *extra]
    tensors += [Tensor(name, (1,), DType.FLOAT32) for name in operator.outputs]
    return TrainableGraph(Graph.build("g", tensors, [operator], ("x",), operator.outputs[:1]))


@given(
    data=st.data(),
    depth=st.sampled_from([1, 2, 4]),
    multiple=st.sampled_from([1, 2]),
    is_depthwise=st.booleans(),
    padding=PADDINGS,
    stride=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    activation=ACTIVATIONS,
)
@settings(max_examples=40, deadline=None)
def test_convolutions_are_those_of_litert(
    data: st.DataObject,
    depth: int,
    multiple: int,
    is_depthwise: bool,
    padding: Padding2D,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    activation: Activation,
) -> None:
    """As the writer puts them into a file: any padding, stride, dilation and activation."""
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    kind: type[ops.Conv2D] | type[ops.DepthwiseConv2D]
    kind, shape = ops.Conv2D, (4 * multiple, 3, 2, depth)
    if is_depthwise:
        kind, shape = ops.DepthwiseConv2D, (1, 3, 2, depth * multiple)
    channels = shape[3] if is_depthwise else shape[0]
    constants = [
        Tensor(name, extents, DType.FLOAT32, data=generator.normal(size=extents).astype(np.float32))
        for name, extents in (("f", shape), ("b", (channels,)))
    ]
    operator = kind(
        input="x",
        filters="f",
        bias="b",
        output="y",
        stride=stride,
        dilation=dilation,
        padding=padding,
        activation=activation,
    )
    network = single(operator, *constants, shape=(7, 8, depth))
    graph = network.to_graph()  # which finds out the shape of the output
    verify(graph)
    inputs = 3 * torch.randn(2, depth, 7, 8, generator=torch.Generator().manual_seed(1))
    found = to_graph_order(torch.from_numpy(run(network, inputs))).numpy()
    oracle = LiteRT(write_model(graph))
    for one, result in zip(inputs, found, strict=True):
        (expected,) = oracle.run([np.ascontiguousarray(to_graph_order(one[None]).numpy())])
        np.testing.assert_allclose(result[None], expected, rtol=1e-4, atol=1e-4)


IMAGE = (4, 6, 2)
MOVED: dict[str, tuple[Operator, Callable[[np.ndarray], np.ndarray]]] = {
    "split": (
        ops.Split(input="x", results=("y", "z"), axis=2),
        lambda x: x[:, :, :3],
    ),
    "split channels": (ops.Split(input="x", results=("y", "z"), axis=3), lambda x: x[..., :1]),
    "pad": (
        ops.Pad(input="x", output="y", paddings=((0, 0), (1, 0), (0, 2), (1, 1))),
        lambda x: np.pad(x, ((0, 0), (1, 0), (0, 2), (1, 1))),
    ),
    "transpose": (
        ops.Transpose(input="x", output="y", permutation=(0, 2, 3, 1)),
        lambda x: x.transpose(0, 2, 3, 1),
    ),
    "slice": (
        ops.StridedSlice(
            input="x",
            output="y",
            begin=(0, 1, 0, 0),
            extents=(1, 2, 3, 2),
            strides=(1, 2, 2, 1),
        ),
        lambda x: x[:, 1:4:2, 0:6:2],
    ),
    "mean over channels": (
        ops.Mean(input="x", output="y", axes=(3,), keep_dims=True),
        lambda x: x.mean(axis=3, keepdims=True),
    ),
    "mean over rows": (
        ops.Mean(input="x", output="y", axes=(1,), keep_dims=True),
        lambda x: x.mean(axis=1, keepdims=True),
    ),
    "softmax of channels": (
        ops.Softmax(input="x", output="y", beta=2.0),
        lambda x: np.exp(2 * x) / np.exp(2 * x).sum(axis=3, keepdims=True),
    ),
    "leaky": (
        ops.LeakyRelu(input="x", output="y", alpha=0.2),
        lambda x: np.where(x > 0, x, 0.2 * x),
    ),
}


@pytest.mark.parametrize("name", MOVED)
def test_operators_keep_their_meaning_in_torch_order(name: str) -> None:
    operator, expected = MOVED[name]
    inputs = np.random.default_rng(0).normal(size=(3, *IMAGE)).astype(np.float32)
    shape = (1, *expected(inputs).shape[1:])
    tensors = [Tensor("x", (1, *IMAGE), DType.FLOAT32)]
    tensors += [Tensor(output, shape, DType.FLOAT32) for output in operator.outputs]
    operators = [operator]
    if isinstance(operator, ops.Softmax):  # one at the end would be left out
        operators.append(ops.Relu(input="y", output="end", activation=Activation.RELU))
        tensors.append(Tensor("end", shape, DType.FLOAT32))
    last = operators[-1].outputs[:1]
    network = TrainableGraph(Graph.build("g", tensors, operators, ("x",), last))
    found = run(network, to_torch_order(torch.from_numpy(inputs)))
    back = to_graph_order(torch.from_numpy(found)).numpy()
    np.testing.assert_allclose(back, expected(inputs), rtol=1e-5, atol=1e-6)


def test_what_cannot_be_trained_is_refused() -> None:
    image = Tensor("x", (1, 4, 4, 2), DType.FLOAT32)
    result = Tensor("y", (1, 4, 4, 2), DType.FLOAT32)
    relu = ops.Relu(input="x", output="y", activation=Activation.RELU)
    pair = Graph.build("g", [image, result], [relu], ("x",), ("y", "x"))
    with pytest.raises(InputError, match="has 1 inputs and 2 outputs; one with one of each"):
        TrainableGraph(pair)
    unknown = ops.Quantize(input="x", output="y")
    graph = Graph.build("g", [image, result], [unknown], ("x",), ("y",))
    with pytest.raises(UnsupportedError, match="the operator QUANTIZE cannot be trained"):
        TrainableGraph(graph)
    small = Tensor("x", (1, 4, 4, 2), DType.INT8)
    graph = Graph.build("g", [small, result], [relu], ("x",), ("y",))
    with pytest.raises(InputError, match="'x' is int8: only networks of float32 can be trained"):
        TrainableGraph(graph)
    filters = Tensor("f", (1, 1, 1, 2), DType.FLOAT32)
    computed = ops.Conv2D(input="x", filters="f", bias=None, output="y")
    mean = ops.Mean(input="x", output="f", axes=(1, 2), keep_dims=True)
    graph = Graph.build("g", [image, filters, result], [mean, computed], ("x",), ("y",))
    with pytest.raises(InputError, match="the weights 'f' are computed by the network"):
        TrainableGraph(graph)


NAMES = st.text("ab.~01/", min_size=1, max_size=6)


@given(name=NAMES, other=NAMES)
@settings(max_examples=200, deadline=None)
def test_names_of_tensors_are_keys_of_modules(name: str, other: str) -> None:
    assert "." not in key(name)
    assert (key(name) == key(other)) == (name == other)
    assert key(name) in nn.ModuleDict({key(name): nn.Identity()})


def test_layers_that_share_weights_are_trained_each_by_itself() -> None:
    """One set of weights for both would be those of the last one."""
    graph = shared_weights(0)
    network = TrainableGraph(graph)
    inputs = torch.randn(8, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    add_normalization(network, [inputs])
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    for _ in range(3):
        loss = network(inputs).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    back = network.to_graph()
    verify(back)
    found, expected = run(TrainableGraph(back), inputs), run(network, inputs)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
