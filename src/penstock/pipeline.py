"""The stages in a row: from a model file to a project that machines can be made of."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from penstock.boards import board_names, load_board
from penstock.boards.board import Board
from penstock.codegen.project_files import (
    MANIFEST,
    MODEL_COPY,
    ProjectManifest,
    read_manifest,
    write_project,
)
from penstock.codegen.project_layout import (
    board_path,
    differing_files,
    emit_complete_project,
)
from penstock.design.calibration import Calibration
from penstock.design.opened_model import open_model
from penstock.errors import CapacityError, InputError
from penstock.frontends.inputs import ModelInputs, fit_arrays, load_inputs
from penstock.frontends.tflite import identifier
from penstock.ir.graph import Graph
from penstock.ir.tensor import Array
from penstock.kernels.kernel_graph import KernelGraph
from penstock.kernels.kernel_set import (
    FAST_KERNELS,
    LARGE_FILTERS,
    LARGE_WINOGRAD_KERNELS,
    SMALL_FILTERS,
    WINOGRAD_KERNELS,
    WeightChoice,
)
from penstock.kernels.selection import select_kernels
from penstock.kernels.selection.encodings import possible_encodings
from penstock.kernels.selection.winograd import LARGE
from penstock.passes import run_passes
from penstock.planning import ExecutionPlan, plan_on_board, validate_plan
from penstock.planning.estimate.coefficients import has_coefficients
from penstock.planning.estimate.plans import estimate_plan
from penstock.planning.kernel_choice import constant_bytes, fastest_program, smallest_program
from penstock.planning.options import DEFAULT_PLAN_OPTIONS, PlanOptions, reserve_memory
from penstock.progress import Progress, silent
from penstock.quantize.agreement import Calibrated
from penstock.report.summary import HOST

BOARD_SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """Choices of a compile.

    Attributes:
        planning: those of the plan.
        check: run the generated C on this computer against the interpreter.
        calibration: how to quantize a float32 network on the way; None refuses those.
    """

    planning: PlanOptions = DEFAULT_PLAN_OPTIONS
    check: bool = True
    calibration: Calibration | None = None


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
        calibrated: how near it is to a float32 network that was read; None for quantized ones.
    """

    original: Graph
    plan: ExecutionPlan
    board: Board | None
    manifest: ProjectManifest
    files: Mapping[str, bytes]
    calibrated: Calibrated | None = None


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
        model: the model file.
        board: a board's name, the path of a board's .toml file, or ``host``.
        options: placement, and calibration of float32 networks.
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
    opened = open_model(model, options.calibration, progress)
    original = replace(opened.graph, name=identifier(Path(named).stem))
    plan, target = plan_graph(run_passes(original), target, wishes, progress)
    manifest = ProjectManifest(original.name, named, plan.board, wishes)
    lowered = lower_plan(original, plan, target, manifest, opened.content)
    lowered = replace(lowered, calibrated=opened.calibrated)
    if not board.endswith(BOARD_SUFFIX):
        return lowered
    described = {board_path(plan.board): Path(board).read_bytes()}
    return replace(lowered, files={**lowered.files, **described})


def plan_graph(
    graph: Graph,
    board: Board | None,
    wishes: PlanOptions = DEFAULT_PLAN_OPTIONS,
    progress: Progress = silent,
) -> tuple[ExecutionPlan, Board | None]:
    """Choose kernels for a graph and plan it: the fastest ones for which there is room.

    Returns:
        the plan, and the board as it is planned for.

    Raises:
        PenstockError: an unsupported model, or not enough memory even for plain C.
    """
    lacks: dict[str, str] = {}
    refused: CapacityError | None = None
    for left_out, program in _programs(graph, board, wishes):
        if refused is not None:
            lacks[left_out] = refused.what
        try:
            plan, placed = plan_on_board(program, board, wishes, progress)
        except CapacityError as error:
            refused = error
        else:
            if placed and has_coefficients(placed.core.name):
                for smaller in _smaller_programs(graph, program, placed.core.name, wishes):
                    plan = _faster(plan, smaller, placed, wishes, progress)
            return replace(plan, left_out=lacks), placed
    assert refused is not None
    raise refused


def _smaller_programs(
    graph: Graph, program: KernelGraph, core: str, wishes: PlanOptions
) -> Iterator[KernelGraph]:
    """Yield programs with smaller constants than one that fits."""
    if LARGE.kernel in _kernel_names(program):
        yield fastest_program(graph, core, wishes.kernels, (2,), wishes.weights)
    if wishes.weights is WeightChoice.AUTO and possible_encodings(graph):
        smallest = smallest_program(graph, core, wishes.kernels)
        if constant_bytes(smallest) < constant_bytes(program):
            yield smallest


