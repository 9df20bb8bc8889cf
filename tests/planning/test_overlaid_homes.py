"""Where overlays put weights that somebody wants in a certain memory."""

from dataclasses import replace
from pathlib import Path

import pytest

from penstock.bench.networks import NetworkBuilder, Weights
from penstock.boards import load_board
from penstock.errors import CapacityError
from penstock.frontends.tflite import read_model
from penstock.kernels.kernel_graph import KernelGraph
from penstock.kernels.kernel_set import KernelSet
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning import plan_model, validate_plan
from penstock.planning.options import PlanOptions
from penstock.planning.overlays.program import Block

MODEL = Path(__file__).parents[2] / "examples" / "cifar10.tflite"
BOARD = load_board("stm32f746g-disco")
SMALL_FLASH = ("flash", 960 * 1024)
CROWDED = (("sram1", 216 * 1024), ("dtcm", 64 * 1024), ("sram2", 16 * 1024))


@pytest.fixture(scope="module")
def program() -> KernelGraph:
    return select_kernels(run_passes(read_model(MODEL.read_bytes(), "cifar10")))


@pytest.mark.parametrize(
    ("home", "image"), [("qspi", None), ("sdram", "qspi"), ("flash", None), (None, None)]
)
def test_all_packs_are_where_they_were_wanted(
    program: KernelGraph, home: str | None, image: str | None
) -> None:
    plan = plan_model(program, BOARD, PlanOptions(weights_in=home))
    validate_plan(plan, BOARD)
    assert plan.overlays is not None
    assert plan.placement is not None
    is_near = home in (None, "flash")
    assert plan.placement.far_weights == (None if is_near else home)
    assert plan.placement.far_weights_image == image
    assert bool(plan.overlays.packs_bytes(Block.PACKS)) == is_near


def test_flash_that_is_too_small_is_an_error_with_a_remedy(program: KernelGraph) -> None:
    options = PlanOptions(weights_in="flash", reserve=(SMALL_FLASH,))
    with pytest.raises(CapacityError, match="of weights do not fit flash beside") as raised:
        plan_model(program, BOARD, options)
    assert raised.value.help == "leave out --weights-in, or choose external memory"


def test_ram_that_is_too_small_is_an_error(program: KernelGraph) -> None:
    options = PlanOptions(weights_in="sdram", reserve=(("sdram", 8 * 1024 * 1024 - 65536),))
    with pytest.raises(CapacityError, match=r"of weights do not fit .* external RAM: sdram has"):
        plan_model(program, BOARD, options)


def test_weights_in_ram_inside_need_no_overlays(program: KernelGraph) -> None:
    plan = plan_model(program, BOARD, PlanOptions(weights_in="sram1"))
    validate_plan(plan, BOARD)
    assert plan.overlays is None
    assert plan.without_overlays == "weights in sram1, which is inside, need no copies"


def test_constants_are_read_in_place_where_that_is_faster() -> None:
    """A dense layer uses each weight once: faster than DMA brings them from this flash."""
    network = NetworkBuilder()
    network.fully_connected(1, 512, 256, weights=Weights(gain=0.001, per_channel=False))
    dense = select_kernels(network.build("dense"), KernelSet.DSP_DUAL)
    plan = plan_model(dense, BOARD)
    assert plan.overlays is None
    assert "reading constants in place is estimated to be faster" in plan.without_overlays
    outside = plan_model(dense, BOARD, PlanOptions(weights_in="qspi"))
    assert outside.overlays is not None


def test_flash_that_code_alone_fills_is_an_error(program: KernelGraph) -> None:
    options = PlanOptions(reserve=(("flash", 1000 * 1024),))
    with pytest.raises(CapacityError, match=r"the code needs \d+ B .* left: flash 24576 of 24576"):
        plan_model(program, BOARD, options)


def test_inputs_that_nobody_reads_take_their_room(program: KernelGraph) -> None:
    image = program.graph.tensors[program.graph.inputs[0]]
    unread = replace(image, name="unread", shape=(1, 128, 128, 3))
    tensors = {**program.graph.tensors, "unread": unread}
    graph = replace(program.graph, tensors=tensors, inputs=(*program.graph.inputs, "unread"))
    plan = plan_model(replace(program, graph=graph), BOARD, PlanOptions(reserve=CROWDED))
    validate_plan(plan, BOARD)
    assert plan.overlays is not None
    assert "unread" in plan.overlays.far_offset_bytes
