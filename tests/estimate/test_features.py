"""Counts of loops against loops that count."""

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from penstock.bench.networks import NetworkBuilder, Weights
from penstock.ir.dtype import DType
from penstock.ir.operators import Padding2D
from penstock.kernels.catalogue import CATALOGUE
from penstock.kernels.kernel_graph import Kernel, KernelCall, KernelGraph, StructArgument
from penstock.kernels.kernel_set import is_mve_kernel
from penstock.kernels.selection import select_kernels
from penstock.planning.estimate.call_view import CallView
from penstock.planning.estimate.features import call_features
from penstock.planning.estimate.windows import Axis, count_patches, transposed_axis, window_axis

SMALL = st.integers(1, 5)


def view(**fields: int) -> CallView:
    params = StructArgument("params", tuple(fields.items()))
    call = KernelCall(Kernel("ps_test", "penstock/conv_2d.h", ()), (params,), 0)
    return CallView(KernelGraph(NetworkBuilder().build("empty"), (), {}), call, fields)


def program(build: NetworkBuilder) -> KernelGraph:
    return select_kernels(build.build("network"))


def features_of(build: NetworkBuilder) -> dict[str, int]:
    lowered = program(build)
    return call_features(lowered, lowered.calls[0])


def axis_fields(name: str, edge: str, **values: int) -> dict[str, int]:
    return {f"{key}_{edge if key == 'padding' else name}": value for key, value in values.items()}


@given(
    extent=SMALL, outputs=SMALL, taps=SMALL, stride=SMALL, dilation=SMALL, padding=st.integers(0, 6)
)
def test_taps_inside_the_input(
    extent: int, outputs: int, taps: int, stride: int, dilation: int, padding: int
) -> None:
    fields = axis_fields(
        "height", "top", input=extent, output=outputs, filter=taps, stride=stride,
        dilation=dilation, padding=padding,
    )  # fmt: skip
    axis = window_axis(view(**fields), "height", "top")
    origins = [position * stride - padding for position in range(outputs)]
    wanted = [
        sum(0 <= origin + tap * dilation < extent for tap in range(taps)) for origin in origins
    ]
    assert axis.taps.tolist() == wanted
    assert axis.clips_begin == sum(origin < 0 for origin in origins)
    assert axis.clips_end == sum(origin + (taps - 1) * dilation >= extent for origin in origins)


@given(extent=SMALL, outputs=SMALL, taps=SMALL, stride=SMALL, padding=st.integers(0, 4))
def test_taps_that_reach_an_output_of_a_transposed_convolution(
    extent: int, outputs: int, taps: int, stride: int, padding: int
) -> None:
    fields = axis_fields(
        "width", "left", input=extent, output=outputs, filter=taps, stride=stride, padding=padding
    )
    axis = transposed_axis(view(**fields), "width", "left")
    wanted = [
        sum(at * stride + tap == position + padding for at in range(extent) for tap in range(taps))
        for position in range(outputs)
    ]
    assert axis.taps.tolist() == wanted


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.lists(st.integers(0, 3), min_size=1))
def test_patches_are_pairs_of_rows_and_columns(rows: list[int], columns: list[int]) -> None:
    patches = count_patches(Axis(np.array(rows), 1, 0), Axis(np.array(columns), 0, 2))
    pairs = [(row, column) for row in rows for column in columns]
    reached = [(row, column) for row, column in pairs if row and column]
    assert patches.pixels == len(pairs)
    assert patches.taps == sum(row * column for row, column in pairs)
    assert patches.rows == sum(row for row, _ in reached)
    assert patches.wide_rows == sum(row for row, column in reached if column > 1)
    assert patches.tall_patches == sum(row > 1 for row, _ in reached)
    assert patches.clipped == len(columns) + 2 * len(rows)


@given(
    channels=st.integers(1, 9),
    depth=st.integers(1, 9),
    size=st.integers(3, 6),
    taps=st.integers(1, 3),
    dtype=st.sampled_from([DType.INT8, DType.INT16]),
)
def test_steps_of_a_convolution_are_its_macs(
    channels: int, depth: int, size: int, taps: int, dtype: DType
) -> None:
    network = NetworkBuilder(dtype)
    network.conv_2d((1, size, size, depth), channels, (taps, taps))
    lowered = program(network)
    found = call_features(lowered, lowered.calls[0])
    block = 4 if dtype is DType.INT8 else 2
    steps = block * found.get("block_step", 0) + found.get("single_step", 0)
    assert steps == lowered.calls[0].macs
    assert found["output"] == found["pixel"] * channels


def test_padding_leaves_taps_out() -> None:
    network = NetworkBuilder()
    network.conv_2d((1, 3, 3, 8), 4, (3, 3), padding=Padding2D(1, 1, 1, 1))
    found = features_of(network)
    # One pixel has all nine taps, four have six, the four corners four.
    assert found["block_step"] == (9 + 4 * 6 + 4 * 4) * 8
    assert found["block_run"] == found["block_row"] == (2 + 3 + 2) * 3
    assert found["clip"] == 12


def test_taps_that_are_apart_are_products_of_their_own() -> None:
    network = NetworkBuilder()
    network.conv_2d((1, 5, 5, 8), 4, (3, 3), dilation=(2, 2))
    found = features_of(network)
    assert (found["block_row"], found["block_run"]) == (3, 9)


@pytest.mark.parametrize(
    ("shape", "per_input", "kind", "blocks", "singles"),
    [
        ((1, 4, 4, 10), 1, "block", 2, 2),
        ((1, 4, 4, 2), 4, "shared", 2, 0),
        ((1, 4, 4, 3), 2, "single", 0, 6),
    ],
)
def test_blocks_of_a_depthwise_convolution(
    shape: tuple[int, ...], per_input: int, kind: str, blocks: int, singles: int
) -> None:
    network = NetworkBuilder()
    network.depthwise_conv_2d(shape, (2, 2), per_input=per_input)
    found = features_of(network)
    pixels = found["pixel"]
    assert pixels == 9
    if blocks:
        assert found[kind] == blocks * pixels
        assert found[f"{kind}_step"] == 4 * blocks * pixels
    assert found.get("single", 0) == singles * pixels


def test_zero_points_of_filters_cost_sums_of_the_input() -> None:
    plain, legacy = NetworkBuilder(), NetworkBuilder()
    plain.fully_connected(2, 16, 4)
    legacy.fully_connected(2, 16, 4, weights=Weights(per_channel=False, zero_point=5))
    assert "offset_step" not in features_of(plain)
    assert features_of(legacy)["offset_step"] == 32


def test_directions_of_shifts_are_counted_by_channel() -> None:
    network = NetworkBuilder()
    network.conv_2d((1, 2, 2, 4), 8, (1, 1), weights=Weights(gain=1e-5))
    assert features_of(network)["right_shift"] == 4 * 8
    steep = NetworkBuilder()
    steep.conv_2d((1, 2, 2, 4), 8, (1, 1), weights=Weights(gain=50.0))
    assert features_of(steep)["left_shift"] == 4 * 8


def test_every_kernel_has_its_loops_counted_in_the_benchmark(measured_calls: Any) -> None:
    assert {call.kernel.name for _, call in measured_calls} >= {
        name for name in CATALOGUE if not is_mve_kernel(name)
    }
    for lowered, call in measured_calls:
        found = call_features(lowered, call)
        assert found["call"] == 1
        assert all(isinstance(value, int) and value > 0 for value in found.values()), found
