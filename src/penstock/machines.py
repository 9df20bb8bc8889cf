"""The machines that a project runs on: compiled for this computer, or on a virtual board."""

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from penstock.boards.banks import split_banks
from penstock.boards.board import Board
from penstock.boards.cores import check_simulated, is_timed
from penstock.codegen.project_files import ProjectManifest, check_firmware
from penstock.codegen.project_layout import find_sources, firmware_path
from penstock.design.opened_model import OpenedModel
from penstock.errors import InputError
from penstock.frontends.inputs import ModelInputs
from penstock.ir.tensor import Array, Tensor
from penstock.pipeline import Lowered, lower_plan, temporary_folder, write_temporarily
from penstock.planning.variants import PlannedVariant
from penstock.progress import Progress
from penstock.report.results import RunResult
from penstock.report.summary import memory_use, summarize_run
from penstock.report.trace import trace_document
from penstock.simulate.emulated_board import EmulatedBoard
from penstock.simulate.footprint import memory_footprint
from penstock.simulate.simulation import Simulation, emulate_inference, run_inference
from penstock.simulate.verification import (
    Machine,
    as_array,
    expected_outputs,
    verify_outputs,
    verify_steps,
)
from penstock.simulate.virtual_board import VirtualBoard
from penstock.toolchain import (
    Compiler,
    HostModel,
    compile_shared_library,
    find_host_compiler,
    find_target_compiler,
    link_firmware,
)


@dataclass(frozen=True, slots=True, eq=False)
class OpenMachine:
    """A machine with a model on it, initialized.

    Attributes:
        machine: the host's shared library, or a virtual board, our own or QEMU's.
        board: None for the host.
        footprint: bytes by memory region and contents; None for the host.
        origin: for people: what compiled the program.
    """

    machine: HostModel | VirtualBoard | EmulatedBoard
    board: Board | None
    footprint: Mapping[str, Mapping[str, int]] | None
    origin: str


def open_host(lowered: Lowered, project: Path, stack: ExitStack) -> OpenMachine:
    """Compile a project for this computer and load it, until the stack unwinds."""
    compiler = find_host_compiler()
    library = _compile_host(lowered, project, stack, compiler)
    machine = stack.enter_context(HostModel(library, lowered.original.name))
    return OpenMachine(machine, None, None, f"compiled by {compiler.version}")


def open_host_copies(
    lowered: Lowered, project: Path, stack: ExitStack, count: int
) -> list[HostModel]:
    """Compile a project for this computer and load it several times, each with its own memory."""
    library = _compile_host(lowered, project, stack, find_host_compiler())
    machines = []
    for number in range(count):
        copy = library.with_name(f"{library.stem}_{number}.so")
        shutil.copyfile(library, copy)
        machines.append(stack.enter_context(HostModel(copy, lowered.original.name)))
    return machines


def _compile_host(lowered: Lowered, project: Path, stack: ExitStack, compiler: Compiler) -> Path:
    name = lowered.original.name
    sources = find_sources(project, name)
    library = temporary_folder(stack) / f"{name}.so"
    compile_shared_library(
        [*sources.model, *sources.host],
        library,
        sources.include_directories,
        compiler=compiler,
    )
    return library


def open_board(lowered: Lowered, board: Board, project: Path, stack: ExitStack) -> OpenMachine:
    """Load a project's firmware into a virtual board, until the stack unwinds.

    Where the virtual board has no such core, QEMU is taken, if it has the board.

    The firmware is the ELF that the project has; where it has none, it is linked.

    Raises:
        PenstockError: the ELF is not what the project was compiled with, there is no compiler, or
            the firmware does something illegal.
    """
    is_emulated = not is_timed(board.core.name) and board.emulator is not None
    if not is_emulated:
        check_simulated(board.core.name)
    elf = project / firmware_path(lowered.original.name)
    origin = f"{elf.relative_to(project)} as compiled"
    if elf.exists():
        check_firmware(elf, lowered.manifest)
    else:
        compiler = find_target_compiler(board.core)
        elf = link_project(lowered, board, project, compiler, stack)
        origin = f"compiled by {compiler.version}"
    machine: VirtualBoard | EmulatedBoard
    if is_emulated:
        machine = stack.enter_context(EmulatedBoard(elf, board))
        origin = f"{origin}, run by QEMU"
    else:
        machine = stack.enter_context(VirtualBoard(elf, split_banks(board)))
    machine.init()
    return OpenMachine(machine, board, memory_footprint(elf, board), origin)


