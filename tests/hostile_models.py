"""Well-formed models that cost far more than their size: what a stranger's file may ask for.

Each is legal in every field. They come from LiteRT's own objects of the schema, so that the
repository's reader is all that meets them.
"""

from collections.abc import Sequence

import numpy as np

from tests.frontends.tflite_models import FileModel, FileOperator, FileTensor, options

LIMIT_OPERATORS = 4096


def tensor(name: str, shape: Sequence[int]) -> FileTensor:
    """Return an int8 tensor of activations."""
    return FileTensor(name, shape, "int8", 0.1)


def probability(name: str, shape: Sequence[int]) -> FileTensor:
    """Return an int8 tensor with the fixed scale of LOGISTIC and SOFTMAX."""
    return FileTensor(name, shape, "int8", 1 / 256, -128)


def ones(name: str, shape: Sequence[int]) -> FileTensor:
    """Return a constant int8 tensor."""
    return FileTensor(name, shape, "int8", 0.1, data=np.ones(shape))


def integers(name: str, values: object) -> FileTensor:
    """Return a constant int32 tensor."""
    data = np.array(values)
    return FileTensor(name, data.shape, "int32", data=data)


def chain(count: int) -> FileModel:
    """Return LOGISTICs one after the other."""
    tensors = [probability(f"t{i}", (1, 8)) for i in range(count + 1)]
    operators = [FileOperator("LOGISTIC", [f"t{i}"], [f"t{i + 1}"]) for i in range(count)]
    return FileModel(tensors, operators, ["t0"], [f"t{count}"])


def independents(count: int) -> FileModel:
    """Return LOGISTICs that all have an input and an output of the model."""
    widths = [1 + i % 97 for i in range(count)]
    sources = [tensor(f"i{i}", (1, width)) for i, width in enumerate(widths)]
    results = [probability(f"o{i}", (1, width)) for i, width in enumerate(widths)]
    operators = [FileOperator("LOGISTIC", [f"i{i}"], [f"o{i}"]) for i in range(count)]
    names = [f"i{i}" for i in range(count)], [f"o{i}" for i in range(count)]
    return FileModel([*sources, *results], operators, *names)


def concatenations(count: int, operands: int) -> FileModel:
    """Return CONCATENATIONs of one tensor with itself, side by side."""
    results = [tensor(f"y{i}", (1, operands)) for i in range(count)]
    operators = [
        FileOperator(
            "CONCATENATION", ["x"] * operands, [y.name], options("ConcatenationOptions", axis=1)
        )
        for y in results
    ]
    return FileModel([tensor("x", (1, 1)), *results], operators, ["x"], [y.name for y in results])


def dilated(dilation: int) -> FileModel:
    """Return a convolution of one pixel, whose nine taps lie ``dilation`` apart."""
    tensors = [tensor("x", (1, 1, 1, 1)), ones("w", (1, 3, 3, 1)), tensor("y", (1, 1, 1, 1))]
    geometry = options(
        "Conv2DOptions",
        padding=0,
        strideH=1,
        strideW=1,
        dilationHFactor=dilation,
        dilationWFactor=dilation,
    )
    return FileModel(tensors, [FileOperator("CONV_2D", ["x", "w"], ["y"], geometry)], ["x"], ["y"])


def padded_constants(count: int, elements: int) -> FileModel:
    """Return constants of four elements, each padded to many more, and then an ADD of a scalar."""
    tensors = [tensor("x", (1, 1)), integers("pads", [[0, 0], [0, elements - 4]])]
    operators = []
    for i in range(count):
        tensors += [
            ones(f"c{i}", (1, 4)),
            tensor(f"s{i}", (1, elements)),
            tensor(f"y{i}", (1, elements)),
        ]
        operators += [
            FileOperator("PAD", [f"c{i}", "pads"], [f"s{i}"], options("PadOptions")),
            FileOperator("ADD", [f"s{i}", "x"], [f"y{i}"], options("AddOptions")),
        ]
    return FileModel(tensors, operators, ["x"], [f"y{i}" for i in range(count)])


def pooled_constant(extent: int, window: int) -> FileModel:
    """Return a constant image, blown up and averaged over windows, before an ADD."""
    sides = (1, extent, extent, 1)
    result = (1, extent - window + 1, extent - window + 1, 1)
    pads = [[0, 0], [0, extent - 1], [0, extent - 1], [0, 0]]
    tensors = [tensor("x", (1, 1, 1, 1)), ones("c", (1, 1, 1, 1)), integers("pads", pads)]
    tensors += [tensor("s", sides), tensor("q", result), tensor("y", result)]
    pool = options(
        "Pool2DOptions", padding=1, strideH=1, strideW=1, filterHeight=window, filterWidth=window
    )
    operators = [
        FileOperator("PAD", ["c", "pads"], ["s"], options("PadOptions")),
        FileOperator("AVERAGE_POOL_2D", ["s"], ["q"], pool),
        FileOperator("ADD", ["q", "x"], ["y"], options("AddOptions")),
    ]
    return FileModel(tensors, operators, ["x"], ["y"])
