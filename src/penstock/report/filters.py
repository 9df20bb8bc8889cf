"""Filters that are stored in fewer bytes than int8 takes, as data and for people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from penstock.ir.operators import Conv2D, FullyConnected
from penstock.kernels.kernel_graph import KernelGraph
from penstock.kernels.kernel_set import Encoding, kernel_encoding
from penstock.units import format_bytes

_WORDS: Mapping[Encoding, str] = {
    Encoding.SPARSE: "without zeros",
    Encoding.INT4: "of four bits",
}


@dataclass(frozen=True, slots=True)
class EncodedFilters:
    """Filters of one encoding in a program.

    Attributes:
        encoding: which.
        steps: how many have such filters.
        stored_bytes: of these filters.
        int8_bytes: of the same filters as int8.
    """

    encoding: Encoding
    steps: int
    stored_bytes: int
    int8_bytes: int

    def describe(self) -> str:
        """Return a clause for people."""
        return (
            f"filters {_WORDS[self.encoding]} in {self.steps} step{'s' * (self.steps != 1)}, "
            f"{format_bytes(self.stored_bytes)} where int8 takes {format_bytes(self.int8_bytes)}"
        )


def encoded_filters(program: KernelGraph) -> tuple[EncodedFilters, ...]:
    """Return what a program stores in fewer bytes, by encoding; empty where it is all int8."""
    found: dict[Encoding, list[tuple[int, int]]] = {}
    for call in program.calls:
        encoding = kernel_encoding(call.kernel.name)
        operator = program.graph.operators[call.operator]
        if encoding is not None and isinstance(operator, Conv2D | FullyConnected):
            stored = program.constants[call.constants[0]].nbytes
            dense = program.graph.tensors[operator.filters].size_bytes
            found.setdefault(encoding, []).append((stored, dense))
    return tuple(
        EncodedFilters(encoding, len(sizes), sum(s for s, _ in sizes), sum(d for _, d in sizes))
        for encoding, sizes in sorted(found.items(), key=lambda item: item[0].value)
    )


def filters_to_json(filters: Sequence[EncodedFilters]) -> dict[str, Any]:
    """Return the form that results have: by encoding."""
    fields = [(each.encoding.value, asdict(each)) for each in filters]
    return {name: {k: v for k, v in row.items() if k != "encoding"} for name, row in fields}
