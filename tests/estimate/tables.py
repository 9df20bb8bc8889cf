"""The tables of docs/estimate.md, from the accuracy that the package states."""

from collections.abc import Sequence
from pathlib import Path

from penstock.planning import estimate
from penstock.planning.estimate.accuracy import ANY, Accuracy, format_accuracy
from penstock.planning.estimate.coefficients import load_coefficients

PAGE = Path(__file__).parents[2] / "docs" / "estimate.md"
DATA = Path(estimate.__file__).parent / "accuracy.toml"
_END = "<!-- end -->"


def write_accuracy(found: Sequence[Accuracy]) -> None:
    """Write the data and the tables that show them."""
    DATA.write_text(format_accuracy(found), encoding="utf-8")
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


def with_tables(page: str, found: Sequence[Accuracy]) -> str:
    """Return a page with its tables made anew."""
    of_all = [entry for entry in found if entry.weights == ANY]
    collection = [entry for entry in of_all if entry.models == "collection"]
    by_kind = [entry for entry in found if entry.models == "placements" and entry.weights != ANY]
    overlays = [entry for entry in of_all if entry.models == "overlays"]
    page = replace_table(page, "collection", _by_board(collection))
    page = replace_table(page, "overlays", _by_board(overlays))
    return replace_table(page, "placements", _by_homes(by_kind))


def replace_table(page: str, title: str, table: str) -> str:
    """Return a page with another table below the comment that has its title."""
    begin = f"<!-- {title}: written by make docs -->\n"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(_END)
    return f"{before}{begin}\n{table}\n\n{_END}{after}"


def _by_board(entries: Sequence[Accuracy]) -> str:
    rows = [
        "| board | models | median error | 90 % are within | worst | where |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for entry in entries:
        is_fitted = load_coefficients(entry.core).board == entry.board
        name = entry.board + ("" if is_fitted else " (never fitted to)")
        rows.append(f"| {name} | {_errors(entry)} | `{entry.worst_model}` |")
    return "\n".join(rows)


def _by_homes(entries: Sequence[Accuracy]) -> str:
    rows = [
        "| board | weights in | arena in | placements | median error | 90 % are within | worst |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    rows += [
        f"| {entry.board} | {entry.weights} | {entry.arena} | {_errors(entry)} |"
        for entry in entries
    ]
    return "\n".join(rows)


def _errors(entry: Accuracy) -> str:
    return (
        f"{entry.count} | {100 * entry.median:.1f} % | {100 * entry.ninety:.1f} % "
        f"| {100 * entry.worst:+.1f} %"
    )
