"""Overlays on virtual boards: the bytes of the interpreter, and no wait that could be left out."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from penstock import machines, pipeline
from penstock.boards import Board, load_board
from penstock.codegen.project_files import ProjectManifest
from penstock.errors import SimulationError
from penstock.frontends.tflite import load_model
from penstock.ir.graph import Graph
from penstock.ir.interpreter import run
from penstock.kernels.kernel_set import Encoding, kernel_set
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning import ExecutionPlan
from penstock.planning.options import PlanOptions
from penstock.planning.overlaid import plan_overlaid
from penstock.planning.overlays.program import Copy
from penstock.planning.placement import STACK_BYTES
from penstock.simulate import VirtualBoard
from penstock.simulate.verification import arrays_agree, as_array, verify_steps
from penstock.toolchain import find_target_compiler
from tests.litert import random_inputs
from tests.planning.overlays.networks import mobile_blocks, moves
from tests.planning.overlays.test_encoded import encodable, wide_layers

pytestmark = pytest.mark.board

EXAMPLE = Path(__file__).parents[2] / "examples" / "cifar10.tflite"
BOARDS = ("stm32f469i-disco", "stm32f746g-disco", "stm32h747i-disco", "nucleo-u575zi-q")
"""Streams without and with a data cache, MDMA, GPDMA; the last one has no external memory."""
WITH_RAM = BOARDS[:3]
PAGE_BYTES = 4096
"""The emulator maps no less."""
ROOM_BYTES = 16 * 1024
"""Of a board whose internal memory has shrunk, what is left for tensors and slots."""
ENCODED = {encoding.value: encoding for encoding in Encoding}
_TILE_BYTES, _WAITS_AT, _LATE_WAITS_AT = 6, 4, 5
"""Of ``ps_overlay_tile``."""


@dataclass(frozen=True, eq=False)
class Case:
    """Firmware of a model with overlays."""

    graph: Graph
    plan: ExecutionPlan
    board: Board
    elf: Path

    @contextmanager
    def open(self) -> Iterator[VirtualBoard]:
        with VirtualBoard(self.elf, self.board) as virtual:
            yield virtual

    def run(self, virtual: VirtualBoard, seed: int) -> None:
        """Run an inference and compare its outputs."""
        inputs = random_inputs(self.graph, seed)
        virtual.write_inputs(inputs)
        virtual.run()
        for name, found, wanted in zip(
            self.graph.outputs, virtual.read_outputs(), run(self.graph, inputs), strict=True
        ):
            assert arrays_agree(as_array(found, self.graph.tensors[name]), wanted)


def shrunken(board: Board) -> Board:
    """Return a board with little internal memory: most in the region that overlays work in."""
    plan = plan_overlaid(select_kernels(mobile_blocks()), board)
    assert plan.placement is not None
    sizes = {region.name: PAGE_BYTES for region in board.regions}
    sizes[plan.placement.stack] = STACK_BYTES + PAGE_BYTES
    sizes[plan.placement.arena] = ROOM_BYTES
    if plan.placement.stack == plan.placement.arena:
        sizes[plan.placement.arena] += STACK_BYTES
    return replace(
        board,
        regions=tuple(
            replace(region, size_bytes=min(region.size_bytes, sizes[region.name]))
            if region.is_writable and not region.is_external
            else region
            for region in board.regions
        ),
    )


@cache
def built(model: str, name: str) -> Case:
    """Compile a model for a board: the example, or another for a board that is too small for it.

    Tensors are in far memory then; fused, they are never whole. Models that are called as an
    encoding have such filters, and fast kernels.
    """
    board = load_board(name)
    if model == "example":
        graph = replace(run_passes(load_model(EXAMPLE)), name=model)
    elif model in ENCODED:
        graph = replace(encodable(wide_layers(), ENCODED[model], 1), name=model)
        board = shrunken(board)
    else:
        made = moves() if model == "moves" else mobile_blocks(extent=48)
        board, graph = shrunken(board), replace(made, name=model)
    program = select_kernels(graph)
    if model in ENCODED:
        kernels = kernel_set(board.core.name)
        program = select_kernels(graph, kernels, encodings=ENCODED[model])
    plan = plan_overlaid(program, board, PlanOptions(fusion=model == "fused"))
    manifest = ProjectManifest(model, f"{model}.tflite", board.name)
    lowered = pipeline.lower_plan(graph, plan, board, manifest, b"")
    folder = Path(mkdtemp(prefix="penstock_overlays_"))
    with ExitStack() as stack:
        project = pipeline.write_temporarily(lowered, stack)
        compiler = find_target_compiler(board.core)
        elf = machines.link_project(lowered, board, project, compiler, stack)
        return Case(graph, plan, board, elf.rename(folder / f"{model}.elf"))


CASES = [
    *(("example", board) for board in BOARDS),
    *((model, board) for model in ("chain", "moves") for board in WITH_RAM),
    *(("fused", board) for board in BOARDS),
]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("encoding", ENCODED)
def test_encoded_filters_come_tile_by_tile(encoding: str, board: str) -> None:
    case = built(encoding, board)
    assert case.plan.overlays is not None
    assert any(tile.filters is not None for tile in case.plan.overlays.tiles)
    with case.open() as virtual:
        virtual.init()
        for seed in (1, 2):
            case.run(virtual, seed)


@pytest.mark.parametrize(("model", "board"), CASES)
def test_boards_compute_what_the_interpreter_does(model: str, board: str) -> None:
    case = built(model, board)
    assert case.plan.overlays is not None
    assert case.plan.overlays.copies
    assert bool(case.plan.overlays.far_bytes) is (model in ("chain", "moves"))
    assert any(len(steps) > 1 for steps in case.plan.overlays.stages) is (model == "fused")
    with case.open() as virtual:
        virtual.init()
        for seed in (1, 2):
            case.run(virtual, seed)
        virtual.init()
        verify_steps(case.plan, virtual, random_inputs(case.graph, 3))


def waits_of(plan: ExecutionPlan) -> list[tuple[Copy, int, int]]:
    """Return the copies that a tile waits for, with byte and bit of the wait in the table."""
    assert plan.overlays is not None
    found = []
    for copy in plan.overlays.copies:
        if copy.waited_at < len(plan.overlays.tiles):
            is_late = copy.is_load and copy.started_at == copy.waited_at
            at = _TILE_BYTES * copy.waited_at + (_LATE_WAITS_AT if is_late else _WAITS_AT)
            found.append((copy, at, 1 << copy.channel))
    return found


FOUND = r"while .* channel \d|nobody has looked|a running stream is set up anew"
SEEN_TOGETHER = {
    (model, board)
    for model in ("chain", "moves")
    for board in ("stm32f469i-disco", "stm32f746g-disco")
}
"""Streams: who looks at one channel's flags has read those of three others, and may have looked."""


@pytest.mark.parametrize(("model", "board"), CASES)
def test_a_missing_wait_is_found(model: str, board: str) -> None:
    case = built(model, board)
    waits = waits_of(case.plan)[::3]
    found = [is_found(case, copy, at, bit) for copy, at, bit in waits]
    assert sum(found) >= len(found) * (0.3 if (model, board) in SEEN_TOGETHER else 1)


def is_found(case: Case, copy: Copy, at: int, bit: int) -> bool:
    """Return whether the sanitizers find that a wait is taken out of the table in flash.

    Where they do not, the copy was over in time.
    """
    with case.open() as virtual:
        table = virtual.firmware.symbol("overlay_tiles") + at
        (before,) = virtual.memory.read(table, 1)
        assert before & bit
        virtual.memory.write(table, bytes([before & ~bit]))
        virtual.init()
        try:
            case.run(virtual, 1)
        except SimulationError as error:
            assert re.search(FOUND, str(error)), copy
            return True
    return False
