"""The same model gives the same bytes, wherever and by whomever it is compiled."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from penstock.boards import load_board
from penstock.codegen.project_files import ProjectManifest
from penstock.codegen.project_layout import emit_complete_project, find_sources
from penstock.errors import ToolError
from penstock.frontends.tflite import write_model
from penstock.kernels.selection import select_kernels
from penstock.planning import plan_execution
from penstock.toolchain import (
    compile_shared_library,
    find_host_compiler,
    find_target_compiler,
    link_firmware,
)
from tests.codegen.tiny_models import classifier

BOARD = load_board("stm32f746g-disco")
FOLDERS = ("short", "a/longer one")
COMMAND = [sys.executable, "-m", "penstock", "compile", "--board", BOARD.name, "-o"]


def _build(family: str, folder: Path) -> tuple[bytes, bytes]:
    """Build firmware and shared library of a project in ``folder``; return their bytes."""
    plan = plan_execution(select_kernels(classifier()), BOARD)
    manifest = ProjectManifest("tiny", "tiny.tflite", BOARD.name)
    for relative, content in emit_complete_project(plan, BOARD, manifest, b"").items():
        (folder / relative).parent.mkdir(parents=True, exist_ok=True)
        (folder / relative).write_bytes(content)
    sources = find_sources(folder, "tiny")
    assert sources.linker_script is not None
    elf = link_firmware(
        [*sources.model, *sources.firmware],
        sources.linker_script,
        folder / "out" / "tiny.elf",
        BOARD.core,
        include_dirs=sources.include_directories,
        compiler=find_target_compiler(BOARD.core, family),
    )
    library = compile_shared_library(
        sources.model,
        folder / "out" / "tiny.so",
        sources.include_directories,
        compiler=find_host_compiler(family),
    )
    return elf.read_bytes(), library.read_bytes()


@pytest.mark.parametrize("family", ["gcc", "zig"])
def test_compilers_do_not_write_where_they_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    try:
        find_target_compiler(BOARD.core, family)
        find_host_compiler(family)
    except ToolError as error:
        pytest.skip(str(error))
    made = []
    for number, name in enumerate(FOLDERS):
        folder = tmp_path / name
        (folder / "tmp").mkdir(parents=True)
        monkeypatch.setattr(tempfile, "tempdir", str(folder / "tmp"))
        monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
        monkeypatch.chdir(folder)
        # Once by its path from here, as a user gives it.
        made.append(_build(family, folder / "project" if number else Path("project")))
    assert made[0] == made[1]
    for content in made[0]:
        assert str(tmp_path).encode() not in content
        assert b"ziglang" not in content


def _compile(model: Path, folder: Path, hash_seed: str) -> dict[str, bytes]:
    """Run ``penstock compile`` with a home, temporary folder and working folder of its own."""
    places = {name: folder / name for name in ("home", "tmp", "here")}
    for place in places.values():
        place.mkdir(parents=True)
    environment = {
        **os.environ,
        "PYTHONHASHSEED": hash_seed,
        "HOME": str(places["home"]),
        "TMPDIR": str(places["tmp"]),
    }
    subprocess.run(
        [*COMMAND, str(folder / "project"), str(model)],
        cwd=places["here"],
        env=environment,
        capture_output=True,
        check=True,
    )
    project = folder / "project"
    files = (path for path in project.rglob("*") if path.is_file())
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in files}


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no target gcc")
def test_the_command_gives_the_same_folder(tmp_path: Path) -> None:
    model = tmp_path / "tiny.tflite"
    model.write_bytes(write_model(classifier()))
    (tmp_path / "copy").mkdir()
    copy = Path(shutil.copy(model, tmp_path / "copy"))
    first = _compile(model, tmp_path / FOLDERS[0], "0")
    second = _compile(copy, tmp_path / FOLDERS[1], "4711")
    assert "firmware/tiny.elf" in first
    assert sorted(first) == sorted(second)
    assert [path for path in first if first[path] != second[path]] == []
