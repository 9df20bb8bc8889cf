"""What ``penstock quantize`` made."""

from dataclasses import asdict, dataclass
from typing import Any

from penstock.ir.graph import Graph
from penstock.quantize.agreement import Agreement
from penstock.report.inspection import GraphTotals, graph_totals


@dataclass(frozen=True, slots=True)
class QuantizeResult:
    """A network as quantized.

    Attributes:
        model: file name of the float network.
        totals: of the int8 one.
        calibrated_on: samples whose ranges were observed.
        agreement: with the network as it was trained.
        float_bytes: of the weights as float32.
        file_bytes: of the .tflite file.
    """

    model: str
    totals: GraphTotals
    calibrated_on: int
    agreement: Agreement
    float_bytes: int
    file_bytes: int

    def to_json(self, file: str) -> dict[str, Any]:
        """Return the ``penstock.quantize/1`` form of a network that was written to ``file``."""
        return {
            "schema": "penstock.quantize/1",
            "model": self.model,
            **asdict(self.totals),
            "calibrated_on": self.calibrated_on,
            "agreement": asdict(self.agreement),
            "float_bytes": self.float_bytes,
            "file": file,
            "file_bytes": self.file_bytes,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """An int8 network made from a float one.

    Attributes:
        result: figures, as written to JSON.
        content: the .tflite file; the same network and data give the same bytes.
    """

    result: QuantizeResult
    content: bytes


def summarize_quantize(
    model: str, graph: Graph, calibrated_on: int, agreement: Agreement, content: bytes
) -> Quantized:
    """Return a file with its figures; ``graph`` is that of its ``content``."""
    totals = graph_totals(graph)
    elements = sum(
        t.data.size for t in graph.tensors.values() if t.data is not None and t.quantization
    )
    result = QuantizeResult(model, totals, calibrated_on, agreement, 4 * elements, len(content))
    return Quantized(result, content)
