"""A project with overlays in somebody else's CMake build: who copies, and where its sections go."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from penstock.boards import load_board
from penstock.codegen import emit_project
from penstock.codegen.runtime_files import runtime_directory
from penstock.errors import ToolError
from penstock.frontends.tflite import read_model
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning import ExecutionPlan, plan_model
from penstock.planning.options import PlanOptions
from penstock.simulate.verification import expected_outputs
from penstock.toolchain import CompilerFamily, find_target_compiler, process

CMAKE = shutil.which("cmake") or ""
TARGET_GCC = shutil.which("arm-none-eabi-gcc") or ""
pytestmark = pytest.mark.skipif(not CMAKE, reason="no cmake on PATH")

BOARD = load_board("stm32f746g-disco")
GRAPH = read_model(
    (Path(__file__).parents[2] / "examples" / "cifar10.tflite").read_bytes(), "cifar10"
)
RESERVED = {"dtcm": 52 * 1024, "sram1": 204 * 1024, "flash": 960 * 1024}
"""So little is left that every kind of memory has something in it."""

LISTS = """
cmake_minimum_required(VERSION 3.13)
project(application LANGUAGES C)
add_subdirectory(cifar10)
add_executable(application main.c)
target_link_libraries(application PRIVATE cifar10)
"""
MAIN = """
#include <stdio.h>
#include <string.h>
#include "cifar10.h"
int main(void) {
  if (cifar10_init() != PS_OK) return 1;
  memset(cifar10_input(0)->data, 7, CIFAR10_INPUT_0_BYTES);
  if (cifar10_run() != PS_OK) return 2;
  const int8_t *output = cifar10_output(0)->data;
  for (int i = 0; i < CIFAR10_OUTPUT_0_ELEMENTS; ++i) printf("%d ", output[i]);
  return 0;
}
"""
FREESTANDING = """
#include "cifar10.h"
void start(void);
void start(void) { if (cifar10_init() == PS_OK) (void)cifar10_run(); }
"""
LINKER_SCRIPT = """
MEMORY
{
  flash (rx) : ORIGIN = 0x08000000, LENGTH = 1M
  tcm (rwx) : ORIGIN = 0x20000000, LENGTH = 64K
  ram (rwx) : ORIGIN = 0x20010000, LENGTH = 240K
  sdram (rwx) : ORIGIN = 0xC0000000, LENGTH = 8M
  qspi (rx) : ORIGIN = 0x90000000, LENGTH = 16M
}
REGION_ALIAS("PENSTOCK_WEIGHTS", flash)
REGION_ALIAS("PENSTOCK_ARENA", ram)
REGION_ALIAS("PENSTOCK_TIGHT", tcm)
REGION_ALIAS("PENSTOCK_FAR", sdram)
REGION_ALIAS("PENSTOCK_FAR_WEIGHTS", WEIGHTS)
REGION_ALIAS("PENSTOCK_FAR_WEIGHTS_IMAGE", qspi)
ENTRY(start)
SECTIONS
{
  INCLUDE cifar10.ld
  .text : { *(.text*) *(.rodata*) } > flash
  .data : { *(.data*) } > ram AT > flash
  .bss : { *(.bss*) } > ram
}
"""


@pytest.fixture(scope="module")
def plan() -> ExecutionPlan:
    options = PlanOptions(fusion=False, reserve=tuple(RESERVED.items()))
    made = plan_model(select_kernels(run_passes(GRAPH)), BOARD, options)
    assert made.placement is not None
    assert (made.placement.tight, made.placement.far) == ("dtcm", "sdram")
    assert (made.placement.far_weights, made.placement.far_weights_image) == ("sdram", "qspi")
    return made


def _write(folder: Path, plan: ExecutionPlan, lists: str, main: str) -> None:
    for relative, content in emit_project(plan, BOARD).items():
        path = folder / "cifar10" / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "CMakeLists.txt").write_text(lists)
    (folder / "main.c").write_text(main)


def _build(folder: Path, *options: str) -> Path:
    build = folder / "build"
    process.run_tool([CMAKE, "-S", str(folder), "-B", str(build), *options], {}, purpose="set-up")
    process.run_tool([CMAKE, "--build", str(build)], {}, purpose="building")
    return build / "application"


@pytest.mark.parametrize("copies", ["core", "own"])
def test_other_machines_copy_otherwise_and_give_the_same_bytes(
    tmp_path: Path, plan: ExecutionPlan, copies: str
) -> None:
    lists = LISTS
    if copies == "own":  # the worst that there is
        hostile = runtime_directory().joinpath("ports", "dma", "hostile", "ps_dma.c")
        lists += f'target_sources(application PRIVATE "{hostile}")\n'
    _write(tmp_path, plan, lists, MAIN)
    application = _build(tmp_path, f"-DCIFAR10_COPIES={copies}")
    printed = process.run_tool([str(application)], {}, purpose="running")
    image = np.full((1, 32, 32, 3), 7, np.int8)
    [expected] = expected_outputs(GRAPH, [image]).values()
    assert [int(number) for number in printed.split()] == expected.reshape(-1).tolist()


def test_nobody_else_copies(tmp_path: Path, plan: ExecutionPlan) -> None:
    _write(tmp_path, plan, LISTS, MAIN)
    with pytest.raises(ToolError, match="CIFAR10_COPIES is nobody, not dma, core or own"):
        _build(tmp_path, "-DCIFAR10_COPIES=nobody")


def test_the_driver_says_that_it_is_for_the_board(tmp_path: Path, plan: ExecutionPlan) -> None:
    _write(tmp_path, plan, LISTS, MAIN)
    with pytest.raises(ToolError, match="elsewhere set <NAME>_COPIES to core"):
        _build(tmp_path)


@pytest.mark.skipif(not TARGET_GCC, reason="no target gcc")
@pytest.mark.parametrize(("weights", "address"), [("sdram", 0xC), ("qspi", 0x9)])
def test_a_linker_script_includes_all_sections(
    tmp_path: Path, plan: ExecutionPlan, weights: str, address: int
) -> None:
    compiler = find_target_compiler(BOARD.core, CompilerFamily.GCC.value)
    (tmp_path / "application.ld").write_text(LINKER_SCRIPT.replace("WEIGHTS)", f"{weights})"))
    link = "target_link_options(application PRIVATE -nostartfiles --specs=nano.specs"
    lists = f'{LISTS}{link} "-T${{CMAKE_SOURCE_DIR}}/application.ld")\n'
    _write(tmp_path, plan, lists, FREESTANDING)
    application = _build(
        tmp_path,
        "-DCMAKE_SYSTEM_NAME=Generic",
        f"-DCMAKE_C_COMPILER={TARGET_GCC}",
        f"-DCMAKE_C_FLAGS={' '.join(compiler.flags)}",
        "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY",
    )
    elf = ELFFile(io.BytesIO(application.read_bytes()))
    symbols = elf.get_section_by_name(".symtab")
    found = {
        name: symbols.get_symbol_by_name(f"cifar10_{name}")[0]["st_value"]
        for name in ("arena", "tight", "far", "far_packs", "packs")
    }
    assert found["tight"] >> 16 == 0x2000
    assert found["arena"] >> 16 == 0x2001
    assert (found["far"] >> 28, found["far_packs"] >> 28) == (0xC, address)
    assert found["packs"] >> 24 == 0x08
    assert all(found[name] % 32 == 0 for name in ("arena", "tight", "far"))
    for edge in ("start", "end", "image"):
        [symbol] = symbols.get_symbol_by_name(f"penstock_far_weights_{edge}")
        assert symbol["st_value"] >> 28 == (0x9 if edge == "image" else address)
