"""Winograd F(2x2, 3x3) in integers: what it computes, and when it is taken."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.bench.networks import NetworkBuilder, Weights
from penstock.boards import load_board
from penstock.errors import CapacityError
from penstock.ir.graph import Graph
from penstock.ir.operators import FullyConnected, Padding2D
from penstock.kernels.kernel_graph import KernelGraph
from penstock.kernels.kernel_set import KernelSet
from penstock.kernels.selection import select_kernels
from penstock.kernels.selection.winograd import transform_filters
from penstock.pipeline import choose_kernels, plan_graph
from penstock.planning.options import PlanOptions
from penstock.report.summary import describe_kernels
from tests.kernels.comparison import check_graph

WINOGRAD, PLAIN = "ps_conv_2d_winograd_dsp_s8", "ps_conv_2d_dsp_s8"
INPUT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
OUTPUT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])
"""B and A of Lavin and Gray, transposed."""


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.sampled_from([4, 8, 12]))
def test_products_of_transforms_are_four_times_the_convolution(
    seed: int, channels: int, depth: int
) -> None:
    random = np.random.default_rng(seed)
    filters = random.integers(-255, 256, (channels, 3, 3, depth))
    patch = random.integers(-128, 128, (4, 4, depth))
    packed = transform_filters(filters).astype(np.int64)
    seen = np.einsum("iy,jx,yxc->ijc", INPUT, INPUT, patch).reshape(16, depth // 4, 2, 2)
    pairs = seen.swapaxes(2, 3).reshape(16, depth // 2, 2)
    sums = np.einsum("bpkot,pkt->bop", packed, pairs).reshape(-1, 4, 4)[:channels]
    found = np.einsum("iy,jx,oyx->oij", OUTPUT, OUTPUT, sums)
    windows = np.lib.stride_tricks.sliding_window_view(patch, (3, 3), axis=(0, 1))
    np.testing.assert_array_equal(found, 4 * np.einsum("ijcyx,oyxc->oij", windows, filters))


def convolutions(
    *channels: int, size: int = 8, taps: tuple[int, int] = (3, 3), stride: int = 1
) -> Graph:
    network = NetworkBuilder()
    padding = Padding2D(taps[0] // 2, taps[0] // 2, taps[1] // 2, taps[1] // 2)
    for depth, out in itertools.pairwise(channels):
        network.conv_2d(
            (1, size, size, depth),
            out,
            taps,
            stride=(stride, stride),
            padding=padding,
            dilation=(1, 1),
            groups=1,
        )
    return network.build("convolutions")


def kernels(program: KernelGraph) -> set[str]:
    return {call.kernel.name for call in program.calls}


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (convolutions(8, 8), WINOGRAD),
        (convolutions(8, 8, taps=(1, 1)), PLAIN),
        (convolutions(8, 8, taps=(3, 5)), PLAIN),
        (convolutions(8, 8, stride=2), PLAIN),
        (convolutions(10, 8), PLAIN),
        (convolutions(4, 8), PLAIN),
        (convolutions(8, 7), PLAIN),
        (convolutions(8, 8, size=5), PLAIN),
    ],
)
def test_it_is_taken_where_its_conditions_hold(graph: Graph, expected: str) -> None:
    assert kernels(select_kernels(graph, KernelSet.DSP_DUAL)) == {expected}


@pytest.mark.parametrize(("depth", "kernel"), [(511, "dsp_s8"), (512, "s8")])
def test_filters_that_are_multiplied_by_256_have_a_limit(depth: int, kernel: str) -> None:
    """The sum of 128 times each second filter has to fit 24 bits."""
    network = NetworkBuilder()
    network.fully_connected(1, depth, 4, weights=Weights(gain=0.001, per_channel=False))
    graph = network.build("dense")
    (layer,) = graph.operators
    assert isinstance(layer, FullyConnected)
    filters = graph.tensors[layer.filters]
    least = filters.with_data(np.full(filters.shape, -128, np.int8))
    graph = graph.with_changes(tensors={layer.filters: least})
    assert kernels(select_kernels(graph, KernelSet.DSP_DUAL)) == {f"ps_fully_connected_{kernel}"}
    check_graph(graph, seed=1, kernels=KernelSet.DSP_DUAL)


def test_compact_programs_do_without() -> None:
    graph = convolutions(8, 8)
    assert kernels(select_kernels(graph, KernelSet.DSP_DUAL, winograd=False)) == {PLAIN}
    assert kernels(select_kernels(graph)) == {"ps_conv_2d_s8"}


def test_where_flash_is_too_small_the_model_keeps_its_other_fast_kernels() -> None:
    """512 KiB hold 150 KB of filters, but not three and a half times as much."""
    graph, board = convolutions(96, 96, 96), load_board("nucleo-f446re")
    plan, _ = plan_graph(graph, board)
    assert kernels(plan.program) == {PLAIN}
    assert set(plan.left_out) == {"Winograd convolutions"}
    assert "do not fit" in plan.left_out["Winograd convolutions"]
    assert "no Winograd convolutions: " in describe_kernels(plan)
    plan, _ = plan_graph(convolutions(32, 32), board)
    assert kernels(plan.program) == {WINOGRAD}
    assert not plan.left_out


def test_where_ram_is_too_small_all_kernels_are_plain_c() -> None:
    """120 KiB hold two images of 60 KiB, but no scratch memory."""
    wide, board = convolutions(8, 8, size=86), load_board("nucleo-f446re")
    options = PlanOptions(overlays=False)
    plan, _ = plan_graph(wide, board, options)
    assert kernels(plan.program) == {"ps_conv_2d_s8"}
    assert list(plan.left_out) == ["Winograd convolutions", "fast kernels"]
    with pytest.raises(CapacityError, match="the arena needs"):
        plan_graph(convolutions(8, 16, size=86), board, options)


def test_comparisons_take_the_kernels_that_a_plan_has_room_for() -> None:
    board, options = load_board("nucleo-f446re"), PlanOptions()
    assert kernels(choose_kernels(convolutions(96, 96, 96), board, options)) == {PLAIN}
