"""Machine code for tests, from assembly text."""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from penstock.boards import load_board
from penstock.errors import ToolError
from penstock.toolchain import compile_objects, find_target_compiler

Assemble = Callable[[str], bytes]

_HEADER = ".syntax unified\n.thumb\n"


def assemble_all(texts: Iterable[str]) -> dict[str, bytes]:
    """Return the code of each text; instructions are separated by semicolons, label 1 is its start.

    One call of the assembler for all. Skips the test where there is none.
    """
    wanted = list(dict.fromkeys(texts))
    sections = [
        f'.section .text.case{n},"ax"\n1:\n' + text.replace(";", "\n") + "\n"
        for n, text in enumerate(wanted)
    ]
    try:
        compiler = find_target_compiler(load_board("nucleo-h743zi").core)
    except ToolError as error:
        pytest.skip(str(error))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "cases.s"
        source.write_text(_HEADER + "".join(sections))
        (built,) = compile_objects(compiler, [source], Path(folder))
        with built.open("rb") as stream:
            elf = ELFFile(stream)
            found = {s.name: s.data() for s in elf.iter_sections()}
    return {text: found[f".text.case{n}"] for n, text in enumerate(wanted)}
