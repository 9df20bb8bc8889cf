"""Published latencies of models on the cores that Penstock has kernels for."""

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_DATA = files("penstock.bench") / "data" / "records.toml"


@dataclass(frozen=True, slots=True)
class Record:
    """The best latency of MLPerf Tiny's closed division on a chip.

    Attributes:
        core: as compilers call it.
        chip: which, and its clock; another one with the same core may have other memories.
        cycles_per_mac: core cycles for each multiply-accumulate of the model.
    """

    core: str
    chip: str
    cycles_per_mac: float


@cache
def _by_model() -> dict[str, tuple[Record, ...]]:
    """Return all records by the SHA-256 of the model file."""
    models = tomllib.loads(_DATA.read_text(encoding="utf-8"))["model"]
    return {m["sha256"]: tuple(Record(**record) for record in m["records"]) for m in models}


def find_record(model: bytes, core: str) -> Record | None:
    """Return the best record of a model file on a core; None where there is none."""
    records = _by_model().get(hashlib.sha256(model).hexdigest(), ())
    same = [record for record in records if record.core == core]
    return min(same, key=lambda record: record.cycles_per_mac, default=None)
