"""A model file may have any name: what it is called in C hides nothing that the program needs."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from penstock.boards import load_board
from penstock.codegen import emit_project
from penstock.codegen.project_files import ProjectManifest
from penstock.codegen.project_layout import emit_complete_project, find_sources
from penstock.errors import ToolError
from penstock.frontends.tflite import identifier
from penstock.kernels.selection import select_kernels
from penstock.planning import plan_execution
from penstock.toolchain import WARNING_FLAGS, link_firmware, process
from tests.codegen.tiny_models import plan_of, recurrent

RUNTIME = Path(__file__).parents[2] / "src" / "penstock" / "runtime"
HEADERS = ["stdint", "stddef", "string", "String", "limits", "math", "features", "unistd"]
SYMBOLS = ["memcpy", "sem", "pthread_mutex", "ps", "ps_harness", "ps_port", "ps-next", "main"]
FILES = ["penstock", "penstock_model", "kernels", "harness", "startup", "conv_2d", "firmware"]
WORDS = ["con", "AUX", "com1", "int", "class", "_Bool", "test", "all", "m", "gcc"]
GCC = shutil.which("gcc") or ""


def _check(name: str, folder: Path) -> None:
    """Compile a model of this C name and the harness, every warning an error."""
    files = emit_project(plan_of(dataclasses.replace(recurrent(), name=name)))
    for relative, content in files.items():
        (folder / relative).parent.mkdir(parents=True, exist_ok=True)
        (folder / relative).write_bytes(content)
    harness = RUNTIME / "ports" / "harness.c"
    (folder / "firmware.c").write_text(
        f'#include "{name}_harness.c"\n#include "{harness}"\n#include <stdlib.h>\n'
    )
    sources = [folder / path for path in files if path.endswith(".c")]
    command = [GCC, "-std=c99", "-fsyntax-only", *WARNING_FLAGS, f"-I{folder}"]
    command += map(str, [*sources, folder / "firmware.c"])
    process.run_tool(command, {}, purpose=f"compiling {name}")


@pytest.mark.skipif(not GCC, reason="no gcc on PATH")
@pytest.mark.parametrize("file_name", [*HEADERS, *SYMBOLS, *FILES, *WORDS])
def test_a_model_of_this_name_compiles(tmp_path: Path, file_name: str) -> None:
    name = identifier(file_name)
    assert name.startswith("model_")
    _check(name, tmp_path)


@pytest.mark.skipif(not GCC, reason="no gcc on PATH")
@pytest.mark.parametrize(
    "name", ["stdint", "stddef", "string", "ps", "ps_harness", "penstock_svdf"]
)
def test_without_the_prefix_it_would_not(tmp_path: Path, name: str) -> None:
    with pytest.raises(ToolError, match=f"compiling {name}"):
        _check(name, tmp_path)


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no target gcc")
@pytest.mark.parametrize("file_name", ["harness", "string"])
def test_firmware_of_such_a_model_links(tmp_path: Path, file_name: str) -> None:
    board = load_board("stm32f746g-disco")
    name = identifier(file_name)
    graph = dataclasses.replace(recurrent(), name=name)
    manifest = ProjectManifest(name, f"{file_name}.tflite", board.name)
    plan = plan_execution(select_kernels(graph), board)
    files = emit_complete_project(plan, board, manifest, b"")
    for relative, content in files.items():
        (tmp_path / relative).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / relative).write_bytes(content)
    sources = find_sources(tmp_path, name)
    assert sources.linker_script is not None
    elf = link_firmware(
        [*sources.model, *sources.firmware],
        sources.linker_script,
        tmp_path / "out.elf",
        board.core,
        include_dirs=sources.include_directories,
        flags=WARNING_FLAGS,
    )
    assert f"{name}_run_range".encode() in elf.read_bytes()


def test_every_file_of_the_c_library_keeps_its_name_for_itself() -> None:
    stems = {path.stem for path in RUNTIME.rglob("*.[ch]")} - {"model"}
    assert "svdf_s8" in stems
    assert [stem for stem in sorted(stems) if identifier(stem) != f"model_{stem}"] == []


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no target gcc")
def test_every_header_of_the_target_compiler_keeps_its_name_for_itself() -> None:
    gcc = shutil.which("arm-none-eabi-gcc")
    assert gcc is not None
    folders = [
        Path(process.run_tool([gcc, f"-print-file-name={name}"], {}, purpose="asking").strip())
        for name in ("include", "include-fixed", "../../../arm-none-eabi/include")
    ]
    headers = {path.stem for folder in folders for path in folder.glob("[a-z]*.h")}
    assert {"stdint", "arm_mve", "limits"} <= headers
    assert [stem for stem in sorted(headers) if identifier(stem) == stem] == []
