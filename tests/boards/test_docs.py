"""docs/boards.md: its example is a board, and every key that a file may have is explained."""

import re
from pathlib import Path

import pytest

from penstock.boards import MemoryKind, load_board_file, parse_board
from penstock.boards.timing import DmaKind
from penstock.codegen.linker_script import emit_linker_script
from penstock.errors import InputError
from penstock.kernels.selection import select_kernels
from penstock.planning import plan_execution
from tests.codegen.tiny_models import classifier

PAGE = (Path(__file__).parents[2] / "docs" / "boards.md").read_text(encoding="utf-8")
EXAMPLE = PAGE.partition("```toml\n")[2].partition("```")[0]
HEADERS = [
    match.end() for match in re.finditer(r"^\[(?!sources)\[?[\w.]+\]?\]\n", EXAMPLE, re.MULTILINE)
]
EXPLAINED = {
    word.strip("[]") for code in re.findall(r"`([^`\n]+)`", PAGE) for word in code.split(".")
}
"""Words in the code spans of the page; the example is none."""


def _keys_at(position: int) -> list[str]:
    """Return the keys that the error about an unknown one at this place of the example offers."""
    with pytest.raises(InputError, match="unknown key 'zzzz'") as refused:
        parse_board(f"{EXAMPLE[:position]}zzzz = 1\n{EXAMPLE[position:]}", name="weir", where="t")
    offered = re.fullmatch(r"its keys are (.*)", refused.value.help)
    assert offered is not None
    return offered[1].split(", ")


def test_the_example_is_a_board_that_can_be_compiled_for(tmp_path: Path) -> None:
    path = tmp_path / "weir-m7.toml"
    path.write_text(EXAMPLE, encoding="utf-8")
    board = load_board_file(path)
    assert (board.name, len(board.regions), len(board.dma_controllers)) == ("weir-m7", 4, 1)
    assert all(region.timing is not None for region in board.regions)
    assert board.power is not None
    assert board.region("sdram").timing is not None
    plan = plan_execution(select_kernels(classifier()), board, weights_in="qspi", arena_in="sdram")
    assert plan.placement is not None
    assert "ORIGIN = 0xc0000000" in emit_linker_script(board, plan.placement)


def test_the_first_part_of_the_example_is_enough() -> None:
    optional = r"^\[(?:memory\.\w+|instruction_cache|data_cache|\[dma\]|power)\]\n(?:[^\[\n].*\n)+"
    shortened = re.sub(optional, "", EXAMPLE, flags=re.MULTILINE)
    board = parse_board(shortened, name="weir", where="weir.toml")
    assert (board.power, board.data_cache, board.region("flash").timing) == (None, None, None)
    assert board.dma_controllers == ()


def test_every_key_is_explained() -> None:
    keys = {key for position in [0, *HEADERS] for key in _keys_at(position)}
    assert {"title", "fpu", "aliases", "cas_clocks", "fitted_to", "bases", "run_mw"} <= keys
    assert keys - EXPLAINED == set()


def test_every_word_that_may_be_chosen_is_explained() -> None:
    assert {kind.value for kind in (*MemoryKind, *DmaKind)} - EXPLAINED == set()