def link_project(
    lowered: Lowered, board: Board, project: Path, compiler: Compiler, stack: ExitStack
) -> Path:
    """Compile and link a project's firmware; the ELF stays until the stack unwinds."""
    name = lowered.original.name
    sources = find_sources(project, name)
    if sources.linker_script is None:
        raise InputError(f"{str(project)!r} has no linker script", help="compile the model again")
    return link_firmware(
        [*sources.model, *sources.firmware],
        sources.linker_script,
        temporary_folder(stack) / f"{name}.elf",
        board.core,
        include_dirs=sources.include_directories,
        compiler=compiler,
    )


def verify_machine(
    lowered: Lowered, machine: Machine, values: ModelInputs, progress: Progress
) -> None:
    """Compare every step, and then the outputs with those of the unoptimized graph."""
    progress("computing the expected values", None)
    verify_steps(lowered.plan, machine, values.arrays, progress=progress)
    verify_outputs(lowered.original, machine, expected_outputs(lowered.original, values.arrays))


def execute(
    machine: HostModel | VirtualBoard | EmulatedBoard, values: ModelInputs, progress: Progress
) -> tuple[Sequence[Array | bytes], Simulation | None]:
    """Run one inference; return outputs, and what was counted where the machine counts."""
    progress("running", None)
    if isinstance(machine, HostModel):
        return machine.run(values.arrays), None
    if isinstance(machine, EmulatedBoard):
        simulation = emulate_inference(machine, values.arrays, progress=progress)
    else:
        simulation = run_inference(machine, values.arrays, progress=progress)
    return simulation.outputs, simulation


@dataclass(frozen=True, slots=True, eq=False)
class RunOutcome:
    """What a run produced.

    Attributes:
        result: figures, as written to JSON.
        outputs: values of the model's outputs, in order.
        output_tensors: their names, types and quantization.
        trace: what happened when, as JSON trace events; None where cycles were not counted.
    """

    result: RunResult
    outputs: tuple[Array, ...]
    output_tensors: tuple[Tensor, ...]
    trace: Mapping[str, Any] | None


def run_once(
    lowered: Lowered, opened: OpenMachine, values: ModelInputs, verified: bool, progress: Progress
) -> RunOutcome:
    """Run one inference on a machine and sum it up."""
    started = time.perf_counter()
    outputs, simulation = execute(opened.machine, values, progress)
    run_seconds = time.perf_counter() - started
    tensors = tuple(lowered.original.tensors[name] for name in lowered.original.outputs)
    result = summarize_run(
        lowered.original,
        lowered.plan,
        model_name=lowered.manifest.model,
        board=opened.board,
        memory=memory_use(lowered.plan, opened.board, opened.footprint),
        verified=True if verified else None,
        simulation=simulation,
        input_origin=values.origin,
        compiler=opened.origin,
        run_seconds=run_seconds,
        calibrated=lowered.calibrated,
    )
    timeline = None if simulation is None else simulation.timeline
    trace = None
    if opened.board is not None and timeline is not None:
        trace = trace_document(result, opened.board, timeline)
    return RunOutcome(result, tuple(map(as_array, outputs, tensors)), tensors, trace)


def run_variant(
    model: OpenedModel,
    planned: PlannedVariant,
    model_name: str,
    values: ModelInputs,
    expected: Mapping[str, Array],
    progress: Progress,
) -> RunResult:
    """Simulate one variant of a plan; ``expected`` is what the interpreter makes of ``values``.

    Raises:
        PenstockError: no compiler, or an illegal access.
        VerificationError: an output differs.
    """
    plan, board = planned.plan, planned.board
    manifest = ProjectManifest(model.graph.name, model_name, plan.board)
    lowered = lower_plan(model.graph, plan, board, manifest, model.content)
    with ExitStack() as stack:
        opened = open_board(lowered, board, write_temporarily(lowered, stack), stack)
        outcome = run_once(lowered, opened, values, False, progress)
        verify_outputs(model.graph, opened.machine, expected)
    return replace(outcome.result, verified=True)
