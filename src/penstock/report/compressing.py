"""What ``penstock compress`` made."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from penstock.design.compression.results import LayerSensitivity, StageResult
from penstock.design.learning.computer import Computer


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressResult:
    """A network as compressed.

    Attributes:
        model: file name of the network that it was.
        data: what it learned from.
        test_samples: that scores are of.
        measure: what scores are.
        board: whose latency is estimated; empty where none is.
        latency: seconds that an inference may take; None is any time.
        size: bytes that constants may take, stored in as few as they can be; None is any number.
        recipe: everything that was asked for, as in a recipe's file.
        stages: the network as it was given, and as each stage left it; the last one is deployed.
        file_bytes: of the .tflite file.
        smallest_bytes: of its constants, where filters are stored in as few bytes as they can be:
            ``penstock compile --weights small``.
        computer: that trained it.
    """

    model: str
    data: str
    test_samples: int
    measure: str
    board: str
    latency: float | None
    size: int | None
    recipe: Mapping[str, Any]
    stages: tuple[StageResult, ...]
    file_bytes: int
    smallest_bytes: int
    computer: Computer

    @property
    def keeps_latency(self) -> bool | None:
        """Whether the result is expected to be as fast as asked for; None: nothing was asked."""
        if self.latency is None:
            return None
        expected = self.stages[-1].cost.latency
        return expected is not None and expected <= self.latency

    @property
    def keeps_size(self) -> bool | None:
        """Whether constants take no more than asked for; None: nothing was asked."""
        return None if self.size is None else self.smallest_bytes <= self.size

    def to_json(self, file: str) -> dict[str, Any]:
        """Return the ``penstock.compress/1`` form of a network that was written to ``file``."""
        return {
            "schema": "penstock.compress/1",
            "truth": {"latency": "estimate"},
            **asdict(self),
            "keeps_latency": self.keeps_latency,
            "keeps_size": self.keeps_size,
            "file": file,
        }


@dataclass(frozen=True, slots=True)
class SensitivityResult:
    """What 4 bits do to each layer of a network.

    Attributes:
        model: file name.
        layers: in the order of execution.
    """

    model: str
    layers: tuple[LayerSensitivity, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the ``penstock.sensitivity/1`` form."""
        return {"schema": "penstock.sensitivity/1", **asdict(self)}


@dataclass(frozen=True, slots=True, eq=False)
class Compressed:
    """An int8 network made from a float one.

    Attributes:
        result: figures, as written to JSON.
        content: the .tflite file; the same recipe and data give the same bytes.
    """

    result: CompressResult
    content: bytes
