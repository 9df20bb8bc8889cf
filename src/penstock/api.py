"""The verbs as functions: each chains the stages and does nothing else."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from penstock.bench.kernel_costs import KernelCost
from penstock.bench.models import ModelBenchmark, ModelTiming
from penstock.bench.operators import OperatorBenchmark, benchmark_operators
from penstock.bench.records import find_record
from penstock.bench.throughput import Throughput
from penstock.boards import board_names, load_board
from penstock.boards.board import Board
from penstock.boards.cores import check_simulated
from penstock.codegen.project_files import (
    FILE_LIST,
    check_replaceable,
    digest_firmware,
    write_project,
)
from penstock.codegen.project_layout import firmware_path
from penstock.design.outline import outline
from penstock.design.published import NetworkOptions
from penstock.design.random_weights import fill_with_random_weights
from penstock.errors import CapacityError, UnsupportedError
from penstock.frontends.inputs import random_inputs
from penstock.frontends.tflite import identifier, load_model, read_model, write_model
from penstock.ir.macs import graph_macs
from penstock.ir.tensor import Array, Tensor
from penstock.ir.text import format_graph
from penstock.kernels.selection import select_kernels
from penstock.machines import (
    RunOutcome,
    link_project,
    open_board,
    open_host,
    run_once,
    run_variant,
    verify_machine,
)
from penstock.passes import run_passes
from penstock.pipeline import (
    DEFAULT_OPTIONS,
    CompileOptions,
    Lowered,
    choose_kernels,
    load_named,
    lower,
    name_firmware,
    open_project,
    plan_graph,
    resolve_inputs,
    write_temporarily,
)
from penstock.planning import plan_execution
from penstock.planning.estimate import estimate_plan
from penstock.planning.estimate.coefficients import CoreCoefficients, format_coefficients
from penstock.planning.options import DEFAULT_PLAN_OPTIONS, PlanOptions
from penstock.planning.variants import Variant, plan_variant
from penstock.progress import Progress, silent
from penstock.report.building import BuildResult, BuiltNetwork, summarize_build
from penstock.report.comparison import Comparison, VariantResult
from penstock.report.estimation import EstimateResult, summarize_estimate
from penstock.report.inspection import Inspection, describe_tensor, graph_totals, operator_rows
from penstock.report.program import ProgramResult, summarize_program
from penstock.report.results import CompileResult
from penstock.report.summary import HOST, summarize_compile
from penstock.simulate.footprint import memory_footprint
from penstock.simulate.program import simulate_program
from penstock.simulate.program_options import DEFAULT_PROGRAM_OPTIONS, ProgramOptions
from penstock.simulate.verification import expected_outputs
from penstock.toolchain import find_target_compiler

__all__ = [
    "DEFAULT_PROGRAM_OPTIONS",
    "Array",
    "BuildResult",
    "BuiltNetwork",
    "Comparison",
    "CompileOptions",
    "CoreCoefficients",
    "EstimateResult",
    "Inspection",
    "KernelCost",
    "ModelBenchmark",
    "ModelTiming",
    "NetworkOptions",
    "OperatorBenchmark",
    "PlanOptions",
    "ProgramOptions",
    "ProgramResult",
    "RunOutcome",
    "Tensor",
    "Throughput",
    "Variant",
    "VariantResult",
    "bench_models",
    "bench_ops",
    "board",
    "boards",
    "build",
    "compare",
    "compile",
    "describe_tensor",
    "format_coefficients",
    "format_graph",
    "inspect",
    "load_model",
    "run",
    "simulate",
]

CHECK_SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """What compilers made of a project.

    Attributes:
        files: firmware to add to the project, by relative path.
        footprint: bytes by memory region and contents; None for the host.
    """

    files: Mapping[str, bytes]
    footprint: Mapping[str, Mapping[str, int]] | None


def boards() -> list[Board]:
    """Return all boards, by name."""
    return [load_board(name) for name in board_names()]


def board(name: str) -> Board:
    """Return a board by name, or one of your own by the path of its TOML file.

    Raises:
        InputError: there is no such board, or its file breaks the rules of a board.
    """
    return load_board(name)


def inspect(model: str | Path, *, optimized: bool = False, board: str | None = None) -> Inspection:
    """Return operators, sizes and memory needs of a model file.

    Args:
        model: the .tflite file.
        optimized: list the operators after all passes, not those of the file.
        board: estimate the time on this board; None estimates nothing.

    Raises:
        PenstockError: the file cannot be read or is not supported, or nothing is known of the time
            on the board.
    """
    target = None if board is None else load_board(board)
    graph = load_model(Path(model))
    plan, placed, estimate, obstacle = None, None, None, ""
    shown = graph
    try:
        after_passes = run_passes(graph)
        shown = after_passes if optimized else graph
        plan = plan_execution(select_kernels(after_passes), None)
        if target is not None:
            placed, target = plan_graph(after_passes, target)
    except (UnsupportedError, CapacityError) as error:
        if optimized and shown is graph:
            raise
        plan, obstacle = None, error.what
    if placed is not None and target is not None:
        estimate = summarize_estimate(
            estimate_plan(placed, target), placed, by_source=not optimized
        )
    return Inspection(
        graph=shown,
        is_optimized=optimized,
        operators=operator_rows(shown),
        file=graph_totals(graph),
        after_passes=None if plan is None else graph_totals(plan.program.graph, plan.weights_bytes),
        arena_bytes=None if plan is None else plan.arena.size_bytes,
        arena_bytes_lower_bound=None if plan is None else plan.arena.lower_bound_bytes,
        obstacle=obstacle,
        estimate=estimate,
    )


def bench_ops(board: str, *, fit: bool = False, progress: Progress = silent) -> OperatorBenchmark:
    """Time kernels on a virtual board.

    Args:
        board: a board's name, or the path of a board's .toml file.
        fit: fit the costs that estimates are made of, instead of timing shapes and placements.
        progress: told what is going on.

    Raises:
        PenstockError: no such board, or a tool is missing.
    """
    return benchmark_operators(load_board(board), progress, fits=fit)


def bench_models(
    models: Sequence[str | Path],
    *,
    boards: Sequence[str],
    options: CompileOptions = DEFAULT_OPTIONS,
    progress: Progress = silent,
) -> ModelBenchmark:
    """Time models on virtual boards, each with its published record where there is one.

    Args:
        models: .tflite files.
        boards: names, or paths of .toml files.
        options: placement, of all of them.
        progress: told what is going on.

    Raises:
        PenstockError: no such board, a model that cannot be read or does not fit, or no compiler.
        VerificationError: an operator's output differs from the interpreter's.
    """
    targets = {board: load_board(board) for board in boards}
    timings: list[ModelTiming] = []
    for model in map(Path, models):
        for board, target in targets.items():
            progress(f"{model.stem} on {board}", len(timings) / len(models) / len(targets))
            found = run(model, board=board, verify=True, options=options).result
            timings.append(ModelTiming(found, find_record(model.read_bytes(), target)))
    return ModelBenchmark(tuple(timings))


def build(options: NetworkOptions, progress: Progress = silent) -> BuiltNetwork:
    """Build a published network with random weights.

    Args:
        options: which network, how wide, for which images.
        progress: told what is going on.

    Raises:
        PenstockError: the network would be larger than a model file may be.
    """
    graph = fill_with_random_weights(outline(options), options.seed, progress)
    content = write_model(graph, description=f"penstock build: {options}")
    # What is written is what is summed up.
    written = read_model(content, identifier(options.name))
    plan = plan_execution(select_kernels(run_passes(written)), None)
    return summarize_build(options, graph_totals(written), plan, content)


def compile(  # noqa: A001 - the verb that the field uses
    model: str | Path,
    *,
    board: str,
    output: str | Path,
    options: CompileOptions = DEFAULT_OPTIONS,
    progress: Progress = silent,
) -> CompileResult:
    """Compile a model into a C project; the folder appears whole or not at all.

    Args:
        model: the .tflite file.
        board: a board's name, the path of a board's .toml file, or ``host``.
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
    lowered = lower(source, board, options, progress=progress)
    built = _build_and_check(lowered, progress) if options.check else Built({}, None)
    progress("writing", None)
    lowered = _name_built(lowered, built)
    files = {**lowered.files, **built.files}
    write_project(files, directory)
    return summarize_compile(
        lowered.original,
        lowered.plan,
        lowered.board,
        model_name=source.name,
        directory=directory,
        files=[*files, FILE_LIST],
        verified=options.check,
        footprint=built.footprint,
    )


