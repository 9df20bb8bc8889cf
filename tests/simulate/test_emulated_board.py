"""Boards in QEMU: the same bytes and instruction counts as on the virtual board, and its errors."""

import shutil
from contextlib import ExitStack
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from penstock import api
from penstock.bench.measure import INPUT_SEED
from penstock.bench.networks import NetworkBuilder, Weights
from penstock.boards import load_board
from penstock.boards.board import Board
from penstock.codegen.project_files import ProjectManifest
from penstock.errors import InputError, SimulationError, ToolError
from penstock.frontends.inputs import random_inputs
from penstock.ir.graph import Graph
from penstock.ir.interpreter import trace
from penstock.ir.operators import Padding2D
from penstock.kernels.kernel_set import KernelSet, kernel_set
from penstock.kernels.selection import select_kernels
from penstock.machines import link_project
from penstock.pipeline import lower_plan, write_temporarily
from penstock.planning import plan_execution
from penstock.simulate.emulated_board import EmulatedBoard
from penstock.simulate.simulation import Simulation, emulate_inference, run_inference
from penstock.simulate.virtual_board import VirtualBoard
from penstock.toolchain import find_target_compiler
from penstock.toolchain.emulator import Emulator
from tests.kernels.one_of_each import ONE_OF_EACH
from tests.simulate.test_dsp_kernels import random_network

pytestmark = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed"
)

EXAMPLE = Path(__file__).parents[2] / "examples" / "cifar10.tflite"
M55 = "mps3-an547"
MACHINES = {
    "cortex-m4": ("fpv4-sp-d16", "mps2-an386", 25, 0x0, 0x2000_0000),
    "cortex-m7": ("fpv5-sp-d16", "mps2-an500", 25, 0x0, 0x2000_0000),
    "cortex-m33": ("fpv5-sp-d16", "mps2-an505", 20, 0x1000_0000, 0x3800_0000),
}
"""By core: its FPU, what QEMU calls a board with it, MHz, where flash and RAM are."""
BOARD = """
title = "{machine}"
mcu = "{machine}"
port = "cortex_m"
[sources]
qemu = "QEMU 7.2, hw/arm/mps2.c and mps2-tz.c"
[core]
name = "{core}"
fpu = "{fpu}"
source = "qemu"
confidence = "secondary"
[clock]
hz = {mhz}_000_000
source = "qemu"
confidence = "secondary"
[emulator]
machine = "{machine}"
source = "qemu"
confidence = "primary"
[[memory]]
name = "flash"
kind = "flash"
base = {flash:#x}
size_bytes = 4_194_304
is_writable = false
is_external = false
source = "qemu"
confidence = "secondary"
[[memory]]
name = "sram"
kind = "sram"
base = {ram:#x}
size_bytes = 4_194_304
is_writable = true
is_external = false
source = "qemu"
confidence = "secondary"
[[peripheral]]
name = "private_peripheral_bus"
base = 0xE000_0000
size_bytes = 0x10_0000
source = "qemu"
confidence = "secondary"
"""
TICK = 50
"""Instructions, at 20 MHz."""


def board_of(core: str, folder: Path) -> Board:
    fpu, machine, mhz, flash, ram = MACHINES[core]
    file = folder / f"{machine}.toml"
    text = BOARD.format(core=core, fpu=fpu, machine=machine, mhz=mhz, flash=flash, ram=ram)
    file.write_text(text)
    return load_board(str(file))


def link(graph: Graph, board: Board, stack: ExitStack, kernels: KernelSet | None = None) -> Path:
    chosen = kernels or kernel_set(board.core.name)
    plan = plan_execution(select_kernels(graph, chosen), board)
    lowered = lower_plan(
        graph, plan, board, ProjectManifest(graph.name, graph.name, board.name), b""
    )
    compiler = find_target_compiler(board.core)
    project = write_temporarily(lowered, stack)
    return link_project(lowered, board, project, compiler, stack)


def simulate(elf: Path, board: Board, graph: Graph) -> Simulation:
    with VirtualBoard(elf, board) as virtual:
        virtual.init()
        return run_inference(virtual, random_inputs(graph, INPUT_SEED).arrays)


@pytest.mark.board
@pytest.mark.parametrize("core", MACHINES)
@pytest.mark.parametrize("seed", [100, 101, 102])
def test_qemu_computes_and_counts_as_the_virtual_board_does(
    core: str, seed: int, tmp_path: Path
) -> None:
    """Two emulators, one ELF: every output is the interpreter's, every step takes as many."""
    board, graph = board_of(core, tmp_path), random_network(seed)
    inputs = random_inputs(graph, INPUT_SEED).arrays
    expected = trace(graph, dict(zip(graph.inputs, inputs, strict=True)))
    with ExitStack() as stack:
        elf = link(graph, board, stack)
        emulated = stack.enter_context(EmulatedBoard(elf, board))
        emulated.init()
        found = emulate_inference(emulated, inputs)
        wanted = simulate(elf, board, graph)
    for name, content in zip(graph.outputs, found.outputs, strict=True):
        have = np.frombuffer(content, expected[name].dtype).reshape(expected[name].shape)
        np.testing.assert_array_equal(have, expected[name], err_msg=name)
    assert found.outputs == wanted.outputs
    assert found.stack_bytes_peak == pytest.approx(wanted.stack_bytes_peak, abs=128)
    for step, count in wanted.operator_instructions.items():
        # The harness, the exception that ends a step, and a tick.
        assert -TICK <= found.operator_instructions[step] - count <= 2 * TICK + 60, step


