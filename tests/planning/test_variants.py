"""Rules of placement: what each may use."""

from pathlib import Path

import pytest

from penstock.boards import Board, load_board
from penstock.boards.ideal import FLASH, RAM, ideal_board
from penstock.errors import CapacityError, UnsupportedError
from penstock.frontends.tflite import load_model
from penstock.kernels.kernel_graph import KernelGraph
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning import validate_plan
from penstock.planning.execution_plan import Placement
from penstock.planning.variants import Variant, plan_variant

EXAMPLE = Path(__file__).parents[2] / "examples" / "cifar10.tflite"
BIG = "imagenet_int8/tf2_mobilenet_v2_1.0_224_ptq.tflite"


@pytest.fixture(scope="module")
def program() -> KernelGraph:
    return select_kernels(run_passes(load_model(EXAMPLE)))


@pytest.fixture(scope="module")
def big(shared_dir: Path) -> KernelGraph:
    return select_kernels(run_passes(load_model(shared_dir / "models" / BIG)))


@pytest.fixture
def board() -> Board:
    return load_board("stm32f746g-disco")


def placement_of(program: KernelGraph, board: Board, variant: Variant) -> Placement | None:
    planned = plan_variant(program, board, variant)
    validate_plan(planned.plan, planned.board)
    return planned.plan.placement


def test_internal_uses_nothing_outside(program: KernelGraph, board: Board) -> None:
    placement = placement_of(program, board, Variant.INTERNAL)
    assert placement is not None
    for name in (placement.code, placement.weights, placement.arena, placement.stack):
        assert not board.region(name).is_external


def test_a_network_too_large_for_internal_memory(big: KernelGraph, board: Board) -> None:
    with pytest.raises(CapacityError, match="the arena needs"):
        plan_variant(big, board, Variant.INTERNAL)


def test_external_weights_lie_beside_the_arena(program: KernelGraph, board: Board) -> None:
    assert placement_of(program, board, Variant.EXTERNAL) == Placement(
        code="flash", weights="sdram", arena="sdram", stack="dtcm"
    )


def test_what_internal_flash_cannot_keep_is_copied_from_external(
    big: KernelGraph, board: Board
) -> None:
    assert placement_of(big, board, Variant.EXTERNAL) == Placement(
        code="flash", weights="sdram", arena="sdram", stack="dtcm", weights_image="qspi"
    )


def test_a_board_without_external_memory(program: KernelGraph) -> None:
    with pytest.raises(UnsupportedError, match="no external memory that can be written"):
        plan_variant(program, load_board("nucleo-l4r5zi"), Variant.EXTERNAL)


def test_ideal_memory_takes_everything_and_costs_nothing(big: KernelGraph, board: Board) -> None:
    planned = plan_variant(big, board, Variant.IDEAL)
    assert planned.plan.placement == Placement(code=FLASH, weights=RAM, arena=RAM, stack=RAM)
    ideal = ideal_board(board)
    assert (ideal.core, ideal.clock_hz, ideal.data_cache) == (
        board.core,
        board.clock_hz,
        board.data_cache,
    )
    assert not any(region.is_external for region in ideal.regions)


def test_roomy_memory_has_all_of_a_network_and_its_wait_states(
    big: KernelGraph, board: Board
) -> None:
    planned = plan_variant(big, board, Variant.ROOMY)
    validate_plan(planned.plan, planned.board)
    placement = planned.plan.placement
    assert placement is not None
    assert (placement.weights, placement.arena) == ("flash", "sram1")
    assert (placement.far, placement.far_weights) == (None, None)
    for name in ("flash", "sram1"):
        assert planned.board.region(name).size_bytes == 32 << 20
        assert planned.board.region(name).timing == board.region(name).timing
    assert planned.board.data_cache == board.data_cache
    assert not any(region.is_external for region in planned.board.regions)
