"""A model becomes a C project."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from penstock.codegen.project_files import (
    FILE_LIST,
    check_replaceable,
    digest_firmware,
    write_project,
)
from penstock.codegen.project_layout import firmware_path
from penstock.frontends.inputs import random_inputs
from penstock.machines import (
    link_project,
    open_host,
    verify_machine,
)
from penstock.pipeline import (
    DEFAULT_OPTIONS,
    CompileOptions,
    Lowered,
    lower,
    name_firmware,
    write_temporarily,
)
from penstock.progress import Progress, silent
from penstock.report.results import CompileResult
from penstock.report.summary import summarize_compile
from penstock.simulate.footprint import memory_footprint
from penstock.toolchain import find_target_compiler

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
        model: the model file.
        board: a board's name, the path of a board's .toml file, or ``host``.
        output: folder to create; an earlier project there is replaced.
        options: placement, checking, and calibration of float32 networks.
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
        calibrated=lowered.calibrated,
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