def test_a_run_says_where_it_happened_and_no_cycles() -> None:
    outcome = api.run(EXAMPLE, board=M55, verify=True)
    result = outcome.result
    assert result.verified
    assert "run by QEMU" in (result.compiler or "")
    assert (result.time, result.energy.total, outcome.trace) == (None, None, None)
    assert result.kernels.startswith("Helium in ")
    assert 0 < (result.instructions or 0) < 0.5 * result.macs
    again = api.run(EXAMPLE, board=M55).result
    assert again.instructions == pytest.approx(result.instructions, abs=32 * len(result.operators))


def open_example(stack: ExitStack) -> EmulatedBoard:
    board, graph = load_board(M55), ONE_OF_EACH["ps_conv_2d_mve_s8"]
    emulated = stack.enter_context(EmulatedBoard(link(graph, board, stack), board))
    emulated.init()
    return emulated


def test_inputs_must_fit_the_model() -> None:
    with ExitStack() as stack:
        emulated = open_example(stack)
        with pytest.raises(InputError, match="takes 1 inputs, found 0"):
            emulated.write_inputs([])
        with pytest.raises(InputError, match="bytes, found 1"):
            emulated.write_inputs([b"x"])
        with pytest.raises(SimulationError, match="an index is out of range"):
            emulated.run_range(7, 8)


def test_a_fault_is_named_with_the_function_that_ran() -> None:
    undefined = b"\x00\xde"
    with ExitStack() as stack:
        emulated = open_example(stack)
        start = emulated.firmware.symbol("ps_conv_2d_mve_s8")
        emulated.debugger.write(start, undefined)
        with pytest.raises(SimulationError, match="took a usage fault"):
            emulated.run_range(0, 1)


def test_firmware_that_never_ends_is_an_error() -> None:
    branch_to_itself = b"\xfe\xe7"
    with ExitStack() as stack:
        emulated = open_example(stack)
        start = emulated.firmware.symbol("ps_conv_2d_mve_s8")
        emulated.debugger.write(start, branch_to_itself)
        emulated.run_seconds = 0.3
        with pytest.raises(SimulationError, match="was not done after 0 s"):
            emulated.run_range(0, 1)


def test_an_emulator_that_dies_is_no_bug_of_ours() -> None:
    with ExitStack() as stack:
        emulated = open_example(stack)
        emulated.emulator.kill()
        with pytest.raises(ToolError, match="qemu-system-arm ended: "):
            emulated.run_range(0, 1)


def changed(folder: Path, old: str, new: str) -> str:
    """Return a board file with one line changed."""
    text = (resources.files("penstock.boards") / "data" / f"{M55}.toml").read_text()
    assert old in text
    file = folder / "changed.toml"
    file.write_text(text.replace(old, new))
    return str(file)


def test_a_machine_that_qemu_does_not_know(tmp_path: Path) -> None:
    board = changed(tmp_path, 'machine = "mps3-an547"', 'machine = "no-such-board"')
    with pytest.raises(ToolError, match="unsupported machine type") as caught:
        api.run(EXAMPLE, board=board)
    assert "'no-such-board'" in caught.value.help


def test_a_machine_with_options_is_refused(tmp_path: Path) -> None:
    board = changed(tmp_path, 'machine = "mps3-an547"', 'machine = "mps3-an547,dumpdtb=x"')
    with pytest.raises(InputError, match="names the machine 'mps3-an547,dumpdtb=x'"):
        api.run(EXAMPLE, board=board)


def test_a_machine_with_other_memories(tmp_path: Path) -> None:
    board = changed(tmp_path, 'machine = "mps3-an547"', 'machine = "mps2-an385"')
    with pytest.raises((SimulationError, ToolError)):
        api.run(EXAMPLE, board=board)


def test_another_clock_than_qemus_is_refused(tmp_path: Path) -> None:
    board = changed(tmp_path, "hz = 32_000_000", "hz = 400_000_000")
    with pytest.raises(InputError, match="a loop of 262144 instructions took 20") as caught:
        api.run(EXAMPLE, board=board)
    assert "about 32000000 Hz" in caught.value.help


@pytest.mark.board
def test_a_step_of_many_wraps_of_the_counter_is_counted() -> None:
    """More than 2^25 ticks: 1.2 thousand million instructions."""
    network = NetworkBuilder()
    network.conv_2d(
        (1, 96, 96, 64),
        64,
        (3, 3),
        stride=(1, 1),
        padding=Padding2D(1, 1, 1, 1),
        dilation=(1, 1),
        groups=1,
        weights=Weights(),
    )
    graph, board = network.build("long"), load_board(M55)
    with ExitStack() as stack:
        elf = link(graph, board, stack, KernelSet.REFERENCE)
        emulated = stack.enter_context(EmulatedBoard(elf, board))
        emulated.init()
        found = emulate_inference(emulated, random_inputs(graph, INPUT_SEED).arrays)
    assert 3.5 < found.instructions / (96 * 96 * 64 * 64 * 9) < 3.8


def test_without_qemu_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="qemu-system-arm not found") as caught:
        Emulator(M55, tmp_path / "any.elf")
    assert "apt install qemu-system-arm" in caught.value.help
