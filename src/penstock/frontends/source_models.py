"""Models as their files have them, whatever wrote these."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from penstock.errors import InputError
from penstock.extras import needs_extra
from penstock.frontends.tflite import load_model
from penstock.ir.graph import Graph
from penstock.ir.quantization import GivenQuantization

FloatArray = npt.NDArray[np.float32]
Order = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SourceModel:
    """A model file, translated.

    Attributes:
        graph: quantized, or float32 as it was trained; images are ``[N, H, W, C]``.
        orders: how the file has the dimensions of inputs, by name: dimension i of the graph's
            tensor is dimension ``order[i]`` there. Inputs left out are the same here and there.
        given: how the file says that a float32 graph is quantized; None where it says nothing.
    """

    graph: Graph
    orders: Mapping[str, Order] = field(default_factory=dict)
    given: GivenQuantization | None = None

    def order(self, name: str) -> Order:
        """Return the order of an input's dimensions."""
        return self.orders.get(name, tuple(range(len(self.graph.tensors[name].shape))))


def _load_torch(path: Path) -> SourceModel:
    from penstock.frontends.torch import load_torch_model

    return load_torch_model(path)


def _load_onnx(path: Path) -> SourceModel:
    from penstock.frontends.onnx import load_onnx_model

    return load_onnx_model(path)


def _load_tflite(path: Path) -> SourceModel:
    return SourceModel(load_model(path))


@dataclass(frozen=True, slots=True)
class _Format:
    """A kind of model file: for people, how it is read, and what that takes."""

    description: str
    load: Callable[[Path], SourceModel]
    extra: str = ""


TFLITE = ".tflite"
_FORMATS = {
    TFLITE: _Format("a TensorFlow Lite model", _load_tflite),
    ".onnx": _Format("an ONNX model", _load_onnx, "onnx"),
    ".pt2": _Format("a PyTorch program", _load_torch, "design"),
}
SUFFIXES = tuple(_FORMATS)
"""Of model files, by which their format is told apart; others are read as the first."""
_EXPORT_TORCH = "save the network with torch.export.save, as a .pt2 file"
_CONVERT_KERAS = "convert it with tf.lite.TFLiteConverter, to a .tflite file"
_ELSEWHERE = {
    ".pt": _EXPORT_TORCH,
    ".pth": _EXPORT_TORCH,
    ".ckpt": _EXPORT_TORCH,
    ".safetensors": _EXPORT_TORCH,
    ".h5": _CONVERT_KERAS,
    ".keras": _CONVERT_KERAS,
    ".pb": _CONVERT_KERAS,
}
"""Files of weights, or of other formats, and how a model is made of them."""


def load_source_model(path: Path) -> SourceModel:
    """Return the model of a file; its graph has a name made from the file's.

    Raises:
        InputError: the file cannot be read, or its name says that it is of another format.
        ModelFormatError: its content is not what its suffix says, or damaged.
        UnsupportedError: it uses something that Penstock does not implement.
        ToolError: reading it takes a package that is not installed.
    """
    suffix = path.suffix.lower()
    if suffix in _ELSEWHERE:
        raise InputError(
            f"{str(path)!r} is by its name no model file: those are {', '.join(SUFFIXES)}",
            help=_ELSEWHERE[suffix],
        )
    kind = _FORMATS.get(suffix, _FORMATS[TFLITE])
    with needs_extra(f"reading {kind.description}", kind.extra):
        return kind.load(path)
