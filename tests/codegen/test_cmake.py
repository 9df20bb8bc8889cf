"""A project in somebody else's CMake build: what its README and linker fragment say is enough."""

import io
import re
import shutil
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from penstock.boards import Core
from penstock.codegen import emit_project
from penstock.toolchain import CompilerFamily, find_target_compiler, process
from tests.codegen.tiny_models import plan_of, recurrent

CMAKE = shutil.which("cmake") or ""
TARGET_GCC = shutil.which("arm-none-eabi-gcc") or ""
M7 = Core("cortex-m7", "fpv5-sp-d16")
pytestmark = pytest.mark.skipif(not CMAKE, reason="no cmake on PATH")

LISTS = """
cmake_minimum_required(VERSION 3.13)
project(application LANGUAGES C)
add_subdirectory(recurrent)
add_executable(application main.c)
target_link_libraries(application PRIVATE recurrent)
"""
MAIN = """
#include "recurrent.h"
void start(void);
int main(void) { return recurrent_init() == PS_OK && recurrent_run() == PS_OK ? 0 : 1; }
void start(void) { (void)main(); }
"""
LINKER_SCRIPT = """
MEMORY
{
  flash (rx) : ORIGIN = 0x08000000, LENGTH = 64K
  ram (rwx) : ORIGIN = 0x20000000, LENGTH = 64K
  sdram (rwx) : ORIGIN = 0xC0000000, LENGTH = 64K
}
REGION_ALIAS("PENSTOCK_WEIGHTS", flash)
REGION_ALIAS("PENSTOCK_ARENA", sdram)
ENTRY(start)
SECTIONS
{
  INCLUDE recurrent.ld
  .text : { *(.text*) *(.rodata*) } > flash
  .data : { *(.data*) } > ram AT > flash
  .bss : { *(.bss*) } > ram
}
"""


def _write(folder: Path, lists: str) -> str:
    """Write an application around a model; return the README of the model."""
    files = emit_project(plan_of(recurrent()))
    for relative, content in files.items():
        path = folder / "recurrent" / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "CMakeLists.txt").write_text(lists)
    (folder / "main.c").write_text(MAIN)
    return files["README.md"].decode()


def _build(folder: Path, *options: str) -> ELFFile:
    build = folder / "build"
    process.run_tool([CMAKE, "-S", str(folder), "-B", str(build), *options], {}, purpose="set-up")
    process.run_tool([CMAKE, "--build", str(build)], {}, purpose="building")
    return ELFFile(io.BytesIO((build / "application").read_bytes()))


def _address_and_section(elf: ELFFile, symbol: str) -> tuple[int, str]:
    found = elf.get_section_by_name(".symtab").get_symbol_by_name(symbol)[0]
    return found["st_value"], elf.get_section(found["st_shndx"]).name


@pytest.mark.parametrize(
    ("section", "expected"), [(".bss.penstock_arena", ".bss"), (".sdram", ".sdram")]
)
def test_the_line_of_the_readme_moves_the_arena(
    tmp_path: Path, section: str, expected: str
) -> None:
    readme = _write(tmp_path, LISTS)
    line = re.search(r"^target_compile_definitions\(.*\)$", readme, re.MULTILINE)
    assert line is not None
    _write(tmp_path, LISTS + line[0].replace(".bss.penstock_arena", section) + "\n")
    elf = _build(tmp_path)
    assert _address_and_section(elf, "recurrent_arena")[1] == expected
    assert _address_and_section(elf, "recurrent_state")[1] == ".penstock_state"


@pytest.mark.skipif(not TARGET_GCC, reason="no target gcc")
def test_a_linker_script_includes_the_fragment(tmp_path: Path) -> None:
    folder = tmp_path / "with a space"
    folder.mkdir()
    compiler = find_target_compiler(M7, CompilerFamily.GCC.value)
    (folder / "application.ld").write_text(LINKER_SCRIPT)
    link = "target_link_options(application PRIVATE -nostartfiles --specs=nano.specs"
    _write(folder, f'{LISTS}{link} "-T${{CMAKE_SOURCE_DIR}}/application.ld")\n')
    elf = _build(
        folder,
        "-DCMAKE_SYSTEM_NAME=Generic",
        f"-DCMAKE_C_COMPILER={TARGET_GCC}",
        f"-DCMAKE_C_FLAGS={' '.join(compiler.flags)}",
        "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY",
    )
    address, section = _address_and_section(elf, "recurrent_arena")
    assert (section, address >> 28) == (".penstock_arena", 0xC)
    address, section = _address_and_section(elf, "recurrent_op000_feature_weights")
    assert (section, address >> 24) == (".penstock_weights", 0x08)
