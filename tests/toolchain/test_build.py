"""What compilers make works, and what they complain about reaches the user."""

import ctypes
import dataclasses
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from penstock.boards import Core
from penstock.errors import CapacityError, ToolError
from penstock.toolchain import (
    WARNING_FLAGS,
    Compiler,
    cache,
    cached_shared_library,
    compile_objects,
    compile_shared_library,
    compilers,
    find_host_compiler,
    find_target_compiler,
    link_firmware,
    process,
)

M7 = Core("cortex-m7", "fpv5-sp-d16")
LINKER_SCRIPT = """
MEMORY
{
  FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 64K
  RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 64K
}
ENTRY(start)
SECTIONS
{
  .text : { *(.text*) *(.rodata*) } > FLASH
  .ARM.exidx : { *(.ARM.exidx*) } > FLASH
  .data : { *(.data*) } > RAM AT > FLASH
  .bss : { *(.bss*) } > RAM
}
"""
FIRMWARE = """
#include <stdint.h>
#include <string.h>
void start(void);
static uint8_t from[64], to[64];
void start(void) {
  volatile int64_t quotient = *(volatile int64_t *)0x20000000 / 7;
  (void)quotient;
  memcpy(to, from, (size_t)*(volatile uint32_t *)0x20000008);
  memmove(to + 1, to, (size_t)*(volatile uint32_t *)0x20000008);
  memset(from, 1, (size_t)*(volatile uint32_t *)0x20000008);
  for (;;) {
  }
}
"""


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def _sources(folder: Path) -> list[Path]:
    one = '#include "answer.h"\nint answer(int x) { return x + ANSWER; }\n'
    two = "int other(void);\nint other(void) { return 7; }\n"
    return [_write(folder, "one.c", one), _write(folder, "two.c", two)]


def test_a_shared_library_runs(host_compiler: Compiler, tmp_path: Path, header: Path) -> None:
    out = tmp_path / "deep" / "library.so"
    made = compile_shared_library(
        _sources(tmp_path), out, [header], compiler=host_compiler, flags=WARNING_FLAGS
    )
    assert made == out
    library = ctypes.CDLL(str(out))
    assert library.answer(1) == 43
    assert library.other() == 7
    assert [path.name for path in out.parent.iterdir()] == ["library.so"]


def test_sources_of_one_name_do_not_collide(tmp_path: Path) -> None:
    for folder, text in (("a", "int first = 1;"), ("b", "int second = 2;")):
        (tmp_path / folder).mkdir()
        _write(tmp_path / folder, "same.c", text)
    sources = [tmp_path / "a" / "same.c", tmp_path / "b" / "same.c"]
    objects = compile_objects(find_host_compiler(), sources, tmp_path / "objects")
    assert len(set(objects)) == 2


def test_diagnostics_are_in_the_error(host_compiler: Compiler, tmp_path: Path) -> None:
    source = _write(tmp_path, "broken.c", "int f(void) { return undeclared_thing; }\n")
    with pytest.raises(ToolError, match=r"at compiling broken\.c") as caught:
        compile_objects(host_compiler, [source], tmp_path / "objects")
    assert "undeclared_thing" in str(caught.value)


def test_warnings_are_errors_with_our_flags(host_compiler: Compiler, tmp_path: Path) -> None:
    source = _write(tmp_path, "narrow.c", "char f(int x);\nchar f(int x) { return x; }\n")
    compile_objects(host_compiler, [source], tmp_path / "objects")
    with pytest.raises(ToolError, match="conversion"):
        compile_objects(host_compiler, [source], tmp_path / "objects", flags=WARNING_FLAGS)


def test_a_failed_link_leaves_nothing(tmp_path: Path) -> None:
    source = _write(tmp_path, "twice.c", "int same(void) { return 1; }\n")
    out = tmp_path / "out" / "library.so"
    with pytest.raises(ToolError, match=r"at linking library\.so"):
        compile_shared_library([source, source], out)
    assert list(out.parent.iterdir()) == []


def test_firmware_is_linked_where_the_script_says(
    target_compiler: Compiler, tmp_path: Path
) -> None:
    source = _write(tmp_path, "firmware.c", FIRMWARE)
    script = _write(tmp_path, "script.ld", LINKER_SCRIPT)
    out = link_firmware(
        [source], script, tmp_path / "f.elf", M7, entry="start", compiler=target_compiler
    )
    with out.open("rb") as file:
        elf = ELFFile(file)
        assert elf["e_machine"] == "EM_ARM"
        assert elf.get_section_by_name(".text")["sh_addr"] == 0x08000000
        start = elf.get_section_by_name(".symtab").get_symbol_by_name("start")[0]
        assert elf["e_entry"] & ~1 == start["st_value"] & ~1


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no target gcc")
def test_gcc_links_without_a_c_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compilers, "_has_newlib", lambda program, flags: False)
    compiler = find_target_compiler(M7, "gcc")
    source = _write(tmp_path, "firmware.c", FIRMWARE)
    script = _write(tmp_path, "script.ld", LINKER_SCRIPT)
    out = link_firmware([source], script, tmp_path / "f.elf", M7, entry="start", compiler=compiler)
    with out.open("rb") as file:
        names = {
            symbol.name for symbol in ELFFile(file).get_section_by_name(".symtab").iter_symbols()
        }
    assert {"memcpy", "memmove", "memset"} <= names


