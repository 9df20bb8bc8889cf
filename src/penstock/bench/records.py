"""Published latencies of models on the cores that Penstock has kernels for."""

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from penstock.boards.board import Board

_DATA = files("penstock.bench") / "data" / "records.toml"


@dataclass(frozen=True, slots=True)
class Record:
    """The best latency of MLPerf Tiny's closed division on a chip.

    Attributes:
        core: as compilers call it.
        chip: which, and its clock; another one with the same core may have other memories.
        cycles_per_mac: core cycles for each multiply-accumulate of the model.
        source: round and submitter, as far as they are known.
    """

    core: str
    chip: str
    cycles_per_mac: float
    source: str


@cache
def _by_model() -> dict[str, tuple[Record, ...]]:
    """Return all records by the SHA-256 of the model file."""
    models = tomllib.loads(_DATA.read_text(encoding="utf-8"))["model"]
    return {m["sha256"]: tuple(Record(**record) for record in m["records"]) for m in models}


def find_record(model: bytes, board: Board) -> Record | None:
    """Return the record of a model file on a board's chip, or the best one on the same core."""
    records = _by_model().get(hashlib.sha256(model).hexdigest(), ())
    same = [record for record in records if record.core == board.core.name]
    own = [record for record in same if board.mcu.startswith(record.chip.split()[0])]
    return min(own or same, key=lambda record: record.cycles_per_mac, default=None)