def _faster(
    plan: ExecutionPlan,
    smaller: KernelGraph,
    board: Board,
    wishes: PlanOptions,
    progress: Progress,
) -> ExecutionPlan:
    """Return a plan, or that of a program with smaller constants if it is expected to be faster.

    It is where constants come from memory so slow that the core would wait for them.
    """
    try:
        other, _ = plan_on_board(smaller, board, wishes, progress)
    except CapacityError:
        return plan
    cycles = [estimate_plan(each, board).cycles for each in (plan, other)]
    return other if cycles[1] < cycles[0] else plan


def _programs(
    graph: Graph, board: Board | None, wishes: PlanOptions
) -> Iterator[tuple[str, KernelGraph]]:
    """Yield a graph in kernels from fast to small, and what each has not that those before have.

    Winograd convolutions have larger constants, the larger their patches are; filters may have
    encodings that are slower and smaller; all of the fast kernels need scratch memory.
    Lowering takes time: nothing is lowered before it is asked for.
    """
    core = None if board is None else board.core.name
    fastest = partial(fastest_program, graph, core, wishes.kernels, weights=wishes.weights)
    program = fastest()
    yield "", program
    ways: list[tuple[str, Callable[[], KernelGraph]]] = [
        (LARGE_WINOGRAD_KERNELS, partial(fastest, tiles=(2,))),
        (WINOGRAD_KERNELS, partial(fastest, tiles=())),
    ]
    if wishes.weights is not WeightChoice.DENSE and possible_encodings(graph):
        ways += [
            (LARGE_FILTERS, partial(smallest_program, graph, core, wishes.kernels)),
            (SMALL_FILTERS, partial(fastest, weights=WeightChoice.DENSE, tiles=())),
        ]
    ways.append((FAST_KERNELS, partial(select_kernels, graph)))
    for left_out, select in ways:
        smaller = select()
        if _kernel_names(smaller) != _kernel_names(program):
            program = smaller
            yield left_out, program


def _kernel_names(program: KernelGraph) -> list[str]:
    return [call.kernel.name for call in program.calls]


def choose_kernels(graph: Graph, board: Board, wishes: PlanOptions) -> KernelGraph:
    """Return the program that `plan_graph` plans, or the fastest where none has room."""
    try:
        return plan_graph(graph, board, wishes)[0].program
    except CapacityError:
        return fastest_program(graph, board.core.name, wishes.kernels, weights=wishes.weights)


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
        model: bytes of the .tflite file that holds it.

    Raises:
        PenstockError: a broken plan, or code that the board cannot start.
    """
    validate_plan(plan, None if board is None else reserve_memory(board, manifest.planning))
    files = emit_complete_project(plan, board, manifest, model)
    return Lowered(original, plan, board, manifest, files)


def name_firmware(lowered: Lowered, firmware_sha256: str | None) -> Lowered:
    """Return a project whose manifest says which firmware belongs to it."""
    manifest = replace(lowered.manifest, firmware_sha256=firmware_sha256)
    files = {**lowered.files, MANIFEST: manifest.to_json().encode()}
    return replace(lowered, manifest=manifest, files=files)


def write_temporarily(lowered: Lowered, stack: ExitStack) -> Path:
    """Write a project to a folder that goes when the stack unwinds."""
    project = temporary_folder(stack) / "project"
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
        model: a model file, or a folder made by ``compile``.
        board: as for `lower`; None takes the folder's own.
        options: placement and calibration; used for a model file only.
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
    if options.calibration is not None:
        raise InputError(
            f"project {str(model)!r} is quantized already: there is nothing to calibrate",
            help="leave out --calibrate",
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


def temporary_folder(stack: ExitStack) -> Path:
    """Return a folder that goes when the stack unwinds."""
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-")))


def resolve_inputs(
    graph: Graph,
    inputs: str | Path | Sequence[Array] | None,
    seed: int,
    detail: int | None = None,
) -> ModelInputs:
    """Return a graph's inputs from a file, from arrays, or from a seed; raises InputError."""
    if inputs is None or isinstance(inputs, str | Path):
        path = None if inputs is None else Path(inputs)
        return load_inputs(graph, path, seed=seed, detail=detail)
    return fit_arrays(graph, inputs)
