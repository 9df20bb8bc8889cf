"""Published networks with random weights: their sizes, and that data flows through them."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penstock import api
from penstock.design.outline import outline
from penstock.design.published import NetworkOptions, round_channels
from penstock.design.random_weights import fill_with_random_weights
from penstock.errors import InputError, PenstockError, UnsupportedError
from penstock.frontends.tflite import read_model
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.interpreter import run, trace
from penstock.ir.macs import graph_macs
from penstock.ir.operators import Activation, Conv2D, DepthwiseConv2D, Softmax
from penstock.ir.tensor import Tensor
from penstock.report.inspection import graph_totals
from tests.litert import LiteRT, compare_outputs, random_inputs

DOCS = Path(__file__).parents[2] / "docs" / "networks.md"
PUBLISHED = (
    (0.5, 112, 16, 1.33),
    (0.55, 128, 28, 1.55),
    (0.75, 128, 44, 2.49),
    (1, 160, 111, 3.96),
)
"""Width, resolution, and millions of multiply-accumulates and parameters, as TinyOps has them."""

SMALL = NetworkOptions(name="mbv3", width=0.3, resolution=45, classes=20)
"""Odd extents all the way: 45, 23, 12, 6, 3, 2."""


@pytest.fixture(scope="module")
def small() -> Graph:
    return read_model(api.build(SMALL).content, "small")


@pytest.mark.parametrize(("width", "resolution", "mmacs", "mparams"), PUBLISHED)
def test_sizes_are_those_published(
    width: float, resolution: int, mmacs: int, mparams: float
) -> None:
    graph = outline(NetworkOptions(name="mbv3", width=width, resolution=resolution))
    assert round(graph_macs(graph) / 1e6) == mmacs
    # Batch normalization has a factor and a summand for each channel; the factor is folded here.
    factors = sum(
        graph.tensors[operator.output].shape[3]
        for operator in graph.operators
        if isinstance(operator, Conv2D | DepthwiseConv2D)
    )
    parameters = graph_totals(graph).parameters + factors
    assert round(parameters / 1e6, 2) == mparams
    assert f"\n| {width} | {resolution} | {mmacs} | {mparams} |\n" in DOCS.read_text("utf-8")


def test_sizes_at_width_1_are_those_of_the_definition() -> None:
    graph = outline(NetworkOptions(name="mbv3"))
    assert graph_macs(graph) == 111_311_200
    assert graph_totals(graph).parameters == 3_946_288
    assert "prints 3.946 million" in DOCS.read_text("utf-8")


def test_filters_are_3x3_or_1x1_and_only_projections_are_linear() -> None:
    graph = outline(NetworkOptions(name="mbv3"))
    for operator in graph.operators:
        if isinstance(operator, Conv2D | DepthwiseConv2D):
            assert graph.tensors[operator.filters].shape[1:3] in ((3, 3), (1, 1))
            is_linear = operator.output.endswith(".project")
            assert operator.activation is (Activation.NONE if is_linear else Activation.RELU6)


@pytest.mark.parametrize(
    ("channels", "rounded"), [(1e-9, 4), (4, 4), (4.1, 8), (0.55 * 160, 88), (2.3 * 80, 184)]
)
def test_channels_are_multiples_of_4_rounded_up(channels: float, rounded: int) -> None:
    assert round_channels(channels) == rounded


def expect_litert_to_agree(options: NetworkOptions) -> None:
    content = api.build(options).content
    graph = read_model(content, "network")
    oracle = LiteRT(content)
    for seed in range(2):
        inputs = random_inputs(graph, seed)
        assert compare_outputs(run(graph, inputs), oracle.run(inputs)).agrees


def test_litert_gives_the_same_bytes() -> None:
    expect_litert_to_agree(SMALL)


@pytest.mark.models
@pytest.mark.parametrize(("width", "resolution"), [row[:2] for row in PUBLISHED])
def test_litert_gives_the_same_bytes_for_published_sizes(width: float, resolution: int) -> None:
    expect_litert_to_agree(NetworkOptions(name="mbv3", width=width, resolution=resolution))


def test_the_same_options_give_the_same_file() -> None:
    assert api.build(SMALL).content == api.build(replace(SMALL)).content


def digest(graph: Graph) -> str:
    """Return what identifies weights and scales."""
    result = hashlib.sha256()
    for tensor in graph.tensors.values():
        result.update(f"{tensor.name} {tensor.quantization}".encode())
        if tensor.data is not None:
            result.update(tensor.data.tobytes())
    return result.hexdigest()[:16]


def test_weights_and_scales_follow_from_the_seed_alone(small: Graph) -> None:
    assert digest(small) == "f58d2e8f3c833a9a"  # on every computer
    assert digest(fill_with_random_weights(outline(SMALL), SMALL.seed + 1)) != digest(small)


def test_every_layer_uses_its_range_on_images_not_seen_before(small: Graph) -> None:
    first, second = (trace(small, random_inputs(small, seed)) for seed in (100, 101))
    for name, value in first.items():
        low, high = int(value.min()), int(value.max())
        assert high - low >= 128, name
        assert np.mean(value == 127) < 0.2, name
        assert np.mean(value == -128) < 0.5, name
        assert np.mean(value != second[name]) > 0.5, name


def test_scores_depend_on_the_image_and_are_not_clipped(small: Graph) -> None:
    scores = np.stack([run(small, random_inputs(small, seed))[0] for seed in range(8)])
    assert len(set(scores.argmax(axis=-1).flat)) > 2
    assert np.mean(np.abs(scores.astype(int)) >= 127) < 0.03
    assert scores.std() > 25


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "mbv4"}, "there is no network 'mbv4' to build\n  help: the networks are mbv3"),
        ({"width": 0.0}, "the width is 0; allowed is above 0, up to 4"),
        ({"width": -1.0}, "the width is -1; allowed"),
        ({"width": float("nan")}, "the width is nan; allowed"),
        ({"width": 4.1}, "the width is 4.1; allowed"),
        ({"resolution": 31}, "the resolution is 31; allowed is 32 to 512"),
        ({"resolution": 513}, "the resolution is 513; allowed"),
        ({"classes": 0}, "the number of classes is 0; allowed is 1 to 65536"),
        ({"classes": 1 << 17}, "the number of classes is 131072; allowed"),
        ({"seed": -1}, "the seed is -1; allowed is 0 to"),
        ({"zeros": 1.0}, "the share of zeros is 1; allowed is 0 or more, below 1"),
        ({"zeros": float("nan")}, "the share of zeros is nan; allowed"),
        ({"bits": 2}, "filters cannot have 2 bits, only 8 or 4"),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as refused:
        NetworkOptions(**{"name": "mbv3", **options})  # type: ignore[arg-type]
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 4.0, "classes": 1 << 16}, "the limit of a model file is 64.0 MiB"),
        ({"width": 4.0, "resolution": 512}, "the limit is 16777216"),
    ],
)
def test_what_is_too_large_is_refused_before_any_work(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(PenstockError) as refused:
        outline(NetworkOptions(name="mbv3", **options))  # type: ignore[arg-type]
    assert message in str(refused.value)


def test_operators_without_a_rule_are_refused() -> None:
    tensors = [Tensor(name, (1, 4), DType.INT8) for name in ("a", "b")]
    graph = Graph.build("g", tensors, [Softmax(input="a", output="b")], ("a",), ("b",))
    with pytest.raises(UnsupportedError, match="no random scales for the operator SOFTMAX"):
        fill_with_random_weights(graph, 0)
