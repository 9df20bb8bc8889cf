"""A board as data for JSON: every entry with its provenance."""

from dataclasses import asdict
from typing import Any

from penstock.boards.board import Board, MemoryRegion
from penstock.boards.provenance import Band, Fact, Provenance


def summarize_board(board: Board) -> dict[str, Any]:
    """Return what a board is and its memories, as in the list of all boards."""
    return {
        "name": board.name,
        "title": board.title,
        "mcu": board.mcu,
        "core": board.core.name,
        "clock_hz": board.clock_hz,
        "memories": [_region(region) for region in board.regions],
    }


def describe_board(board: Board) -> dict[str, Any]:
    """Return everything that is known of a board, under a schema's name."""
    facts = [_fact(fact) for fact in board.facts]
    return {"schema": "penstock.board/1", **summarize_board(board), "facts": facts}


def _region(region: MemoryRegion) -> dict[str, Any]:
    return {
        "name": region.name,
        "kind": region.kind.value,
        "base": region.base,
        "size_bytes": region.size_bytes,
        "writable": region.is_writable,
        "external": region.is_external,
        **_provenance(region.provenance),
    }


def _fact(fact: Fact) -> dict[str, Any]:
    value = asdict(fact.value) if isinstance(fact.value, Band) else fact.value
    provenance = _provenance(fact.provenance)
    return {"table": fact.table, "key": fact.key, "value": value, **provenance}


def _provenance(provenance: Provenance) -> dict[str, Any]:
    """Return source and confidence, and those remarks that there are."""
    remarks = {
        "fitted_to": provenance.fitted_to,
        "measured_on": list(provenance.measured_on),
        "note": provenance.note,
    }
    known = {"source": provenance.source, "confidence": provenance.confidence.value}
    return known | {key: remark for key, remark in remarks.items() if remark}
