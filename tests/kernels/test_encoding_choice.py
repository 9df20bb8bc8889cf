"""Which filters are stored in fewer bytes than int8 takes."""

import numpy as np
import pytest

from penstock.bench.measure import run_network
from penstock.bench.networks import NetworkBuilder, Shape, Weights
from penstock.boards import load_board
from penstock.ir.graph import Graph
from penstock.ir.operators import Activation
from penstock.kernels.kernel_graph import KernelGraph
from penstock.kernels.kernel_set import Encoding, WeightChoice, kernel_encoding, kernel_set
from penstock.kernels.selection import select_kernels
from penstock.kernels.selection.encodings import possible_encodings
from penstock.pipeline import plan_graph
from penstock.planning import plan_execution
from penstock.planning.kernel_choice import constant_bytes, fastest_program, smallest_program
from penstock.planning.options import PlanOptions
from penstock.report.filters import encoded_filters, filters_to_json
from penstock.report.summary import describe_kernels

CORES = ["cortex-m4", "cortex-m7", "cortex-m33"]
SMALL = PlanOptions(weights=WeightChoice.SMALL)
DENSE = PlanOptions(weights=WeightChoice.DENSE)


def weights(density: float) -> Weights:
    return Weights(activation=Activation.NONE, per_channel=False, density=density)


def points(shape: Shape, channels: int, density: float) -> Graph:
    network = NetworkBuilder()
    network.conv_2d(shape, channels, (1, 1), weights=weights(density))
    return network.build("points")


def dense(depth: int, channels: int, density: float) -> Graph:
    network = NetworkBuilder()
    network.fully_connected(1, depth, channels, weights=weights(density))
    return network.build("dense")


def encodings(program: KernelGraph) -> list[Encoding | None]:
    return [kernel_encoding(call.kernel.name) for call in program.calls]


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("density", "found"), [(0.25, [Encoding.SPARSE]), (0.95, [None])])
def test_zeros_are_left_out_where_that_is_faster(
    core: str, density: float, found: list[Encoding | None]
) -> None:
    graph = points((1, 8, 8, 64), 64, density)
    assert encodings(fastest_program(graph, core)) == found
    assert encodings(fastest_program(graph, core, weights=WeightChoice.DENSE)) == [None]


@pytest.mark.board
@pytest.mark.parametrize("board_name", ["stm32f746g-disco", "nucleo-l4r5zi", "nucleo-u575zi-q"])
@pytest.mark.parametrize("density", [0.1, 0.25, 0.4])
@pytest.mark.parametrize("shape", [(1, 8, 8, 64), (1, 3, 3, 128), (1, 1, 1, 256)])
def test_what_is_chosen_takes_the_fewest_cycles(
    board_name: str, density: float, shape: Shape
) -> None:
    graph, board = points(shape, 48, density), load_board(board_name)
    cycles = {}
    for encoding in (None, *possible_encodings(graph)):
        program = select_kernels(graph, kernel_set(board.core.name), encodings=encoding)
        time = run_network(graph, plan_execution(program, board), board).time
        assert time is not None
        cycles[encodings(program)[0]] = time.cycles
    (chosen,) = encodings(fastest_program(graph, board.core.name))
    assert cycles[chosen] <= 1.1 * min(cycles.values())  # constants come from flash here


@pytest.mark.parametrize("core", [None, "cortex-m3", "cortex-m55"])
def test_cores_without_an_estimate_have_int8_unless_asked(core: str | None) -> None:
    graph = points((1, 8, 8, 64), 64, 0.25)
    assert encodings(fastest_program(graph, core)) == [None]
    assert encodings(fastest_program(graph, core, weights=WeightChoice.SMALL)) == [Encoding.SPARSE]
    (call,) = smallest_program(graph, None).calls
    assert call.kernel.name == "ps_conv_2d_sparse_s8"


def test_each_layer_has_the_encoding_that_is_asked_for() -> None:
    network = NetworkBuilder()
    for _ in range(3):
        network.conv_2d((1, 4, 4, 64), 8, (1, 1), weights=weights(0.2))
    program = select_kernels(network.build("three"), encodings={1: Encoding.SPARSE})
    assert encodings(program) == [None, Encoding.SPARSE, None]


def test_filters_that_are_slow_to_come_take_fewer_bytes() -> None:
    """One row of values: the core multiplies all weights faster than those that are not zero."""
    graph, board = dense(1100, 1000, 0.35), load_board("stm32f746g-disco")
    assert encodings(fastest_program(graph, board.core.name)) == [None]
    plan, _ = plan_graph(graph, board)
    assert encodings(plan.program) == [Encoding.SPARSE]
    assert encodings(plan_graph(graph, board, DENSE)[0].program) == [None]


def test_filters_that_do_not_fit_take_fewer_bytes() -> None:
    graph, board = dense(900, 600, 0.25), load_board("nucleo-f446re")
    assert encodings(fastest_program(graph, board.core.name)) == [None]
    plan, _ = plan_graph(graph, board)
    assert encodings(plan.program) == [Encoding.SPARSE]
    assert list(plan.left_out) == ["filters as int8 that can take fewer bytes"]


def test_reports_say_how_many_bytes_filters_take() -> None:
    graph = points((1, 8, 8, 128), 64, 0.25)
    plan, _ = plan_graph(graph, None, SMALL)
    (found,) = encoded_filters(plan.program)
    assert (found.encoding, found.steps, found.int8_bytes) == (Encoding.SPARSE, 1, 128 * 64)
    assert found.stored_bytes < 0.42 * found.int8_bytes
    assert filters_to_json([found]) == {
        "sparse": {
            "steps": 1,
            "stored_bytes": found.stored_bytes,
            "int8_bytes": found.int8_bytes,
        }
    }
    said = "filters without zeros in 1 step, 3.3 KiB where int8 takes 8.0 KiB"
    assert said in describe_kernels(plan)
    assert encoded_filters(plan_graph(graph, None, DENSE)[0].program) == ()


def test_the_smallest_program_is_never_larger() -> None:
    random = np.random.default_rng(2)
    for density in random.uniform(0.05, 1, 12):
        graph = points((1, 2, 2, int(random.integers(1, 60))), 12, float(density))
        assert constant_bytes(smallest_program(graph, None)) <= constant_bytes(
            select_kernels(graph)
        )
