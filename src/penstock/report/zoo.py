"""What ``penstock zoo`` lists, and what ``penstock zoo train`` made."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from penstock.design.learning.computer import Computer
from penstock.design.zoo.carried import CarriedNetwork
from penstock.report.inspection import GraphTotals


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooResult:
    """A network of the zoo, as trained.

    Attributes:
        name: of the network.
        about: one line for people.
        data: that it was trained and tested with.
        test_samples: that scores are of.
        measure: what scores are.
        float_score: of the network in real numbers, from 0 to 1.
        score: of its C.
        totals: of the int8 network.
        seconds: that it took, runs before an interruption included.
        recipe: tables of everything that decided it, with the keys of a recipe's file.
        file_bytes: of the .tflite file.
        sha256: of the .tflite file.
        computer: that trained it.
    """

    name: str
    about: str
    data: str
    test_samples: int
    measure: str
    float_score: float
    score: float
    totals: GraphTotals
    seconds: float
    recipe: Mapping[str, Mapping[str, Any]]
    file_bytes: int
    sha256: str
    computer: Computer

    def to_json(self, file: str) -> dict[str, Any]:
        """Return the ``penstock.zoo/1`` form of a network that was written to ``file``."""
        return {"schema": "penstock.zoo/1", **asdict(self), "file": file}


def zoo_document(networks: Sequence[CarriedNetwork]) -> dict[str, Any]:
    """Return the ``penstock.zoo-list/1`` form of the networks that come with Penstock."""
    described = [asdict(network) | {"file_bytes": len(network.content())} for network in networks]
    return {"schema": "penstock.zoo-list/1", "networks": described}


@dataclass(frozen=True, slots=True, eq=False)
class TrainedZooNetwork:
    """A network of the zoo, trained and quantized.

    Attributes:
        result: figures.
        content: the .tflite file.
        program: the .pt2 file of the network in real numbers.
    """

    result: ZooResult
    content: bytes
    program: bytes