def _name_built(lowered: Lowered, built: Built) -> Lowered:
    firmware = built.files.get(firmware_path(lowered.original.name))
    return lowered if firmware is None else name_firmware(lowered, digest_firmware(firmware))


def _build_and_check(lowered: Lowered, progress: Progress) -> Built:
    """Build the project for its board and for this computer, and run it here."""
    with ExitStack() as stack:
        project = write_temporarily(lowered, stack)
        files: dict[str, bytes] = {}
        footprint: dict[str, dict[str, int]] | None = None
        if lowered.board is not None:
            progress(f"compiling the C for {lowered.board.name}", None)
            compiler = find_target_compiler(lowered.board.core)
            elf = link_project(lowered, lowered.board, project, compiler, stack)
            files[firmware_path(lowered.original.name)] = elf.read_bytes()
            footprint = memory_footprint(elf, lowered.board)
        progress("compiling the C for this computer", None)
        machine = open_host(lowered, project, stack).machine
        verify_machine(lowered, machine, random_inputs(lowered.original, CHECK_SEED), progress)
    return Built(files, footprint)


def run(
    model: str | Path,
    *,
    board: str | None = None,
    inputs: str | Path | Sequence[Array] | None = None,
    seed: int = 0,
    verify: bool = False,
    options: CompileOptions = DEFAULT_OPTIONS,
    progress: Progress = silent,
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
        lowered, project = open_project(Path(model), board, options, stack, progress)
        values = resolve_inputs(lowered.original, inputs, seed)
        progress("compiling the C", None)
        if board == HOST or lowered.board is None:
            opened = open_host(lowered, project, stack)
        else:
            opened = open_board(lowered, lowered.board, project, stack)
        if verify:
            verify_machine(lowered, opened.machine, values, progress)
            opened.machine.init()
        return run_once(lowered, opened, values, verify, progress)


def compare(
    model: str | Path,
    *,
    board: str,
    inputs: str | Path | Sequence[Array] | None = None,
    seed: int = 0,
    variants: Sequence[Variant] = tuple(Variant),
    options: PlanOptions = DEFAULT_PLAN_OPTIONS,
    progress: Progress = silent,
) -> Comparison:
    """Run one model on a virtual board under several rules of placement.

    The kernels are the same each time, and the outputs have to be: those of the interpreter.

    Args:
        model: the .tflite file.
        board: a board's name, or the path of a board's .toml file.
        inputs: a file (.npy, .npz, image), arrays, or None for random values.
        seed: of the random values.
        variants: the rules to compare, in order.
        options: of those that leave a choice.
        progress: told what is going on.

    Raises:
        PenstockError: bad input, no compiler, or an illegal access on the virtual board.
        VerificationError: an output differs from the interpreter's.
    """
    source, target = Path(model), load_board(board)
    check_simulated(target.core.name)
    progress("reading", None)
    graph = load_named(source)
    program = choose_kernels(run_passes(graph), target, options)
    values = resolve_inputs(graph, inputs, seed)
    progress("computing the expected values", None)
    expected = expected_outputs(graph, values.arrays)
    results: dict[str, VariantResult] = {}
    for variant in variants:
        progress(f"{variant.value}: planning and compiling", None)
        try:
            planned = plan_variant(program, target, variant, options, progress)
        except (CapacityError, UnsupportedError) as error:
            results[variant.value] = VariantResult(None, error.what)
            continue
        results[variant.value] = VariantResult(
            run_variant(graph, planned, source, values, expected, progress)
        )
    external = tuple(region.name for region in target.regions if region.is_external)
    return Comparison(source.name, target.name, graph_macs(graph), external, results)


def simulate(
    file: str | Path,
    *,
    board: str,
    options: ProgramOptions = DEFAULT_PROGRAM_OPTIONS,
    on_output: Callable[[bytes], None] | None = None,
    progress: Progress = silent,
) -> ProgramResult:
    """Run firmware that somebody else linked on a virtual board, and count it.

    Args:
        file: an ELF, Intel HEX or raw binary image.
        board: a board's name, or the path of a board's .toml file.
        options: what to run and what to count.
        on_output: given what the program prints, as it comes.
        progress: told what is going on.

    Raises:
        PenstockError: the image is damaged or not for the board, or its program faults or never
            ends.
    """
    target = load_board(board)
    run = simulate_program(Path(file), target, options, on_output=on_output, progress=progress)
    return summarize_program(Path(file).name, target, run)
