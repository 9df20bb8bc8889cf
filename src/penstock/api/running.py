"""Models and programs on a virtual board."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from penstock.boards import load_board
from penstock.boards.cores import check_simulated
from penstock.design.calibration import Calibration
from penstock.design.opened_model import open_model
from penstock.errors import CapacityError, UnsupportedError
from penstock.ir.macs import graph_macs
from penstock.ir.tensor import Array
from penstock.machines import (
    RunOutcome,
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
    choose_kernels,
    open_project,
    resolve_inputs,
)
from penstock.planning.options import DEFAULT_PLAN_OPTIONS, PlanOptions
from penstock.planning.variants import Variant, plan_variant
from penstock.progress import Progress, silent
from penstock.report.comparison import Comparison, VariantResult
from penstock.report.program import ProgramResult, summarize_program
from penstock.report.summary import HOST
from penstock.simulate.program import simulate_program
from penstock.simulate.program_options import DEFAULT_PROGRAM_OPTIONS, ProgramOptions
from penstock.simulate.verification import expected_outputs


def run(
    model: str | Path,
    *,
    board: str | None = None,
    inputs: str | Path | Sequence[Array] | None = None,
    seed: int = 0,
    detail: int | None = None,
    verify: bool = False,
    options: CompileOptions = DEFAULT_OPTIONS,
    progress: Progress = silent,
) -> RunOutcome:
    """Run a model on a virtual board or on this computer.

    Args:
        model: a model file, or a folder made by `compile`.
        board: a board's name, or ``host``; None takes the folder's own.
        inputs: a file (.npy, .npz, image), arrays, or None for random values.
        seed: of the random values.
        detail: pixels of the shorter side that an image is reduced to first; None reduces none.
        verify: compare every operator's output with the interpreter.
        options: placement and calibration; used for a model file only.
        progress: told what is going on.

    Raises:
        PenstockError: bad input, no compiler, or an illegal access on the virtual board.
        VerificationError: an operator's output differs from the interpreter's.
    """
    progress("reading and planning", None)
    with ExitStack() as stack:
        lowered, project = open_project(Path(model), board, options, stack, progress)
        values = resolve_inputs(lowered.original, inputs, seed, detail)
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
    calibration: Calibration | None = None,
    progress: Progress = silent,
) -> Comparison:
    """Run one model on a virtual board under several rules of placement.

    The kernels are the same each time, and the outputs have to be: those of the interpreter.

    Args:
        model: the model file.
        board: a board's name, or the path of a board's .toml file.
        inputs: a file (.npy, .npz, image), arrays, or None for random values.
        seed: of the random values.
        variants: the rules to compare, in order.
        options: of those that leave a choice.
        calibration: how to quantize a float32 network on the way; None refuses those.
        progress: told what is going on.

    Raises:
        PenstockError: bad input, no compiler, or an illegal access on the virtual board.
        VerificationError: an output differs from the interpreter's.
    """
    source, target = Path(model), load_board(board)
    check_simulated(target.core.name)
    progress("reading", None)
    opened = open_model(source, calibration, progress)
    graph = opened.graph
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
            run_variant(opened, planned, source.name, values, expected, progress)
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
