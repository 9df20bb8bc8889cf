"""Equalized networks compute what they computed, and are easier to quantize."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.design.calibration import CalibrationOptions
from penstock.design.quantization import quantize_source
from penstock.frontends.source_models import SourceModel
from penstock.ir import interpreter
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Activation
from penstock.ir.tensor import Tensor
from penstock.ir.verify import verify
from penstock.quantize.equalize import equalize

SIZE = 5


class Layers:
    """A chain of layers of all kinds, on images or rows."""

    def __init__(self, seed: int, depth: int) -> None:
        self.generator = np.random.default_rng(seed)
        self.tensors = [Tensor("x", (1, SIZE, SIZE, depth), DType.FLOAT32)]
        self.operators: list[ops.Operator] = []

    @property
    def last(self) -> Tensor:
        return next(t for t in reversed(self.tensors) if not t.is_constant)

    def constant(self, *shape: int, spread: float, axis: int) -> str:
        """Random weights whose slices along an axis differ by orders of magnitude."""
        data = self.generator.normal(size=shape)
        extents = [1] * len(shape)
        extents[axis] = shape[axis]
        data = data * 10 ** self.generator.uniform(-spread, spread, extents)
        name = f"c{len(self.tensors)}"
        data = data.astype(np.float32)
        self.tensors.append(Tensor(name, shape, DType.FLOAT32, data=data))
        return name

    def add(self, kind: str, channels: int, activation: Activation, spread: float) -> None:
        source = self.last
        depth = source.shape[-1]
        name = f"t{len(self.tensors)}"
        shape = (*source.shape[:-1], channels)
        if kind == "depthwise":
            shape = (*source.shape[:-1], depth * (1 + channels % 2))
            filters = self.constant(1, 1, 1, shape[-1], spread=spread, axis=3)
        elif kind == "dense":
            filters = self.constant(channels, depth, spread=spread, axis=0)
        else:
            groups = 2 if kind == "grouped" and depth % 2 == channels % 2 == 0 else 1
            filters = self.constant(channels, 1, 1, depth // groups, spread=spread, axis=0)
        bias = self.constant(shape[-1], spread=spread, axis=0)
        make = {"depthwise": ops.DepthwiseConv2D, "dense": ops.FullyConnected}.get(kind, ops.Conv2D)
        self.tensors.append(Tensor(name, shape, DType.FLOAT32))
        layer = make(
            input=source.name, filters=filters, bias=bias, output=name, activation=activation
        )
        self.operators.append(layer)

    def flatten(self) -> None:
        source = self.last
        self.tensors.append(Tensor("flat", (1, source.element_count), DType.FLOAT32))
        self.operators.append(ops.Reshape(input=source.name, output="flat"))

    def graph(self) -> Graph:
        return Graph.build("net", self.tensors, self.operators, ["x"], [self.last.name])


def random_network(draw) -> Graph:
    layers = Layers(draw(st.integers(0, 1000)), draw(st.integers(1, 4)))
    activations = st.sampled_from([*Activation, Activation.RELU])
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["ordinary", "grouped", "depthwise"]))
        layers.add(kind, draw(st.integers(1, 6)), draw(activations), draw(st.floats(0, 2)))
    if draw(st.booleans()):
        layers.flatten()
        for _ in range(draw(st.integers(1, 3))):
            layers.add("dense", draw(st.integers(1, 6)), draw(activations), draw(st.floats(0, 2)))
    graph = layers.graph()
    if draw(st.booleans()):  # something else reads a tensor in between
        extra = draw(st.sampled_from([operator.outputs[0] for operator in graph.operators]))
        graph = replace(graph, outputs=tuple(dict.fromkeys((*graph.outputs, extra))))
    return graph


@settings(
    max_examples=150,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(st.data())
def test_a_network_computes_what_it_computed(data: st.DataObject) -> None:
    graph = random_network(data.draw)
    changed = equalize(graph)
    verify(changed)
    assert changed.operators == graph.operators
    generator = np.random.default_rng(data.draw(st.integers(0, 1000)))
    sample = generator.normal(size=graph.tensors["x"].shape).astype(np.float32)
    for ours, theirs in zip(
        interpreter.run(changed, [sample]), interpreter.run(graph, [sample]), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


def chain(activation: Activation, spread: float = 2.0, channels: int = 8) -> Graph:
    layers = Layers(0, 3)
    for _ in range(3):
        layers.add("ordinary", channels, activation, spread)
    return layers.graph()


def largest(graph: Graph, position: int, axis: int) -> np.ndarray:
    filters = np.asarray(graph.tensors[graph.operators[position].filters].data)
    return np.abs(np.moveaxis(filters, axis, 0)).reshape(filters.shape[axis], -1).max(axis=1)


@pytest.mark.parametrize("activation", [Activation.NONE, Activation.RELU])
def test_what_writes_a_channel_is_as_large_as_what_reads_it(activation: Activation) -> None:
    graph = equalize(chain(activation))
    biases = [np.abs(np.asarray(graph.tensors[op.bias].data)) for op in graph.operators]
    for position in (0, 1):
        writing = np.maximum(largest(graph, position, 0), biases[position])
        np.testing.assert_allclose(writing, largest(graph, position + 1, 3), rtol=0.05)


@pytest.mark.parametrize("activation", [Activation.RELU6, Activation.RELU_N1_TO_1])
def test_a_clamp_that_does_not_scale_keeps_weights(activation: Activation) -> None:
    graph = chain(activation)
    changed = equalize(graph)
    assert all(changed.tensors[n].data is graph.tensors[n].data for n in graph.tensors)


def test_channels_that_nobody_writes_or_reads_stay() -> None:
    graph = chain(Activation.RELU)
    first, second = graph.operators[:2]
    written = np.array(graph.tensors[first.filters].data)
    bias = np.array(graph.tensors[first.bias].data)
    read = np.array(graph.tensors[second.filters].data)
    written[2], bias[2], read[..., 5] = 0, 0, 0
    dead = {first.filters: written, first.bias: bias, second.filters: read}
    graph = graph.with_changes(
        tensors={name: replace(graph.tensors[name], data=data) for name, data in dead.items()}
    )
    changed = equalize(graph)
    assert all(np.isfinite(t.data).all() for t in changed.tensors.values() if t.is_constant)
    assert not np.asarray(changed.tensors[first.filters].data)[2].any()
    np.testing.assert_array_equal(changed.tensors[first.bias].data[5], bias[5])


def test_unequal_channels_lose_less_when_they_are_equalized(tmp_path) -> None:
    """Channels that are large where they are written and small where they are read."""
    graph = chain(Activation.RELU, spread=0.0, channels=16)
    first, second = graph.operators[:2]
    factors = 10 ** np.random.default_rng(1).uniform(-1.5, 1.5, 16)
    unequal = {
        first.filters: graph.tensors[first.filters].data * factors.reshape(-1, 1, 1, 1),
        first.bias: graph.tensors[first.bias].data * factors,
        second.filters: graph.tensors[second.filters].data / factors,
    }
    graph = graph.with_changes(
        tensors={
            name: replace(graph.tensors[name], data=data.astype(np.float32))
            for name, data in unequal.items()
        }
    )
    samples = np.random.default_rng(0).normal(size=(20, SIZE, SIZE, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", samples)
    found = [
        quantize_source(
            SourceModel(graph), tmp_path / "x.npy", CalibrationOptions(equalizes=wanted)
        ).agreement.signal_to_noise_db
        for wanted in (False, True)
    ]
    assert found[1] > found[0] + 5
