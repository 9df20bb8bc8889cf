"""Firmware and programs for the virtual board, built once for each compiler."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from penstock.boards import Board, load_board
from penstock.codegen.linker_script import emit_linker_script
from penstock.errors import ToolError
from penstock.planning.execution_plan import Placement
from penstock.simulate.program import ProgramRun, simulate_program
from penstock.simulate.program_options import ProgramOptions
from penstock.toolchain import WARNING_FLAGS, Compiler, find_target_compiler, link_firmware
from tests.simulate.images import link_cases
from tests.simulate.programs import LIMIT, Run

Build = Callable[..., Path]
CASES = Path(__file__).with_name("firmware_cases.c")
EXTERNAL = Placement(code="flash", weights="qspi", arena="sdram", stack="dtcm")


@pytest.fixture(scope="session")
def board() -> Board:
    return load_board("stm32f746g-disco")


@pytest.fixture(scope="session", params=["gcc", "zig"])
def compiler(request: pytest.FixtureRequest, board: Board) -> Compiler:
    try:
        return find_target_compiler(board.core, request.param)
    except ToolError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def build(board: Board, compiler: Compiler, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Build the cases' firmware with a placement and compiler flags."""
    folder = tmp_path_factory.mktemp("firmware")
    runtime = Path(str(resources.files("penstock") / "runtime"))

    def build_with(placement: Placement, *flags: str) -> Path:
        stem = "_".join([placement.weights, placement.arena, placement.stack, *flags])
        script = folder / f"{stem}.ld"
        elf = folder / f"{stem}.elf"
        script.write_text(emit_linker_script(board, placement))
        if not elf.exists():
            ports = runtime / "ports"
            link_firmware(
                [CASES, ports / "harness.c", ports / "cortex_m" / "startup.c"],
                script,
                elf,
                board.core,
                include_dirs=[runtime / "include", ports],
                compiler=compiler,
                flags=[*WARNING_FLAGS, *flags],
            )
        return elf

    return build_with


@pytest.fixture(scope="session")
def elf(build: Build) -> Path:
    """The cases with weights in QSPI flash and the arena in SDRAM."""
    return build(EXTERNAL)


@pytest.fixture(scope="session")
def program(board: Board, compiler: Compiler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that is not ours, linked for flash and data TCM."""
    return link_cases(board, compiler, tmp_path_factory.mktemp("program"))


@pytest.fixture(scope="session")
def run(program: Path, board: Board) -> Run:
    """Run the program, or a file made of it, with the options that are given."""

    def run_with(path: Path = program, **options: object) -> ProgramRun:
        chosen = ProgramOptions(**{"instruction_limit": LIMIT, **options})  # type: ignore[arg-type]
        return simulate_program(path, board, chosen)

    return run_with
