"""The stages in a row: from a model file to a machine that runs it. What the verbs are made of."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from penstock.boards import board_names, load_board
from penstock.boards.board import Board
from penstock.boards.cores import check_simulated
from penstock.codegen.project_files import (
    MANIFEST,
    MODEL_COPY,
    ProjectManifest,
    check_firmware,
    read_manifest,
    write_project,
)
from penstock.codegen.project_layout import (
    board_path,
    differing_files,
    emit_complete_project,
    find_sources,
    firmware_path,
)
from penstock.errors import InputError
from penstock.frontends.inputs import ModelInputs, fit_arrays, load_inputs
from penstock.frontends.tflite import identifier, load_model
from penstock.ir.graph import Graph
from penstock.ir.tensor import Array, Tensor
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning import ExecutionPlan, plan_model, validate_plan
from penstock.planning.options import DEFAULT_PLAN_OPTIONS, PlanOptions
from penstock.planning.variants import PlannedVariant
from penstock.progress import Progress, silent
from penstock.report.results import RunResult
from penstock.report.summary import HOST, memory_use, summarize_run
from penstock.report.trace import trace_document
from penstock.simulate.footprint import memory_footprint
from penstock.simulate.simulation import Simulation, run_inference
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

BOARD_SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """Choices of a compile.

    Attributes:
        planning: those of the plan.
        check: run the generated C on this computer against the interpreter.
    """

    planning: PlanOptions = DEFAULT_PLAN_OPTIONS
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
    model: Path,
    board: str,
    options: CompileOptions = DEFAULT_OPTIONS,
    *,
    model_name: str = "",
    progress: Progress = silent,
) -> Lowered:
    """Read a model, plan it for a board and print the C; nothing is written.

    Args:
        model: the .tflite file.
        board: a board's name, the path of a board's .toml file, or ``host``.
        options: placement.
        model_name: file name that the C identifiers are made from; empty takes the file's own.
        progress: told what is going on.

    Raises:
        PenstockError: unknown board, unreadable or unsupported model, or not enough memory.
    """
    wishes = options.planning
    if board == HOST and (wishes.weights_in or wishes.arena_in or wishes.reserve):
        raise InputError(
            "the board host has no memory regions to choose from",
            help="leave out --weights-in, --arena-in and --reserve, or choose a board",
        )
    target = None if board == HOST else load_board(board, others=(HOST,))
    named = model_name or model.name
    original = load_named(model, named)
    program = select_kernels(run_passes(original))
    plan = plan_model(program, target, wishes, progress)
    manifest = ProjectManifest(original.name, named, plan.board, wishes)
    lowered = lower_plan(original, plan, target, manifest, model.read_bytes())
    if not board.endswith(BOARD_SUFFIX):
        return lowered
    described = {board_path(plan.board): Path(board).read_bytes()}
    return replace(lowered, files={**lowered.files, **described})


def load_named(model: Path, named: str = "") -> Graph:
    """Read a model file; its C name is made from ``named``, or from the file's own."""
    return replace(load_model(model), name=identifier(Path(named or model.name).stem))


def lower_plan(
    original: Graph,
    plan: ExecutionPlan,
    board: Board | None,
    manifest: ProjectManifest,
    model: bytes,
) -> Lowered:
    """Check a plan and print its C; nothing is written.

    Args:
        original: the graph that it was planned from, before the passes.
        plan: the program with a home for every byte.
        board: None for the host.
        manifest: what the project is made from.
        model: the file's bytes.

    Raises:
        PenstockError: a broken plan, or code that the board cannot start.
    """
    validate_plan(plan, board)
    files = emit_complete_project(plan, board, manifest, model)
    return Lowered(original, plan, board, manifest, files)


def name_firmware(lowered: Lowered, firmware_sha256: str | None) -> Lowered:
    """Return a project whose manifest says which firmware belongs to it."""
    manifest = replace(lowered.manifest, firmware_sha256=firmware_sha256)
    files = {**lowered.files, MANIFEST: manifest.to_json().encode()}
    return replace(lowered, manifest=manifest, files=files)


def write_temporarily(lowered: Lowered, stack: ExitStack) -> Path:
    """Write a project to a folder that goes when the stack unwinds."""
    project = _temporary_folder(stack) / "project"
    write_project(lowered.files, project)
    return project


def open_project(
    model: Path,
    board: str | None,
    options: CompileOptions,
    stack: ExitStack,
    progress: Progress = silent,
) -> tuple[Lowered, Path]:
    """Return a project on disk and what it is made from, compiling a model file first.

    Args:
        model: a .tflite file, or a folder made by ``compile``.
        board: as for `lower`; None takes the folder's own.
        options: placement; used for a .tflite file only.
        stack: takes away what is compiled here, when it unwinds.
        progress: told what is going on.

    Raises:
        PenstockError: no board given, or the folder is for another, or not as it was generated.
    """
    if not model.is_dir():
        if board is None:
            raise InputError(
                f"no board given to run {model.name!r} on",
                help=f"add --board with one of: {', '.join([*board_names(), HOST])}",
            )
        lowered = lower(model, board, options, progress=progress)
        return lowered, write_temporarily(lowered, stack)
    return _open_folder(model, board, options, progress), model


