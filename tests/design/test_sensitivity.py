"""Layers get 4 bits where that is minded least, in as many as are needed."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from torch import Tensor  # noqa: E402

from penstock.design.compression.choices import WeightFormat  # noqa: E402
from penstock.design.compression.recipe import QuantizeStep  # noqa: E402
from penstock.design.compression.results import LayerSensitivity  # noqa: E402
from penstock.design.compression.sensitivity import (  # noqa: E402
    choose_maxima,
    measure_sensitivity,
)
from penstock.design.compression.setting import Setting  # noqa: E402
from penstock.design.compression.stages import quantize  # noqa: E402
from penstock.design.data import DataSet, Samples  # noqa: E402
from penstock.design.learning.tasks import Classification  # noqa: E402
from penstock.design.trainable import TrainableGraph  # noqa: E402
from penstock.errors import InputError  # noqa: E402
from penstock.ir import operators as ops  # noqa: E402
from penstock.ir.dtype import DType  # noqa: E402
from penstock.ir.graph import Graph  # noqa: E402
from penstock.quantize.affine import (  # noqa: E402
    FILTER_MAXIMUM,
    INT4_FILTER_MAXIMUM,
    channel_axis,
    choose_filter_parameters,
    dequantize_array,
    quantize_array,
)
from tests.design.allowances import allowing  # noqa: E402
from tests.design.test_trainable import folded  # noqa: E402

torch.set_num_threads(1)


def setting(shape: tuple[int, ...], classes: int) -> Setting:
    generator = np.random.default_rng(0)
    values = generator.integers(0, 256, (60, *shape)).astype(np.uint8)
    samples = Samples(values, generator.integers(0, classes, 60))
    names = tuple(str(n) for n in range(classes))
    return Setting(DataSet("made up", samples, samples, names), Classification())


def network() -> tuple[Graph, Setting]:
    graph = folded("mobilenet")
    shape = graph.tensors[graph.inputs[0]].shape
    return graph, setting(shape[1:], graph.tensors[graph.outputs[0]].element_count)


def log_probabilities(graph: Graph, given_setting: Setting) -> Tensor:
    trained = TrainableGraph(graph).eval()
    with torch.no_grad():
        scores = [trained(batch).double() for batch in given_setting.some_inputs(500)]
    return torch.log_softmax(torch.cat(scores), 1)


def test_divergences_are_those_of_graphs_with_one_layer_rounded() -> None:
    graph, given_setting = network()
    found = measure_sensitivity(graph, given_setting)
    operators = TrainableGraph(graph).weighted
    assert [layer.name for layer in found] == [operator.output for operator in operators]
    before = log_probabilities(graph, given_setting)
    for layer, operator in zip(found, operators, strict=True):
        filters = graph.tensors[operator.filters]
        weights = np.asarray(filters.data, np.float32)
        axis = 0 if isinstance(operator, ops.FullyConnected) else channel_axis(operator)
        parameters = choose_filter_parameters(weights, axis, maximum=INT4_FILTER_MAXIMUM)
        steps = quantize_array(weights, parameters, DType.INT8)
        rounded = dequantize_array(steps, parameters).astype(np.float32)
        changed = graph.with_changes(tensors={filters.name: replace(filters, data=rounded)})
        after = log_probabilities(changed, given_setting)
        expected = (before.exp() * (before - after)).sum(dim=1).mean().item()
        assert layer.divergence == pytest.approx(expected, rel=1e-2, abs=3e-7)
        assert (layer.kind, layer.weights) == (operator.kind, filters.element_count)
        channels = len(parameters.scale)
        is_depthwise = isinstance(operator, ops.DepthwiseConv2D)
        assert layer.saved_bytes == (
            0 if is_depthwise else channels * (steps.size // channels // 2)
        )
    assert sum(layer.divergence > 1e-5 for layer in found) >= 3


LAYERS = st.lists(
    st.tuples(st.integers(2, 1000), st.booleans(), st.floats(0, 1)), min_size=1, max_size=8
).map(
    lambda rows: [
        LayerSensitivity(str(n), "CONV_2D", weights, weights // 2 if saves else 0, divergence)
        for n, (weights, saves, divergence) in enumerate(rows)
    ]
)


@given(layers=LAYERS, share=st.floats(0, 1))
def test_the_cheapest_layers_get_four_bits_and_no_more_than_needed(
    layers: list[LayerSensitivity], share: float
) -> None:
    def saved(maxima: Mapping[str, int]) -> float:
        return sum(layer.saved_bytes for layer in layers if maxima[layer.name] == 7)

    wanted = share * saved(dict.fromkeys((layer.name for layer in layers), 7))
    maxima = choose_maxima(layers, allowing(lambda m: saved(m) >= wanted))
    chosen = [layer for layer in layers if maxima[layer.name] == INT4_FILTER_MAXIMUM]
    kept = [layer for layer in layers if maxima[layer.name] == FILTER_MAXIMUM]
    assert len(chosen) + len(kept) == len(layers)
    assert saved(maxima) >= wanted
    assert all(layer.saved_bytes > 0 for layer in chosen)
    costs = [layer.divergence / layer.saved_bytes for layer in chosen]
    for cost in costs:
        for other in kept:
            assert not other.saved_bytes or cost <= other.divergence / other.saved_bytes
    if chosen:
        last = chosen[costs.index(max(costs))]
        assert saved({**maxima, last.name: FILTER_MAXIMUM}) < wanted or len(set(costs)) < len(costs)


def test_what_never_fits_is_refused() -> None:
    layers = [LayerSensitivity("a", "CONV_2D", 10, 5, 0.1)]
    with pytest.raises(
        InputError,
        match=r"\(1\) the network takes too much: rulers 1 m, allowed are 0 m",
    ):
        choose_maxima(layers, allowing(lambda _maxima: False))


def test_mixed_weights_have_the_bits_that_were_chosen() -> None:
    graph, given_setting = network()
    operators = TrainableGraph(graph).weighted
    count = len(operators) // 2
    step = QuantizeStep(weights=WeightFormat.MIXED, size=1, training=None)
    made = quantize(graph, step, given_setting, lambda m: sum(v == 7 for v in m.values()) >= count)
    largest = [
        int(np.abs(np.asarray(made.tensors[o.filters].data, np.int16)).max()) for o in operators
    ]
    assert sum(value <= 7 for value in largest) == count
    assert all(value in (7, 127) for value in largest)
