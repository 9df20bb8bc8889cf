"""Training with rounding: it rounds as the int8 network does, which then computes the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

from penstock.design.trainable import TrainableGraph  # noqa: E402
from penstock.design.trainable.layers import graph_filters  # noqa: E402
from penstock.design.trainable.layout import to_graph_order  # noqa: E402
from penstock.design.trainable.rounding import (  # noqa: E402
    RoundedActivation,
    RoundedFilters,
    add_rounding,
)
from penstock.ir import interpreter  # noqa: E402
from penstock.ir import operators as ops  # noqa: E402
from penstock.ir.dtype import DType  # noqa: E402
from penstock.ir.graph import Graph  # noqa: E402
from penstock.ir.verify import verify  # noqa: E402
from penstock.quantize.affine import (  # noqa: E402
    channel_axis,
    choose_activation_parameters,
    choose_filter_parameters,
    dequantize_array,
    quantize_array,
)
from penstock.quantize.observers import MinMaxObserver  # noqa: E402
from penstock.quantize.post_training import WeightOptions, quantize_graph  # noqa: E402
from penstock.quantize.sharing import choose_parameters  # noqa: E402
from tests.design.test_trainable import NETWORKS, folded, samples  # noqa: E402

torch.set_num_threads(1)


def expect_same_steps(found: np.ndarray, expected: np.ndarray, real: np.ndarray, step: np.ndarray):
    """Values are equal, unless the real one lies in the middle between two."""
    is_tie = np.abs(np.abs(real / step) % 1 - 0.5) < 1e-3
    is_same = np.isclose(found, expected, rtol=1e-5, atol=1e-6 * np.max(step))
    is_neighbour = np.isclose(np.abs(found - expected), step, rtol=1e-4)
    assert (is_same | (is_tie & is_neighbour)).all()


@given(
    low=st.floats(-20, 5), extent=st.floats(0.01, 40), seed=st.integers(0, 99), beyond=st.booleans()
)
@settings(max_examples=100, deadline=None)
def test_activations_are_rounded_as_int8(
    low: float, extent: float, seed: int, beyond: bool
) -> None:
    parameters = choose_activation_parameters(low, low + extent)
    generator = np.random.default_rng(seed)
    margin = extent if beyond else 0.0
    real = generator.uniform(low - margin, low + extent + margin, 200).astype(np.float32)
    real[:20] = 0
    found = RoundedActivation(parameters)(torch.from_numpy(real)).numpy()
    expected = dequantize_array(quantize_array(real, parameters, DType.INT8), parameters)
    expect_same_steps(found, expected, real, np.array(parameters.scale[0]))
    assert (found[:20] == 0).all()


@given(low=st.floats(-20, 5), extent=st.floats(1e-4, 400), seed=st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_torch_rounds_the_same_way_in_more_time(low: float, extent: float, seed: int) -> None:
    """Forward bit for bit; gradients but for values at the very edge of what is clipped."""
    parameters = choose_activation_parameters(low, low + extent)
    scale, zero_point = np.float32(parameters.scale[0]), parameters.zero_point[0]
    generator = np.random.default_rng(seed)
    drawn = generator.uniform(low - extent, low + 2 * extent, 300).astype(np.float32)
    drawn[:256] = np.arange(-128, 128, dtype=np.float32) * scale * np.float32(0.5)
    gradient = torch.from_numpy(generator.normal(size=300).astype(np.float32))
    found, expected = (torch.from_numpy(drawn.copy()).requires_grad_() for _ in range(2))
    rounded = RoundedActivation(parameters)(found)
    rounded.backward(gradient)
    theirs = torch.fake_quantize_per_tensor_affine(expected, float(scale), zero_point, -128, 127)
    theirs.backward(gradient)
    assert torch.equal(rounded, theirs)
    ends = (np.array([-128.5, 127.5]) - zero_point) * scale
    is_inside = np.abs(drawn[:, np.newaxis] - ends).min(axis=1) > 1e-3 * scale
    assert is_inside.sum() > 200
    assert found.grad is not None
    assert expected.grad is not None
    assert torch.equal(found.grad[is_inside], expected.grad[is_inside])


KINDS: dict[str, tuple[type, tuple[int, ...]]] = {
    "conv": (ops.Conv2D, (5, 3, 2, 4)),
    "depthwise": (ops.DepthwiseConv2D, (1, 3, 3, 6)),
    "dense": (ops.FullyConnected, (4, 9)),
}


@pytest.mark.parametrize("maximum", [127, 7])
@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 999), spread=st.floats(1e-3, 5))
@settings(max_examples=20, deadline=None)
def test_filters_are_rounded_as_int8(kind: str, maximum: int, seed: int, spread: float) -> None:
    make, shape = KINDS[kind]
    generator = np.random.default_rng(seed)
    extra = {} if make is ops.FullyConnected else {"stride": (1, 1)}
    operator = make(input="x", filters="f", bias=None, output="y", **extra)
    axis = 0 if make is ops.FullyConnected else channel_axis(operator)
    scale_of_channel = np.exp(generator.normal(scale=2, size=shape[axis])).reshape(
        [-1 if n == axis else 1 for n in range(len(shape))]
    )
    filters = (spread * generator.normal(size=shape) * scale_of_channel).astype(np.float32)
    if make is ops.FullyConnected:
        weight = filters
    else:
        order = (3, 0, 1, 2) if make is ops.DepthwiseConv2D else (0, 3, 1, 2)
        weight = filters.transpose(order)
    rounded = RoundedFilters(torch.from_numpy(weight.copy()), maximum, keeps_zeros=False)
    found = graph_filters(operator, rounded(torch.from_numpy(weight.copy())).numpy())
    parameters = choose_filter_parameters(filters, axis, maximum=maximum)
    steps = quantize_array(filters, parameters, DType.INT8)
    expected = dequantize_array(steps, parameters)
    step = np.broadcast_to(
        np.array(parameters.scale).reshape(scale_of_channel.shape), filters.shape
    )
    expect_same_steps(found, expected, filters, step)
    assert np.abs(steps).max() == maximum
    again = quantize_array(
        found, choose_filter_parameters(found, axis, maximum=maximum), DType.INT8
    )
    np.testing.assert_array_equal(again, np.round(found / step))


def test_zeros_stay_where_they_are_to_stay() -> None:
    weight = torch.tensor([[0.0, 2.0, -1.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.0]])
    kept, free = (RoundedFilters(weight, 127, keeps_zeros=keeps) for keeps in (True, False))
    moved = weight + 0.25
    np.testing.assert_array_equal(kept(moved).numpy() == 0, weight.numpy() == 0)
    assert (free(moved) != 0).all()
    moved.requires_grad_()
    kept(moved).sum().backward()
    np.testing.assert_array_equal(moved.grad, (weight != 0).float())


def test_gradients_pass_where_nothing_is_clipped() -> None:
    parameters = choose_activation_parameters(-1.0, 1.0)
    values = torch.tensor([-3.0, -0.7, 0.0, 0.3, 0.99, 1.5], requires_grad=True)
    RoundedActivation(parameters)(values).sum().backward()
    assert values.grad is not None and values.grad.tolist() == [0, 1, 1, 1, 1, 0]
    weight = torch.randn(4, 3, requires_grad=True)
    RoundedFilters(weight, 7, keeps_zeros=True)(weight).sum().backward()
    assert weight.grad is not None and bool((weight.grad == 1).all())


def rounded_network(name: str, maximum: int) -> tuple[TrainableGraph, Graph]:
    """A network that was trained a little with rounding, and its int8 graph."""
    graph = folded(name)
    observer = MinMaxObserver()
    plain = TrainableGraph(graph).eval()
    inputs = samples(name, 32)
    with torch.no_grad():
        plain.run(inputs, lambda n, v: observer.observe(n, to_graph_order(v).numpy()))
    network = TrainableGraph(graph)
    maxima = {operator.output: maximum for operator in network.weighted}
    add_rounding(network, choose_parameters(graph, observer.ranges), maxima, keeps_zeros=True)
    target = plain(inputs).detach()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    network.train()
    losses = []
    for _ in range(12):
        loss = nn.functional.mse_loss(network(inputs), target)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if maximum == 7:  # of 127 steps there is little to learn
        assert min(losses[-3:]) < losses[0]
    options = WeightOptions(dense_per_channel=True, maxima=maxima)
    made = quantize_graph(network.eval().to_graph(), observer.ranges, options)
    verify(made)
    return network, made


@pytest.mark.parametrize("maximum", [127, 7])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_int8_graph_computes_what_was_trained(name: str, maximum: int) -> None:
    """Tensor by tensor: on average within a part of a step, whose rounding is all that differs."""
    network, graph = rounded_network(name, maximum)
    same, total = 0, 0
    for one in samples(name, 6, seed=5):
        expected: dict[str, np.ndarray] = {}
        with torch.no_grad():
            result = network.run(
                one[None], lambda n, v, into=expected: into.update({n: to_graph_order(v).numpy()})
            )
        source = graph.tensors[graph.inputs[0]]
        assert source.quantization is not None
        value = to_graph_order(one[None]).numpy()
        given_input = quantize_array(value, source.quantization, DType.INT8)
        for tensor, found in interpreter.trace(graph, [given_input]).items():
            parameters = graph.tensors[tensor].quantization
            if tensor in expected and parameters is not None:
                real = dequantize_array(found, parameters).reshape(expected[tensor].shape)
                steps = np.abs(real - expected[tensor]) / parameters.scale[0]
                assert steps.mean() < 0.8, tensor
        last = network._operators[-1].outputs[0]
        scores = interpreter.trace(graph, [given_input])[last]
        same += int(scores.argmax() == result.argmax())
        total += 1
    assert same >= total - 1


def test_weights_are_rounded_wherever_they_are_read() -> None:
    network, graph = rounded_network("mobilenet", 7)
    for operator in network.weighted:
        assert parametrize.is_parametrized(network.layer(operator), "weight")
        steps = graph.tensors[operator.filters]
        assert steps.data is not None and np.abs(steps.data).max() == 7
        assert steps.quantization is not None
        real = dequantize_array(steps.data, steps.quantization)
        np.testing.assert_allclose(network.weights(operator)[0], real, rtol=1e-4, atol=1e-6)
