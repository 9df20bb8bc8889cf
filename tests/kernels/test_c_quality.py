"""What the C library promises beyond results: standard C, no warnings, nothing hidden."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from penstock.boards.board import Core
from penstock.errors import ToolError
from penstock.kernels.catalogue import CATALOGUE
from penstock.toolchain import Compiler, find_host_compiler, find_target_compiler
from tests.kernels.driver import all_sources, include_directory, runtime_directory

WARNINGS = (
    "-std=c99",
    "-pedantic",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wshadow",
    "-Wdouble-promotion",
    "-Wcast-qual",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wvla",
    "-Werror",
)
CORES = {
    "cortex-m7": Core("cortex-m7", "fpv5-sp-d16"),
    "cortex-m55": Core("cortex-m55", "auto"),
}
ALLOWED_IMPORTS = {"memcpy", "memset", "memmove"}
OF_PORTS = {"ps_dma_copy_start", "ps_dma_wait", "ps_cache_clean", "ps_cache_invalidate"}
"""What the port of a processor implements, declared in ps_dma.h."""


def _compiler(target: str, family: str) -> Compiler:
    """Return a compiler, or skip with the reason why there is none."""
    try:
        if target == "host":
            return find_host_compiler(prefer=family)
        return find_target_compiler(CORES[target], prefer=family)
    except ToolError as error:
        pytest.skip(error.what)


def _run(command: Sequence[str], folder: Path, **environment: str) -> None:
    done = subprocess.run(
        list(command),
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def _library_sources() -> list[Path]:
    """Return the kernels, and what runs beside them."""
    own = sorted((runtime_directory() / "src").glob("*.c"))
    return [*all_sources(), *own]


def _other_orders() -> list[Path]:
    """Return the inner loops for cores that issue two instructions at a time."""
    return sorted((runtime_directory() / "kernels" / "dsp").glob("*_dual.c"))


def _compile(compiler: Compiler, flags: Sequence[str], folder: Path) -> None:
    folders = [include_directory(), runtime_directory() / "ports" / "dma"]
    command = [*compiler.command, *compiler.flags, *flags, *(f"-I{path}" for path in folders), "-c"]
    environment = dict(compiler.environment)
    for sources in (_library_sources(), _other_orders()):  # both define the same functions
        _run([*command, *(str(path) for path in sources)], folder, **environment)


@pytest.mark.parametrize("target", ["host", *CORES])
@pytest.mark.parametrize("family", ["gcc", "zig"])
def test_the_library_compiles_without_warnings(target: str, family: str, tmp_path: Path) -> None:
    _compile(_compiler(target, family), (*WARNINGS, "-O2"), tmp_path)


@pytest.mark.parametrize("target", CORES)
@pytest.mark.parametrize("family", ["gcc", "zig"])
@pytest.mark.parametrize("flags", ["-O0", "-O3", "-O2 -fno-omit-frame-pointer"])
def test_assembly_finds_its_registers(target: str, family: str, flags: str, tmp_path: Path) -> None:
    """At any level of optimization, whatever is inlined around it."""
    compiler = _compiler(target, family)
    with_assembly = [
        path
        for folder in ("dsp", "mve")
        for path in sorted((runtime_directory() / "kernels" / folder).glob("*.c"))
        if "__asm__" in path.read_text() or "_code.h" in path.read_text()
    ]
    assert len(with_assembly) > 12
    command = [*compiler.command, *compiler.flags, "-std=c99", *flags.split(), "-c"]
    command.append(f"-I{include_directory()}")
    duals = [path for path in with_assembly if path.name.endswith("_dual.c")]
    others = [path for path in with_assembly if path not in duals]
    for sources in (duals, others):  # both define the same functions
        _run([*command, *map(str, sources)], tmp_path, **dict(compiler.environment))


@pytest.mark.parametrize("family", ["gcc", "zig"])
def test_headers_are_cpp(family: str, tmp_path: Path) -> None:
    compiler = _compiler("host", family)
    headers = sorted((include_directory() / "penstock").glob("*.h"))
    source = tmp_path / "all.cpp"
    # Twice, so that include guards are seen.
    lines = [f'#include "penstock/{header.name}"' for header in headers * 2]
    source.write_text("\n".join(lines) + "\nint main() { return 0; }\n")
    flags = ["-x", "c++", "-std=c++11", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
    command = [*compiler.command, *compiler.flags, *flags, f"-I{include_directory()}"]
    _run([*command, "-c", str(source), "-o", "all.o"], tmp_path, **dict(compiler.environment))


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an object for each source, compiled for this machine."""
    folder = tmp_path_factory.mktemp("objects")
    _compile(find_host_compiler(), ("-std=c99", "-O1", "-fPIC", "-fno-stack-protector"), folder)
    return folder


