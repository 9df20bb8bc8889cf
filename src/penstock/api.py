"""The verbs as functions: each chains the stages and does nothing else."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from penstock.boards import board_names, load_board
from penstock.boards.board import Board
from penstock.codegen.project_files import (
    MODEL_COPY,
    ProjectManifest,
    check_replaceable,
    read_manifest,
    write_project,
)
from penstock.codegen.project_layout import (
    differing_files,
    emit_complete_project,
    find_sources,
)
from penstock.errors import CapacityError, InputError, UnsupportedError
from penstock.frontends.inputs import ModelInputs, fit_arrays, load_inputs, random_inputs
from penstock.frontends.tflite import identifier, load_model
from penstock.ir.graph import Graph
from penstock.ir.tensor import Array, Tensor
from penstock.ir.text import format_graph
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning import ExecutionPlan, plan_execution, validate_plan
from penstock.report.inspection import Inspection, describe_tensor, operator_rows
from penstock.report.results import CompileResult, InstructionCounts, RunResult
from penstock.report.summary import memory_use, summarize_compile, summarize_run
from penstock.simulate.simulation import run_inference
from penstock.simulate.verification import Machine, as_array, verify_outputs, verify_steps
from penstock.simulate.virtual_board import VirtualBoard
from penstock.toolchain import (
    Compiler,
    HostModel,
    compile_shared_library,
    find_host_compiler,
    find_target_compiler,
    link_firmware,
)
from penstock.units import format_count

__all__ = [
    "Array",
    "CompileOptions",
    "Inspection",
    "RunOutcome",
    "Tensor",
    "boards",
    "compile",
    "describe_tensor",
    "format_graph",
    "inspect",
    "load_model",
    "lower",
    "run",
]

HOST = "host"
CHECK_SEED = 0

Progress = Callable[[str, float | None], None]
"""Takes the name of the stage and the fraction done, None where that is not known."""


def _silent(stage: str, fraction: float | None) -> None:
    """Report progress to nobody."""


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


@dataclass(frozen=True, slots=True, eq=False)
class RunOutcome:
    """What a run produced.

    Attributes:
        result: figures, as written to JSON.
        outputs: values of the model's outputs, in order.
        output_tensors: their names, types and quantization.
    """

    result: RunResult
    outputs: tuple[Array, ...]
    output_tensors: tuple[Tensor, ...]


def boards() -> list[Board]:
    """Return all boards, by name."""
    return [load_board(name) for name in board_names()]


def inspect(model: str | Path, *, optimized: bool = False) -> Inspection:
    """Return operators, sizes and memory needs of a model file.

    Args:
        model: the .tflite file.
        optimized: describe the graph after all passes.

    Raises:
        PenstockError: the file cannot be read or is not supported.
    """
    graph = load_model(Path(model))
    shown = run_passes(graph) if optimized else graph
    rows = operator_rows(shown)
    weights = arena = bound = None
    obstacle = ""
    try:
        plan = plan_execution(select_kernels(run_passes(graph)), None)
        weights = sum(array.nbytes for array in plan.program.constants.values())
        arena, bound = plan.arena.size_bytes, plan.arena.lower_bound_bytes
    except (UnsupportedError, CapacityError) as error:
        obstacle = error.what
    return Inspection(
        graph=shown,
        operators=rows,
        macs=sum(row.macs for row in rows),
        parameters=sum(row.parameters for row in rows),
        weights_bytes=weights,
        arena_bytes=arena,
        arena_bytes_lower_bound=bound,
        obstacle=obstacle,
    )


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


def compile(  # noqa: A001 - the verb that the field uses
    model: str | Path,
    *,
    board: str,
    output: str | Path,
    options: CompileOptions = DEFAULT_OPTIONS,
    progress: Progress = _silent,
) -> CompileResult:
    """Compile a model into a C project; the folder appears whole or not at all.

    Args:
        model: the .tflite file.
        board: a board's name, or ``host``.
        output: folder to create; an earlier project there is replaced.
        options: placement and checking.
        progress: told what is going on.

    Raises:
        PenstockError: bad input, no space, not supported.
        VerificationError: the generated C differs from the interpreter: a bug of ours.
    """
    source, directory = Path(model), Path(output)
    check_replaceable(directory)
    progress("reading and planning", None)
    lowered = lower(source, board, options)
    if options.check:
        with ExitStack() as stack:
            progress("compiling the C for this computer", None)
            project = _write_temporarily(lowered, stack)
            machine = _open_host(lowered, project, find_host_compiler(), stack)
            _verify(lowered, machine, random_inputs(lowered.original, CHECK_SEED), progress)
    progress("writing", None)
    write_project(lowered.files, directory)
    return summarize_compile(
        lowered.original,
        lowered.plan,
        lowered.board,
        model_name=source.name,
        directory=directory,
        files=list(lowered.files),
        verified=options.check,
    )


def run(
    model: str | Path,
    *,
    board: str | None = None,
    inputs: str | Path | Sequence[Array] | None = None,
    seed: int = 0,
    verify: bool = False,
    options: CompileOptions = DEFAULT_OPTIONS,
    progress: Progress = _silent,
) -> RunOutcome:
    """Run a model on a virtual board or on this computer.

    Args:
        model: a .tflite file, or a folder made by `compile`.
        board: a board's name, or ``host``; None takes the folder's own.
        inputs: a file (.npy, .npz, image), arrays, or None for random values.
        seed: of the random values.
        verify: compare every operator's output with the interpreter.
        options: placement; used for a .tflite file only.
        progress: told what is going on.

    Raises:
        PenstockError: bad input, no compiler, or an illegal access on the virtual board.
        VerificationError: an operator's output differs from the interpreter's.
    """
    progress("reading and planning", None)
    with ExitStack() as stack:
        lowered, project = _open_project(Path(model), board, options, stack)
        values = _resolve_inputs(lowered.original, inputs, seed)
        progress("compiling the C", None)
        target = None if board == HOST else lowered.board
        compiler = find_host_compiler() if target is None else find_target_compiler(target.core)
        machine: HostModel | VirtualBoard
        if target is None:
            machine = _open_host(lowered, project, compiler, stack)
        else:
            machine = _open_board(lowered, target, project, compiler, stack)
        if verify:
            _verify(lowered, machine, values, progress)
            machine.init()
        progress("running", None)
        return _run_once(lowered, target, machine, values, verify, compiler.version, progress)


def _open_project(
    model: Path, board: str | None, options: CompileOptions, stack: ExitStack
) -> tuple[Lowered, Path]:
    """Return a project on disk and what it is made from, compiling a model file first."""
    if not model.is_dir():
        if board is None:
            raise InputError(
                f"no board given to run {model.name!r} on",
                help=f"add --board with one of: {', '.join([*board_names(), HOST])}",
            )
        lowered = lower(model, board, options)
        return lowered, _write_temporarily(lowered, stack)
    manifest = read_manifest(model)
    if board not in (None, HOST, manifest.board):
        raise InputError(
            f"{str(model)!r} was compiled for {manifest.board}, not for {board}",
            help=f"leave out --board, or compile the model for {board}",
        )
    placed = CompileOptions(manifest.weights_in, manifest.arena_in)
    lowered = lower(model / MODEL_COPY, manifest.board, placed, model_name=manifest.model)
    if changed := differing_files(model, lowered.files):
        raise InputError(
            f"project {str(model)!r} is not what this version of Penstock generates: "
            f"{', '.join(changed[:3])}{' …' if len(changed) > 3 else ''} differ",
            help="compile the model again, or run the model file itself",
        )
    return lowered, model


def _write_temporarily(lowered: Lowered, stack: ExitStack) -> Path:
    project = _temporary_folder(stack) / "project"
    write_project(lowered.files, project)
    return project


def _temporary_folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-")))


def _resolve_inputs(
    graph: Graph, inputs: str | Path | Sequence[Array] | None, seed: int
) -> ModelInputs:
    if inputs is None or isinstance(inputs, str | Path):
        return load_inputs(graph, None if inputs is None else Path(inputs), seed=seed)
    return fit_arrays(graph, inputs)


def _open_host(lowered: Lowered, project: Path, compiler: Compiler, stack: ExitStack) -> HostModel:
    name = lowered.original.name
    sources = find_sources(project, name)
    library = _temporary_folder(stack) / f"{name}.so"
    compile_shared_library(sources.library, library, sources.include_directories, compiler=compiler)
    return stack.enter_context(HostModel(library, name))


def _open_board(
    lowered: Lowered, board: Board, project: Path, compiler: Compiler, stack: ExitStack
) -> VirtualBoard:
    name = lowered.original.name
    sources = find_sources(project, name)
    if sources.linker_script is None:
        raise InputError(f"{str(project)!r} has no linker script", help="compile the model again")
    elf = link_firmware(
        [*sources.library, *sources.firmware],
        sources.linker_script,
        _temporary_folder(stack) / f"{name}.elf",
        board.core,
        include_dirs=sources.include_directories,
        compiler=compiler,
    )
    machine = stack.enter_context(VirtualBoard(elf, board))
    machine.init()
    return machine


def _verify(lowered: Lowered, machine: Machine, values: ModelInputs, progress: Progress) -> None:
    """Compare every step, and then the outputs with those of the unoptimized graph."""
    progress("computing the expected values", None)
    steps = len(lowered.plan.program.calls)

    def on_step(step: int) -> None:
        progress("comparing operator by operator", (step + 1) / steps)

    verify_steps(lowered.plan, machine, values.arrays, on_step=on_step)
    verify_outputs(lowered.original, machine, values.arrays)


def _run_once(
    lowered: Lowered,
    target: Board | None,
    machine: HostModel | VirtualBoard,
    values: ModelInputs,
    verified: bool,
    compiler: str,
    progress: Progress,
) -> RunOutcome:
    tensors = tuple(lowered.original.tensors[name] for name in lowered.original.outputs)
    counts: InstructionCounts | None = None
    contents: Sequence[Array | bytes]
    if isinstance(machine, VirtualBoard):
        simulation = run_inference(
            machine, values.arrays, on_progress=_step_progress(lowered.plan, progress)
        )
        contents = simulation.outputs
        counts = InstructionCounts(
            simulation.instructions,
            simulation.operator_instructions,
            simulation.stack_bytes_peak,
        )
    else:
        contents = machine.run(values.arrays)
    result = summarize_run(
        lowered.original,
        lowered.plan,
        model_name=lowered.manifest.model,
        board_name=HOST if target is None else target.name,
        memory=memory_use(lowered.plan, target),
        verified=True if verified else None,
        counts=counts,
        input_origin=values.origin,
        compiler=compiler,
    )
    outputs = tuple(map(as_array, contents, tensors))
    return RunOutcome(result, outputs, tensors)


def _step_progress(plan: ExecutionPlan, progress: Progress) -> Callable[[int, int], None]:
    steps = max(len(plan.program.calls), 1)

    def report(step: int, instructions: int) -> None:
        progress(f"simulating: {format_count(instructions)} instructions", step / steps)

    return report
