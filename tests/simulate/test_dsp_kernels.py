"""The kernels for the DSP extension and for Helium on virtual boards, instruction by instruction.

On this computer they are plain C; what a core executes is assembly. Networks of random layers run
on each kind of core, and every output is compared with the interpreter's.
"""

import contextlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.bench.cases import dsp_networks
from penstock.bench.measure import INPUT_SEED, run_network
from penstock.bench.networks import NetworkBuilder, Weights
from penstock.boards import load_board
from penstock.errors import UnsupportedError
from penstock.frontends.inputs import random_inputs
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.interpreter import trace
from penstock.ir.operators import Padding2D
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor
from penstock.kernels.kernel_set import (
    WINOGRAD_TILES,
    Encoding,
    KernelSet,
    is_dsp_kernel,
    is_mve_kernel,
    kernel_encoding,
    kernel_set,
)
from penstock.kernels.selection import select_kernels
from penstock.planning import plan_execution
from tests.kernels.cases import FAST_CASES
from tests.kernels.encoded_cases import LOOKS
from tests.kernels.encoded_cases import layer as encoded_layer

BOARDS = {
    "cortex-m4": "nucleo-l4r5zi",
    "cortex-m7": "stm32f746g-disco",
    "cortex-m33": "nucleo-u575zi-q",
    "cortex-m55": "mps3-an547",
}
SEEDS = range(12)
"""Networks of 48 layers, for each core."""

Random = np.random.Generator


def _pick(random: Random, values: list[int]) -> int:
    return int(random.choice(values))


def _padding(random: Random, taps: tuple[int, int]) -> Padding2D:
    if random.random() < 0.4:
        return Padding2D(0, 0, 0, 0)
    top, bottom, left, right = (int(side) for side in random.integers(0, 3, 4))
    height, width = taps[0] - 1, taps[1] - 1
    return Padding2D(min(top, height), min(bottom, height), min(left, width), min(right, width))


def _weights(random: Random) -> Weights:
    if random.random() < 0.15:
        return Weights(per_channel=False, zero_point=5, gain=0.004)
    return Weights(
        gain=float(random.choice([0.0005, 0.002, 0.01])),
        per_channel=bool(random.random() < 0.8),
        bias=bool(random.random() < 0.8),
    )


def _add_convolution(network: NetworkBuilder, random: Random) -> None:
    taps = _pick(random, [1, 1, 2, 3, 3, 4, 5, 7]), _pick(random, [1, 1, 2, 3, 3, 4, 5, 7])
    if random.random() < 0.5:
        taps = (3, 3) if random.random() < 0.6 else (1, 1)
    channels = _pick(random, [1, 2, 3, 4, 5, 7, 8, 12, 16, 24, 33])
    height, width = (taps[n] + int(random.integers(0, 14)) for n in (0, 1))
    shape = (1, height, width, channels)
    stride = _pick(random, [1, 1, 2, 3]), _pick(random, [1, 1, 2, 3])
    padding, weights = _padding(random, taps), _weights(random)
    if random.random() < 0.5:
        network.depthwise_conv_2d(
            shape, taps, per_input=1, stride=stride, padding=padding, weights=weights
        )
        return
    network.conv_2d(
        shape,
        int(random.integers(1, 21)),
        taps,
        stride=stride,
        padding=padding,
        dilation=(1, 1),
        groups=1,
        weights=weights,
    )


def _add_winograd(network: NetworkBuilder, random: Random) -> None:
    taps = 3, 3
    padding = _padding(random, taps)
    height, width = (int(random.integers(8, 15)) for _ in range(2))
    depth, channels = _pick(random, [8, 12, 16, 24, 40]), int(random.integers(8, 18))
    shape = (1, height, width, depth)
    network.conv_2d(
        shape,
        channels,
        taps,
        stride=(1, 1),
        padding=padding,
        dilation=(1, 1),
        groups=1,
        weights=_weights(random),
    )


def _add_narrow_depthwise(network: NetworkBuilder, random: Random) -> None:
    sides = [(25, 5), (18, 6), (6, 21), (4, 12)][int(random.integers(4))]
    shape = (1, *sides, _pick(random, [3, 8, 16, 27]))
    stride = _pick(random, [1, 1, 2]), _pick(random, [1, 1, 2])
    network.depthwise_conv_2d(
        shape,
        (3, 3),
        per_input=1,
        stride=stride,
        padding=Padding2D(1, 1, 1, 1),
        weights=_weights(random),
    )


