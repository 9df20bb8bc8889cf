"""The kernels for the DSP extension and for Helium on virtual boards, instruction by instruction.

On this computer they are plain C; what a core executes is assembly. Networks of random layers run
on each kind of core, and every output is compared with the interpreter's.
"""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from penstock.bench.cases import dsp_networks
from penstock.bench.measure import INPUT_SEED, run_network
from penstock.bench.networks import NetworkBuilder, Weights
from penstock.boards import load_board
from penstock.frontends.inputs import random_inputs
from penstock.ir import operators as ops
from penstock.ir.graph import Graph
from penstock.ir.interpreter import trace
from penstock.ir.operators import Padding2D
from penstock.kernels.kernel_set import is_dsp_kernel, is_mve_kernel, kernel_set
from penstock.kernels.selection import select_kernels
from penstock.planning import plan_execution

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


def check(graph: Graph, board_name: str) -> None:
    board = load_board(board_name)
    if board.emulator is not None and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not installed")
    program = select_kernels(graph, kernel_set(board.core.name))
    names = [call.kernel.name for call in program.calls]
    assert sum(is_dsp_kernel(name) or is_mve_kernel(name) for name in names) > 0.7 * len(names)
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


@pytest.mark.parametrize("core", BOARDS)
def test_layers_of_the_benchmark_compute_what_the_interpreter_does(core: str) -> None:
    for graph in dsp_networks().values():
        check(replace(graph, name=f"{graph.name}_checked"), BOARDS[core])
