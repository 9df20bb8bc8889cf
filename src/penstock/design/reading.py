"""Any model file as a graph: float32 as it was trained, or quantized as the file says."""

from dataclasses import replace
from pathlib import Path

from penstock.errors import GraphError, ModelFormatError, UnsupportedError
from penstock.frontends.source_models import SourceModel, load_source_model
from penstock.ir.verify import verify
from penstock.quantize.given import quantize_as_given


def read_source(path: Path) -> SourceModel:
    """Return the model of a file; where that says how it is quantized, it is.

    Raises:
        PenstockError: the file cannot be read, contradicts itself, or is not supported.
    """
    model = load_source_model(path)
    if model.given is None:
        return model
    try:
        graph = quantize_as_given(model.graph, model.given)
        verify(graph)
    except UnsupportedError as error:
        raise UnsupportedError(f"{path.name}: {error.what}", help=error.help) from error
    except GraphError as error:
        raise ModelFormatError(
            f"{path.name} contradicts itself: {error}", help="quantize the model again"
        ) from error
    return replace(model, graph=graph, given=None)
