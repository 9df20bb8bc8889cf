"""What overlays cost the core: small layers in many tiles on virtual boards."""

from collections.abc import Callable

import pytest

from penstock.bench.measure import run_network
from penstock.bench.networks import NetworkBuilder
from penstock.boards import load_board
from penstock.errors import UnsupportedError
from penstock.kernels.kernel_graph import ConstantArgument, KernelCall, TensorArgument
from penstock.kernels.selection import select_kernels
from penstock.planning import validate_plan
from penstock.planning.estimate import estimate_overlaid, estimate_plan
from penstock.planning.estimate.overlay_costs import load_overlay_costs
from penstock.planning.lifetimes import plan_buffers
from penstock.planning.overlay_site import find_site
from penstock.planning.overlays.partition import Partition
from penstock.planning.overlays.parts import CallPart, Stage
from penstock.planning.overlays.plan import overlay, overlay_parted
from penstock.planning.tiles import filter_count, row_count

Build = Callable[[NetworkBuilder], None]
ERROR_MAX = 0.15
"""Of layers so small that a tile computes for a few thousand cycles.

The F469's accelerator holds 1 KiB of code: with every copy the kernel's code goes, and is fetched
anew for the next tile. That is 11.5 % of "rows by filters" there, and in no estimate.
"""


def conv(height: int, width: int, depth: int, channels: int) -> Build:
    return lambda network: network.conv_2d((1, height, width, depth), channels, (1, 1))


def dense(depth: int, channels: int) -> Build:
    return lambda network: network.fully_connected(1, depth, channels)


CASES: dict[str, tuple[Build, int, int, bool]] = {
    "rows, constants in place": (conv(64, 4, 8, 8), 1, 64, False),
    "filters": (dense(64, 256), 4, 1, False),
    "filters, long": (dense(512, 256), 8, 1, False),
    "rows by filters": (conv(32, 4, 8, 32), 4, 4, False),
    "far tensors": (conv(64, 4, 8, 8), 8, 1, True),
    "far tensors, long": (conv(64, 32, 32, 4), 4, 4, True),
}
"""Layer, filters and rows of a tile, and whether tensors are far."""
WITH_EXTERNAL_MEMORY = ("stm32f469i-disco", "stm32f746g-disco")
WITHOUT = ("nucleo-h743zi", "nucleo-u575zi-q")
ON_BOARDS = [
    *((board, case) for board in WITH_EXTERNAL_MEMORY for case in CASES),
    *((board, case) for board in WITHOUT for case, layer in CASES.items() if not layer[3]),
]


def cut(count: int, length: int) -> tuple[range, ...]:
    return tuple(range(start, min(start + length, count)) for start in range(0, count, length))


def copied(call: KernelCall, *, is_far: bool, is_parted: bool) -> frozenset[int]:
    kinds = (*([ConstantArgument] if is_parted else []), *([TensorArgument] if is_far else []))
    return frozenset(n for n, argument in enumerate(call.arguments) if isinstance(argument, kinds))


def compare(board_name: str, case: str) -> tuple[float, int]:
    """Return estimated and simulated cycles."""
    build, filters, rows, is_far = CASES[case]
    board = load_board(board_name)
    network = NetworkBuilder()
    build(network)
    graph = network.build("layer")
    program = select_kernels(graph)
    (call,) = program.calls
    site = find_site(program, board)
    buffers = tuple(plan_buffers(program))
    far = frozenset(n for n, buffer in enumerate(buffers) if is_far and buffer.tensors)
    is_parted = filters < filter_count(call)
    part = CallPart(
        cut(row_count(call), rows),
        cut(filter_count(call), filters),
        copied(call, is_far=is_far, is_parted=is_parted),
    )
    parted = Partition(buffers, far, (Stage(range(1), (part,)),))
    plan = site.complete(overlay_parted(program, parted, site.space))
    validate_plan(plan, board)
    simulation = run_network(graph, plan, board)
    assert simulation.time is not None
    return estimate_overlaid(plan, board).cycles, simulation.time.cycles


@pytest.mark.board
@pytest.mark.parametrize(("board", "case"), ON_BOARDS)
def test_tiles_and_copies_cost_what_is_stated(board: str, case: str) -> None:
    estimated, simulated = compare(board, case)
    assert estimated == pytest.approx(simulated, rel=ERROR_MAX)


def test_a_core_that_nobody_has_fitted_is_named() -> None:
    with pytest.raises(UnsupportedError, match="no costs of overlays on cortex-m85"):
        load_overlay_costs("cortex-m85")


def test_steps_add_up_to_the_estimate() -> None:
    board = load_board("stm32f469i-disco")
    network = NetworkBuilder()
    for _ in range(3):
        network.conv_2d((1, 32, 8, 16), 64, (1, 1))
    program = select_kernels(network.build("layers"))
    site = find_site(program, board)
    plan = site.complete(overlay(program, site.space))
    timeline = estimate_overlaid(plan, board)
    assert estimate_plan(plan, board).cycles == round(timeline.cycles)
    assert timeline.cycles > sum(step.cycles for step in timeline.steps)
    assert sum(step.tiles for step in timeline.steps) == len(plan.overlays.tiles)  # type: ignore[union-attr]
    moved = sum(copy.size_bytes for copy in plan.overlays.copies)  # type: ignore[union-attr]
    assert sum(timeline.moved_bytes.values()) == moved
    assert sum(step.copied_bytes for step in timeline.steps) == moved