def test_our_memory_functions_do_what_they_should(tmp_path: Path) -> None:
    source = compilers.FREESTANDING_DIRECTORY / "memory.c"
    renamed = _write(
        tmp_path,
        "renamed.c",
        "#define memcpy our_memcpy\n#define memmove our_memmove\n#define memset our_memset\n"
        + source.read_text(),
    )
    library = ctypes.CDLL(str(compile_shared_library([renamed], tmp_path / "m.so", flags=["-O0"])))
    block = ctypes.create_string_buffer(b"abcdefgh", 8)
    address = ctypes.addressof(block)
    size = ctypes.c_size_t(6)
    for name in ("our_memcpy", "our_memmove", "our_memset"):
        getattr(library, name).restype = ctypes.c_void_p
    library.our_memmove(ctypes.c_void_p(address + 2), ctypes.c_void_p(address), size)
    assert block.raw == b"ababcdef"
    library.our_memmove(ctypes.c_void_p(address), ctypes.c_void_p(address + 2), size)
    assert block.raw == b"abcdefef"
    library.our_memset(ctypes.c_void_p(address), ord("x"), ctypes.c_size_t(3))
    assert block.raw == b"xxxdefef"
    library.our_memcpy(ctypes.c_void_p(address + 5), ctypes.c_void_p(address), ctypes.c_size_t(3))
    assert block.raw == b"xxxdexxx"


def test_a_region_that_overflows_is_named(target_compiler: Compiler, tmp_path: Path) -> None:
    text = FIRMWARE + "const char big[100000] = {1};\nconst char *keep(void);\n"
    text += "const char *keep(void) { return big; }\n"
    source = _write(tmp_path, "firmware.c", text)
    script = _write(
        tmp_path, "script.ld", LINKER_SCRIPT.replace("*(.rodata*)", "KEEP(*(.rodata*))")
    )
    with pytest.raises(CapacityError, match=r"at linking f\.elf: FLASH is \d{5} B too small"):
        link_firmware(
            [source], script, tmp_path / "f.elf", M7, entry="start", compiler=target_compiler
        )


def test_a_missing_program_and_a_hanging_one(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="cannot start '/no/such/cc' for testing"):
        process.run_tool(["/no/such/cc"], {}, purpose="testing")
    sleep = shutil.which("sleep")
    assert sleep is not None
    with pytest.raises(ToolError, match="was stopped after 0 s of testing"):
        process.run_tool([sleep, "60"], {}, purpose="testing", timeout_seconds=0.2)


def test_long_diagnostics_are_cut(tmp_path: Path) -> None:
    source = _write(tmp_path, "many.c", "".join(f"int v{i} = unknown{i};\n" for i in range(100)))
    with pytest.raises(ToolError, match="more lines"):
        compile_objects(find_host_compiler(), [source], tmp_path / "objects")


def test_a_core_that_gcc_does_not_know_has_a_remedy() -> None:
    known = "arm7tdmi cortex-m4 " * 1000
    says = f"import sys; sys.exit('error: unrecognized -mcpu target: it\\nnote: {known}')"
    with pytest.raises(ToolError) as caught:
        process.run_tool([sys.executable, "-c", says], {}, purpose="testing")
    assert "unrecognized -mcpu target: it" in caught.value.what
    assert len(caught.value.what) < 1000
    assert "PENSTOCK_COMPILER=zig" in caught.value.help


@pytest.fixture
def cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(cache.options, "cache_directory", lambda: tmp_path / "cache")
    return tmp_path / "cache" / "native"


def test_the_cache_key_is_everything_that_counts(
    cache_folder: Path, tmp_path: Path, header: Path
) -> None:
    sources = _sources(tmp_path)
    compiler = find_host_compiler()
    first = cached_shared_library("helper", sources, [header], compiler=compiler)
    stamp = first.stat().st_mtime_ns
    again = cached_shared_library("helper", sources, [header], compiler=compiler)
    assert again == first
    assert again.stat().st_mtime_ns == stamp
    other_flags = cached_shared_library("helper", sources, [header], flags=["-DX"])
    (header / "answer.h").write_text("int answer(int x);\n#define ANSWER 43\n")
    other_header = cached_shared_library("helper", sources, [header])
    sources[1].write_text("int other(void);\nint other(void) { return 8; }\n")
    other_source = cached_shared_library("helper", sources, [header])
    slower = dataclasses.replace(compiler, flags=("-O0",))
    other_compiler = cached_shared_library("helper", sources, [header], compiler=slower)
    assert len({first, other_flags, other_header, other_source, other_compiler}) == 5
    assert len(list(cache_folder.iterdir())) == 5


def test_two_may_fill_the_cache_at_once(cache_folder: Path, tmp_path: Path, header: Path) -> None:
    sources = _sources(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        made = list(
            pool.map(lambda _: cached_shared_library("helper", sources, [header]), range(4))
        )
    assert len(set(made)) == 1
    assert ctypes.CDLL(str(made[0])).answer(0) == 42
    assert len(list(cache_folder.iterdir())) == 1
