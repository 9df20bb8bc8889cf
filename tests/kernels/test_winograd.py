"""Winograd F(2x2, 3x3) and F(4x4, 3x3) in integers: what they compute, and when they are taken."""

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.bench.measure import run_network
from penstock.bench.networks import NetworkBuilder, Weights
from penstock.boards import load_board
from penstock.errors import CapacityError
from penstock.ir.graph import Graph
from penstock.ir.interpreter import trace
from penstock.ir.operators import NO_PADDING, Activation, Conv2D, FullyConnected, Padding2D
from penstock.kernels.kernel_graph import KernelGraph
from penstock.kernels.kernel_set import KernelSet, kernel_set
from penstock.kernels.selection import select_kernels
from penstock.kernels.selection.winograd import LARGE, SMALL, Variant, transform_filters
from penstock.pipeline import choose_kernels, plan_graph
from penstock.planning import plan_execution, plan_on_board
from penstock.planning.estimate.plans import estimate_plan
from penstock.planning.kernel_choice import fastest_program
from penstock.planning.options import PlanOptions
from penstock.report.summary import describe_kernels
from tests.kernels.comparison import check_graph
from tests.kernels.driver import Program

DUAL = KernelSet.DSP_DUAL
Longs = npt.NDArray[np.int64]
LARGEST, WINOGRAD, PLAIN = LARGE.kernel, SMALL.kernel, "ps_conv_2d_dsp_s8"
INPUT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
OUTPUT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])
"""B and A of Lavin and Gray, transposed."""
POINTS = np.array([0, 1, -1, 2, -2])
LARGE_OUTPUT = np.array([[*(POINTS**power), 2 * (power == 3)] for power in range(4)])
LARGE_INPUT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
"""The same for 4x4 outputs; A's rows are powers of the points."""


def sums_of_transforms(
    variant: Variant, filters: Longs, patch: Longs, sides: tuple[Longs, Longs], offset: int = 0
) -> Longs:
    """Return the outputs of a patch ``[side, side, depth]`` as the kernels compute them."""
    to_positions, to_outputs = sides
    side, depth = variant.side, patch.shape[2]
    packed = transform_filters(filters, variant)
    starts = np.zeros((packed.shape[0], side**2, 4), np.int64)
    if variant.offset:
        starts[...] = np.ascontiguousarray(packed[:, :, 0]).view(np.int32).reshape(starts.shape)
        packed = packed[:, :, 1:]
    seen = np.einsum("iy,jx,yxc->ijc", to_positions, to_positions, patch)
    pairs = seen.reshape(side**2, depth // 4, 2, 2).swapaxes(2, 3).reshape(side**2, depth // 2, 2)
    pairs = pairs + np.array([offset, 0])
    assert np.all(pairs >= [-(1 << 15) * (offset == 0), -(1 << 15)])
    assert np.all(pairs < 1 << 15)
    sums = np.einsum("bpkot,pkt->bpo", packed.astype(np.int64), pairs) + starts
    by_channel = sums.swapaxes(1, 2).reshape(-1, side, side)[: len(filters)]
    return np.einsum("iy,jx,oyx->oij", to_outputs, to_outputs, by_channel)


def convolve(patch: Longs, filters: Longs) -> Longs:
    windows = np.lib.stride_tricks.sliding_window_view(patch, (3, 3), axis=(0, 1))
    return np.einsum("ijcyx,oyxc->oij", windows, filters)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.sampled_from([4, 8, 12]))
def test_products_of_transforms_are_four_times_the_convolution(
    seed: int, channels: int, depth: int
) -> None:
    random = np.random.default_rng(seed)
    filters = random.integers(-255, 256, (channels, 3, 3, depth))
    patch = random.integers(-128, 128, (4, 4, depth))
    found = sums_of_transforms(SMALL, filters, patch, (INPUT, OUTPUT))
    np.testing.assert_array_equal(found, 4 * convolve(patch, filters))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 9),
    st.sampled_from([4, 8, 12]),
    st.sampled_from([(0, 256), (0, 1), (255, 256), (0, 2)]),
)
def test_products_of_large_transforms_are_576_times_the_convolution(
    seed: int, channels: int, depth: int, values: tuple[int, int]
) -> None:
    """Pixels of 0 and 255 only reach the limits of 16 bits."""
    random = np.random.default_rng(seed)
    filters = random.integers(-128, 128, (channels, 3, 3, depth))
    patch = random.integers(*values, (6, 6, depth))
    patch = patch * 255 if values == (0, 2) else patch
    sides = LARGE_INPUT, LARGE_OUTPUT
    found = sums_of_transforms(LARGE, filters, patch, sides, LARGE.offset)
    # The sums that transforms begin with are held modulo 2^32.
    np.testing.assert_array_equal((found - 576 * convolve(patch, filters)) % 2**32, 0)


