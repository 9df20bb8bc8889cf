"""Firmware for the virtual board, built once for each compiler."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from penstock.boards import Board, load_board
from penstock.codegen.linker_script import emit_linker_script
from penstock.errors import ToolError
from penstock.planning.execution_plan import Placement
from penstock.toolchain import WARNING_FLAGS, find_target_compiler, link_firmware

Build = Callable[..., Path]
CASES = Path(__file__).with_name("firmware_cases.c")
EXTERNAL = Placement(code="flash", weights="qspi", arena="sdram", stack="dtcm")


@pytest.fixture(scope="session")
def board() -> Board:
    return load_board("stm32f746g-disco")


@pytest.fixture(scope="session", params=["gcc", "zig"])
def build(
    request: pytest.FixtureRequest, board: Board, tmp_path_factory: pytest.TempPathFactory
) -> Build:
    """Build the cases' firmware with a placement and compiler flags."""
    try:
        compiler = find_target_compiler(board.core, request.param)
    except ToolError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp(f"firmware_{request.param}")
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
