"""The stages in a row: from a model file to a machine that runs it. What the verbs are made of."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from penstock.boards import load_board
from penstock.boards.board import Board
from penstock.codegen.project_files import ProjectManifest, write_project
from penstock.codegen.project_layout import emit_complete_project, find_sources
from penstock.errors import InputError
from penstock.frontends.inputs import ModelInputs
from penstock.frontends.tflite import identifier, load_model
from penstock.ir.graph import Graph
from penstock.ir.tensor import Array
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning import ExecutionPlan, plan_execution, validate_plan
from penstock.report.results import InstructionCounts
from penstock.simulate.simulation import run_inference
from penstock.simulate.verification import Machine, verify_outputs, verify_steps
from penstock.simulate.virtual_board import VirtualBoard
from penstock.toolchain import Compiler, HostModel, compile_shared_library, link_firmware
from penstock.units import format_count

HOST = "host"

Progress = Callable[[str, float | None], None]
"""Takes the name of the stage and the fraction done, None where that is not known."""


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """Choices of a compile.

    Attributes:
        weights_in: memory region for the weights; None chooses.
        arena_in: memory region for the arena; None chooses.
        check: run the generated C on this computer against the interpreter.
    """

    weights_in: str | None = None
    arena_in: str | None = None
    check: bool = True


DEFAULT_OPTIONS = CompileOptions()


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """A model on its way down: what was read, and what is generated.

    Attributes:
        original: the graph of the model file.
        plan: the program with a home for every byte.
        board: None for the host.
        manifest: what the project is made from.
        files: the whole project by relative path.
    """

    original: Graph
    plan: ExecutionPlan
    board: Board | None
    manifest: ProjectManifest
    files: Mapping[str, bytes]


def lower(
    model: Path, board: str, options: CompileOptions = DEFAULT_OPTIONS, *, model_name: str = ""
) -> Lowered:
    """Read a model, plan it for a board and print the C; nothing is written.

    Args:
        model: the .tflite file.
        board: a board's name, or ``host``.
        options: placement.
        model_name: file name that the C identifiers are made from; empty takes the file's own.

    Raises:
        PenstockError: unknown board, unreadable or unsupported model, or not enough memory.
    """
    target = None if board == HOST else load_board(board)
    named = model_name or model.name
    original = replace(load_model(model), name=identifier(Path(named).stem))
    program = select_kernels(run_passes(original))
    plan = plan_execution(program, target, weights_in=options.weights_in, arena_in=options.arena_in)
    validate_plan(plan, target)
    manifest = ProjectManifest(original.name, named, board, options.weights_in, options.arena_in)
    files = emit_complete_project(plan, target, manifest, model.read_bytes())
    return Lowered(original, plan, target, manifest, files)


def write_temporarily(lowered: Lowered, stack: ExitStack) -> Path:
    """Write a project to a folder that goes when the stack unwinds."""
    project = _temporary_folder(stack) / "project"
    write_project(lowered.files, project)
    return project


def _temporary_folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-")))


def open_host(lowered: Lowered, project: Path, compiler: Compiler, stack: ExitStack) -> HostModel:
    """Compile a project for this computer and load it, until the stack unwinds."""
    name = lowered.original.name
    sources = find_sources(project, name)
    library = _temporary_folder(stack) / f"{name}.so"
    compile_shared_library(sources.library, library, sources.include_directories, compiler=compiler)
    return stack.enter_context(HostModel(library, name))


def build_firmware(
    lowered: Lowered, board: Board, project: Path, compiler: Compiler, stack: ExitStack
) -> Path:
    """Compile and link a project's firmware; the ELF stays until the stack unwinds."""
    name = lowered.original.name
    sources = find_sources(project, name)
    if sources.linker_script is None:
        raise InputError(f"{str(project)!r} has no linker script", help="compile the model again")
    return link_firmware(
        [*sources.library, *sources.firmware],
        sources.linker_script,
        _temporary_folder(stack) / f"{name}.elf",
        board.core,
        include_dirs=sources.include_directories,
        compiler=compiler,
        # Same project, same ELF, wherever it is built.
        flags=[f"-ffile-prefix-map={project}=."],
    )


def verify_machine(
    lowered: Lowered, machine: Machine, values: ModelInputs, progress: Progress
) -> None:
    """Compare every step, and then the outputs with those of the unoptimized graph."""
    progress("computing the expected values", None)
    steps = len(lowered.plan.program.calls)

    def on_step(step: int) -> None:
        progress("comparing operator by operator", (step + 1) / steps)

    verify_steps(lowered.plan, machine, values.arrays, on_step=on_step)
    verify_outputs(lowered.original, machine, values.arrays)


def _step_progress(plan: ExecutionPlan, progress: Progress) -> Callable[[int, int], None]:
    steps = max(len(plan.program.calls), 1)

    def report(step: int, instructions: int) -> None:
        progress(f"simulating: {format_count(instructions)} instructions", step / steps)

    return report


def execute(
    plan: ExecutionPlan, machine: HostModel | VirtualBoard, values: ModelInputs, progress: Progress
) -> tuple[Sequence[Array | bytes], InstructionCounts | None]:
    """Run one inference; return outputs, and counts where the machine counts."""
    progress("running", None)
    if isinstance(machine, HostModel):
        return machine.run(values.arrays), None
    simulation = run_inference(machine, values.arrays, on_progress=_step_progress(plan, progress))
    counts = InstructionCounts(
        simulation.instructions, simulation.operator_instructions, simulation.stack_bytes_peak
    )
    return simulation.outputs, counts