def test_objects_hold_no_writable_data_and_call_nothing_but_memory_functions(
    objects: Path,
) -> None:
    defined, wanted = set(), set()
    for path in objects.glob("*.o"):
        with path.open("rb") as file:
            elf = ELFFile(file)
            for name in (".data", ".bss"):
                section = elf.get_section_by_name(name)
                assert section is None or section["sh_size"] == 0, f"{path.name} has {name}"
            for symbol in elf.get_section_by_name(".symtab").iter_symbols():
                if symbol["st_info"]["bind"] != "STB_GLOBAL":
                    continue
                is_undefined = symbol["st_shndx"] == "SHN_UNDEF"
                (wanted if is_undefined else defined).add(symbol.name)
    assert wanted - defined <= ALLOWED_IMPORTS | OF_PORTS | {"_GLOBAL_OFFSET_TABLE_"}
    assert wanted - defined >= OF_PORTS
    assert {name for name in defined if not name.startswith("ps_")} == set()


def test_catalogue_lists_every_source_that_a_kernel_needs(objects: Path) -> None:
    compiler = find_host_compiler()
    checked = set()
    for entry in CATALOGUE.values():
        sources = entry.kernel.sources
        if sources in checked:
            continue
        checked.add(sources)
        names = [f"{Path(source).stem}.o" for source in sources]
        command = [*compiler.command, *compiler.flags, "-shared", "-Wl,-z,defs", *names]
        _run([*command, "-o", "kernel.so"], objects, **dict(compiler.environment))
    folder = runtime_directory() / "kernels"
    found = {path.name for path in folder.glob("*/*.c")}
    assert found == {path.name for path in (*all_sources(), *_other_orders())}


def test_headers_declare_and_document_every_kernel() -> None:
    for name, entry in CATALOGUE.items():
        text = (include_directory() / entry.kernel.header).read_text()
        assert f"{name}(" in text, name
        assert text.startswith("/*"), entry.kernel.header


def test_kernels_are_clean_under_sanitizers(tmp_path: Path) -> None:
    """Every case of the kernel tests, in a process of its own, under ASan and UBSan."""
    compiler = _compiler("host", "gcc")
    library = tmp_path / "kernels.so"
    sanitizers = "-fsanitize=address,undefined,float-cast-overflow,float-divide-by-zero"
    flags = ["-std=c99", "-O1", "-g", sanitizers, "-fno-sanitize-recover=all", "-fPIC", "-shared"]
    command = [*compiler.command, *compiler.flags, *flags, f"-I{include_directory()}"]
    _run([*command, *(str(p) for p in all_sources()), "-o", str(library)], tmp_path)
    runtime = subprocess.run(
        [*compiler.command, "-print-file-name=libasan.so"], capture_output=True, text=True
    ).stdout.strip()
    if not Path(runtime).is_absolute():
        pytest.skip("this gcc has no AddressSanitizer")
    _run(
        [sys.executable, "-m", "tests.kernels.sanitized"],
        Path(__file__).parents[2],
        LD_PRELOAD=runtime,
        ASAN_OPTIONS="detect_leaks=0",
        PENSTOCK_TEST_KERNELS=str(library),
    )
