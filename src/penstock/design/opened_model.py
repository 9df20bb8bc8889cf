"""Any model file as the int8 network that is compiled: quantized on the way where it is float32."""

from dataclasses import dataclass
from pathlib import Path

from penstock.design.calibration import Calibration
from penstock.design.quantization import quantize_source
from penstock.design.reading import read_source
from penstock.errors import InputError, UnsupportedError
from penstock.frontends.source_models import TFLITE, SourceModel
from penstock.frontends.tflite import read_model, write_model
from penstock.ir.graph import Graph
from penstock.ir.real_numbers import first_in_float
from penstock.progress import Progress, silent
from penstock.quantize.agreement import Calibrated


@dataclass(frozen=True, slots=True, eq=False)
class OpenedModel:
    """What is compiled.

    Attributes:
        graph: quantized; float32 at most at its ends.
        content: the .tflite file that holds it.
        calibrated: how near it is to the float32 network that was found; None where the file was
            quantized already.
    """

    graph: Graph
    content: bytes
    calibrated: Calibrated | None


def open_model(
    path: Path, calibration: Calibration | None = None, progress: Progress = silent
) -> OpenedModel:
    """Return a model ready to be compiled.

    Args:
        path: of a model file.
        calibration: how to quantize a float32 network; None refuses those.
        progress: told what is going on.

    Raises:
        PenstockError: the file cannot be read, is not supported, or is float32 without a
            calibration, or a calibration without need.
    """
    source = read_source(path)
    if calibration is None:
        expect_quantized(source.graph, path.name)
    elif first_in_float(source.graph) is not None:
        return _quantized(source, calibration, progress)
    else:
        raise InputError(
            f"{path.name} is quantized already: there is nothing to calibrate",
            help="leave out --calibrate",
        )
    if path.suffix.lower() == TFLITE:
        return OpenedModel(source.graph, path.read_bytes(), None)
    return _written(source.graph, "penstock", None)


def expect_quantized(graph: Graph, file: str) -> None:
    """Refuse a network that computes in float32.

    Args:
        graph: of a model file.
        file: its name.

    Raises:
        UnsupportedError: naming the first operator that does, and saying how it is quantized.
    """
    found = first_in_float(graph)
    if found is None:
        return
    operator, tensor = found
    number = "" if operator.source is None else f" {operator.source}"
    raise UnsupportedError(
        f"{file}: operator{number} ({operator.kind}), which writes {operator.outputs[0]!r}, "
        f"computes in FLOAT32 (tensor {tensor!r}), Penstock in integers",
        help="quantize it on the way with --calibrate DATA, samples like those that it will see, "
        f"or once: `penstock quantize {file} --data DATA -o INT8.tflite`",
    )


def _quantized(source: SourceModel, calibration: Calibration, progress: Progress) -> OpenedModel:
    made = quantize_source(source, calibration.data, calibration.options, progress)
    calibrated = Calibrated(made.calibrated_on, made.agreement)
    return _written(made.graph, "penstock quantize", calibrated)


def _written(graph: Graph, description: str, calibrated: Calibrated | None) -> OpenedModel:
    """Return a network as its file has it, which a project keeps."""
    content = write_model(graph, description=description)
    return OpenedModel(read_model(content, graph.name), content, calibrated)
