"""Linker scripts put sections where the placement says, with both linkers."""

from dataclasses import replace
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from penstock.boards import board_names, load_board
from penstock.codegen.linker_script import DEFAULT_STACK_BYTES, emit_linker_script
from penstock.errors import InputError, ToolError
from penstock.planning.execution_plan import Placement
from penstock.planning.placement import STACK_BYTES
from penstock.toolchain import find_target_compiler, link_firmware

EXTERNAL = Placement(code="flash", weights="qspi", arena="sdram", stack="dtcm")
PROGRAM = """
#include <stdint.h>
__attribute__((section(".vectors"), used)) const uint32_t vectors[2] = {1, 2};
__attribute__((section(".penstock_weights"))) const int8_t weights[100] = {1};
__attribute__((section(".penstock_arena"))) int8_t arena[1000];
__attribute__((section(".penstock_state"))) int8_t state[10];
static volatile uint32_t value = 3;
static volatile uint32_t zero;
extern const uint32_t ps_copy_count, ps_zero_count, ps_mpu_count;
void Reset_Handler(void);
void Reset_Handler(void) {
  zero = value + (uint32_t)weights[zero] + ps_copy_count + ps_zero_count + ps_mpu_count;
  arena[zero] = state[zero];
  state[zero] = 1;
}
"""


@pytest.fixture(params=["gcc", "zig"])
def family(request: pytest.FixtureRequest) -> str:
    try:
        find_target_compiler(load_board("stm32f746g-disco").core, request.param)
    except ToolError as error:
        pytest.skip(str(error))
    return str(request.param)


def link(board_name: str, placement: Placement, folder: Path, family: str) -> dict[str, int]:
    """Return addresses of sections and symbols."""
    board = load_board(board_name)
    source, script = folder / "program.c", folder / "program.ld"
    source.write_text(PROGRAM)
    script.write_text(emit_linker_script(board, placement))
    compiler = find_target_compiler(board.core, family)
    elf = link_firmware([source], script, folder / "program.elf", board.core, compiler=compiler)
    with elf.open("rb") as stream:
        file = ELFFile(stream)
        found = {section.name: section["sh_addr"] for section in file.iter_sections()}
        table = file.get_section_by_name(".symtab")
        assert table is not None
        found |= {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}
        content = file.get_section_by_name(".text").data()
        at = found["ps_mpu_count"] - found[".text"]
        found["mpu_count"] = int.from_bytes(content[at : at + 4], "little")
        found["segments"] = sum(s["p_filesz"] > 0 for s in file.iter_segments("PT_LOAD"))
        loads = [(s["p_paddr"], s["p_filesz"]) for s in file.iter_segments("PT_LOAD")]
        flash = board.region("flash")
        for address, size_bytes in loads:
            if size_bytes and not placement.weights.startswith("qspi"):
                assert flash.contains(address)
    return found


def test_sections_lie_in_their_memories(tmp_path: Path, family: str) -> None:
    found = link("stm32f746g-disco", EXTERNAL, tmp_path, family)
    assert found[".vectors"] == 0x0800_0000
    assert found[".penstock_weights"] == 0x9000_0000
    assert 0xC000_0000 in (found[".penstock_arena"], found[".penstock_state"])
    assert found["arena"] >= 0xC000_0000
    assert found["ps_stack_limit"] == 0x2000_0000
    assert found["ps_stack_top"] == 0x2000_0000 + DEFAULT_STACK_BYTES
    assert found["value"] >= found["ps_stack_top"]
    assert found["zero"] >= found["ps_stack_top"]
    assert found["mpu_count"] == 1


def test_stack_is_lowest_even_where_everything_shares_a_memory(tmp_path: Path, family: str) -> None:
    shared = Placement(code="flash", weights="flash", arena="sram1", stack="sram1")
    found = link("nucleo-l4r5zi", shared, tmp_path, family)
    assert found["ps_stack_limit"] == 0x2000_0000
    assert found["ps_stack_top"] <= min(found["value"], found["arena"], found["state"])
    assert found[".penstock_weights"] > found[".vectors"] == 0x0800_0000
    assert found["mpu_count"] == 0


def test_weights_in_ram_are_stored_in_flash(tmp_path: Path, family: str) -> None:
    in_ram = Placement(code="flash", weights="axi_sram", arena="axi_sram", stack="dtcm")
    found = link("nucleo-h743zi", in_ram, tmp_path, family)
    assert found["weights"] == 0x2400_0000


@pytest.mark.parametrize("name", board_names())
def test_every_board_gets_a_script_that_names_its_memories(name: str) -> None:
    board = load_board(name)
    data = next(r.name for r in board.regions if r.is_writable)
    script = emit_linker_script(board, Placement("flash", "flash", data, data))
    assert board.title in script
    for region in board.regions:
        line = f"  {region.name} ({'rwx' if region.is_writable else 'rx'}) : ORIGIN = "
        assert f"{line}{region.base:#010x}, LENGTH = {region.size_bytes:#x}" in script


def test_stack_and_static_data_fit_what_planning_keeps() -> None:
    assert 0 < DEFAULT_STACK_BYTES < STACK_BYTES
    assert DEFAULT_STACK_BYTES % 8 == 0


@pytest.mark.parametrize(
    ("placement", "message"),
    [
        (Placement("flash", "psram", "sdram", "dtcm"), "no memory 'psram' for weights.*itcm"),
        (Placement("flash", "qspi", "flash", "dtcm"), "arena cannot be placed in 'flash'"),
        (Placement("flash", "qspi", "sdram", "qspi"), "stack cannot be placed in 'qspi'"),
        (Placement("itcm", "qspi", "sdram", "dtcm"), "code cannot be placed in 'itcm'"),
    ],
)
def test_impossible_placements_are_refused(placement: Placement, message: str) -> None:
    with pytest.raises(InputError, match=message):
        emit_linker_script(load_board("stm32f746g-disco"), placement)


def test_an_mpu_of_another_form_is_refused() -> None:
    board = load_board("stm32f746g-disco")
    other = replace(board, core=replace(board.core, name="cortex-m33"))
    with pytest.raises(InputError, match=r"'sdram' at 0xc0000000 .* cortex-m33; .* of ARMv7-M"):
        emit_linker_script(other, EXTERNAL)
    internal = replace(EXTERNAL, arena="sram1")
    assert "ps_mpu_count = .; LONG(0)" in emit_linker_script(other, internal)


@pytest.mark.parametrize(
    ("base", "size_bytes", "message", "remedy"),
    [
        (0xC000_0000, 6 << 20, r"'sdram' has 6291456 bytes.*powers of two", "4194304 is the most"),
        (0xC040_0000, 8 << 20, r"'sdram' begins at 0xc0400000.*multiples", "split the memory"),
    ],
)
def test_memory_that_the_mpu_cannot_declare_is_refused(
    base: int, size_bytes: int, message: str, remedy: str
) -> None:
    board = load_board("stm32f746g-disco")
    regions = tuple(
        replace(r, base=base, size_bytes=size_bytes) if r.name == "sdram" else r
        for r in board.regions
    )
    changed = replace(board, regions=regions)
    with pytest.raises(InputError, match=message) as refused:
        emit_linker_script(changed, EXTERNAL)
    assert remedy in refused.value.help
    internal = replace(EXTERNAL, arena="sram1")
    assert "ps_mpu_count = .; LONG(0)" in emit_linker_script(changed, internal)
