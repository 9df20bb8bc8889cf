"""Networks: published ones, and those that somebody trained."""

from pathlib import Path

from penstock.design.calibration import DEFAULT_CALIBRATION, CalibrationOptions
from penstock.design.outline import outline
from penstock.design.published import NetworkOptions
from penstock.design.quantization import quantize_source
from penstock.design.random_weights import INT8_BITS, FilterLooks, fill_with_random_weights
from penstock.design.reading import read_source
from penstock.frontends.tflite import identifier, read_model, write_model
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning import plan_execution
from penstock.progress import Progress, silent
from penstock.report.building import BuiltNetwork, summarize_build
from penstock.report.inspection import graph_totals
from penstock.report.quantizing import Quantized, summarize_quantize


def build(options: NetworkOptions, progress: Progress = silent) -> BuiltNetwork:
    """Build a published network with random weights.

    Args:
        options: which network, how wide, for which images.
        progress: told what is going on.

    Raises:
        PenstockError: the network would be larger than a model file may be.
    """
    looks = FilterLooks(options.zeros, options.bits, options.seed)
    graph = fill_with_random_weights(outline(options), options.seed, progress, looks)
    is_int4 = options.bits < INT8_BITS
    content = write_model(graph, description=f"penstock build: {options}", int4_filters=is_int4)
    # What is written is what is summed up.
    written = read_model(content, identifier(options.name))
    plan = plan_execution(select_kernels(run_passes(written)), None)
    return summarize_build(options, graph_totals(written), plan, content)


def quantize(
    model: str | Path,
    *,
    data: str | Path,
    options: CalibrationOptions = DEFAULT_CALIBRATION,
    progress: Progress = silent,
) -> Quantized:
    """Make an int8 network of a trained float one.

    Args:
        model: a float32 network: a .tflite or .onnx file, or a .pt2 file of
            ``torch.export.save``, for a batch of 1.
        data: samples like those that the network will see: a folder of images, .npy or .npz.
        options: how many samples to take, and how pixels become numbers.
        progress: told what is going on.

    Raises:
        PenstockError: a package is missing, a file cannot be read, or an operator is not supported.
    """
    source = Path(model)
    progress("reading the network", None)
    made = quantize_source(read_source(source), Path(data), options, progress)
    content = write_model(made.graph, description="penstock quantize")
    written = read_model(content, identifier(source.stem))
    return summarize_quantize(source.name, written, made.calibrated_on, made.agreement, content)