def test_the_offset_of_large_patches_is_enough_and_not_too_much() -> None:
    most, least = (np.maximum(sign * LARGE_INPUT, 0).sum(axis=1) for sign in (1, -1))
    below = 255 * (np.outer(most, least) + np.outer(least, most)).max()
    above = 255 * (np.outer(most, most) + np.outer(least, least)).max()
    assert below == LARGE.offset
    assert above + LARGE.offset < 1 << 15


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


def filled(value: int, depth: int, zero_point: int = 0) -> Graph:
    """Return a convolution with all filters of one value, whose outputs use much of their range."""
    most = 9 * depth * abs(value - zero_point) * 255
    weights = Weights(
        gain=200 / most, per_channel=False, zero_point=zero_point, activation=Activation.NONE
    )
    network = NetworkBuilder()
    network.conv_2d((1, 10, 10, depth), 8, (3, 3), padding=NO_PADDING, weights=weights)
    graph = network.build("filled")
    (layer,) = graph.operators
    assert isinstance(layer, Conv2D)
    filters = graph.tensors[layer.filters]
    same = filters.with_data(np.full(filters.shape, value, np.int8))
    return graph.with_changes(tensors={layer.filters: same})


def test_large_patches_hold_their_extremes() -> None:
    """Pixels of -128 and 127 as each position adds and subtracts them, filters of -128."""
    graph = filled(-128, 8)
    program = Program(select_kernels(graph, KernelSet.DSP_DUAL))
    assert kernels(program.program) == {LARGEST}
    for sign, row, column in itertools.product((1, -1), LARGE_INPUT, LARGE_INPUT):
        patch = np.where(sign * np.outer(row, column) > 0, 127, -128).astype(np.int8)
        image = np.tile(patch, (2, 2))[:10, :10, None].repeat(8, axis=2)[None]
        inputs = {graph.inputs[0]: image}
        np.testing.assert_array_equal(
            program.trace(inputs)[graph.outputs[0]], trace(graph, inputs)[graph.outputs[0]]
        )


@pytest.mark.parametrize(
    ("value", "depth", "zero_point", "expected"),
    [
        (-128, 112, 0, LARGEST),
        (-128, 116, 0, WINOGRAD),
        (-128, 16, 99, LARGEST),
        (-128, 16, 100, WINOGRAD),
        (127, 16, -128, WINOGRAD),
    ],
)
def test_sums_and_filters_that_are_too_large_take_small_tiles(
    value: int, depth: int, zero_point: int, expected: str
) -> None:
    """256 times the magnitudes of a filter reach 2^25, or 144 times the largest 2^15."""
    graph = filled(value, depth, zero_point)
    selected = select_kernels(graph, DUAL)
    assert kernels(selected) == {expected}
    program, shape = Program(selected), (1, 10, 10, depth)
    random = np.random.default_rng(1).integers(-128, 128, shape)
    seen = set()
    for image in (np.full(shape, 127), np.full(shape, -128), random):
        inputs = {graph.inputs[0]: image.astype(np.int8)}
        (output,) = graph.outputs
        found = program.trace(inputs)[output]
        np.testing.assert_array_equal(found, trace(graph, inputs)[output])
        seen.update(np.unique(found).tolist())
    assert len(seen) > 4


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (convolutions(8, 8), LARGEST),
        (convolutions(8, 8, size=16), LARGEST),
        (convolutions(8, 8, size=9), LARGEST),
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


CHOICES = {
    (8, 32, 7): PLAIN,
    (8, 32, 6): PLAIN,
    (32, 32, 10): WINOGRAD,
    (64, 64, 8): LARGEST,
    (16, 16, 16): LARGEST,
}
"""Channels in and out and the side of the image, and what is fastest on both of these cores."""


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7"])
@pytest.mark.parametrize(("depth", "out", "size"), CHOICES)
def test_the_fastest_is_chosen_for_a_core(core: str, depth: int, out: int, size: int) -> None:
    graph = convolutions(depth, out, size=size)
    assert kernels(fastest_program(graph, core)) == {CHOICES[depth, out, size]}