def _add_dense(network: NetworkBuilder, random: Random) -> None:
    weights = Weights(gain=float(random.choice([0.001, 0.01])), per_channel=False)
    rows, depth, channels = (int(random.integers(1, most)) for most in (3, 90, 30))
    network.fully_connected(rows, depth, channels, weights=weights)


def _add_sum(network: NetworkBuilder, random: Random) -> None:
    shape = (1, int(random.integers(1, 9)), int(random.integers(1, 9)), _pick(random, [1, 3, 8]))
    other = shape if random.random() < 0.6 else (1, 1, 1, shape[3])
    points = [int(point) for point in random.integers(-128, 128, 3)]
    scales = [0.05, float(random.choice([0.05, 0.011])), float(random.choice([0.06, 0.1]))]
    operands = [
        network.input(extent, scale=scale, zero_point=point)
        for extent, scale, point in zip((shape, other), scales, points, strict=False)
    ]
    if random.random() < 0.5:
        operands.reverse()
    output = network.tensor(shape, scale=scales[2], zero_point=points[2])
    network.operator(ops.Add(left=operands[0], right=operands[1], output=output))


def random_network(seed: int) -> Graph:
    random = np.random.default_rng(seed)
    network = NetworkBuilder(_random=random)
    for _ in range(24):
        _add_convolution(network, random)
    for _ in range(4):
        _add_winograd(network, random)
        _add_narrow_depthwise(network, random)
    for _ in range(8):
        _add_dense(network, random)
        _add_sum(network, random)
    return network.build(f"random{seed}")


def is_fast(kernel: str) -> bool:
    return is_dsp_kernel(kernel) or is_mve_kernel(kernel)


def check(
    graph: Graph, board_name: str, least: float = 0.7, encoding: Encoding | None = None
) -> None:
    """Compare outputs with the interpreter's.

    Args:
        graph: layers side by side.
        board_name: where.
        least: share of layers with a fast kernel, of the encoding if there is one.
        encoding: of the filters that can have it.
    """
    board = load_board(board_name)
    if board.emulator is not None and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not installed")
    # Every other operator has small tiles where it is a convolution by Winograd.
    tiles = {n: WINOGRAD_TILES[n % 2 :] for n in range(len(graph.operators))}
    kernels = kernel_set(board.core.name)
    program = select_kernels(graph, kernels, winograd=tiles, encodings=encoding)
    names = [call.kernel.name for call in program.calls]
    fast = [name for name in names if is_fast(name)]
    wanted = [name for name in fast if encoding in (None, kernel_encoding(name))]
    assert len(wanted) > least * len(names)
    found = run_network(graph, plan_execution(program, board), board)
    inputs = random_inputs(graph, INPUT_SEED).arrays
    expected = trace(graph, dict(zip(graph.inputs, inputs, strict=True)))
    for name, content in zip(graph.outputs, found.outputs, strict=True):
        want = expected[name]
        have = np.frombuffer(content, want.dtype).reshape(want.shape)
        np.testing.assert_array_equal(have, want, err_msg=f"{name} of {graph.name}")


