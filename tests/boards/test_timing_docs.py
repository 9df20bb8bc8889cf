"""docs/timing.md lists what was fitted and how sure the numbers are: written from the boards."""

import re
from collections import Counter, defaultdict
from pathlib import Path

from penstock.boards import Board, Confidence, load_board
from tests.timed_boards import TIMED_BOARDS

PAGE = Path(__file__).parents[2] / "docs" / "timing.md"
CONFIDENCES = (Confidence.PRIMARY, Confidence.SECONDARY, Confidence.FITTED, Confidence.GUESS)
TIMING = re.compile(r"memory \w+ (timing|accelerator)|\w+ cache|dma \w+")


def _boards() -> list[Board]:
    return [load_board(name) for name in TIMED_BOARDS]


def _fitted() -> str:
    places = defaultdict(list)
    for board in _boards():
        for fact in board.facts:
            if fact.provenance.confidence is Confidence.FITTED:
                place = fact.table.split()[1]
                places[fact.key, str(fact.value), fact.provenance.fitted_to].append(
                    (board.name, place, fact.provenance.is_transferred_to(board.mcu))
                )
    rows = ["| number | value | of | fitted to |", "|---|---|---|---|"]
    for (key, value, fitted_to), found in sorted(places.items()):
        by_board: dict[str, list[str]] = defaultdict(list)
        for name, place, is_transferred in found:
            by_board[name + " (transferred)" * is_transferred].append(place)
        of = "; ".join(f"{name}: {', '.join(names)}" for name, names in by_board.items())
        rows.append(f"| `{key}` | {value} | {of} | {fitted_to} |")
    return "\n".join(rows)


def _confidence() -> str:
    rows = ["| board | " + " | ".join(c.value for c in CONFIDENCES) + " |", "|---|---|---|---|---|"]
    for board in _boards():
        counts = Counter(
            fact.provenance.confidence for fact in board.facts if TIMING.match(fact.table)
        )
        rows.append(f"| {board.name} | " + " | ".join(str(counts[c]) for c in CONFIDENCES) + " |")
    return "\n".join(rows)


def _written(page: str, title: str, table: str) -> str:
    begin, end = f"<!-- {title}: written by make docs -->\n", "<!-- end -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{table}\n\n{end}{after}"


def test_the_tables_are_those_of_the_boards(update_docs: bool) -> None:
    page = PAGE.read_text(encoding="utf-8")
    current = _written(_written(page, "fitted numbers", _fitted()), "confidence", _confidence())
    if update_docs:
        PAGE.write_text(current, encoding="utf-8")
    assert page == current or update_docs, "docs/timing.md is not current: run `make docs`"