def _open_folder(
    model: Path, board: str | None, options: CompileOptions, progress: Progress
) -> Lowered:
    """Return what a project is made from; it must be what is generated from that."""
    manifest = read_manifest(model)
    if board not in (None, HOST, manifest.board):
        raise InputError(
            f"{str(model)!r} was compiled for {manifest.board}, not for {board}",
            help=f"leave out --board, or compile the model for {board}",
        )
    if options.planning != DEFAULT_PLAN_OPTIONS:
        raise InputError(
            f"project {str(model)!r} has its plan and memory regions already",
            help="compile the model again with --weights-in, --arena-in and what else you ask for",
        )
    placed = CompileOptions(manifest.planning)
    described = model / board_path(manifest.board)
    target = str(described) if described.is_file() else manifest.board
    lowered = name_firmware(
        lower(model / MODEL_COPY, target, placed, model_name=manifest.model, progress=progress),
        manifest.firmware_sha256,
    )
    if changed := differing_files(model, lowered.files):
        raise InputError(
            f"project {str(model)!r} is not what this version of Penstock generates: "
            f"{', '.join(changed[:3])}{' …' if len(changed) > 3 else ''} differ",
            help="compile the model again, or run the model file itself",
        )
    return lowered


def _temporary_folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-")))


@dataclass(frozen=True, slots=True, eq=False)
class OpenMachine:
    """A machine with a model on it, initialized.

    Attributes:
        machine: the host's shared library, or a virtual board.
        board: None for the host.
        footprint: bytes by memory region and contents; None for the host.
        origin: for people: what compiled the program.
    """

    machine: HostModel | VirtualBoard
    board: Board | None
    footprint: Mapping[str, Mapping[str, int]] | None
    origin: str


def open_host(lowered: Lowered, project: Path, stack: ExitStack) -> OpenMachine:
    """Compile a project for this computer and load it, until the stack unwinds."""
    name = lowered.original.name
    compiler = find_host_compiler()
    sources = find_sources(project, name)
    library = _temporary_folder(stack) / f"{name}.so"
    compile_shared_library(
        [*sources.model, *sources.host],
        library,
        sources.include_directories,
        compiler=compiler,
    )
    machine = stack.enter_context(HostModel(library, name))
    return OpenMachine(machine, None, None, f"compiled by {compiler.version}")


def open_board(lowered: Lowered, board: Board, project: Path, stack: ExitStack) -> OpenMachine:
    """Load a project's firmware into a virtual board, until the stack unwinds.

    The firmware is the ELF that the project has; where it has none, it is linked.

    Raises:
        PenstockError: the ELF is not what the project was compiled with, there is no compiler, or
            the firmware does something illegal.
    """
    check_simulated(board.core.name)
    elf = project / firmware_path(lowered.original.name)
    origin = f"{elf.relative_to(project)} as compiled"
    if elf.exists():
        check_firmware(elf, lowered.manifest)
    else:
        compiler = find_target_compiler(board.core)
        elf = link_project(lowered, board, project, compiler, stack)
        origin = f"compiled by {compiler.version}"
    machine = stack.enter_context(VirtualBoard(elf, board))
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
        _temporary_folder(stack) / f"{name}.elf",
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
    machine: HostModel | VirtualBoard, values: ModelInputs, progress: Progress
) -> tuple[Sequence[Array | bytes], Simulation | None]:
    """Run one inference; return outputs, and what was counted where the machine counts."""
    progress("running", None)
    if isinstance(machine, HostModel):
        return machine.run(values.arrays), None
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
    )
    timeline = None if simulation is None else simulation.timeline
    trace = None
    if opened.board is not None and timeline is not None:
        trace = trace_document(result, opened.board, timeline)
    return RunOutcome(result, tuple(map(as_array, outputs, tensors)), tensors, trace)


def resolve_inputs(
    graph: Graph, inputs: str | Path | Sequence[Array] | None, seed: int
) -> ModelInputs:
    """Return a graph's inputs from a file, from arrays, or from a seed; raises InputError."""
    if inputs is None or isinstance(inputs, str | Path):
        return load_inputs(graph, None if inputs is None else Path(inputs), seed=seed)
    return fit_arrays(graph, inputs)


def run_variant(
    original: Graph,
    planned: PlannedVariant,
    model: Path,
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
    manifest = ProjectManifest(original.name, model.name, plan.board)
    lowered = lower_plan(original, plan, board, manifest, model.read_bytes())
    with ExitStack() as stack:
        opened = open_board(lowered, board, write_temporarily(lowered, stack), stack)
        outcome = run_once(lowered, opened, values, False, progress)
        verify_outputs(original, opened.machine, expected)
    return replace(outcome.result, verified=True)