@pytest.mark.board
@pytest.mark.parametrize("core", BOARDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_random_layers_compute_what_the_interpreter_does(seed: int, core: str) -> None:
    check(random_network(seed), BOARDS[core])


def draw_graphs(case: Callable[[Any], Graph], count: int, kernels: KernelSet) -> list[Graph]:
    """Return those of random graphs of a case that call a fast kernel, always the same ones."""
    found: list[Graph] = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def collect(data: st.DataObject) -> None:
        graph = case(data.draw)
        with contextlib.suppress(UnsupportedError):
            if any(is_fast(call.kernel.name) for call in select_kernels(graph, kernels).calls):
                found.append(graph)

    collect()
    return found


def merge(name: str, graphs: Sequence[Graph]) -> Graph:
    """Return one graph in which others stand side by side."""

    def renamed(number: int, tensor: str) -> str:
        return f"g{number}_{tensor}"

    tensors: list[Tensor] = []
    operators: list[ops.Operator] = []
    inputs: list[str] = []
    outputs: list[str] = []
    for number, graph in enumerate(graphs):
        names = {tensor: renamed(number, tensor) for tensor in graph.tensors}
        tensors += [replace(t, name=names[t.name]) for t in graph.tensors.values()]
        operators += [operator.rename(names) for operator in graph.operators]
        inputs += [names[tensor] for tensor in graph.inputs]
        outputs += [names[tensor] for tensor in graph.outputs]
    return Graph.build(name, tensors, operators, inputs, outputs)


@pytest.mark.board
@pytest.mark.parametrize("core", BOARDS)
def test_extreme_layers_compute_what_the_interpreter_does(core: str) -> None:
    """Any scale, zero point, padding, dilation and batch that the kernels take; filters of -128."""
    kernels = kernel_set(load_board(BOARDS[core]).core.name)
    graphs = [graph for case in FAST_CASES.values() for graph in draw_graphs(case, 40, kernels)]
    assert len(graphs) > 120
    for start in range(0, len(graphs), 80):
        check(merge(f"extreme{start}", graphs[start : start + 80]), BOARDS[core])


@pytest.mark.board
@pytest.mark.parametrize("core", BOARDS)
@pytest.mark.parametrize("encoding", Encoding)
def test_encoded_layers_compute_what_the_interpreter_does(encoding: Encoding, core: str) -> None:
    """Any geometry, shares of zeros, rows without anything else, and the largest filters."""
    for start in range(0, 120, 40):
        layers = [encoded_layer(seed, LOOKS[encoding]) for seed in range(start, start + 40)]
        graph = merge(f"{encoding.value}{start}", layers)
        check(graph, BOARDS[core], least=0.6, encoding=encoding)


def layer(
    name: str, filters: np.ndarray, factors: Sequence[float], zero_point: int, depthwise: bool
) -> Graph:
    """Return a convolution with padding, of given int8 filters and factors of scales by channel."""
    axis = 3 if depthwise else 0
    channels, depth = filters.shape[axis], filters.shape[3]
    height, width = filters.shape[1:3]
    scale, source, output = 0.125, (2, 5, 7, depth), (2, 9 - height, 11 - width, channels)
    points = QuantizationParameters.per_tensor(scale, zero_point)
    opposite = QuantizationParameters.per_tensor(scale, -1 - zero_point)
    weights = QuantizationParameters(tuple(factors), (0,) * channels, axis)
    tensors = [
        Tensor("x", source, DType.INT8, quantization=points),
        Tensor("w", filters.shape, DType.INT8, quantization=weights, data=filters),
        Tensor("y", output, DType.INT8, quantization=opposite),
    ]
    kind = ops.DepthwiseConv2D if depthwise else ops.Conv2D
    operator = kind(input="x", filters="w", bias=None, output="y", padding=Padding2D(2, 1, 2, 1))
    return Graph.build(name, tensors, [operator], ["x"], ["y"])


@pytest.mark.parametrize("core", BOARDS)
def test_factors_above_one_and_filters_of_the_least_number(core: str) -> None:
    """Sums that are shifted left, or not at all; and pairs of taps that leave 16 bits."""
    random = np.random.default_rng(5)
    graphs = []
    for depth in (2, 5, 8, 16, 20):
        for size, zero_point in ((1, -128), (3, 127)):
            filters = random.integers(-1, 2, (depth + 1, size, size, depth)).astype(np.int8)
            channels = filters[:1].astype(np.int8)
            factors = random.choice([0.3, 0.5, 0.7, 1.0, 1.7, 4.0], depth + 1).tolist()
            graphs += [
                layer("sparse", filters // depth, factors, zero_point, depthwise=False),
                layer("deep", channels, factors[:depth], zero_point, depthwise=True),
                layer(
                    "least", np.full_like(channels, -128), [0.0005] * depth, -128, depthwise=True
                ),
            ]
    check(merge("factors", graphs), BOARDS[core], least=0.3)


@pytest.mark.parametrize("core", BOARDS)
def test_layers_of_the_benchmark_compute_what_the_interpreter_does(core: str) -> None:
    for graph in dsp_networks().values():
        check(replace(graph, name=f"{graph.name}_checked"), BOARDS[core])
