"""The loops of this folder, linked for any place of any board."""

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.boards import Board, load_board_file
from penstock.errors import ToolError
from penstock.toolchain import WARNING_FLAGS, find_target_compiler, link_firmware

HERE = Path(__file__).parent
Link = Callable[[Board, str, str], Path]

_SCRIPT = """
SECTIONS {{
  .text {code:#x} : {{ KEEP(*(.text*)) *(.rodata*) }}
  .data {data:#x} : {{ *(.data*) *(.bss*) *(COMMON) }}
}}
"""


@pytest.fixture(scope="session")
def link(tmp_path_factory: pytest.TempPathFactory) -> Link:
    """Link loops.c with its code in one memory of a board and its data in another."""
    folder = tmp_path_factory.mktemp("loops")

    def link_at(board: Board, code: str, data: str) -> Path:
        elf = folder / f"{board.name}_{code}_{data}.elf"
        if not elf.exists():
            try:
                compiler = find_target_compiler(board.core, "gcc")
            except ToolError as error:
                pytest.skip(str(error))
            script = elf.with_suffix(".ld")
            bases = {"code": board.region(code).base, "data": board.region(data).base}
            script.write_text(_SCRIPT.format(**bases))
            link_firmware(
                [HERE / "loops.c"], script, elf, board.core, entry="work", compiler=compiler,
                flags=[*WARNING_FLAGS, "-fno-inline-functions"],
            )  # fmt: skip
        return elf

    return link_at


@pytest.fixture(scope="session")
def h723() -> Board:
    """The STM32H723 whose SDRAM was measured."""
    return load_board_file(HERE / "boards" / "stm32h723.toml")
