"""A whole project: the model's C, firmware that runs it on a board, and what it was made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.boards.board import Board
from penstock.codegen.dma_files import DMA_FOLDER
from penstock.codegen.linker_script import emit_linker_script
from penstock.codegen.project import emit_project
from penstock.codegen.project_files import MANIFEST, MODEL_COPY, ProjectManifest
from penstock.codegen.runtime_files import runtime_directory
from penstock.errors import InputError
from penstock.planning.execution_plan import ExecutionPlan

FIRMWARE_FOLDER = "firmware"
LINKER_SCRIPT = f"{FIRMWARE_FOLDER}/board.ld"


def emit_complete_project(
    plan: ExecutionPlan, board: Board | None, manifest: ProjectManifest, model_content: bytes
) -> dict[str, bytes]:
    """Return every file of a project folder by its relative path.

    Args:
        plan: what to print.
        board: whose start-up code and linker script to add; None adds none.
        manifest: written beside the C.
        model_content: the model file, kept so that the project can be checked against it.

    Raises:
        InputError: there is no start-up code for the board.
    """
    files = emit_project(plan, board)
    if board is not None and plan.placement is not None:
        files |= _firmware_files(board)
        files[LINKER_SCRIPT] = emit_linker_script(board, plan.placement).encode()
    files[MANIFEST] = manifest.to_json().encode()
    files[MODEL_COPY] = model_content
    return files


def _firmware_files(board: Board) -> dict[str, bytes]:
    ports = runtime_directory() / "ports"
    known = sorted(entry.name for entry in ports.iterdir() if entry.is_dir())
    if board.port not in known:
        raise InputError(
            f"board '{board.name}' has the port '{board.port}'; the ports are {', '.join(known)}",
            help="correct 'port' in the board file; docs/boards.md explains its keys",
        )
    found = [ports / "harness.c", ports / "harness.h", *(ports / board.port).iterdir()]
    return {
        f"{FIRMWARE_FOLDER}/{item.name}": item.read_bytes()
        for item in found
        if item.name.endswith((".c", ".h", ".S"))
    }


@dataclass(frozen=True, slots=True)
class ProjectSources:
    """What to compile of a project folder.

    Attributes:
        model: the model and its kernels.
        firmware: start-up code, harness and DMA driver in addition; empty for the host.
        host: what a computer needs in addition: copies as bad as they may be.
        include_directories: for both.
        linker_script: None for the host.
    """

    model: tuple[Path, ...]
    firmware: tuple[Path, ...]
    host: tuple[Path, ...]
    include_directories: tuple[Path, ...]
    linker_script: Path | None


def board_path(board: str) -> str:
    """Return where a project for a board that the user described has the description."""
    return f"{FIRMWARE_FOLDER}/{board}.toml"


def firmware_path(name: str) -> str:
    """Return where a project has its linked firmware, relative to its folder."""
    return f"{FIRMWARE_FOLDER}/{name}.elf"


def find_sources(directory: Path, name: str) -> ProjectSources:
    """Return the C files of a project folder, sorted.

    Raises:
        InputError: the model's own C is missing.
    """
    own = [directory / f"{name}.c", directory / f"{name}_weights.c"]
    missing = [path.name for path in own if not path.is_file()]
    if missing:
        raise InputError(
            f"project {str(directory)!r} has lost {', '.join(missing)}",
            help="compile the model again",
        )
    script = directory / LINKER_SCRIPT
    firmware_folder, dma_folder = directory / FIRMWARE_FOLDER, directory / DMA_FOLDER
    library = [*(directory / "kernels").rglob("*.c"), *(directory / "src").rglob("*.c")]
    drivers = sorted(dma_folder.glob("*.c"))
    hostile = Path(str(runtime_directory().joinpath("ports", "dma", "hostile", "ps_dma.c")))
    return ProjectSources(
        model=(*own, *sorted(library)),
        firmware=(
            directory / f"{name}_harness.c",
            *sorted(firmware_folder.glob("*.c")),
            *drivers,
        ),
        host=(hostile,) if drivers else (),
        include_directories=(directory, firmware_folder, dma_folder),
        linker_script=script if script.is_file() else None,
    )


def differing_files(directory: Path, files: Mapping[str, bytes]) -> list[str]:
    """Return which of ``files`` are missing from a project folder or have other contents there."""
    return [
        relative
        for relative, content in files.items()
        if not (directory / relative).is_file() or (directory / relative).read_bytes() != content
    ]
