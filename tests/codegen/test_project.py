"""What a project contains, and that it depends on the plan alone."""

import dataclasses
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.boards import load_board
from penstock.codegen import emit_project
from penstock.codegen.project_files import ProjectManifest
from penstock.codegen.project_layout import emit_complete_project
from penstock.codegen.runtime_files import runtime_files
from penstock.errors import GraphError, InputError
from penstock.kernels.selection import select_kernels
from penstock.planning import plan_execution
from tests.codegen.tiny_models import classifier, plan_of, recurrent
from tests.golden import check_golden

GOLDEN = Path(__file__).parent / "golden"
GOLDEN_FILES = ("tiny.c", "tiny.h", "tiny_weights.c", "README.md", "CMakeLists.txt", "plan.txt")


@pytest.mark.parametrize("name", GOLDEN_FILES)
def test_the_tiny_model_is_printed_as_agreed(name: str) -> None:
    check_golden(GOLDEN / name, emit_project(plan_of(classifier()))[name].decode())


def test_the_project_is_complete() -> None:
    files = emit_project(plan_of(classifier()))
    own = {path for path in files if not path.startswith(("kernels/", "penstock/"))}
    assert own == {
        "CMakeLists.txt",
        "LICENSE",
        "README.md",
        "plan.txt",
        "tiny.c",
        "tiny.h",
        "tiny.ld",
        "tiny_harness.c",
        "tiny_weights.c",
        "tiny_weights.h",
    }
    assert {"penstock/model.h", "penstock/status.h"} <= set(files)


def test_only_kernels_that_are_used_come_along() -> None:
    classifier_files = set(emit_project(plan_of(classifier())))
    recurrent_files = set(emit_project(plan_of(recurrent())))
    assert any("conv_2d" in path for path in classifier_files)
    assert not any("svdf" in path for path in classifier_files)
    assert any("svdf" in path for path in recurrent_files)
    assert not any("softmax" in path for path in recurrent_files)


def test_every_include_is_in_the_project() -> None:
    files = emit_project(plan_of(classifier()))
    for path, content in files.items():
        for line in content.decode().splitlines():
            if path.endswith((".c", ".h")) and line.startswith('#include "'):
                name = line.split('"')[1]
                beside = f"{path.rpartition('/')[0]}/{name}".lstrip("/")
                assert name in files or beside in files, (path, name)


def test_a_missing_runtime_file_is_our_fault() -> None:
    with pytest.raises(GraphError, match=r"the runtime has no file 'kernels/none\.c'"):
        runtime_files(["kernels/none.c"], [])


_DIGEST = """
import hashlib
from penstock.codegen import emit_project
from tests.codegen.tiny_models import classifier, plan_of
files = emit_project(plan_of(classifier()))
print(hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest())
"""


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_the_same_plan_gives_the_same_bytes_anywhere(tmp_path: Path, hash_seed: str) -> None:
    files = emit_project(plan_of(classifier()))
    here = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": root}
    finished = subprocess.run(
        [sys.executable, "-c", _DIGEST],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.strip() == here


def test_the_board_plan_says_where_things_go() -> None:
    board = load_board("stm32f746g-disco")
    files = emit_project(plan_execution(select_kernels(classifier()), board))
    readme = files["README.md"].decode()
    assert "for the board stm32f746g-disco" in readme
    assert "| weights | `.penstock_weights` | `TINY_WEIGHTS_SECTION` |" in readme
    assert "| dtcm |" in readme
    assert "arena in dtcm" in files["tiny.ld"].decode()


def test_external_memories_are_said_to_need_bringing_up() -> None:
    board = load_board("stm32f746g-disco")
    program = select_kernels(classifier())
    readme = {
        regions: emit_project(
            plan_execution(program, board, weights_in=regions[0], arena_in=regions[1]), board
        )["README.md"].decode()
        for regions in ((None, None), ("qspi", None), ("qspi", "sdram"))
    }
    assert "outside the microcontroller" not in readme[None, None]
    assert "`qspi` lies outside the microcontroller. Your program" in readme["qspi", None]
    assert "`qspi` and `sdram` lie outside the microcontroller." in readme["qspi", "sdram"]
    assert "before `tiny_init()`" in readme["qspi", "sdram"]
    assert "leaves the rest to `ps_port_init()`" in readme["qspi", "sdram"]


def test_the_readme_says_what_the_firmware_is() -> None:
    board = load_board("stm32f746g-disco")
    readme = emit_project(plan_execution(select_kernels(classifier()), board), board)["README.md"]
    assert b"`firmware/tiny.elf` (not made with `--no-check`) is a complete program" in readme
    assert b"an application needs neither" in readme
    assert b"firmware/" not in emit_project(plan_of(classifier()))["README.md"]


def test_a_board_without_start_up_code_is_refused() -> None:
    board = dataclasses.replace(load_board("stm32f746g-disco"), port="none")
    plan = plan_execution(select_kernels(classifier()), board)
    manifest = ProjectManifest("tiny", "tiny.tflite", board.name)
    with pytest.raises(InputError, match="has the port 'none'; the ports are cortex_m"):
        emit_complete_project(plan, board, manifest, b"")


def test_names_that_would_break_c_are_made_harmless() -> None:
    evil = 'in*/ /* "; ?\u00e9`'
    files = emit_project(plan_of(classifier(image=evil)))
    source = files["tiny.c"].decode()
    assert evil not in source
    assert '.name = "in*/ /* \\042; \\077\\303\\251`"' in source
