"""docs/overlays.md: its tables are those that benchmarks/overlays.py writes."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "overlays.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench", ROOT / "benchmarks" / "overlays.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(page: str, title: str) -> list[list[str]]:
    marked = page.partition(f"<!-- {title}: written by")[2].partition("<!-- end -->")[0]
    lines = [line for line in marked.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_has_the_columns_that_are_written(bench: ModuleType) -> None:
    for kind in (bench.NETWORKS_TABLE, bench.SWEEP_TABLE):
        rows = table(PAGE, kind.title)
        assert tuple(rows[0]) == kind.heading
        assert {len(row) for row in rows} == {len(kind.heading)}


def test_the_page_has_all_rows(bench: ModuleType) -> None:
    networks = [tuple(row[:2]) for row in table(PAGE, "networks")[2:]]
    assert networks == [(n, b) for n in (*bench.BUILT, *bench.SHARED) for b in bench.BOARDS]
    assert [row[0] for row in table(PAGE, "sweep")[2:]] == [str(size) for size in bench.SWEEP]


def test_a_row_replaces_that_of_the_same_network_and_board(bench: ModuleType) -> None:
    kind = bench.NETWORKS_TABLE
    names = [*bench.BUILT, *bench.SHARED]
    page = PAGE
    figures = ("1",) * (len(kind.heading) - 2)
    for network in (names[-1], names[0]):
        for board in reversed(bench.BOARDS):
            page = bench.replace_row(page, kind, (network, board, *figures))
    again = bench.replace_row(page, kind, (names[0], bench.BOARDS[0], *figures[:-1], "2"))
    rows = table(again, kind.title)[2:]
    assert rows[0] == [names[0], bench.BOARDS[0], *figures[:-1], "2"]
    assert [row[1] for row in rows[:3]] == list(bench.BOARDS)
    assert len(rows) == len(table(page, kind.title)[2:])
    assert table(again, "sweep") == table(PAGE, "sweep")


def test_a_page_without_the_table_is_an_error(bench: ModuleType) -> None:
    with pytest.raises(ValueError, match="has no marker '<!-- sweep: written by"):
        bench.replace_row("nothing", bench.SWEEP_TABLE, ("48",))