def test_each_layer_has_a_choice_of_its_own() -> None:
    graph = convolutions(8, 64, 64, 8)
    tiles = {0: (), 1: (2,)}
    names = [call.kernel.name for call in select_kernels(graph, DUAL, winograd=tiles).calls]
    assert names == [PLAIN, WINOGRAD, PLAIN]


@pytest.mark.board
@pytest.mark.parametrize("board_name", ["stm32f746g-disco", "nucleo-l4r5zi"])
@pytest.mark.parametrize(("depth", "out", "size"), CHOICES)
def test_what_is_chosen_takes_the_fewest_cycles(
    board_name: str, depth: int, out: int, size: int
) -> None:
    graph, board = convolutions(depth, out, size=size), load_board(board_name)
    cycles = {}
    for tiles in ((4,), (2,), ()):
        program = select_kernels(graph, kernel_set(board.core.name), winograd=tiles)
        time = run_network(graph, plan_execution(program, board), board).time
        assert time is not None
        cycles[program.calls[0].kernel.name] = time.cycles
    (chosen,) = kernels(fastest_program(graph, board.core.name))
    assert cycles[chosen] <= 1.02 * min(cycles.values())


def test_compact_programs_do_without() -> None:
    graph = convolutions(8, 8)
    assert kernels(select_kernels(graph, KernelSet.DSP_DUAL, winograd=(2,))) == {WINOGRAD}
    assert kernels(select_kernels(graph, KernelSet.DSP_DUAL, winograd=())) == {PLAIN}
    assert kernels(select_kernels(graph)) == {"ps_conv_2d_s8"}


def test_where_flash_is_too_small_the_model_keeps_its_other_fast_kernels() -> None:
    """512 KiB hold 150 KB of filters, but not eight or three and a half times as much."""
    graph, board = convolutions(96, 96, 96), load_board("nucleo-f446re")
    plan, _ = plan_graph(graph, board)
    assert kernels(plan.program) == {PLAIN}
    assert list(plan.left_out) == ["Winograd convolutions of 4x4 outputs", "Winograd convolutions"]
    assert "do not fit" in plan.left_out["Winograd convolutions"]
    assert "no Winograd convolutions: " in describe_kernels(plan)
    plan, _ = plan_graph(convolutions(96, 96), board)
    assert kernels(plan.program) == {WINOGRAD}
    assert list(plan.left_out) == ["Winograd convolutions of 4x4 outputs"]
    plan, _ = plan_graph(convolutions(32, 32), board)
    assert kernels(plan.program) == {LARGEST}
    assert not plan.left_out


def test_where_c_arrays_would_be_too_many_the_last_layers_do_without() -> None:
    graph = convolutions(176, 176, 176, 176, 176)
    names = [call.kernel.name for call in select_kernels(graph, KernelSet.DSP_DUAL).calls]
    assert names == [LARGEST, WINOGRAD, PLAIN, PLAIN]


def test_where_constants_are_slow_to_come_the_smaller_ones_are_taken() -> None:
    """Each filter is used for four patches only, and comes from serial flash."""
    graph, board = convolutions(128, 128, 128), load_board("stm32f746g-disco")
    plan, placed = plan_graph(graph, board)
    assert placed is not None
    assert kernels(plan.program) == {WINOGRAD}
    assert not plan.left_out
    larger, _ = plan_on_board(select_kernels(graph, KernelSet.DSP_DUAL), board)
    assert kernels(larger.program) == {LARGEST}
    assert estimate_plan(plan, placed).cycles < estimate_plan(larger, placed).cycles


def test_where_ram_is_too_small_all_kernels_are_plain_c() -> None:
    """120 KiB hold two images of 60 KiB, but no scratch memory."""
    wide, board = convolutions(8, 8, size=86), load_board("nucleo-f446re")
    options = PlanOptions(overlays=False)
    plan, _ = plan_graph(wide, board, options)
    assert kernels(plan.program) == {"ps_conv_2d_s8"}
    assert list(plan.left_out) == [
        "Winograd convolutions of 4x4 outputs",
        "Winograd convolutions",
        "fast kernels",
    ]
    with pytest.raises(CapacityError, match="the arena needs"):
        plan_graph(convolutions(8, 16, size=86), board, options)


def test_comparisons_take_the_kernels_that_a_plan_has_room_for() -> None:
    board, options = load_board("nucleo-f446re"), PlanOptions()
    assert kernels(choose_kernels(convolutions(96, 96, 96), board, options)) == {PLAIN}
